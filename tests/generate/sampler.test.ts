/** The sampler against distributions computed by hand, and its options against their ranges. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { checkOptions } from "../../src/core/options.ts";
import {
  GENERATE_OPTIONS,
  type Sampling,
  type SamplingOptions,
  checkSampling as fillIn,
} from "../../src/generate/options.ts";
import { createSampler, logprobs } from "../../src/generate/sampler.ts";
import { numeric } from "./fakes.ts";

/** Probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625 for ids in another order than their size. */
const PROBABILITIES = [0.0625, 0.5, 0.125, 0.25, 0.0625];
const LOGITS = Float32Array.from(PROBABILITIES, Math.log);
const OFF: SamplingOptions = { temperature: 1, topK: 0, topP: 1, minP: 0, seed: 1 };
const DRAWS = 20_000;

function checkSampling(options: SamplingOptions, vocabSize: number): Sampling {
  return fillIn(checkOptions("generate", options, GENERATE_OPTIONS), vocabSize);
}

/** Share of each id in many draws. */
function shares(options: SamplingOptions, history: readonly number[] = [], logits = LOGITS): number[] {
  const sampler = createSampler(checkSampling({ ...OFF, ...options }, logits.length), numeric);
  const counts = new Array<number>(logits.length).fill(0);
  for (let i = 0; i < DRAWS; i++) counts[sampler.next(logits, history)]++;
  return counts.map((count) => count / DRAWS);
}

/** The ids that can be drawn, with a temperature so high that each of them is. */
function kept(options: SamplingOptions): number[] {
  return shares({ ...options, temperature: 100 }).flatMap((share, id) => (share > 0 ? [id] : []));
}

function assertNear(actual: readonly number[], expected: readonly number[]): void {
  // Four standard deviations of a share of 20,000 draws are below 0.015.
  actual.forEach((value, i) =>
    assert.ok(Math.abs(value - expected[i]) < 0.015, `id ${i}: ${value}, wanted ${expected[i]}`),
  );
}

