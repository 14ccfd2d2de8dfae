/**
 * Loading that cannot succeed, is called off or breaks half-way: a typed error, nothing left open or running, and no
 * memory taken for a model that does not fit.
 */
import assert from "node:assert/strict";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { MODULE_RESERVED_BYTES } from "../../assembly/abi.ts";
import { type ByteSource, bytesSource } from "../../src/core/byte-source.ts";
import { type ErrorCode, OnebitError } from "../../src/core/errors.ts";
import { WASM_PAGE_BYTES } from "../../src/core/limits.ts";
import type { Model } from "../../src/model.ts";
import { type LoadModelOptions, inspect, load } from "../../src/load.ts";
import { ggufBytes, value } from "../model/gguf-bytes.ts";
import { hfFolder } from "../model/hf-folder.ts";
import { IDS } from "../model/logits.ts";
import { FOLDER, memoryPlatform } from "../model/memory-platform.ts";
import type { TinyShape } from "../model/tiny-model.ts";

const SHAPE: TinyShape = { nEmbd: 256, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512, nVocab: 64 };
const GGUF = await ggufBytes(SHAPE, { architecture: "llama", body: "TQ2_0" });
/** Long enough that the KV cache is most of it. */
const LONG = await ggufBytes(SHAPE, {
  architecture: "llama",
  body: "TQ2_0",
  keys: { context_length: value("uint32", 65_536) },
});
const HF = await hfFolder(SHAPE, {
  modelType: "qwen3",
  tensors: (tensors) => [...tensors],
  config: { model_type: "llama" },
});

/** Pages of every WebAssembly memory made, in order. */
let pages: number[] = [];
const { Memory } = WebAssembly;
let refuseAbove = Infinity;

beforeEach(() => {
  pages = [];
  refuseAbove = Infinity;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      pages.push(descriptor.initial);
      if (descriptor.initial > refuseAbove) throw new RangeError("WebAssembly.Memory(): could not allocate memory");
      super(descriptor);
    }
  };
});
afterEach(() => void (WebAssembly.Memory = Memory));
after(() => assert.equal(WebAssembly.Memory, Memory));

/** What the self-test of the kernels takes. */
const SELF_TEST_PAGES = MODULE_RESERVED_BYTES / WASM_PAGE_BYTES + 1;

