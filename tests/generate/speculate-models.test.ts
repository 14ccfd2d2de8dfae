/**
 * Speculation over real engines: with any options, guesses and sizes the pieces and results are those without it, on
 * one thread and on two, also when others use the model between two pieces.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { defaultModelBytes } from "../../src/default-model.ts";
import type { Generation, GenerationResult, Piece } from "../../src/generate/generate.ts";
import { LookupDrafter } from "../../src/generate/lookup.ts";
import type { GenerateOptions } from "../../src/generate/options.ts";
import type { Drafting } from "../../src/generate/speculate.ts";
import { load, loadTokenizer } from "../../src/load.ts";
import { Model } from "../../src/model.ts";
import type { EngineOptions } from "../../src/model/engine.ts";
import { ggufBytes } from "../model/gguf-bytes.ts";
import { openSource } from "../runtime/open-engine.ts";
import { type Random, seededRandom } from "../synthetic/random.ts";
import { anySize, draftingOf, knowingDrafter } from "./draftings.ts";

const SHAPE = { nEmbd: 256, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512, nVocab: 64 };
const GGUF = await ggufBytes(SHAPE, { architecture: "llama", body: "TQ2_0" });
const TEXT =
  "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is the sun.\n".repeat(3);

/** A drafting that the test changes between two generations. */
interface Switch {
  drafting: Drafting;
}

async function openModel(bytes: Uint8Array, options: EngineOptions): Promise<{ model: Model; guesses: Switch }> {
  const guesses: Switch = {
    drafting: draftingOf(
      (capacity) => new LookupDrafter(capacity),
      () => 0,
    ),
  };
  const engine = await openSource(bytesSource(bytes), options),
    drafting: Drafting = {
      get sizer() {
        return guesses.drafting.sizer;
      },
      createDrafter: (capacity) => guesses.drafting.createDrafter(capacity),
      now: () => 0,
    };
  const tokenizer = await loadTokenizer(bytes);
  return { model: new Model({ engine, tokenizer, drafting, loadMs: 0 }), guesses };
}

interface Outcome {
  readonly pieces: readonly Piece[];
  readonly result: Omit<GenerationResult, "timings">;
  readonly cachedIds: readonly number[];
}

async function outcome(model: Model, generation: Generation): Promise<Outcome> {
  const pieces: Piece[] = [];
  for await (const piece of generation) pieces.push(piece);
  const { timings: _, ...result } = await generation.result();
  return { pieces, result, cachedIds: [...model.cachedIds] };
}

/** Any options that a generation has: half the time few, and all that change ids among them. */
function anyOptions(random: Random, vocabSize: number, hasText: boolean): GenerateOptions {
  const chance = (share: number): boolean => random.u32() / 2 ** 32 < share,
    upTo = (max: number): number => (random.u32() / 2 ** 32) * max,
    id = (): number => random.u32() % vocabSize;
  if (chance(0.1)) return { seed: random.u32(), maxTokens: 40, mirostat: "v2", mirostatTau: upTo(6) };
  return {
    seed: random.u32(),
    maxTokens: 1 + (random.u32() % 60),
    temperature: chance(0.4) ? 0 : upTo(1.5),
    ...(chance(0.5) ? { topK: random.u32() % 50 } : {}),
    ...(chance(0.5) ? { topP: 0.3 + upTo(0.7) } : {}),
    ...(chance(0.3) ? { minP: upTo(0.3) } : {}),
    ...(chance(0.3) ? { typicalP: 0.3 + upTo(0.7) } : {}),
    ...(chance(0.4) ? { repetitionPenalty: 0.8 + upTo(0.6), penaltyLastN: (random.u32() % 80) - 1 } : {}),
    ...(chance(0.3) ? { frequencyPenalty: upTo(1), presencePenalty: upTo(1) - 0.5 } : {}),
    ...(chance(0.3) ? { logitBias: { [id()]: -Infinity, [id()]: 2 } } : {}),
    ...(chance(0.2) ? { dryMultiplier: upTo(2), dryAllowedLength: random.u32() % 4, dryBreakers: ["e"] } : {}),
    ...(chance(0.2) ? { topNSigma: upTo(2) } : {}),
    ...(chance(0.2) ? { xtcProbability: upTo(1), xtcThreshold: upTo(0.3) } : {}),
    ...(chance(0.2) ? { temperatureRange: upTo(1), temperatureExponent: upTo(3) } : {}),
    ...(chance(0.1) ? { logitsProcessor: (logits, ids) => void (logits[ids.length % logits.length] += 3) } : {}),
    ...(chance(0.3) ? { stopIds: [id()] } : {}),
    ...(chance(0.3) ? { logprobs: random.u32() % 5 } : {}),
    ...(chance(0.5) ? { ignoreEnd: true } : {}),
    ...(hasText && chance(0.3) ? { stop: ["the ", "e", ".\n"].slice(random.u32() % 3) } : {}),
  };
}

