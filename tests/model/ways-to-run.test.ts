/**
 * How a model is run changes no bit: the build of the kernels, the number of threads, the split of the ids into
 * batches, and what the KV cache held before. `tests/runtime` asks the same of larger models, in processes of their
 * own.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import type { Model } from "../../src/model.ts";
import { load } from "../../src/load.ts";
import type { Engine } from "../../src/model/engine-interface.ts";
import type { EngineOptions } from "../../src/model/engine.ts";
import { openSource } from "../runtime/open-engine.ts";
import { type GgufChoices, ggufBytes, value } from "./gguf-bytes.ts";
import { IDS, VARIANTS, assertSameBits } from "./logits.ts";
import type { TinyShape } from "./tiny-model.ts";

/** Rows that no number of threads divides evenly: 2 tiles and a half, 3 heads, a vocabulary of 67. */
const SHAPE: TinyShape = { nEmbd: 256, nLayers: 2, nHeads: 3, nKvHeads: 3, headDim: 84, nFf: 272, nVocab: 67 };

/** One of each kind of weights and activations. */
const MODELS: Readonly<Record<string, { shape: TinyShape; choices: GgufChoices }>> = {
  "8-bit activations, one scale a matrix": {
    shape: { ...SHAPE, nEmbd: 384, headDim: 128, nFf: 640, subNorms: true, tied: true },
    choices: { architecture: "bitnet-b1.58", body: "I2_S", tables: "F16" },
  },
  "8-bit activations, block scales": {
    shape: { ...SHAPE, nHeads: 4, nKvHeads: 1, headDim: 64, nFf: 512, subNorms: true, tied: true, scales: "blocks" },
    choices: { architecture: "bitnet", body: "TQ2_0", tables: "Q8_0" },
  },
  "ternary blocks": {
    shape: { ...SHAPE, nHeads: 6, nKvHeads: 2, headDim: 128, nFf: 768, scales: "blocks" },
    choices: { architecture: "llama", body: "TQ1_0", tables: "Q6_K" },
  },
  "binary blocks": {
    shape: { ...SHAPE, nHeads: 3, nKvHeads: 1, headDim: 128, nFf: 640, binary: true, qkNorm: true },
    choices: { architecture: "qwen3", body: "Q1_0", tables: "Q4_K" },
  },
  "dense, biases": {
    shape: { ...SHAPE, nHeads: 4, nKvHeads: 2, headDim: 72, nFf: 288, biases: true },
    choices: { architecture: "qwen2", body: "Q4_0", tables: "BF16" },
  },
  "windows, norms behind branches": {
    shape: {
      ...SHAPE,
      nLayers: 3,
      nHeads: 4,
      nKvHeads: 1,
      headDim: 64,
      nFf: 512,
      scales: "blocks",
      qkNorm: true,
      postNorms: true,
      tied: true,
    },
    choices: {
      architecture: "gemma3",
      body: "TQ2_0",
      tables: "F16",
      keys: {
        "attention.sliding_window": value("uint32", 9),
        "attention.sliding_window_pattern": value("uint32", 3),
      },
    },
  },
  "floats, odd sizes": { shape: { ...SHAPE, nEmbd: 252 }, choices: { architecture: "llama" } },
};

test("a prompt of several batches, again and again: every thread takes every part of it", async () => {
  const bytes = await ggufBytes(SHAPE, { architecture: "llama" }),
    ids = Array.from({ length: 120 }, (_, i) => (i * 31) % SHAPE.nVocab);
  const open = (threads: number): Promise<Engine> => openSource(bytesSource(bytes), { contextLength: 128, threads });
  const wanted = await using(open(1), async (engine) => (await engine.evaluate(ids, engine.pages.open([]))).slice());
  for (const threads of [2, 3]) {
    await using(open(threads), async (engine) => {
      for (let turn = 0; turn < 40; turn++) {
        const sequence = engine.pages.open([]);
        assertSameBits(await engine.evaluate(ids, sequence), wanted, `${threads} threads, turn ${turn}`);
        sequence.close();
      }
    });
  }
});

