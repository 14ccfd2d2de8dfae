/** Many contexts over one model: each gets the bits it would get alone, whatever the others do. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { LoadModelOptions } from "../../src/load.ts";
import { load } from "../../src/load.ts";
import type { Context } from "../../src/generate/context.ts";
import type { Model } from "../../src/model.ts";
import { ggufBytes } from "../model/gguf-bytes.ts";
import { assertSameBits } from "../model/logits.ts";
import type { TinyShape } from "../model/tiny-model.ts";

const SHAPE: TinyShape = { nVocab: 64, nEmbd: 64, nHeads: 4, nKvHeads: 2, headDim: 16, nFf: 64, nLayers: 2 };
const CONTEXT_LENGTH = 200;

let bytes: Uint8Array = new Uint8Array();
before(async () => {
  const keys = { context_length: ["context_length", "uint32", 30_000] } as const;
  bytes = await ggufBytes(SHAPE, { architecture: "llama", keys });
});

const open = (options: LoadModelOptions = {}): Promise<Model> =>
  load(bytes, { threads: 1, contextLength: CONTEXT_LENGTH, ...options });

/** xorshift32 (Marsaglia 2003). */
function random(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 1) | 0;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const idsOf = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => (from + i * 29 + 5) % 64);
const GREEDY = { temperature: 0, ignoreEnd: true } as const;

describe("each context gets the bits it would get alone", () => {
  const cases: readonly LoadModelOptions[] = [
    { kvPositions: CONTEXT_LENGTH },
    { kvPositions: 600 },
    { kvPositions: 2000, kvType: "q8" },
    { kvPositions: 400, kvType: "q8", threads: 2 },
    { kvPositions: 1000, threads: 3 },
  ];
  for (const options of cases) {
    test(`16 contexts at random, ${JSON.stringify(options)}`, async () => {
      await using model = await open(options);
      await using alone = await open({ ...options, kvPositions: CONTEXT_LENGTH });
      const below = random(options.kvPositions ?? 1),
        contexts: Context[] = [];
      for (let turn = 0; turn < 150; turn++) {
        const context = contexts[below(contexts.length + 1)];
        if (context === undefined) {
          if (contexts.length < 16) contexts.push(model.context());
          continue;
        }
        const act = below(8);
        if (act === 0) contexts.splice(contexts.indexOf(context), 1)[0]?.close();
        else if (act === 1) contexts.push(context.fork());
        else if (act === 2) await context.truncate(below(context.ids.length + 1));
        else await continues(context, alone, below);
      }
    });
  }

  /** New ids behind a part of its own, or from the beginning that all share. */
  async function continues(context: Context, alone: Model, below: (n: number) => number): Promise<void> {
    const beginning = below(3) === 0 ? idsOf(100) : context.ids.slice(0, below(context.ids.length + 1));
    const more = Array.from({ length: 1 + below(70) }, () => below(64)),
      prompt = [...beginning, ...more].slice(0, CONTEXT_LENGTH - 1);
    if (below(2) === 0) {
      const found = await context.logits(prompt),
        wanted = (await alone.logits(prompt)).slice(-alone.vocabSize);
      assertSameBits(found, wanted, `logits of ${prompt.length} ids`);
      assert.deepEqual(context.ids, prompt);
      return;
    }
    const options = { seed: below(100), maxTokens: 1 + below(8), logprobs: 2, ignoreEnd: true };
    const found = await pieces(context, prompt, options),
      wanted = await pieces(alone, prompt, options);
    assert.deepEqual(found, wanted);
  }

  async function pieces(model: Model | Context, prompt: readonly number[], options: object) {
    const all = [];
    for await (const piece of model.generate(prompt, options)) all.push(piece);
    return all;
  }
});