/** Lookup, or guesses that are right, wrong or both. */
function anyDrafting(random: Random, text: readonly number[], vocabSize: number): Drafting {
  const truth = [0, 0.5, 0.9, 1, undefined][random.u32() % 5];
  return draftingOf(
    (capacity) => (truth === undefined ? new LookupDrafter(capacity) : knowingDrafter(text, truth, vocabSize, random)),
    anySize(random),
  );
}

/** @param contextLength some prompts and replies fill it */
async function compareMany(
  bytes: Uint8Array,
  options: EngineOptions,
  nRounds: number,
  promptOf: (random: Random) => string | number[],
): Promise<{ drafted: number; accepted: number }> {
  const { model: plain } = await openModel(bytes, options),
    { model, guesses } = await openModel(bytes, options),
    random = seededRandom(nRounds);
  let drafted = 0,
    accepted = 0;
  for (let round = 0; round < nRounds; round++) {
    const prompt = promptOf(random),
      choices = anyOptions(random, plain.vocabSize, plain.hasTokenizer),
      wanted = await outcome(plain, plain.generate(prompt, choices));
    guesses.drafting = anyDrafting(random, [...wanted.result.promptIds, ...wanted.result.ids], plain.vocabSize);
    const generation = model.generate(prompt, { ...choices, speculate: "lookup" });
    assert.deepEqual(await outcome(model, generation), wanted, JSON.stringify({ round, choices }));
    const { speculation } = (await generation.result()).timings;
    drafted += speculation?.draftedTokens ?? 0;
    accepted += speculation?.acceptedTokens ?? 0;
  }
  await plain.close();
  await model.close();
  return { drafted, accepted };
}

describe("any options, guesses and sizes give the ids without speculation", () => {
  const WAYS: Readonly<Record<string, EngineOptions>> = {
    "on one thread": { threads: 1, contextLength: 96 },
    "on two threads": { threads: 2, contextLength: 96 },
    "with an 8-bit cache": { threads: 1, contextLength: 96, kvType: "q8" },
  };
  const anyIds = (random: Random): number[] => {
    const phrase = Array.from({ length: 1 + (random.u32() % 20) }, () => random.u32() % SHAPE.nVocab);
    return Array.from({ length: 1 + (random.u32() % 95) }, (_, i) =>
      random.u32() % 8 === 0 ? random.u32() % SHAPE.nVocab : phrase[i % phrase.length],
    );
  };
  for (const [way, options] of Object.entries(WAYS)) {
    test(`a small model ${way}`, async (t) => {
      const counts = await compareMany(GGUF, options, 150, anyIds);
      t.diagnostic(JSON.stringify(counts));
      assert.ok(counts.accepted > 500 && counts.drafted - counts.accepted > 500, JSON.stringify(counts));
    });
  }

  for (const threads of [1, 2]) {
    test(`the model in the box on ${threads} threads`, async (t) => {
      const bytes = await defaultModelBytes();
      const counts = await compareMany(bytes, { threads, contextLength: 256 }, 40, (random) =>
        TEXT.slice(random.u32() % 100, 101 + (random.u32() % 150)),
      );
      t.diagnostic(JSON.stringify(counts));
      assert.ok(counts.accepted > 200 && counts.drafted - counts.accepted > 200, JSON.stringify(counts));
    });
  }

  test("a text that repeats, by its own clock: whatever is tried, it is the same text", async () => {
    await using model = await load();
    for (const options of [
      { temperature: 0 },
      { temperature: 0.6, seed: 3, logprobs: 1 },
    ] satisfies GenerateOptions[]) {
      const wanted = await outcome(model, model.generate(TEXT, { maxTokens: 180, seed: 1, ...options }));
      for (let round = 0; round < 3; round++) {
        const found = model.generate(TEXT, { maxTokens: 180, seed: 1, ...options, speculate: "lookup" });
        assert.deepEqual(await outcome(model, found), wanted);
      }
    }
  });
});

