/**
 * Every allocation of every operation, one after the other, is refused. Each time the error is typed, and what was open
 * works as before: the same call gives the same bits. ONEBIT_REFUSALS=all refuses each; without it, some 30 an
 * operation.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { refusing } from "./refusing-engine.ts";

const { OnebitError, load } = await import("../../src/index.ts");
const { BitLinear, BitMGQA, BitNetTransformer, CrossEntropyLoss, array, replaceLinears } = await import(
  "../../src/nn.ts"
);
const { openTraining, readTextFile, transformerGguf } = await import("../../src/train.ts");
const { isRefusedMemory, typedRefusal } = await import("../../src/core/refused-memory.ts");
const { bytesSource } = await import("../../src/core/byte-source.ts");
const { toWire } = await import("../../src/web/wire-error.ts");
const { grammarText } = await import("../train/train-text.ts");

const isWhole = process.env["ONEBIT_REFUSALS"] === "all",
  TRIED_MAX = 30;
const root = mkdtempSync(join(tmpdir(), "onebit-refused-"));
after(() => rmSync(root, { recursive: true, force: true }));

const SMALLEST = {
  preset: "tiny",
  dim: 64,
  depth: 1,
  heads: 1,
  headDim: 64,
  kvHeads: 1,
  ffHidden: 64,
  seqLength: 64,
  batch: 1,
  steps: 3,
  warmupSteps: 1,
  checkpointEvery: 2,
  logEvery: 1,
  validateEvery: 2,
  validationWindows: 1,
  validationBytes: 80,
  threads: 1,
  text: grammarText(800),
} as const;

/** What a call gives, to be compared. */
type Result = unknown;
const TEXT = "the cat sees the moon, and nobody paints a très old coat";

const ids = Array.from({ length: 40 }, (_, i) => (i * 7) % 256);
const bytesOf = (view: ArrayBufferView): string =>
  Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("base64");

/** Refuses every allocation of `call`; after each, `call` gives what it gave. */
async function refuseEach(
  t: { diagnostic(text: string): void },
  call: () => Promise<Result>,
  isCode: RegExp,
  least = 1,
): Promise<void> {
  const wanted = await call();
  let found: Result;
  // Caches are warm now: what is allocated each time is what counts.
  const n = await refusing(-1, async () => void (found = await call()));
  assert.deepEqual(found, wanted, "the call is not the same twice");
  const stride = isWhole ? 1 : Math.max(1, Math.floor(n / TRIED_MAX)),
    codes: Record<string, number> = {};
  for (let at = 0; at < n; at += stride) {
    let code = "none";
    await refusing(at, async () => void (await call())).catch((error: unknown) => {
      assert.ok(
        error instanceof OnebitError,
        `allocation ${at} of ${n}: ${error instanceof Error ? error.stack : String(error)}`,
      );
      assert.match(error.code, isCode, `allocation ${at} of ${n}: ${error.stack}`);
      code = error.code;
    });
    codes[code] = (codes[code] ?? 0) + 1;
    assert.deepEqual(await call(), wanted, `after allocation ${at} of ${n} was refused (${code})`);
  }
  t.diagnostic(`${n} allocations, refused ${Math.ceil(n / stride)}: ${JSON.stringify(codes)}`);
  assert.ok(n >= least, "nothing was allocated: the test shows nothing");
}

function raise(error: unknown): never {
  throw error;
}

const isModelMemory = /^model\/not-enough-memory$/,
  isTrainMemory = /^train\/not-enough-memory$/;
const gguf = await (async () => {
  await using training = await openTraining(SMALLEST);
  for await (const event of training) void event;
  return await training.gguf();
})();