describe("a model that does not fit", () => {
  test("is refused before memory is taken, saying which contexts would fit; those do", async () => {
    const whole = (await inspect(LONG, { threads: 1, variant: "simd", contextLength: 20_000 })).memory;
    const shown = (await inspect(LONG, { threads: 1, variant: "simd", contextLength: 20_000, memoryLimitBytes: 1 }))
      .memory;
    assert.deepEqual(shown, whole, "inspect shows what loading would refuse");
    const limit = whole.wasmBytes / 2;
    const error = await rejection(
      load(LONG, { threads: 1, memoryLimitBytes: limit, variant: "simd", contextLength: 20_000 }),
    );
    assert.equal(error.code, "model/not-enough-memory");
    assert.ok(
      pages.every((n) => n <= SELF_TEST_PAGES),
      `memories of ${pages.join(", ")} pages`,
    );
    assert.match(error.message, /KV cache of 20000 positions .* the limit is \d+ MB/);
    const [, f32, q8] =
      /a context of (\d+), or a context of (\d+) with an 8-bit KV cache would fit/.exec(error.message) ?? [];
    assert.ok(Number(f32) >= 1 && Number(q8) > Number(f32) && Number(q8) <= 20_000, error.message);
    for (const [contextLength, kvType] of [
      [Number(f32), "f32"],
      [Number(q8), "q8"],
    ] as const) {
      pages = [];
      const model = await load(LONG, { threads: 1, memoryLimitBytes: limit, contextLength, kvType, variant: "simd" });
      assert.ok(model.memory.wasmBytes <= limit);
      assert.equal(Math.max(...pages) * WASM_PAGE_BYTES, model.memory.wasmBytes);
      await model.close();
      if (Number(contextLength) < 20_000) {
        const more = load(LONG, {
          threads: 1,
          memoryLimitBytes: limit,
          contextLength: contextLength + 1,
          kvType,
          variant: "simd",
        });
        assert.equal((await rejection(more)).code, "model/not-enough-memory", `${contextLength + 1} positions fit too`);
      }
    }
  });

  test("at all: says so", async () => {
    const error = await rejection(load(GGUF, { threads: 1, memoryLimitBytes: 1_000_000 }));
    assert.equal(error.code, "model/not-enough-memory");
    assert.match(error.message, /no context length fits: choose a smaller model/);
    assert.ok(pages.every((n) => n <= SELF_TEST_PAGES));
  });

  test("what the platform has free is the limit when the caller gives none", async () => {
    const platform = { ...memoryPlatform({ model: GGUF }), availableMemoryBytes: () => 1_000_000 };
    assert.equal((await rejection(load("model", { platform, threads: 1 }))).code, "model/not-enough-memory");
    assert.equal(platform.nOpen(), 0);
    const model = await load("model", { platform, threads: 1, memoryLimitBytes: 1e9 });
    await model.close();
  });

  test("memory that the engine refuses is the same error, with the engine's as its cause", async () => {
    refuseAbove = SELF_TEST_PAGES;
    const platform = memoryPlatform({ model: GGUF }),
      error = await rejection(load("model", { platform, threads: 1 }));
    assert.equal(error.code, "model/not-enough-memory");
    assert.match(error.message, /this engine refused it; use a shorter context/);
    assert.ok(error.cause instanceof RangeError);
    assert.equal(platform.nOpen(), 0);
  });

  test("the memory made is the memory planned, and never grows", async () => {
    const planned = (await inspect(GGUF, { threads: 1, variant: "simd" })).memory;
    pages = [];
    const model = await load(GGUF, { threads: 1, variant: "simd" });
    assert.deepEqual(model.memory, planned);
    await model.logits(IDS);
    await model.generate(IDS, { maxTokens: 20, temperature: 0 }).result();
    assert.deepEqual(
      pages.filter((n) => n > SELF_TEST_PAGES),
      [planned.wasmBytes / WASM_PAGE_BYTES],
    );
    await model.close();
  });
});

describe("wrong options are refused before a file's weights are read", () => {
  const cases: readonly (readonly [what: string, options: Record<string, unknown>, message: RegExp])[] = [
    ...[0, -1, 1.5, NaN, 129, 1e9, "64", null].map(
      (n) => [`contextLength ${n}`, { contextLength: n }, /contextLength: wanted an integer from 1/] as const,
    ),
    ...[0, -2, 1.5, NaN, 65, "2", null].map(
      (n) => [`threads ${n}`, { threads: n }, /threads: wanted an integer from 1 to 64/] as const,
    ),
    ...[0, -5, NaN, "1e9", null].map(
      (n) => [`memoryLimitBytes ${n}`, { memoryLimitBytes: n }, /memoryLimitBytes: wanted/] as const,
    ),
    ...["f16", "", 8, null].map(
      (kind) => [`kvType ${kind}`, { kvType: kind }, /kvType: wanted "f32" or "q8"/] as const,
    ),
    ...["lookup", null].map(
      (kind) => [`ternaryKernel ${kind}`, { ternaryKernel: kind }, /ternaryKernel: wanted "tables" or "dot"/] as const,
    ),
    ...["sdot", null].map((kind) => [`dots ${kind}`, { dots: kind }, /dots: wanted "fused" or "pairs"/] as const),
    ...["q4", true, null].map(
      (kind) => [`dense ${kind}`, { dense: kind }, /dense: wanted "auto", "keep" or "q8"/] as const,
    ),
    ...["avx", "constructor", null].map(
      (kind) => [`variant ${kind}`, { variant: kind }, /variant: wanted "simd" or "relaxed"/] as const,
    ),
    ...["row", 1, null].map(
      (kind) =>
        [`activationMode ${kind}`, { activationMode: kind }, /activationMode: wanted "token" or "block"/] as const,
    ),
    ["a signal that is none", { signal: "stop" }, /signal: wanted an AbortSignal/],
    ["a progress function that is none", { onProgress: 3 }, /onProgress: wanted a function/],
  ];
  for (const [what, options, message] of cases) {
    test(what, async () => {
      const platform = memoryPlatform({ model: GGUF });
      const error = await rejection(load("model", { platform, threads: 1, ...options } as LoadModelOptions));
      assert.equal(error.code, "option/invalid");
      assert.match(error.message, message);
      assert.ok(pages.every((n) => n <= SELF_TEST_PAGES));
      assert.equal(platform.nOpen(), 0);
    });
  }

  test("threads where the platform has none", async () => {
    const { spawnThread: _, ...platform } = memoryPlatform({ model: GGUF });
    assert.equal((await rejection(load("model", { platform, threads: 2 }))).code, "option/invalid");
    const model = await load("model", { platform });
    assert.equal(model.engine.threads, 1);
    await model.close();
  });

  test("a source that is nothing of the kind", async () => {
    for (const source of [null, 5, {}, []]) {
      const error = await rejection(load(source as unknown as Uint8Array));
      assert.equal(error.code, "option/invalid", error.message);
    }
  });
});

