/** Contexts that compute together: each gets the bits it gets alone, and none keeps the others waiting. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Batcher } from "../../src/generate/batcher.ts";
import type { Context } from "../../src/generate/context.ts";
import { ContextIds } from "../../src/generate/context-ids.ts";
import { Turns } from "../../src/generate/turns.ts";
import { type LoadModelOptions, load } from "../../src/load.ts";
import type { BatchPart } from "../../src/model/engine-interface.ts";
import type { Model } from "../../src/model.ts";
import { ggufBytes } from "../model/gguf-bytes.ts";
import type { TinyShape } from "../model/tiny-model.ts";
import { seededRandom } from "../synthetic/random.ts";
import { fakeEngine } from "./fakes.ts";

const SHAPE: TinyShape = { nVocab: 64, nEmbd: 64, nHeads: 4, nKvHeads: 2, headDim: 16, nFf: 64, nLayers: 2 };
const CONTEXT_LENGTH = 250;

let bytes: Uint8Array = new Uint8Array();
before(async () => {
  const keys = { context_length: ["context_length", "uint32", 30_000] } as const;
  bytes = await ggufBytes(SHAPE, { architecture: "llama", keys });
});

const idsOf = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => (from + i * 29 + 5) % 64);

/** What each walk had: rows by part. */
function recorded(options: Parameters<typeof fakeEngine>[1] = {}, maxStallMs = 250) {
  const engine = fakeEngine((_, logits) => void (logits[65] = 9), { contextLength: 1000, nPages: 64, ...options }),
    walks: { ids: readonly number[]; nLogits: number }[][] = [],
    { compute } = engine;
  engine.compute = async (parts: readonly BatchPart[], signal) => {
    walks.push(parts.map(({ ids, nLogits }) => ({ ids, nLogits })));
    return await compute(parts, signal);
  };
  const turns = new Turns(),
    nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve)),
    batcher = new Batcher(engine, turns, { maxStallMs, nextTurn });
  /** A context with its turn. */
  const open = async () => {
    const context = new ContextIds(engine, batcher),
      turn = turns.open(undefined, context);
    await turn.begin();
    return { context, turn };
  };
  return { engine, walks, turns, batcher, open };
}