describe("generations that take turns", () => {
  /** Reads a piece of each in turn, with waits long enough to lose the turn. */
  test("continue to the ids they have alone", async () => {
    const { model, guesses } = await openModel(GGUF, { threads: 1, contextLength: 128 });
    const prompts = [
      [1, 2, 3, 4],
      [9, 8, 7],
    ];
    const options = { maxTokens: 24, ignoreEnd: true, temperature: 0.8, seed: 5 } as const;
    const alone: (readonly number[])[] = [];
    for (const prompt of prompts) alone.push((await model.generate(prompt, options).result()).ids);
    const random = seededRandom(6);
    let nMade = 0;
    guesses.drafting = draftingOf(
      () => knowingDrafter([...prompts[nMade % 2], ...alone[nMade++ % 2]], 0.9, SHAPE.nVocab, random),
      (max) => Math.min(max, 7),
    );
    const running = prompts.map((prompt) => {
      const generation = model.generate(prompt, { ...options, speculate: "lookup" });
      return { generation, pieces: generation[Symbol.asyncIterator]() };
    });
    // The other waits a second each time, until it is taken for gone: some pieces each, then the rest.
    for (const nPieces of [3, 2, Infinity]) {
      for (const { pieces } of running) {
        for (let i = 0; i < nPieces; i++) if ((await pieces.next()).done) break;
      }
    }
    const found = await Promise.all(running.map(({ generation }) => generation.result()));
    assert.deepEqual(
      found.map(({ ids }) => ids),
      alone,
    );
    assert.ok(found.every(({ timings }) => (timings.speculation?.acceptedTokens ?? 0) > 5));
    await model.close();
  });

  test("leave the cache alone when they are aborted after they lost their turn", async () => {
    const { model, guesses } = await openModel(GGUF, { threads: 1, contextLength: 128 }),
      options = { maxTokens: 20, ignoreEnd: true, seed: 5 } as const,
      first = await model.generate([1, 2, 3], options).result(),
      other = await model.generate([9, 8, 7, 6, 5, 4], options).result();
    guesses.drafting = draftingOf(
      () => knowingDrafter([1, 2, 3, ...first.ids], 1, SHAPE.nVocab, seededRandom(1)),
      (max) => max,
    );
    const abort = new AbortController(),
      paused = model.generate([1, 2, 3], { ...options, signal: abort.signal, speculate: "lookup" }),
      pieces = paused[Symbol.asyncIterator]();
    // After the second piece the context holds guesses.
    for (let i = 0; i < 3; i++) await pieces.next();
    const ids: number[] = [];
    for await (const { id } of model.generate([9, 8, 7, 6, 5, 4], options)) {
      ids.push(id);
      if (ids.length === 10) abort.abort();
    }
    assert.deepEqual(ids, other.ids);
    assert.deepEqual((await paused.result()).ids, first.ids.slice(0, 3));
    await model.close();
  });

  test("of which one asks the model inside its own loop", async () => {
    const { model, guesses } = await openModel(GGUF, { threads: 2, contextLength: 128 }),
      options = { maxTokens: 12, ignoreEnd: true, seed: 5 } as const,
      alone = await model.generate([1, 2, 3], options).result();
    guesses.drafting = draftingOf(
      () => knowingDrafter([1, 2, 3, ...alone.ids], 1, SHAPE.nVocab, seededRandom(1)),
      (max) => Math.min(max, 5),
    );
    const ids: number[] = [];
    for await (const { id } of model.generate([1, 2, 3], { ...options, speculate: "lookup" })) {
      ids.push(id);
      if (ids.length === 3) await model.truncate(0);
      if (ids.length === 4) await model.logits([5]);
    }
    assert.deepEqual(ids, alone.ids);
    await model.close();
  });
});