describe("loading that is called off", () => {
  test("before it begins: nothing is opened", async () => {
    const platform = memoryPlatform({ model: GGUF });
    assert.equal((await rejection(load("model", { platform, signal: AbortSignal.abort("no") }))).cause, "no");
    assert.equal(platform.nOpened(), 0);
  });

  for (const path of ["model", FOLDER]) {
    for (const at of [0, 1, 3]) {
      test(`after ${at} reads of weights, ${path}: files closed, no thread, no read pending`, async () => {
        const stop = new AbortController(),
          reads = countReads();
        const platform = memoryPlatform({ model: GGUF, ...HF }, reads.watch);
        let calls = 0;
        const onProgress = () => void (calls++ === at && stop.abort());
        const error = await rejection(load(path, { platform, threads: 2, signal: stop.signal, onProgress }));
        assert.equal(error.code, "aborted");
        assert.deepEqual([platform.nOpen(), platform.nThreads(), reads.nPending()], [0, 0, 0]);
        assert.ok(calls <= at + 2, `${calls} reports`);
      });
    }
  }

  test("by a progress function that throws: its error, files closed", async () => {
    const platform = memoryPlatform({ model: GGUF }),
      mine = new Error("mine");
    const onProgress = () => {
      throw mine;
    };
    await assert.rejects(load("model", { platform, threads: 2, onProgress }), mine);
    assert.deepEqual([platform.nOpen(), platform.nThreads()], [0, 0]);
  });
});