describe("a walk", () => {
  test("takes the next id of every context that writes", async () => {
    const { walks, open } = recorded(),
      all = await Promise.all(Array.from({ length: 8 }, open));
    for (const [i, { context, turn }] of all.entries()) await context.read([i, 1], { turn });
    walks.length = 0;
    for (let token = 0; token < 5; token++)
      await Promise.all(all.map(({ context, turn }, i) => context.append(100 + i, turn)));
    assert.deepEqual(
      walks,
      Array.from({ length: 5 }, () => all.map((_, i) => ({ ids: [100 + i], nLogits: 1 }))),
    );
  });

  test("has logits for as many as there is room for; the others are next", async () => {
    const { walks, open } = recorded(),
      all = await Promise.all(Array.from({ length: 40 }, open));
    for (const { context, turn } of all) await context.read([1, 2], { turn });
    walks.length = 0;
    await Promise.all(all.map(({ context, turn }) => context.append(3, turn)));
    assert.deepEqual(
      walks.map((parts) => parts.length),
      [16, 16, 8],
    );
  });

  test("takes calls of higher priority first, and of equal ones those that came first", async () => {
    const { walks, open } = recorded(),
      all = await Promise.all(Array.from({ length: 4 }, open));
    for (const [i, priority] of [0, 3, 0, 3].entries()) all[i]!.turn.priority = priority;
    await Promise.all(all.map(({ context, turn }, i) => context.read(idsOf(30, i), { turn })));
    const order = walks.flatMap((parts) => parts.map(({ ids }) => ids[0])),
      first = [0, 1, 2, 3].map((i) => order.indexOf(idsOf(30, i)[0]));
    // The first had begun to walk before the others came.
    assert.deepEqual(
      [0, 1, 2, 3].slice(1).sort((a, b) => first[a]! - first[b]!),
      [1, 3, 2],
    );
  });

  test("gives the pages to calls of higher priority where there are too few", async () => {
    const { open } = recorded({ nPages: 4 }),
      [low, high] = await Promise.all([open(), open()]);
    high.turn.priority = 1;
    const done: string[] = [];
    await Promise.all([
      low.context.read(idsOf(190, 1), { turn: low.turn }).then(() => done.push("low")),
      high.context.read(idsOf(190, 2), { turn: high.turn }).then(() => done.push("high")),
    ]);
    assert.deepEqual(done, ["high", "low"]);
  });

  test("of one context alone takes all rows there are", async () => {
    const { walks, open } = recorded(),
      { context, turn } = await open();
    await context.read(idsOf(150), { turn });
    assert.deepEqual(
      walks.map(([{ ids, nLogits }]) => [ids.length, nLogits]),
      [
        [64, 0],
        [64, 0],
        [22, 1],
      ],
    );
  });

  test("takes of a prompt what leaves the others their time, and what began first", async () => {
    // A row takes 4 ms, so 20 ms are five rows.
    const { engine, walks, open } = recorded({}, 20);
    const { compute } = engine;
    engine.compute = async (parts, signal) => {
      const untilMs = performance.now() + 4 * parts.reduce((n, { ids }) => n + ids.length, 0);
      while (performance.now() < untilMs);
      return await compute(parts, signal);
    };
    const [writer, reader, later] = await Promise.all([open(), open(), open()]);
    await writer.context.read([1, 2], writer);
    walks.length = 0;
    let isRead = false;
    const prompts = [reader, later].map(({ context, turn }, i) => context.read(idsOf(60, i), { turn }));
    const reading = Promise.all(prompts).then(() => (isRead = true));
    let nTokens = 0;
    for (; !isRead; nTokens++) await writer.context.append(3, writer.turn);
    await reading;
    const rows = walks.map((parts) => parts.reduce((n, { ids }) => n + ids.length, 0));
    assert.ok(nTokens >= 120 / 9, `${nTokens} tokens`);
    assert.ok(Math.max(...rows) <= 1 + 8, `walks of ${rows.join()} rows`);
    const firsts = walks.flatMap((parts) => parts.map(({ ids }) => ids[0]).filter((id) => id !== 3));
    assert.ok(firsts.indexOf(idsOf(60, 1)[0]!) > 1, "the later prompt began first");
  });

  test("computes once what several prompts begin with", async () => {
    const { walks, open } = recorded(),
      beginning = idsOf(500),
      all = await Promise.all(Array.from({ length: 100 }, open));
    await Promise.all(all.map(({ context, turn }, i) => context.read([...beginning, 200, i], { turn })));
    const nRows = walks.flat().reduce((n, { ids }) => n + ids.length, 0);
    assert.equal(nRows, 501 + 100);
  });

  test("goes on for the others when the call that walks is stopped", async () => {
    const { turns, open } = recorded(),
      [first, second] = await Promise.all([open(), open()]);
    const reads = [first, second].map(({ context, turn }, i) =>
      context.read(idsOf(200, i), { turn }).then(
        () => "read",
        (error: { code: string }) => error.code,
      ),
    );
    setImmediate(() => turns.stop(first!.context));
    assert.deepEqual(await Promise.all(reads), ["aborted", "read"]);
  });

  test("refuses a row that is not finite, and only that", async () => {
    const { engine, open } = recorded(),
      [good, bad] = await Promise.all([open(), open()]);
    const { compute } = engine;
    engine.compute = async (parts, signal) => {
      const all = await compute(parts, signal);
      parts.forEach(({ ids }, i) => ids.includes(66) && all[i]![0]!.fill(NaN));
      return all;
    };
    const results = await Promise.allSettled([good.context.read([1, 2], good), bad.context.read([1, 66], bad)]);
    assert.equal(results[0].status, "fulfilled");
    assert.equal(results[1].status === "rejected" && (results[1].reason as { code: string }).code, "model/not-finite");
  });

  test("that fails, fails for all in it", async () => {
    const { engine, open } = recorded(),
      all = await Promise.all([open(), open()]);
    engine.compute = () => Promise.reject(new Error("boom"));
    const results = await Promise.allSettled(all.map(({ context, turn }) => context.read([1], { turn })));
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected"],
    );
  });
});

describe("with few pages", () => {
  test("contexts that together need more than there are take turns", async () => {
    const { open, engine } = recorded({ contextLength: 256, nPages: 4 }),
      all = await Promise.all(Array.from({ length: 6 }, open));
    await Promise.all(all.map(({ context, turn }, i) => context.read(idsOf(200, i), { turn })));
    for (let token = 0; token < 5; token++) await Promise.all(all.map(({ context, turn }) => context.append(7, turn)));
    assert.equal(engine.pages.open(idsOf(256, 9)).length, 0);
  });

  test("who computes alone may have those of a prompt that is half read", async () => {
    const { open, engine, walks, batcher } = recorded({ contextLength: 256, nPages: 4 }),
      [writer, reader] = await Promise.all([open(), open()]);
    await writer.context.read([1, 2], writer);
    const writing = writer.context.append(3, writer.turn),
      alone = batcher.openAlone(undefined),
      begun = alone.begin(),
      reading = reader.context.read(idsOf(200), reader);
    await begun;
    assert.equal(walks.at(-1)?.length, 2);
    const own = engine.pages.open([], { isPrivate: true });
    assert.throws(() => own.reserve(256), { code: "model/context-full" });
    batcher.giveBackPages();
    own.reserve(256);
    own.close();
    alone.end();
    await Promise.all([writing, reading]);
    assert.deepEqual(reader.context.ids, idsOf(200));
  });

  test("one that needs more than there are is refused", async () => {
    const { open } = recorded({ contextLength: 1000, nPages: 4 }),
      { context, turn } = await open();
    await assert.rejects(context.read(idsOf(257), { turn }), { code: "model/context-full", message: /kvPositions/ });
    await context.read(idsOf(256), { turn });
  });
});