for (const [name, { shape, choices }] of Object.entries(MODELS)) {
  describe(name, () => {
    let bytes: Uint8Array = new Uint8Array(),
      wanted: Float32Array = new Float32Array();
    const open = (options: EngineOptions): Promise<Engine> =>
      openSource(bytesSource(bytes), { contextLength: 64, ...options });
    before(async () => {
      bytes = await ggufBytes(shape, choices);
      wanted = await using(open({ variant: "simd", threads: 1 }), (engine) => allLogits(engine, [IDS.length]));
    });

    for (const variant of VARIANTS) {
      for (const threads of [1, 2, 3, 5]) {
        test(`${variant}, ${threads} thread${threads > 1 ? "s" : ""}: whole, one by one, in uneven pieces`, () =>
          using(open({ variant, threads }), async (engine) => {
            const { ternaryKernel, dots } = engine.engine;
            assert.deepEqual(engine.engine, { variant, threads, ternaryKernel, dots });
            for (const pieces of [[IDS.length], [1], [33, 1, 3], [2, 5, 7]]) {
              assertSameBits(await allLogits(engine, pieces), wanted, `pieces of ${pieces.join(", ")}`);
            }
          }));
      }

      for (const [ternaryKernel, dots] of [
        ["dot", "fused"],
        ["dot", "pairs"],
        ["tables", "fused"],
      ] as const) {
        test(`${variant}: ternary weights by ${ternaryKernel}, ${dots} products`, async () => {
          for (const threads of [1, 3]) {
            const found = await using(open({ variant, threads, ternaryKernel, dots }), (engine) =>
              allLogits(engine, [33, 1, 3]),
            );
            assertSameBits(found, wanted, `${threads} threads`);
          }
        });
      }

      test(`${variant}: a cache that held other ids behind the prefix, a batch that wants the last logits only`, () =>
        using(open({ variant, threads: 1 }), async (engine) => {
          const prefix = IDS.slice(0, 21),
            rest = IDS.slice(21),
            other = rest.map((id) => (id + 1) % 64);
          const sequence = engine.pages.open([]);
          await engine.evaluate([...prefix, ...other, ...other], sequence, { want: "none" });
          sequence.truncate(prefix.length);
          const again = (await engine.evaluate(rest, sequence)).slice();
          assertSameBits(again, wanted.slice(-engine.vocabSize), "after a longer text");
        }));
    }

    test("8-bit keys and values: the same bits from threads and pieces", async () => {
      const one = await using(open({ threads: 1, kvType: "q8" }), (engine) => allLogits(engine, [IDS.length]));
      for (const threads of [1, 3]) {
        const found = await using(open({ threads, kvType: "q8" }), (engine) => allLogits(engine, [4, 1]));
        assertSameBits(found, one, `${threads} threads`);
      }
    });
  });
}

describe("a model's own reuse of its cache", () => {
  let model: Model | undefined;
  after(() => model?.close());

  test("turns that share a beginning give what a fresh model gives", async () => {
    const bytes = await ggufBytes(
      { ...SHAPE, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512 },
      { architecture: "llama", body: "TQ2_0" },
    );
    const generate = async (used: Model, prompt: readonly number[]) =>
      await used.generate(prompt, { maxTokens: 12, temperature: 0, logprobs: 3 }).result();
    model = await load(bytes, { threads: 1, contextLength: 64 });
    const first = await generate(model, IDS.slice(0, 10));
    const longer = [...IDS.slice(0, 10), ...first.ids, 7, 8];
    for (const prompt of [longer, IDS.slice(0, 5), IDS.slice(0, 30), IDS.slice(0, 30)]) {
      const reused = await generate(model, prompt);
      assert.ok(reused.timings.cachedTokens >= 4, `only ${reused.timings.cachedTokens} ids were reused`);
      await using(load(bytes, { threads: 1, contextLength: 64 }), async (fresh) => {
        const wanted = await generate(fresh, prompt);
        assert.equal(wanted.timings.cachedTokens, 0);
        assert.deepEqual(reused.ids, wanted.ids);
      });
    }
  });
});

async function allLogits(engine: Engine, pieces: readonly number[]): Promise<Float32Array> {
  const rows = new Float32Array(IDS.length * engine.vocabSize),
    sequence = engine.pages.open([], { isPrivate: true });
  for (let position = 0, i = 0; position < IDS.length; i++) {
    const ids = IDS.slice(position, position + pieces[i % pieces.length]),
      begin = position;
    await engine.evaluate(ids, sequence, {
      want: "all",
      onLogits: (row, logits) => rows.set(logits, (begin + row) * engine.vocabSize),
    });
    position += ids.length;
  }
  sequence.close();
  return rows;
}

async function using<T extends { close(): Promise<void> }, R>(
  opening: Promise<T>,
  use: (opened: T) => Promise<R>,
): Promise<R> {
  const opened = await opening;
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}
