/**
 * The engine on both sides of every threshold of its kernels (tests/kernels/thresholds.ts): each layout, one to four
 * threads, batches of rows around each threshold, prompts and caches that end around each threshold of positions. The
 * same bits.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import * as abi from "../../assembly/abi.ts";
import { bytesSource } from "../../src/core/byte-source.ts";
import { openModelFile } from "../../src/files/model-file.ts";
import { configFromGguf } from "../../src/model/config-gguf.ts";
import type { Engine } from "../../src/model/engine-interface.ts";
import { type EngineOptions, planEngine } from "../../src/model/engine.ts";
import { GGUF_NAMING } from "../../src/model/naming-gguf.ts";
import type { Layout } from "../../src/kernels/layouts.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { sizesAround } from "../kernels/thresholds.ts";
import { openSource } from "../runtime/open-engine.ts";
import { type GgufChoices, ggufBytes } from "./gguf-bytes.ts";
import { assertSameBits } from "./logits.ts";
import type { TinyShape } from "./tiny-model.ts";

const THREADS = [1, 2, 3, 4] as const;
const ROWS = sizesAround("rows", 130);

/**
 * Four tiles of k and v, eight of q, eighty of a feed-forward, whose rows are two k-blocks; a head of 67 rows has a
 * padded tile.
 */
const SHAPE: TinyShape = {
  nEmbd: 256,
  nLayers: 1,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 2560,
  nVocab: 67,
  branches: 0.25,
};

interface Case {
  readonly shape?: Partial<TinyShape>;
  readonly choices: GgufChoices;
  readonly options?: EngineOptions;
}

/** Every layout; a width of 4,352 is two panels of dot products, one of 2,816 two k-blocks of binary groups. */
const CASES: Readonly<Record<string, Case>> = {
  F32: { choices: { architecture: "llama" } },
  F16: { choices: { architecture: "llama", body: "F16", tables: "F16" } },
  BF16: { choices: { architecture: "llama", body: "BF16", tables: "BF16" } },
  Q8_0: { choices: { architecture: "llama", body: "Q8_0", tables: "Q8_0" } },
  Q4_0: { choices: { architecture: "llama", body: "Q4_0", tables: "Q4_0" } },
  Q4_K: { choices: { architecture: "llama", body: "Q4_K", tables: "Q4_K" } },
  Q6_K: { choices: { architecture: "llama", body: "Q6_K", tables: "Q6_K" } },
  "Q6_K by pairs of products": {
    choices: { architecture: "llama", body: "Q6_K", tables: "Q6_K" },
    options: { dots: "pairs" },
  },
  "ternary by tables": {
    choices: { architecture: "bitnet", body: "TQ2_0" },
    options: { ternaryKernel: "tables" },
    shape: { subNorms: true },
  },
  "ternary by dot products": {
    choices: { architecture: "bitnet", body: "TQ2_0" },
    options: { ternaryKernel: "dot" },
    shape: { subNorms: true, nFf: 4352 },
  },
  "ternary by pairs of products": {
    choices: { architecture: "bitnet", body: "TQ2_0" },
    options: { ternaryKernel: "dot", dots: "pairs" },
    shape: { subNorms: true, nFf: 4352 },
  },
  "ternary blocks by tables": {
    choices: { architecture: "bitnet", body: "TQ2_0" },
    options: { ternaryKernel: "tables" },
    shape: { subNorms: true, scales: "blocks" },
  },
  "ternary blocks by dot products": {
    choices: { architecture: "bitnet", body: "TQ2_0" },
    options: { ternaryKernel: "dot" },
    shape: { subNorms: true, scales: "blocks" },
  },
  "ternary blocks by pairs of products": {
    choices: { architecture: "bitnet", body: "TQ2_0" },
    options: { ternaryKernel: "dot", dots: "pairs" },
    shape: { subNorms: true, scales: "blocks" },
  },
  "ternary blocks, activations in blocks": {
    choices: { architecture: "llama", body: "TQ1_0" },
    shape: { scales: "blocks" },
  },
  "binary, one scale": {
    choices: { architecture: "llama", body: "Q1_0", tables: "Q1_0" },
    options: { activationMode: "token" },
    shape: { binary: true, nFf: 2816 },
  },
  "binary blocks": {
    choices: { architecture: "llama", body: "Q1_0" },
    options: { activationMode: "token" },
    shape: { binary: true, scales: "blocks", nFf: 2816 },
  },
  "binary blocks, activations in blocks": {
    choices: { architecture: "llama", body: "Q1_0" },
    shape: { binary: true, scales: "blocks", nFf: 2816 },
  },
};