describe("every allocation refused: a model", () => {
  test("loading", (t) =>
    refuseEach(
      t,
      async () => {
        await using model = await load(gguf, { threads: 1, contextLength: 64 });
        return [model.memory.wasmBytes, bytesOf(await model.logits([1, 2, 3]))];
      },
      isModelMemory,
    ));

  test("loading with threads that were not asked for: one does the work, or it is said", (t) =>
    refuseEach(
      t,
      async () => {
        await using model = await load(gguf, { contextLength: 64 });
        return bytesOf(await model.logits([1, 2, 3]));
      },
      isModelMemory,
    ));

  test("generating, logits, embeddings, perplexity, ids and text: the model goes on", async (t) => {
    await using model = await load(gguf, { threads: 1, contextLength: 64 });
    const calls: Readonly<Record<string, () => Promise<Result>>> = {
      generate: async () =>
        (await model.generate(TEXT, { maxTokens: 6, seed: 1, logprobs: 2, stop: "zzz", ignoreEnd: true }).result()).ids,
      greedy: async () => (await model.generate(ids, { maxTokens: 6, temperature: 0, ignoreEnd: true }).result()).ids,
      logits: async () => bytesOf(await model.logits(ids)),
      embed: async () => (await model.embed([TEXT, "a dog"])).map(bytesOf),
      perplexity: async () => (await model.perplexity(TEXT, { context: 16 })).meanNll,
      text: async () => model.tokenizer.decode(model.tokenizer.encode(TEXT)),
      "contexts that compute together": async () => {
        using first = model.context();
        using second = model.context();
        const options = { maxTokens: 5, seed: 1, ignoreEnd: true, speculate: "lookup" } as const,
          replies = [first.generate(TEXT, options), second.generate("the cat", options)];
        // Both end before the call does.
        const ends = await Promise.allSettled(replies.map((reply) => reply.result()));
        return ends.map((end) => (end.status === "fulfilled" ? end.value.ids : raise(end.reason)));
      },
      "forked, saved and restored": async () => {
        using context = model.context();
        await context.logits(ids);
        using fork = context.fork();
        const saved = await fork.save();
        using restored = await model.restore(saved);
        return [bytesOf(saved), bytesOf(await restored.logits([...ids, 3]))];
      },
      "a reply with a format": async () =>
        (await model.generate("the", { maxTokens: 9, seed: 1, format: { regex: "[a-f]{2,40}" } }).result()).ids,
    };
    for (const [name, call] of Object.entries(calls)) {
      t.diagnostic(name);
      await refuseEach(t, call, isModelMemory, 0).catch((error: unknown) =>
        assert.fail(`${name}: ${error instanceof Error ? error.message : String(error)}`),
      );
    }
  });

  test("compiling a format", (t) =>
    refuseEach(
      t,
      async () => {
        await using model = await load(gguf, { threads: 1, contextLength: 64 });
        const format = { jsonSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] } };
        return (await model.generate("the", { maxTokens: 30, seed: 1, format }).result()).ids;
      },
      isModelMemory,
    ));

  test("ids and text of a vocabulary of pairs", async (t) => {
    await using training = await openTraining({ ...SMALLEST, vocabSize: 300 });
    const pairs = await training.gguf();
    await using model = await load(pairs, { threads: 1, contextLength: 64 });
    await refuseEach(t, async () => model.tokenizer.decode(model.tokenizer.encode(TEXT.repeat(40))), isModelMemory);
  });
});

describe("every allocation refused: a training", () => {
  const run = async (options: object = {}): Promise<Result> => {
    await using training = await openTraining({ ...SMALLEST, ...options });
    for await (const event of training) void event;
    return [
      bytesOf(await training.gguf()),
      (await training.safetensors()).map(({ name, bytes }) => [name, bytesOf(bytes)]),
    ];
  };

  test("from its beginning to its export", (t) => refuseEach(t, () => run({ sampleEvery: 0 }), isTrainMemory));

  test("of byte pairs, with samples", (t) =>
    refuseEach(
      t,
      () => run({ sampleEvery: 3, sampleTokens: 2, vocabSize: 280 }),
      /^(?:train|model)\/not-enough-memory$/,
    ));

  test("with a folder: resumed to the same bits from wherever it ended", async (t) => {
    const wanted = await run({ sampleEvery: 0 });
    const from = async (folder: string, resume: boolean): Promise<Result> =>
      await run({ sampleEvery: 0, folder, resume });
    const counted = mkdtempSync(join(root, "run-")),
      n = await refusing(-1, async () => void (await from(counted, false)));
    const stride = isWhole ? 1 : Math.max(1, Math.floor(n / TRIED_MAX));
    for (let at = 0; at < n; at += stride) {
      const folder = mkdtempSync(join(root, "run-"));
      await refusing(at, async () => void (await from(folder, false))).catch((error: unknown) => {
        assert.ok(
          error instanceof OnebitError && isTrainMemory.test(error.code),
          `allocation ${at} of ${n}: ${error instanceof Error ? error.stack : String(error)}`,
        );
      });
      assert.deepEqual(await from(folder, true), wanted, `after allocation ${at} of ${n}`);
      // And while it goes on.
      await refusing(at, async () => void (await from(folder, true))).catch((error: unknown) => {
        assert.ok(
          error instanceof OnebitError && isTrainMemory.test(error.code),
          `allocation ${at} of a resumed one: ${error instanceof Error ? error.stack : String(error)}`,
        );
      });
      rmSync(folder, { recursive: true });
    }
    t.diagnostic(`${n} allocations, refused ${Math.ceil(n / stride)}`);
  });

  test("its data, plain and compressed", async (t) => {
    const { gzipSync } = await import("node:zlib"),
      text = grammarText(100_000);
    for (const data of [text, new Uint8Array(gzipSync(text))])
      await refuseEach(t, async () => bytesOf(await readTextFile(bytesSource(data))), isTrainMemory);
  });
});