describe("a source that breaks", () => {
  for (const [what, failure] of [
    ["an error of ours", new OnebitError("file/read", "gone")],
    ["any error", new Error("socket hang up")],
  ] as const) {
    test(`with ${what}, at any of its reads: file/read, closed, nothing pending`, async () => {
      let nReads = 0;
      const counting = memoryPlatform({ model: GGUF }, (source) => ({
        ...source,
        read: (into, position) => (nReads++, source.read(into, position)),
      }));
      await (await load("model", { platform: counting, threads: 1 })).close();
      assert.ok(nReads > 10);
      for (const at of [0, 1, 2, 3, Math.floor(nReads / 2), nReads - 1]) {
        const reads = countReads(at, failure),
          platform = memoryPlatform({ model: GGUF }, reads.watch);
        const error = await rejection(load("model", { platform, threads: 2 }));
        assert.equal(error.code, "file/read", `read ${at}`);
        if (error !== failure) assert.equal(error.cause, failure);
        assert.deepEqual([platform.nOpen(), platform.nThreads(), reads.nPending()], [0, 0, 0], `read ${at}`);
      }
    });
  }

  test("given by the caller: closed once, whether loading succeeds or not", async () => {
    const cases: readonly (readonly [Uint8Array, number, ErrorCode | undefined])[] = [
      [GGUF, -1, undefined],
      [GGUF, 4, "file/read"],
      [GGUF.slice(0, 100), -1, "gguf/truncated"],
      [new Uint8Array(0), -1, "file/unknown-format"],
      [new TextEncoder().encode("<html>"), -1, "file/unknown-format"],
    ];
    for (const [bytes, failAt, code] of cases) {
      let nClosed = 0;
      const inner = countReads(failAt).watch(bytesSource(bytes));
      const loading = load({ ...inner, close: async () => void nClosed++ }, { threads: 1 });
      if (code === undefined) await (await loading).close();
      else assert.equal((await rejection(loading)).code, code);
      assert.equal(nClosed, 1, `${code}`);
    }
  });

  test("a file cut off in its data: refused by its header; one that shrinks while it is read: file/read", async () => {
    for (const length of [GGUF.length - 1, GGUF.length - 5000, Math.floor(GGUF.length / 2)]) {
      const error = await rejection(load(GGUF.slice(0, length)));
      assert.equal(error.code, "gguf/tensor-outside-file");
      const shrunk: ByteSource = { ...bytesSource(GGUF.slice(0, length)), sizeBytes: GGUF.length };
      assert.equal((await rejection(load(shrunk, { threads: 1 }))).code, "file/read");
    }
  });

  test("threads that do not start: typed, and those that did are ended", async () => {
    const platform = memoryPlatform({ model: GGUF });
    let started = 0;
    const spawnThread: typeof platform.spawnThread = (source, data) =>
      started++ === 1
        ? platform.spawnThread!("throw new Error('no thread today')", data)
        : platform.spawnThread!(source, data);
    const error = await rejection(load("model", { platform: { ...platform, spawnThread }, threads: 3 }));
    assert.equal(error.code, "engine/thread-failed");
    assert.match(error.message, /no thread today/);
    assert.deepEqual([platform.nOpen(), platform.nThreads()], [0, 0]);
  });

  test("threads that never start: given up after 30 s; one does the work where no number was asked for", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const platform = memoryPlatform({ model: GGUF });
    const spawnThread: typeof platform.spawnThread = (_, data) =>
      platform.spawnThread!("setInterval(() => {}, 1000); await new Promise(() => {});", data);
    for (const threads of [2, undefined]) {
      const loading: Promise<Model | OnebitError> = load("model", {
        platform: { ...platform, nCores: 2, spawnThread },
        threads,
      }).catch((error: OnebitError) => error);
      let isSettled = false;
      void loading.then(() => (isSettled = true));
      for (; !isSettled; t.mock.timers.tick(1000)) await new Promise((resolve) => setImmediate(resolve));
      const outcome = await loading;
      if (outcome instanceof OnebitError) assert.equal(outcome.code, "engine/thread-failed");
      else assert.equal(outcome.engine.threads, 1);
      assert.match(
        outcome instanceof OnebitError ? outcome.message : (outcome.engine.reason ?? ""),
        /not all threads have started in 30 s/,
      );
      assert.equal(outcome instanceof OnebitError, threads === 2);
      if (!(outcome instanceof OnebitError)) await outcome.close();
      assert.deepEqual([platform.nOpen(), platform.nThreads()], [0, 0]);
    }
  });
});

async function rejection(promise: Promise<unknown>): Promise<OnebitError> {
  const error: unknown = await promise.then(
    () => assert.fail("it succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof OnebitError, error instanceof Error ? error.stack : String(error));
  return error;
}

/** Watches the reads of sources, which end a turn of the event loop later; read `failAt` fails. */
function countReads(failAt = -1, failure: Error = new OnebitError("file/read", "broken")) {
  let begun = 0,
    ended = 0;
  return {
    nPending: () => begun - ended,
    watch: (source: ByteSource): ByteSource => ({
      ...source,
      async read(into, position) {
        const number = begun++;
        await new Promise((resolve) => setImmediate(resolve));
        ended++;
        if (number === failAt) throw failure;
        return source.read(into, position);
      },
    }),
  };
}