const idsOf = (n: number): number[] => Array.from({ length: n }, (_, i) => (i * 29 + 5) % 64);

/** Logits (ids, vocabulary) of ids evaluated in these pieces, from position 0 on. */
async function logitsOf(engine: Engine, pieces: readonly number[]): Promise<Float32Array> {
  const n = pieces.reduce((sum, size) => sum + size, 0),
    ids = idsOf(n),
    rows = new Float32Array(n * engine.vocabSize);
  let begin = 0;
  const sequence = engine.pages.open([], { isPrivate: true });
  for (const size of pieces) {
    const at = begin;
    await engine.evaluate(ids.slice(at, at + size), sequence, {
      want: "all",
      onLogits: (row, logits) => rows.set(logits, (at + row) * engine.vocabSize),
    });
    begin += size;
  }
  sequence.close();
  return rows;
}

for (const [name, { shape, choices, options }] of Object.entries(CASES)) {
  describe(name, () => {
    let bytes = new Uint8Array(),
      wanted = new Float32Array();
    const n = Math.max(...ROWS),
      open = (threads: number) => openSource(bytesSource(bytes), { ...options, contextLength: n, threads });
    before(async () => {
      bytes = new Uint8Array(await ggufBytes({ ...SHAPE, ...shape }, choices));
      await using(
        open(1),
        async (engine) => void (wanted = new Float32Array(await logitsOf(engine, new Array<number>(n).fill(1)))),
      );
    });

    for (const threads of THREADS) {
      test(
        `${threads} thread${threads > 1 ? "s" : ""}: batches of rows around every threshold give the bits of one ` +
          "row after the other",
        () =>
          using(open(threads), async (engine) => {
            for (const rows of ROWS)
              assertSameBits(await logitsOf(engine, [rows]), wanted.slice(0, rows * engine.vocabSize), `${rows} rows`);
          }),
      );
    }
  });
}

test("the cases have every layout", async () => {
  const found = new Set<number>();
  for (const { shape, choices, options = {} } of Object.values(CASES)) {
    const file = await openModelFile(bytesSource(await ggufBytes({ ...SHAPE, ...shape }, choices)));
    assert.ok(file.format === "gguf");
    const config = configFromGguf(file.metadata, file.tensors),
      parts = { config, tensors: file.tensors, naming: GGUF_NAMING, platform: nodePlatform() };
    const { plan } = planEngine(
      parts,
      { ...options, contextLength: 64 },
      {
        ternaryKernel: "tables",
        dots: "fused",
      },
    );
    // One scale a matrix is found out when the weights are read.
    const twin = ({ uniformTwin }: Layout) => (shape?.scales === "blocks" ? undefined : uniformTwin);
    for (const { layout } of plan.matrices.values()) found.add((twin(layout) ?? layout).id);
  }
  const all = Object.entries(abi).flatMap(([name, id]) => (name.startsWith("LAYOUT_") ? [id as number] : []));
  assert.deepEqual(
    [...found].sort((a, b) => a - b),
    all.sort((a, b) => a - b),
  );
});

describe("positions", () => {
  const POSITIONS = sizesAround("positions", 300),
    n = Math.max(...POSITIONS) + 2;
  let bytes = new Uint8Array();
  before(async () => {
    const shape: TinyShape = {
      nEmbd: 64,
      nLayers: 2,
      nHeads: 6,
      nKvHeads: 2,
      headDim: 20,
      nFf: 64,
      nVocab: 67,
      branches: 0.25,
    };
    bytes = new Uint8Array(
      await ggufBytes(shape, { architecture: "llama", keys: { context_length: ["", "uint32", 512] } }),
    );
  });

  for (const kvType of ["f32", "q8"] as const) {
    test(`${kvType} cache: prompts that end around every threshold, and contexts that do`, async () => {
      const open = (threads: number, contextLength: number) =>
        openSource(bytesSource(bytes), { kvType, threads, contextLength });
      const wanted = await using(open(1, n), (engine) => logitsOf(engine, new Array<number>(n).fill(1)));
      for (const threads of THREADS) {
        await using(open(threads, n), async (engine) => {
          for (const size of POSITIONS) {
            const found = await logitsOf(engine, [size, 1, 1]);
            assertSameBits(found, wanted.slice(0, found.length), `${size} positions, ${threads} threads`);
          }
        });
      }
      for (const size of POSITIONS) {
        await using(open(2, size), async (engine) => {
          const found = await logitsOf(engine, [size]);
          assertSameBits(found, wanted.slice(0, found.length), `a context of ${size}`);
        });
      }
    });
  }
});

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
