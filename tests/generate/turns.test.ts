/**
 * Calls that rest, wait, stop or vanish: none keeps the model from the others, and no answer changes by it.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { getEventListeners } from "node:events";
import { type TestContext, describe, test } from "node:test";
import { promisify } from "node:util";
import { OnebitError } from "../../src/core/errors.ts";
import { Model } from "../../src/model.ts";
import { type Turn, Turns } from "../../src/generate/turns.ts";
import { load } from "../../src/load.ts";
import { ggufBytes } from "../model/gguf-bytes.ts";
import { fakeEngine, fakeTokenizer } from "./fakes.ts";

const GGUF = await ggufBytes(
  { nEmbd: 256, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512, nVocab: 64 },
  { architecture: "llama", body: "TQ2_0" },
);
const OPTIONS = { maxTokens: 20, ignoreEnd: true, seed: 5 } as const;

/**
 * What never comes must fail the test, not end its process. How long it took is told, and not judged: machines are
 * busy.
 */
async function soon<T>(t: TestContext, what: string, work: Promise<T>): Promise<T> {
  const begin = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>(
    (_, reject) => void (timer = setTimeout(() => reject(new Error(`${what}: not within 10 s`)), 10_000)),
  );
  const result = await Promise.race([work, late]).finally(() => clearTimeout(timer));
  t.diagnostic(`${what}: ${(performance.now() - begin).toFixed(1)} ms`);
  return result;
}

/** A generation whose consumer has taken `nPieces` and does not come back by itself. */
async function pausedAfter(model: Model, nPieces: number, signal?: AbortSignal) {
  const generation = model.generate([1, 2, 3], { ...OPTIONS, signal }),
    pieces = generation[Symbol.asyncIterator]();
  for (let i = 0; i < nPieces; i++) await pieces.next();
  return { generation, pieces };
}

describe("a generation paused at a piece", () => {
  for (const nPieces of [1, 7, 20]) {
    test(`of which ${nPieces} were read: its abort ends it, and the next call runs`, async (t) => {
      await using model = await load(GGUF, { threads: 1 });
      const abort = new AbortController(),
        { generation, pieces } = await pausedAfter(model, nPieces, abort.signal);
      abort.abort();
      const result = await soon(t, "the result", generation.result());
      assert.deepEqual([result.ids.length, result.stopReason], [nPieces, nPieces === 20 ? "length" : "aborted"]);
      await soon(t, "another call", model.generate([1], { maxTokens: 1 }).result());
      assert.equal(getEventListeners(abort.signal, "abort").length, 0);
      assert.deepEqual(await pieces.next(), { done: true, value: undefined });
    });

    test(`of which ${nPieces} were read: close frees the model`, async (t) => {
      const model = await load(GGUF, { threads: 2 }),
        { generation, pieces } = await pausedAfter(model, nPieces);
      const waiting = model.logits([1, 2]).then(() => "done", codeOf);
      await soon(t, "close", model.close());
      assert.equal(
        (await soon(t, "the result", generation.result())).stopReason,
        nPieces === 20 ? "length" : "aborted",
      );
      assert.equal(await waiting, "aborted");
      assert.deepEqual(await pieces.next(), { done: true, value: undefined });
    });
  }

  test("a call that waits for it can be aborted", async (t) => {
    await using model = await load(GGUF, { threads: 1 });
    const { pieces } = await pausedAfter(model, 2),
      abort = new AbortController();
    const waiting = [1, 2].map((id) =>
      model
        .generate([id], { signal: abort.signal })
        .result()
        .then(({ stopReason }) => stopReason),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    abort.abort();
    assert.deepEqual(await soon(t, "the waiting calls", Promise.all(waiting)), ["aborted", "aborted"]);
    assert.equal((await pieces.next()).done, false);
  });

  test("lets others go first after a second, then continues to the same answer", async () => {
    await using model = await load(GGUF, { threads: 1 });
    const alone = await model.generate([1, 2, 3], OPTIONS).result();
    const { generation, pieces } = await pausedAfter(model, 7),
      other = await model.generate([9, 8], OPTIONS).result();
    for (let piece = await pieces.next(); !piece.done; ) piece = await pieces.next();
    const { ids, stopReason } = await generation.result();
    assert.deepEqual([ids, stopReason], [alone.ids, "length"]);
    assert.deepEqual((await model.generate([9, 8], OPTIONS).result()).ids, other.ids);
  });

  test("that others overtook is stopped by close too", async (t) => {
    const model = await load(GGUF, { threads: 1 }),
      { generation, pieces } = await pausedAfter(model, 3);
    await model.logits([1]);
    await model.close();
    assert.equal((await soon(t, "the result", generation.result())).ids.length, 3);
    assert.deepEqual(await pieces.next(), { done: true, value: undefined });
  });

  test("can ask the same model inside its own loop", async () => {
    await using model = await load(GGUF, { threads: 1 });
    const alone = await model.generate([1, 2, 3], { ...OPTIONS, maxTokens: 3 }).result(),
      ids: number[] = [];
    for await (const { id } of model.generate([1, 2, 3], { ...OPTIONS, maxTokens: 3 })) {
      ids.push(id);
      if (ids.length === 2) await model.logits([5]);
    }
    assert.deepEqual(ids, alone.ids);
  });

  test("and abandoned does not end the program before the next answer", async () => {
    const program = `
      import { load } from "onebit";
      const model = await load();
      for (let i = 0; i < 2; i++) await model.generate("ROMEO:", { seed: i })[Symbol.asyncIterator]().next();
      console.log((await model.generate("ROMEO:", { maxTokens: 5 }).result()).ids.length);`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      timeout: 60_000,
    });
    assert.equal(stdout, "5\n");
  });
});