describe("16 contexts at once", () => {
  const cases: readonly LoadModelOptions[] = [
    { kvPositions: 4000 },
    { kvPositions: 500, maxStallMs: 1 },
    { kvPositions: 1000, kvType: "q8", threads: 2 },
    { kvPositions: 2000, threads: 4 },
  ];
  for (const options of cases) {
    test(`random arrivals, lengths, aborts, forks; ${JSON.stringify(options)}`, async () => {
      await using model = await load(bytes, { threads: 1, contextLength: CONTEXT_LENGTH, ...options });
      await using alone = await load(bytes, {
        ...{ threads: 1, contextLength: CONTEXT_LENGTH, ...options },
        kvPositions: CONTEXT_LENGTH,
      });
      await Promise.all(Array.from({ length: 16 }, (_, i) => user(model, alone, i)));
    });
  }

  /** Asks, pauses, forks and goes on, and compares every id and its probability. */
  async function user(model: Model, alone: Model, seed: number): Promise<void> {
    const random = seededRandom(seed),
      below = (n: number): number => random.u32() % n;
    let context: Context = model.context();
    for (let turn = 0; turn < 6; turn++) {
      const beginning = below(2) === 0 ? idsOf(120) : context.ids.slice(0, below(150)),
        prompt = [...beginning, ...Array.from({ length: 1 + below(60) }, () => below(64))];
      const speculate = below(3) === 0 ? ("lookup" as const) : undefined,
        options = { seed: below(50), maxTokens: 1 + below(20), logprobs: 1, ignoreEnd: true, speculate },
        abort = new AbortController(),
        stopAfter = below(4) === 0 ? 1 + below(8) : Infinity;
      const found = [];
      for await (const piece of context.generate(prompt, { ...options, signal: abort.signal })) {
        if (found.push(piece) === stopAfter) abort.abort();
        assert.equal(context.ids.length, prompt.length + found.length - 1, "no guesses among its ids");
        if (below(10) === 0) await new Promise((resolve) => setTimeout(resolve, below(5)));
      }
      const wanted = [];
      for await (const piece of alone.context().generate(prompt, options)) wanted.push(piece);
      assert.deepEqual(found, wanted.slice(0, Math.min(found.length, wanted.length)));
      if (stopAfter === Infinity) assert.equal(found.length, wanted.length);
      if (below(3) === 0) {
        const fork = context.fork();
        context.close();
        context = fork;
      }
    }
  }
});

describe("a model", () => {
  let model: Model;
  before(
    async () => void (model = await load(bytes, { threads: 1, contextLength: CONTEXT_LENGTH, kvPositions: 2000 })),
  );
  after(() => model.close());

  test("ends all contexts when it is closed under them", async () => {
    const other = await load(bytes, { threads: 2, contextLength: CONTEXT_LENGTH, kvPositions: 2000 }),
      options = { maxTokens: 200, temperature: 0, ignoreEnd: true };
    const running = Array.from({ length: 8 }, (_, i) => other.context().generate(idsOf(5, i), options).result());
    await new Promise((resolve) => setTimeout(resolve, 30));
    await other.close();
    for (const result of running) {
      const reason = await result.then(
        ({ stopReason }) => stopReason as string,
        ({ code }: { code: string }) => code,
      );
      assert.ok(["aborted", "model/closed", "length"].includes(reason), reason);
    }
  });

  test("embeds and measures beside contexts that write", async () => {
    const options = { maxTokens: 60, temperature: 0, ignoreEnd: true },
      wanted = await model.context().generate(idsOf(5), options).result();
    const logits = await model.logits(idsOf(40, 3));
    const [found, others] = await Promise.all([
      Promise.all(Array.from({ length: 4 }, () => model.context().generate(idsOf(5), options).result())),
      Promise.all(Array.from({ length: 4 }, () => model.logits(idsOf(40, 3)))),
    ]);
    for (const { ids } of found) assert.deepEqual(ids, wanted.ids);
    for (const other of others) assert.deepEqual(other, logits);
  });
});
