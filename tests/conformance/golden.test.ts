/**
 * The engine against logits that others computed: tiny models of every architecture (an independent implementation,
 * checked against llama.cpp) and 200 greedy tokens of a small trained model (llama.cpp). All data are beside a
 * checkout, not in it; `accuracy.test.ts` and `exact.test.ts` need none.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { load } from "../../src/load.ts";
import { onebitLogits } from "./compare.ts";

const GOLDEN = "../shared/data/golden";
const STORIES = "../shared/data/stories260k";

describe("golden logits", { skip: existsSync(GOLDEN) ? false : `${GOLDEN} is not here` }, () => {
  const { ids } = existsSync(GOLDEN) ? JSON.parse(readFileSync(`${GOLDEN}/tiny_ids.json`, "utf8")) : { ids: [] };
  // The oracle of bitnet-b1.58 kept keys and values in half precision.
  const tolerances = { llama: 1e-4, qwen3: 1e-4, qwen3_yarn: 1e-4, bitnet_silu: 1e-4, "bitnet-b1.58_relu2": 1e-3 };
  for (const [name, tolerance] of Object.entries(tolerances)) {
    test(name, async () => {
      const found = await onebitLogits(`${GOLDEN}/${name}.gguf`, ids, { threads: 1 });
      const error = relativeError(found, floats(`${GOLDEN}/${name}.logits.f32`));
      assert.ok(error <= tolerance, `relative error ${error}`);
    });
  }
});

/** 8-bit activations in blocks lie up to 3e-2 away from exact ones. */
const COSINE_MIN = 0.999;

describe("golden logits of weights written out as floats", { skip: existsSync(GOLDEN) ? false : "no data" }, () => {
  for (const name of ["hf_qwen3_g128", "hf_qllama_scales"]) {
    test(`${name}: the folder and its packed twin`, async () => {
      const { ids } = JSON.parse(readFileSync(`${GOLDEN}/${name}.ids.json`, "utf8")),
        found = await onebitLogits(`${GOLDEN}/${name}`, ids, { threads: 1 });
      assert.ok(leastCosine(found, floats(`${GOLDEN}/${name}.logits.f32`)) >= COSINE_MIN);
      assert.deepEqual(found, await onebitLogits(`${GOLDEN}/${name}.gguf`, ids, { threads: 1 }));
    });
  }
});

describe("golden logits of gated delta nets", { skip: existsSync(GOLDEN) ? false : `${GOLDEN} is not here` }, () => {
  const read = async (name: string): Promise<[readonly Float32Array[], Float32Array]> => {
    const { ids } = JSON.parse(readFileSync(`${GOLDEN}/${name}.ids.json`, "utf8"));
    return [await onebitLogits(`${GOLDEN}/${name}.gguf`, ids, { threads: 1 }), floats(`${GOLDEN}/${name}.logits.f32`)];
  };
  for (const name of ["qwen35_plain", "qwen35_hadamard_f32"]) {
    test(name, async () => {
      const error = relativeError(...(await read(name)));
      assert.ok(error <= 1e-4, `relative error ${error}`);
    });
  }

  test("qwen35_hadamard_pq2", async () => {
    const cosine = leastCosine(...(await read("qwen35_hadamard_pq2")));
    assert.ok(cosine >= COSINE_MIN, `cosine ${cosine}`);
  });
});

describe("stories260K", { skip: existsSync(STORIES) ? false : `${STORIES} is not here` }, () => {
  test("200 greedy tokens and their logits", async () => {
    const wanted = floats(`${STORIES}/logits_200x512.f32`);
    const wantedIds = Array.from({ length: 200 }, (_, step) => argmax(wanted.subarray(step * 512, (step + 1) * 512)));
    const path = `${STORIES}/stories260K-f32.gguf`;
    const model = await load(path, { threads: 1 });
    try {
      const { ids } = await model.generate([1], { maxTokens: 200, temperature: 0, ignoreEnd: true }).result();
      assert.deepEqual(ids, wantedIds);
    } finally {
      await model.close();
    }
    const error = relativeError(await onebitLogits(path, [1, ...wantedIds.slice(0, 199)], { threads: 1 }), wanted);
    assert.ok(error <= 1e-4, `relative error ${error}`);
  });
});

function floats(path: string): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** Largest difference over the largest magnitude. */
function relativeError(found: readonly Float32Array[], wanted: Float32Array): number {
  assert.equal(
    found.reduce((sum, row) => sum + row.length, 0),
    wanted.length,
  );
  let error = 0;
  let magnitude = 0;
  found.forEach((row, t) =>
    row.forEach((value, i) => {
      error = Math.max(error, Math.abs(value - wanted[t * row.length + i]));
      magnitude = Math.max(magnitude, Math.abs(wanted[t * row.length + i]));
    }),
  );
  return error / magnitude;
}

/** The cosine of the rows that are least alike. */
function leastCosine(found: readonly Float32Array[], wanted: Float32Array): number {
  const cosines = found.map((row, t) => {
    const other = wanted.subarray(t * row.length, (t + 1) * row.length),
      dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);
    return dot(row, other) / Math.sqrt(dot(row, row) * dot(other, other));
  });
  return Math.min(...cosines);
}

function argmax(row: Float32Array): number {
  return row.indexOf(row.reduce((max, value) => Math.max(max, value), -Infinity));
}
