/**
 * Golden models of hunyuan-dense and Gemma 3, made and computed by an independent program in double precision (checked
 * against llama.cpp), in ../shared: skipped without it. `architectures.test.ts` has the same graphs without data.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { readGguf } from "../../src/files/gguf.ts";
import { load } from "../../src/load.ts";
import type { EngineOptions } from "../../src/model/engine-options.ts";
import { VARIANTS } from "../model/logits.ts";
import { onebitLogits } from "./compare.ts";
import { pool } from "../../src/generate/embed.ts";
import { openSource } from "../runtime/open-engine.ts";
import { exactHidden, exactLogits } from "./exact/forward.ts";
import { golden, goldenError, goldenVectors, leastCosine, noGolden } from "./golden-2026.ts";

/** Of the largest logit. */
const EXACT_ERROR_MAX = 1e-5,
  FLOAT_ERROR_MAX = 1e-4;
/** 8-bit activations in blocks lie up to 3e-2 away from exact ones. */
const COSINE_MIN = 0.999;

describe("golden logits", { skip: noGolden }, () => {
  for (const name of ["hunyuan_dense", "gemma3_swa"]) {
    test(name, async () => {
      const wanted = golden(name),
        { path, ids } = wanted;
      assert.ok(goldenError(await exactLogits(path, ids), wanted) <= EXACT_ERROR_MAX);
      for (const variant of VARIANTS) {
        const error = goldenError(await onebitLogits(path, ids, { threads: 1, variant }), wanted);
        assert.ok(error <= FLOAT_ERROR_MAX, `${variant}: relative error ${error}`);
      }
    });
  }

  test("hunyuan_dense_stq: ternary weights of STQ1_0", async () => {
    const wanted = golden("hunyuan_dense_stq"),
      { path, ids } = wanted;
    assert.ok(goldenError(await exactLogits(path, ids), wanted) <= EXACT_ERROR_MAX);
    for (const variant of VARIANTS) {
      const cosine = leastCosine(await onebitLogits(path, ids, { threads: 1, variant }), wanted);
      assert.ok(cosine >= COSINE_MIN, `${variant}: cosine ${cosine}`);
    }
  });
});

describe("golden hidden states and vectors of BitNet-Embedding 270M", { skip: noGolden }, () => {
  const hiddenOf = async (path: string, ids: readonly number[], pieces: number, options: EngineOptions) => {
    const engine = await openSource(bytesSource(new Uint8Array(readFileSync(path))), { contextLength: 64, ...options }),
      sequence = engine.pages.open([]),
      rows: Float32Array[] = [];
    try {
      for (let at = 0; at < ids.length; at += pieces) {
        const all = await engine.hidden(ids.slice(at, at + pieces), sequence);
        for (let row = 0; row < all.length; row += engine.config.nEmbd)
          rows.push(all.slice(row, row + engine.config.nEmbd));
      }
    } finally {
      await engine.close();
    }
    return rows;
  };

  // The 8-bit activations of _i2s hold a rounding step, which f32 and f64 do not take apart in this model.
  for (const name of ["gemma3_bitnet_f32", "gemma3_bitnet_i2s"]) {
    test(name, async (t) => {
      const wanted = golden(name, "hidden"),
        { path, ids } = wanted;
      const exact = await exactHidden(path, ids);
      assert.ok(goldenError(exact, wanted) <= EXACT_ERROR_MAX, `exact: ${goldenError(exact, wanted)}`);
      const first = await hiddenOf(path, ids, ids.length, { threads: 1 });
      t.diagnostic(`error ${goldenError(first, wanted)}, cosine ${leastCosine(first, wanted)}`);
      assert.ok(goldenError(first, wanted) <= FLOAT_ERROR_MAX);
      for (const variant of VARIANTS)
        for (const threads of [1, 2])
          for (const ternaryKernel of ["dot", "tables"] as const)
            for (const pieces of [1, 7, 24])
              assert.deepEqual(await hiddenOf(path, ids, pieces, { variant, threads, ternaryKernel }), first);
      const all = Float32Array.from(first.flatMap((row) => [...row])),
        dimensions = first[0].length;
      for (const [i, pooling] of (["last", "mean"] as const).entries()) {
        const vector = pool(all, dimensions, { pooling, dimensions, normalize: true }),
          cosine = goldenVectors(name)[i].reduce((sum, each, at) => sum + each * vector[at], 0);
        assert.ok(Math.abs(cosine - 1) < 1e-6, `${pooling}: ${cosine}`);
      }
    });
  }
});

describe("golden logits move when anything in their files is changed", { skip: noGolden }, () => {
  const keys: Readonly<Record<string, Readonly<Record<string, (view: DataView, at: number) => void>>>> = {
    hunyuan_dense: {
      "hunyuan-dense.rope.freq_base": float(10_000),
      "hunyuan-dense.attention.layer_norm_rms_epsilon": float(0.1),
      "hunyuan-dense.rope.dimension_count": whole(8),
    },
    gemma3_swa: {
      "gemma3.attention.sliding_window": whole(9),
      "gemma3.attention.sliding_window_pattern": whole(6),
      "gemma3.rope.freq_base": float(10_000),
      "gemma3.rope.freq_base_swa": float(1e6),
      "gemma3.rope.dimension_count": whole(16),
      "gemma3.attention.layer_norm_rms_epsilon": float(0.1),
    },
  };
  for (const [name, changes] of Object.entries(keys)) {
    test(name, async () => {
      const wanted = golden(name),
        bytes = new Uint8Array(readFileSync(wanted.path)),
        { tensors } = await readGguf(bytesSource(bytes));
      const errorOf = async (change: (view: DataView) => void): Promise<number> => {
        const changed = bytes.slice();
        change(new DataView(changed.buffer));
        await using model = await load(changed, { threads: 1, contextLength: 64 });
        const all = await model.logits(wanted.ids);
        return goldenError(
          wanted.ids.map((_, row) => all.subarray(row * model.vocabSize, (row + 1) * model.vocabSize)),
          wanted,
        );
      };
      assert.ok((await errorOf(() => {})) <= FLOAT_ERROR_MAX);
      for (const { name: tensor, position, sizeBytes } of tensors.values()) {
        const error = await errorOf((view) => {
          // Every third number is half as large again.
          for (let at = position; at < position + sizeBytes; at += 12)
            view.setFloat32(at, 1.5 * view.getFloat32(at, true), true);
        });
        assert.ok(error > 10 * FLOAT_ERROR_MAX, `${tensor}: ${error}`);
      }
      for (const [key, change] of Object.entries(changes)) {
        // A key, then the type of its value in four bytes.
        const at = Buffer.from(bytes.buffer).indexOf(key) + key.length + 4;
        const error = await errorOf((view) => change(view, at));
        assert.ok(error > 10 * FLOAT_ERROR_MAX, `${key}: ${error}`);
      }
    });
  }
});

function float(value: number) {
  return (view: DataView, at: number) => view.setFloat32(at, value, true);
}

function whole(value: number) {
  return (view: DataView, at: number) => view.setUint32(at, value, true);
}