describe("a context", () => {
  let model: Model;
  before(async () => void (model = await open({ kvPositions: 640 })));
  after(() => model.close());

  test("shares what begins alike, also after others closed", async () => {
    using first = model.context();
    await first.generate(idsOf(150), { ...GREEDY, maxTokens: 3 }).result();
    first.close();
    using second = model.context();
    const { timings } = await second.generate([...idsOf(150), 1], { ...GREEDY, maxTokens: 3 }).result();
    assert.equal(timings.cachedTokens, 150);
  });

  test("truncated to nothing, leaves nothing in the cache", async () => {
    using context = model.context();
    for (const from of [41, 42, 43]) await context.logits(idsOf(150, from));
    await context.truncate(0);
    using other = model.context();
    for (const from of [41, 42, 43]) {
      const { timings } = await other.generate(idsOf(150, from), { ...GREEDY, maxTokens: 1 }).result();
      assert.equal(timings.cachedTokens, 0);
    }
  });

  test("shares with its cache group only", async () => {
    const count = async (cacheGroup?: string): Promise<number> => {
      using context = model.context({ cacheGroup });
      return (await context.generate(idsOf(70, 51), { ...GREEDY, maxTokens: 1 }).result()).timings.cachedTokens;
    };
    assert.deepEqual([await count("ann"), await count("bob"), await count()], [0, 0, 0]);
    assert.deepEqual([await count("ann"), await count("bob"), await count()], [69, 69, 69]);
    using context = model.context({ cacheGroup: "ann" });
    await context.logits(idsOf(70, 51));
    assert.equal(context.cachedIds.length, 70);
    using fork = context.fork();
    assert.equal(fork.cachedIds.length, 70);
  });

  test("a fork goes its own way", async () => {
    using context = model.context();
    await context.logits(idsOf(70, 7));
    using fork = context.fork();
    assert.deepEqual(fork.ids, idsOf(70, 7));
    await fork.truncate(65);
    await fork.logits([...fork.ids, 1, 2]);
    assert.deepEqual(context.ids, idsOf(70, 7));
    assert.deepEqual(context.cachedIds, idsOf(70, 7));
    assert.deepEqual(fork.cachedIds, [...idsOf(65, 7), 1, 2]);
  });

  test("ends at its own length", async () => {
    using context = model.context({ contextLength: 20 });
    assert.equal(context.contextLength, 20);
    const { stopReason, ids } = await context.generate(idsOf(15), { ...GREEDY, maxTokens: 50 }).result();
    assert.deepEqual([stopReason, ids.length], ["context", 6]);
    await assert.rejects(context.logits(idsOf(21)), { code: "model/context-full", message: /the context holds 20/ });
    assert.equal(context.fork().contextLength, 20);
  });

  test("refuses what it cannot do, by name", async () => {
    assert.throws(() => model.context({ contextLength: 201 }), { code: "option/invalid", message: /1 (?:to|…) ?200/ });
    assert.throws(() => model.context({ contextLenght: 20 } as never), { code: "option/unknown" });
    using context = model.context();
    await assert.rejects(context.logits([]), { code: "option/invalid" });
    await assert.rejects(context.logits([64]), { code: "model/bad-token" });
    await assert.rejects(context.truncate(-1), { code: "option/invalid" });
    await assert.rejects(context.generate("text").result(), { code: "tokenizer/missing" });
    await assert.rejects(context.chat([{ role: "user", content: "a" }]).result(), { code: "tokenizer/missing" });
    await assert.rejects(context.logits([1], { signal: AbortSignal.abort() }), { code: "aborted" });
  });

  test("closed: its calls are refused, the others' go on", async () => {
    const context = model.context(),
      other = context.fork();
    const running = context.generate(idsOf(9), { ...GREEDY, maxTokens: 50 }),
      found = [];
    for await (const { id } of running) if (found.push(id) === 3) context.close();
    context.close();
    assert.deepEqual([found.length, (await running.result()).stopReason], [3, "aborted"]);
    const closed = { code: "model/closed", message: /the context was closed/ };
    await assert.rejects(context.generate([1]).result(), closed);
    await assert.rejects(context.logits([1]), closed);
    await assert.rejects(context.truncate(0), closed);
    assert.throws(() => context.fork(), closed);
    assert.equal((await other.generate(idsOf(9), { ...GREEDY, maxTokens: 3 }).result()).ids.length, 3);
  });

  test("a generation left, or stopped, gives its pages back", async () => {
    using context = model.context();
    for await (const _ of context.generate(idsOf(150, 3), { ...GREEDY, maxTokens: 9 })) break;
    const abort = new AbortController();
    for await (const _ of context.generate(idsOf(150, 4), { ...GREEDY, maxTokens: 9, signal: abort.signal }))
      abort.abort();
    // Three contexts of this length fill the cache: none of their pages may be in use.
    for (const from of [11, 12, 13, 14]) await model.logits(idsOf(200, from));
    for (const from of [21, 22, 23, 24]) await model.context().logits(idsOf(200, from));
  });

  test("10,000 opened and closed: the cache is as it was", async () => {
    for (let i = 0; i < 10_000; i++) {
      using context = model.context();
      if (i % 100 === 0) await context.logits(idsOf(1 + (i % 190), i));
    }
    for (const from of [31, 32, 33]) await model.context().logits(idsOf(200, from));
  });

  test("of a closed model", async () => {
    const other = await open(),
      context = other.context();
    await other.close();
    const closed = { code: "model/closed", message: /the model was closed/ };
    assert.throws(() => other.context(), closed);
    assert.throws(() => context.fork(), closed);
    await assert.rejects(context.logits([1]), closed);
  });
});

describe("kvPositions", () => {
  test("at least the context's", async () => {
    await assert.rejects(open({ kvPositions: 199 }), { code: "option/invalid", message: /at least the 200/ });
  });

  test("refused with what would fit", async () => {
    const { memory } = await open({ kvPositions: 20_000 });
    const memoryLimitBytes = memory.wasmBytes - 100_000;
    await assert.rejects(open({ kvPositions: 20_000, memoryLimitBytes }), (error: Error) => {
      const [, positions] = /kvPositions of (\d+), or/.exec(error.message) ?? [];
      assert.ok(Number(positions) > 15_000 && Number(positions) < 20_000, error.message);
      return true;
    });
  });
});
