/**
 * Speculation over fake engines: whoever guesses, and however much of it is tried, pieces and results are those without
 * it, the cache holds the same ids, and the walks it saves are counted.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fail } from "../../src/core/errors.ts";
import { renderChat } from "../../src/generate/chat.ts";
import type { ChatOptions } from "../../src/generate/chat-options.ts";
import type { Generation, GenerationResult, Piece } from "../../src/generate/generate.ts";
import { DraftSizer } from "../../src/generate/draft-size.ts";
import { LookupDrafter } from "../../src/generate/lookup.ts";
import type { GenerateOptions } from "../../src/generate/options.ts";
import type { Drafting } from "../../src/generate/speculate.ts";
import { Model } from "../../src/model.ts";
import { seededRandom } from "../synthetic/random.ts";
import { anySize, draftingOf, knowingDrafter } from "./draftings.ts";
import { BOS, bytesOf, EOS, type FakeEngine, type FakeEngineOptions, fakeTokenizer, scriptedEngine } from "./fakes.ts";

const PROMPT = "Hi";
/** BOS and two bytes. */
const PROMPT_LENGTH = 3;
const PROMPT_IDS = [BOS, ...bytesOf(PROMPT)];
const GREEDY: GenerateOptions = { temperature: 0, seed: 1 };
const VOCAB_SIZE = fakeTokenizer().vocabSize;

function modelSaying(reply: string | readonly number[], drafting?: Drafting, options: FakeEngineOptions = {}) {
  const ids = typeof reply === "string" ? [...bytesOf(reply), EOS] : reply;
  const engine = scriptedEngine(PROMPT_LENGTH, ids, options);
  return { engine, model: new Model({ engine, tokenizer: fakeTokenizer(), loadMs: 0, drafting }) };
}

/** Guesses the script right with the chance `truth`, and tries any number of it. */
function knowing(script: string, truth: number, seed: number): Drafting {
  const random = seededRandom(seed),
    text = [...PROMPT_IDS, ...bytesOf(script), EOS];
  return draftingOf(() => knowingDrafter(text, truth, VOCAB_SIZE, random), anySize(random));
}

interface Outcome {
  readonly pieces: readonly Piece[];
  readonly result: Omit<GenerationResult, "timings">;
  readonly cachedIds: readonly number[];
}

/** @param nPieces leaves the loop after so many */
async function outcome(model: Model, generation: Generation, nPieces = Infinity): Promise<Outcome> {
  const pieces: Piece[] = [];
  for await (const piece of generation) {
    pieces.push(piece);
    if (pieces.length >= nPieces) break;
  }
  const { timings: _, ...result } = await generation.result();
  return { pieces, result, cachedIds: [...model.cachedIds] };
}

const REPLY = "one two three one two three END one two three one two four";