describe("sampler", () => {
  test("draws each id with its probability", () => assertNear(shares({}), PROBABILITIES));

  test("temperature divides the logits", () => {
    const squares = PROBABILITIES.map((p) => p * p);
    const sum = squares.reduce((a, b) => a + b);
    assertNear(
      shares({ temperature: 0.5 }),
      squares.map((p) => p / sum),
    );
  });

  test("temperature 0 is the largest logit, the first of equals, after penalties and bias", () => {
    const next = (options: SamplingOptions, history: number[] = []): number =>
      createSampler(checkSampling({ ...OFF, temperature: 0, ...options }, 5), numeric).next(LOGITS, history);
    assert.equal(next({}), 1);
    assert.equal(next({ logitBias: { 1: -Infinity } }), 3);
    assert.equal(next({ presencePenalty: 10 }, [1, 3]), 2);
    assert.equal(createSampler(checkSampling({ temperature: 0 }, 3), numeric).next(new Float32Array([1, 2, 2]), []), 1);
  });

  test("top-k keeps the k likeliest", () => {
    assert.deepEqual(kept({ topK: 2 }), [1, 3]);
    assertNear(shares({ topK: 2 }), [0, 2 / 3, 0, 1 / 3, 0]);
    assert.deepEqual(kept({ topK: 100 }), [0, 1, 2, 3, 4]);
  });

  test("top-p keeps the fewest that reach it, with or without top-k", () => {
    for (const topK of [0, 4, 5]) {
      assert.deepEqual(kept({ topK, topP: 0.5 }), [1]);
      assert.deepEqual(kept({ topK, topP: 0.6 }), [1, 3]);
      assert.deepEqual(kept({ topK, topP: 0.74 }), [1, 3]);
      assert.deepEqual(kept({ topK, topP: 1e-9 }), [1]);
    }
    // Equal probabilities: the lower id first.
    assert.deepEqual(kept({ topP: 0.9 }), [0, 1, 2, 3]);
  });

  test("min-p keeps what is likely enough beside the likeliest", () => {
    assert.deepEqual(kept({ minP: 0.26 }), [1, 3]);
    assert.deepEqual(kept({ minP: 0.24 }), [1, 2, 3]);
    assert.deepEqual(kept({ minP: 1 }), [1]);
  });

  test("typical sampling keeps what is nearest to the entropy", () => {
    // The entropy is 1.875 bits: the surprises 2 (id 3), 1 (id 1), 3 (id 2), 4 (ids 0, 4) are 0.125, 0.875, 1.125,
    // 2.125 away.
    assert.deepEqual(kept({ typicalP: 0.2 }), [3]);
    assert.deepEqual(kept({ typicalP: 0.3 }), [1, 3]);
    assert.deepEqual(kept({ typicalP: 0.8 }), [1, 2, 3]);
    assert.deepEqual(kept({ typicalP: 0.2, topK: 3 }), [3]);
  });

  test("each step sees what the one before left", () => {
    // Of the two left by top-k the first has 2/3: enough for top-p 0.6, not enough without top-k.
    assert.deepEqual(kept({ topK: 2, topP: 0.6 }), [1]);
    assert.deepEqual(kept({ topP: 0.6 }), [1, 3]);
  });

  test("penalties fall on what was seen, within their window", () => {
    const logits = new Float32Array([2, -2, 0, 1]);
    const after = (options: SamplingOptions, history: number[]): number[] => {
      const weights = shares({ ...options }, history, logits);
      return weights.map((share) => Math.log(share / weights[2]));
    };
    const near = (actual: number[], expected: number[]): void =>
      actual.forEach((value, i) =>
        assert.ok(Math.abs(value - expected[i]) < 0.12, `logit ${i}: ${value}, wanted ${expected[i]}`),
      );
    near(after({ repetitionPenalty: 2 }, [0, 1]), [1, -4, 0, 1]);
    near(after({ frequencyPenalty: 0.5 }, [0, 0, 3]), [1, -2, 0, 0.5]);
    near(after({ presencePenalty: 0.5 }, [0, 0, 3]), [1.5, -2, 0, 0.5]);
    near(after({ frequencyPenalty: 0.5, penaltyLastN: 1 }, [0, 0, 3]), [2, -2, 0, 0.5]);
    near(after({ frequencyPenalty: 0.5, penaltyLastN: 0 }, [0, 0, 3]), [2, -2, 0, 1]);
    near(after({ frequencyPenalty: 0.01, penaltyLastN: -1 }, new Array<number>(100).fill(0)), [1, -2, 0, 1]);
  });

  test("bias shifts and bans; an id both penalised and biased gets both; the logits come back untouched", () => {
    const logits = Float32Array.from(LOGITS);
    const sampler = createSampler(
      checkSampling(
        {
          ...OFF,
          logitBias: new Map([
            [1, -Infinity],
            [3, 2],
          ]),
          presencePenalty: 1,
        },
        5,
      ),
      numeric,
    );
    for (let i = 0; i < 200; i++) assert.notEqual(sampler.next(logits, [3, 1]), 1);
    assert.deepEqual(logits, LOGITS);
    assertNear(
      shares({ logitBias: { 0: Math.log(2), 1: -Infinity }, presencePenalty: Math.log(2) }, [0]),
      [0.125, 0, 0.25, 0.5, 0.125],
    );
  });

  test("NaN and −∞ are never drawn; nothing left is an error, not a guess", () => {
    const odd = new Float32Array([NaN, -Infinity, 0, NaN, -1]);
    for (const topK of [0, 1, 3])
      assert.ok([2, 4].includes(createSampler(checkSampling({ ...OFF, topK }, 5), numeric).next(odd, [])));
    for (const temperature of [0, 1]) {
      const sampler = createSampler(
        checkSampling({ ...OFF, temperature, logitBias: { 0: -Infinity, 1: -Infinity } }, 2),
        numeric,
      );
      assert.throws(() => sampler.next(new Float32Array([1, 2]), []), {
        code: "option/invalid",
        message: /no id can be drawn/,
      });
    }
  });

  test("the same seed draws the same ids, another seed others", () => {
    const ids = (seed: number | bigint): string => {
      const sampler = createSampler(checkSampling({ ...OFF, seed }, 5), numeric);
      return Array.from({ length: 50 }, () => sampler.next(LOGITS, [])).join("");
    };
    assert.equal(ids(7), ids(7));
    assert.equal(ids(7), ids(7n));
    assert.notEqual(ids(7), ids(8));
  });

  test("log probabilities are the model's own", () => {
    const { chosen, top } = logprobs(LOGITS, 2, 3, numeric);
    assert.ok(Math.abs(chosen - Math.log(0.125)) < 1e-6);
    assert.deepEqual(
      top.map(({ id }) => id),
      [1, 3, 2],
    );
    assert.ok(Math.abs(top[0].logprob - Math.log(0.5)) < 1e-6);
    assert.deepEqual(logprobs(LOGITS, 2, 0, numeric).top, []);
  });
});