describe("every allocation refused: layers", () => {
  const x = array(
      Float32Array.from({ length: 4 * 64 }, (_, i) => (i % 7) - 3),
      [1, 4, 64],
    ),
    data = (values: { data: Float32Array }): string => bytesOf(values.data);
  const calls: Readonly<Record<string, () => Promise<Result>>> = {
    linear: async () => {
      using layer = new BitLinear(64, 64, { seed: 1 });
      const y = layer.forward(x),
        dx = layer.backward(y),
        state = layer.stateDict();
      using packed = layer.pack();
      return [data(y), data(dx), Object.values(state).map(data), data(packed.forward(x))];
    },
    attention: async () => {
      using layer = new BitMGQA(64, 2, 1, { causal: true, seed: 1 });
      const cache = layer.createCache(1, 8);
      return [data(layer.forward(x)), data(layer.forwardWithWeights(x).weights), data(layer.step(x, cache))];
    },
    transformer: async () => {
      const layer = new BitNetTransformer({ numTokens: 256, dim: 64, depth: 1, heads: 2, ffMult: 1 }),
        tokens = { data: Int32Array.of(1, 2, 3), shape: [1, 3] };
      const logits = layer.forward(tokens),
        { gradient } = new CrossEntropyLoss().compute(logits, { data: Int32Array.of(2, 3, 4), shape: [1, 3] });
      layer.backward(gradient);
      const gguf = await transformerGguf(layer),
        state = replaceLinears({ "a.weight": { data: x.data, shape: [4, 64] } });
      return [data(logits), layer.generate([1, 2], { maxTokens: 3 }), bytesOf(gguf), state.layers.size];
    },
  };
  for (const [name, call] of Object.entries(calls))
    test(name, (t) => refuseEach(t, call, /^(?:train|model)\/not-enough-memory$/));
});

describe("what engines say", () => {
  const refused: readonly Error[] = [
    new RangeError("Array buffer allocation failed"),
    new RangeError("Invalid typed array length: 4294967296"),
    new RangeError("Invalid string length"),
    new RangeError("Invalid array length"),
    new RangeError("WebAssembly.Memory(): could not allocate memory"),
    new RangeError("Out of memory"),
    new RangeError("invalid or out-of-range length"),
    new RangeError("Map maximum size exceeded"),
    Object.assign(new Error("allocation size overflow"), { name: "InternalError" }),
    Object.assign(new Error("Data cannot be cloned, out of memory."), { name: "DataCloneError" }),
  ];
  test("is typed when it means memory, also on its way out of a worker", () => {
    for (const error of refused) {
      assert.ok(isRefusedMemory(error), error.message);
      assert.equal(toWire(error).code, "model/not-enough-memory", error.message);
    }
  });

  test("and left alone when it means something else", () => {
    for (const error of [
      new RangeError("Maximum call stack size exceeded"),
      new RangeError("offset is out of bounds"),
      new RangeError("toString() radix must be between 2 and 36"),
      new TypeError("out of memory"),
      "memory",
    ]) {
      assert.equal(typedRefusal(error, "model/not-enough-memory", "x"), error);
    }
  });
});