describe("speculation changes nothing but speed", () => {
  const OPTIONS: Readonly<Record<string, GenerateOptions>> = {
    greedy: GREEDY,
    sampled: { temperature: 9, seed: 4, logprobs: 3, maxTokens: 50 },
    "with penalties": { temperature: 5, seed: 8, repetitionPenalty: 1.3, frequencyPenalty: 0.2, maxTokens: 50 },
    "to a stop string": { ...GREEDY, stop: ["END", "four"] },
    "to a stop id": { ...GREEDY, stopIds: ["E".charCodeAt(0)] },
    "past the end": { ...GREEDY, ignoreEnd: true, maxTokens: 70 },
    "of no ids": { ...GREEDY, maxTokens: 0 },
    "of one id": { ...GREEDY, maxTokens: 1 },
    "of two": { ...GREEDY, maxTokens: 2 },
    "of twenty": { ...GREEDY, maxTokens: 20 },
  };
  for (const [name, options] of Object.entries(OPTIONS)) {
    test(name, async () => {
      const { model: plain } = modelSaying(REPLY, undefined, { contextLength: 100 }),
        wanted = await outcome(plain, plain.generate(PROMPT, options));
      for (let seed = 0; seed < 40; seed++) {
        const drafting = knowing(REPLY, (seed % 5) / 4, seed),
          { model } = modelSaying(REPLY, drafting, { contextLength: 100 });
        assert.deepEqual(await outcome(model, model.generate(PROMPT, { ...options, speculate: "lookup" })), wanted);
      }
    });
  }

  test("of ids that can no longer be drawn", async () => {
    const logitBias = Object.fromEntries(Array.from({ length: VOCAB_SIZE }, (_, id) => [id, -Infinity]));
    const { model } = modelSaying(REPLY, knowing(REPLY, 1, 1));
    await assert.rejects(model.generate(PROMPT, { logitBias, speculate: "lookup" }).text(), { code: "option/invalid" });
  });

  test("where the context fills up, wherever that falls in a draft", async () => {
    for (let contextLength = PROMPT_LENGTH; contextLength < PROMPT_LENGTH + 25; contextLength++) {
      const { model: plain } = modelSaying(REPLY, undefined, { contextLength }),
        wanted = await outcome(plain, plain.generate(PROMPT, GREEDY));
      for (let seed = 0; seed < 6; seed++) {
        const { model, engine } = modelSaying(REPLY, knowing(REPLY, seed < 3 ? 1 : 0.7, seed), { contextLength });
        const found = await outcome(model, model.generate(PROMPT, { ...GREEDY, speculate: "lookup" }));
        assert.deepEqual(found, wanted);
        assert.ok(engine.calls.every(({ position, ids }) => position + ids.length <= contextLength));
      }
      assert.equal(wanted.result.stopReason, "context");
    }
  });

  test("where old messages are left out while the reply is written", async () => {
    const messages = Array.from({ length: 9 }, (_, i) => ({
      role: i % 2 === 0 ? "user" : "assistant",
      content: "what is it? ".repeat(2),
    }));
    const options: ChatOptions = { ...GREEDY, onFull: "drop-oldest", chatTemplate: "chatml", maxTokens: 400 };
    const chat = async (speculate: "off" | "lookup", drafting?: Drafting) => {
      // A reply that depends on the last ids only, so that it goes on however the prompt shrinks.
      const engine = scriptedEngine(
        0,
        Array.from({ length: 600 }, (_, i) => 97 + (i % 7)),
        { contextLength: 300 },
      );
      const model = new Model({ engine, tokenizer: fakeTokenizer(), loadMs: 0, renderChat, drafting });
      return await outcome(model, model.chat(messages, { ...options, speculate }));
    };
    const wanted = await chat("off");
    assert.ok(wanted.result.droppedMessages > 0);
    for (let seed = 0; seed < 10; seed++) {
      const lookup = draftingOf((capacity) => new LookupDrafter(capacity), anySize(seededRandom(seed)));
      assert.deepEqual(await chat("lookup", lookup), wanted);
    }
  });

  test("and leaves no guess in the cache", async () => {
    const reply = REPLY.repeat(6),
      options = { contextLength: 384, nPages: 20 };
    const { model: plain, engine: plainEngine } = modelSaying(reply, undefined, options);
    await plain.generate(PROMPT, { ...GREEDY, maxTokens: 330 }).result();
    for (let seed = 0; seed < 5; seed++) {
      const { model, engine } = modelSaying(reply, knowing(reply, 0.8, seed), options);
      const { timings } = await model.generate(PROMPT, { ...GREEDY, maxTokens: 330, speculate: "lookup" }).result();
      assert.ok((timings.speculation?.draftedTokens ?? 0) > 300);
      assert.equal(engine.pages.nFree, plainEngine.pages.nFree);
      assert.deepEqual(model.cachedIds, plain.cachedIds);
    }
  });

  test("also for who leaves the loop or aborts at any piece", async () => {
    const nAll = REPLY.length;
    for (let nPieces = 1; nPieces < nAll; nPieces++) {
      const { model: plain } = modelSaying(REPLY, undefined, { contextLength: 100 }),
        wanted = await outcome(plain, plain.generate(PROMPT, GREEDY), nPieces);
      const drafting = knowing(REPLY, 0.9, nPieces),
        options = { ...GREEDY, speculate: "lookup" } as const;
      const { model } = modelSaying(REPLY, drafting, { contextLength: 100 });
      assert.deepEqual(await outcome(model, model.generate(PROMPT, options), nPieces), wanted);
      const { model: aborted } = modelSaying(REPLY, drafting, { contextLength: 100 }),
        abort = new AbortController(),
        generation = aborted.generate(PROMPT, { ...options, signal: abort.signal }),
        pieces = generation[Symbol.asyncIterator]();
      for (let i = 0; i < nPieces; i++) await pieces.next();
      abort.abort();
      const { ids, stopReason } = await generation.result();
      assert.deepEqual([ids, stopReason], [wanted.result.ids, "aborted"]);
      assert.deepEqual(aborted.cachedIds, wanted.cachedIds);
      assert.equal((await aborted.generate(PROMPT, GREEDY).result()).ids.length, nAll + 1);
    }
  });

  test("with a guess that makes the model overflow, unless the text does", async () => {
    const BAD = 7;
    const overflowing = (script: string, drafting: Drafting) => {
      const { model, engine } = modelSaying(script, drafting, { contextLength: 100 });
      const { evaluate } = engine;
      engine.evaluate = async (ids, sequence, options) => {
        const { length } = sequence,
          at = ids.indexOf(BAD);
        if (at < 0) return await evaluate(ids, sequence, options);
        // As the real one: after all are in the cache.
        await evaluate(ids, sequence, {
          ...options,
          onLogits: (row, logits) => row < at && options?.onLogits?.(row, logits),
        });
        return fail("model/not-finite", `id ${BAD} at ${length + at}`);
      };
      return model;
    };
    const alwaysBad = draftingOf(
      () => ({
        matchLength: 2,
        reset() {},
        push: () => false,
        draft: (max) => [..."one", "x"].map(() => BAD).slice(0, max),
      }),
      (max) => max,
    );
    const options = { ...GREEDY, speculate: "lookup" } as const;
    const { ids, timings } = await overflowing(REPLY, alwaysBad).generate(PROMPT, options).result();
    assert.deepEqual(ids, [...bytesOf(REPLY), EOS]);
    assert.equal(timings.speculation?.acceptedTokens, 0);
    const really = "abc\u0007def";
    for (const speculate of ["off", "lookup"] as const)
      await assert.rejects(
        overflowing(really, knowing(really, 1, 3))
          .generate(PROMPT, { ...GREEDY, speculate })
          .text(),
        { code: "model/not-finite", message: `id ${BAD} at 6` },
      );
  });
});