describe("sampling options", () => {
  const wrong: [string, Record<string, unknown>][] = [
    ["temperature", { temperature: -0.1 }],
    ["temperature", { temperature: NaN }],
    ["temperature", { temperature: "hot" }],
    ["topK", { topK: 1.5 }],
    ["topK", { topK: -1 }],
    ["topP", { topP: 0 }],
    ["topP", { topP: 1.01 }],
    ["minP", { minP: -0.1 }],
    ["typicalP", { typicalP: 0 }],
    ["repetitionPenalty", { repetitionPenalty: 0 }],
    ["frequencyPenalty", { frequencyPenalty: Infinity }],
    ["presencePenalty", { presencePenalty: null }],
    ["penaltyLastN", { penaltyLastN: -2 }],
    ["logitBias", { logitBias: { 5: 1 } }],
    ["logitBias", { logitBias: { x: 1 } }],
    ["logitBias", { logitBias: { 1: NaN } }],
    ["logitBias", { logitBias: { 1: Infinity } }],
    ["logitBias", { logitBias: 3 }],
    ["dryMultiplier", { dryMultiplier: -1 }],
    ["dryBase", { dryBase: 0.5 }],
    ["dryAllowedLength", { dryAllowedLength: 1.5 }],
    ["dryLastN", { dryLastN: -2 }],
    ["dryBreakers", { dryBreakers: ["\n", ""] }],
    ["dryBreakers", { dryBreakers: "\n" }],
    ["topNSigma", { topNSigma: -1 }],
    ["xtcProbability", { xtcProbability: 1.1 }],
    ["xtcThreshold", { xtcThreshold: NaN }],
    ["temperatureRange", { temperatureRange: -1 }],
    ["temperatureExponent", { temperatureExponent: "1" }],
    ["mirostat", { mirostat: 2 }],
    ["mirostatTau", { mirostatTau: -1 }],
    ["mirostatEta", { mirostatEta: 2 }],
    ["samplers", { samplers: ["top_k"] }],
    ["samplers", { samplers: ["top-k", "temperature", "top-k"] }],
    ["samplers", { samplers: "top-k" }],
    ["topK", { topK: 5, samplers: ["temperature"] }],
    ["temperature", { temperature: 1, samplers: ["top-k"] }],
    ["dryMultiplier", { dryMultiplier: 1, mirostat: "v2" }],
    ["seed", { seed: -1 }],
    ["seed", { seed: 1.5 }],
    ["seed", { seed: 1n << 64n }],
  ];
  for (const [name, options] of wrong) {
    test(`refuses ${name} ${String(Object.values(options)[0])}`, () => {
      assert.throws(
        () => checkSampling(options as SamplingOptions, 5),
        (error) => error instanceof OnebitError && error.code === "option/invalid" && error.message.startsWith(name),
      );
    });
  }

  test("fills in the documented defaults and a fresh seed", () => {
    const { seed, ...rest } = checkSampling({}, 5);
    assert.deepEqual(rest, {
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      penaltyLastN: 64,
      dryMultiplier: 0,
      dryBase: 1.75,
      dryAllowedLength: 2,
      dryLastN: -1,
      dryBreakers: ["\n", ":", '"', "*"],
      topNSigma: 0,
      logitBias: [],
      topK: 40,
      typicalP: 1,
      topP: 0.95,
      minP: 0,
      xtcProbability: 0,
      xtcThreshold: 0.1,
      temperature: 0.7,
      temperatureRange: 0,
      temperatureExponent: 1,
      samplers: ["penalties", "dry", "top-n-sigma", "top-k", "typical-p", "top-p", "min-p", "xtc", "temperature"],
      mirostat: "off",
      mirostatTau: 5,
      mirostatEta: 0.1,
    });
    assert.notEqual(seed, checkSampling({}, 5).seed);
  });
});