test("eleven calls with one signal, and more, print no warning of a leak", async () => {
  const warnings: Error[] = [],
    onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  const model = new Model({
      engine: fakeEngine((_, logits) => void (logits[65] = 9)),
      tokenizer: fakeTokenizer(),
      loadMs: 0,
    }),
    { signal } = new AbortController();
  const calls = Array.from({ length: 30 }, (_, i) =>
    i % 2 ? model.embed(["x"], { signal }) : model.generate("x", { maxTokens: 2, signal }).result(),
  );
  await Promise.all([...calls, ...Array.from({ length: 15 }, () => model.logits([1]))]);
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", onWarning);
  assert.deepEqual(warnings, []);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

for (const [how, platform] of Object.entries({ woken: {}, "unwoken, as in workerd": { isolatesRequests: true } }))
  describe(`calls that vanish, as those of a request in workerd do when its reader leaves; the others ${how}`, () => {
    /** Nothing that it awaits goes on. */
    const vanish = (turn: Turn): void => void (turn.wokenOr = () => new Promise(() => {}));

    test("while they wait: the others have their turns, in order", async (t) => {
      const turns = new Turns(platform),
        first = turns.open(undefined),
        order: number[] = [];
      await first.begin();
      const others = Array.from({ length: 20 }, async (_, i) => {
        const turn = turns.open(undefined);
        if (i % 3 !== 2) vanish(turn);
        await turn.begin();
        order.push(i);
        turn.end();
      });
      first.end();
      await soon(t, "the others", Promise.all(others.filter((_, i) => i % 3 === 2)));
      assert.deepEqual(order, [2, 5, 8, 11, 14, 17]);
    });

    test("while they compute: after a second they lose their turn, and notice it if they live", async (t) => {
      const turns = new Turns(platform),
        gone = turns.open(undefined),
        next = turns.open(undefined);
      await gone.begin();
      assert.equal(gone.aborted, false);
      await soon(t, "the next", next.begin());
      assert.deepEqual([gone.aborted, next.aborted], [true, false]);
      gone.end();
      assert.equal(turns.isHeldBy(next), true);
    });

    test("but not while they show signs of life, however long it takes", async () => {
      const turns = new Turns(platform),
        busy = turns.open(undefined),
        next = turns.open(undefined);
      await busy.begin();
      const taken = next.begin().then(() => "taken"),
        life = setInterval(() => assert.equal(busy.aborted, false), 300);
      assert.equal(await Promise.race([taken, new Promise((resolve) => setTimeout(resolve, 2500, "waits"))]), "waits");
      clearInterval(life);
      busy.end();
      assert.equal(await taken, "taken");
    });
  });

test("no call in workerd resolves another's promise", async (t) => {
  const turns = new Turns({ isolatesRequests: true }),
    first = turns.open(undefined),
    next = turns.open(undefined),
    last = turns.open(undefined);
  const wake = (): never => assert.fail("woken by another");
  next.wake = last.wake = wake;
  await first.begin();
  const waits = next.begin(),
    ends = last.begin();
  first.end();
  await soon(t, "the next", waits);
  turns.leave(next);
  await soon(t, "the last", ends);
  // Nothing was put in its place that could be resolved.
  assert.deepEqual([next.wake, last.wake], [wake, wake]);
});

function codeOf(error: unknown): string {
  assert.ok(error instanceof OnebitError, error instanceof Error ? error.stack : String(error));
  return error.code;
}