describe("what speculation gains", () => {
  const always = draftingOf(
    (capacity) => new LookupDrafter(capacity),
    (max) => max,
  );

  /** Evaluations behind the prompt: their numbers of ids. */
  const walksOf = ({ calls }: FakeEngine): number[] => calls.slice(1).map(({ ids }) => ids.length);

  test("is reported, and every accepted token saves a walk", async () => {
    const { model, engine } = modelSaying("abcabcabcabcabcabcabcabcabcabc", always);
    const { ids, timings } = await model.generate(PROMPT, { ...GREEDY, speculate: "lookup" }).result();
    // a b c a b one by one; then "c" with 14 guesses, all true; "c" with the 9 that are left of the context's end …
    assert.deepEqual(walksOf(engine), [1, 1, 1, 1, 15, 15]);
    assert.deepEqual(timings.speculation, { walks: 2, draftedTokens: 28, acceptedTokens: 24 });
    assert.equal(ids.length - 1, walksOf(engine).length + 24);
  });

  test("is nothing with it off, and no field says so", async () => {
    for (const speculate of [undefined, "off"] as const) {
      const { model, engine } = modelSaying("abcabcabcabcabc", always);
      const { timings } = await model.generate(PROMPT, { ...GREEDY, speculate }).result();
      assert.ok(!("speculation" in timings));
      assert.ok(walksOf(engine).every((n) => n === 1));
    }
  });

  test("nothing is guessed after an end of the turn, nor beyond maxTokens", async () => {
    const reply = [...bytesOf("ab"), EOS, ...bytesOf("ab"), EOS, ...bytesOf("ab"), EOS, ...bytesOf("abcdefgh")];
    const drafting = draftingOf(
      () => knowingDrafter([...PROMPT_IDS, ...reply], 1, VOCAB_SIZE, seededRandom(1)),
      (max) => max,
    );
    const ended = modelSaying(reply, drafting);
    await ended.model.generate(PROMPT, { ...GREEDY, speculate: "lookup" }).result();
    assert.deepEqual(walksOf(ended.engine), [2]);
    for (const [maxTokens, walks] of [
      [2, [1]],
      [3, [2]],
      [9, [8]],
    ] as const) {
      const limited = modelSaying(reply, drafting);
      const options = { ...GREEDY, ignoreEnd: true, maxTokens, speculate: "lookup" } as const;
      await limited.model.generate(PROMPT, options).result();
      assert.deepEqual(walksOf(limited.engine), walks);
    }
  });

  test("adapts by its clock: long drafts where rows are cheap, none where the clock stands still", async () => {
    const text = "the cat sat on the mat. ".repeat(60);
    const run = async (costOf: (rows: number) => number) => {
      let ms = 0;
      const drafting: Drafting = {
        sizer: new DraftSizer(),
        createDrafter: (capacity) => new LookupDrafter(capacity),
        now: () => ms,
      };
      const { model, engine } = modelSaying(text, drafting, { contextLength: 2000 });
      const { evaluate } = engine;
      engine.evaluate = (ids, sequence, options) => {
        ms += costOf(ids.length);
        return evaluate(ids, sequence, options);
      };
      const options = { ...GREEDY, maxTokens: 1000, speculate: "lookup" } as const;
      const { ids, timings } = await model.generate(PROMPT, options).result();
      assert.deepEqual(ids, bytesOf(text).slice(0, 1000));
      return { ...timings.speculation, nWalks: walksOf(engine).length };
    };
    assert.deepEqual(await run((rows) => 3 + rows), {
      walks: 75,
      draftedTokens: 908,
      acceptedTokens: 904,
      nWalks: 95,
    });
    assert.deepEqual(await run(() => 0), { walks: 0, draftedTokens: 0, acceptedTokens: 0, nWalks: 999 });
    const dear = await run((rows) => 1.2 * rows);
    assert.ok((dear.walks ?? Infinity) <= 30, JSON.stringify(dear));
  });

  test("another word is refused", async () => {
    const { model } = modelSaying("x");
    await assert.rejects(model.generate(PROMPT, { speculate: "draft" as never }).text(), {
      code: "option/invalid",
      message: /speculate: wanted "off" or "lookup", got "draft"/,
    });
    await assert.rejects(model.generate(PROMPT, { prompt_lookup_num_tokens: 4 } as never).text(), {
      code: "option/unknown",
      message: /did you mean speculate/,
    });
  });
});
