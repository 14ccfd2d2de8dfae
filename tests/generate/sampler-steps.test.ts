/**
 * What each step of the sampler leaves, and with which probabilities: against the expectations of llama.cpp's own test
 * of its samplers (tests/test-sampling.cpp), and against definitions computed another way.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkOptions } from "../../src/core/options.ts";
import { GENERATE_OPTIONS, type Sampling, type SamplingOptions, checkSampling } from "../../src/generate/options.ts";
import { candidatesOf, createSampler } from "../../src/generate/sampler.ts";
import type { BreakerTokenizer } from "../../src/generate/sequence-breakers.ts";
import { Random } from "../grammar/random.ts";
import { numeric } from "./fakes.ts";

const OFF: SamplingOptions = { temperature: 1, topK: 0, topP: 1, minP: 0, seed: 1 };

function sampling(options: SamplingOptions, vocabSize: number): Sampling {
  const off = options.samplers === undefined && options.mirostat === undefined ? OFF : { seed: 1 };
  return checkSampling(checkOptions("generate", { ...off, ...options }, GENERATE_OPTIONS), vocabSize);
}

/** The probability of each id. */
function distribution(
  logits: Float32Array,
  options: SamplingOptions,
  history: readonly number[] = [],
  tokenizer?: BreakerTokenizer,
): number[] {
  const before = Float32Array.from(logits),
    left = candidatesOf(logits, history, sampling(options, logits.length), numeric, tokenizer),
    weights = left.logits.map((logit) => Math.exp(logit - Math.max(...left.logits))),
    sum = weights.reduce((a, b) => a + b),
    all = new Array<number>(logits.length).fill(0);
  left.ids.forEach((id, i) => (all[id] = weights[i] / sum));
  assert.deepEqual(logits, before, "the logits come back untouched");
  return all;
}

const ofProbabilities = (probabilities: readonly number[]): Float32Array => Float32Array.from(probabilities, Math.log);

function assertNear(actual: readonly number[], expected: readonly number[], within = 1e-5): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) =>
    assert.ok(Math.abs(value - expected[i]) <= within, `id ${i}: ${value}, wanted ${expected[i]}`),
  );
}

/** One letter an id, from `a`; ids from 26 on are two letters, or none of any. */
const LETTERS: BreakerTokenizer = {
  vocabSize: 30,
  tokenBytes: (id) =>
    new TextEncoder().encode(id < 26 ? String.fromCharCode(97 + id) : ["xy", "yz", "zz", ""][id - 26]),
  encode: (text) => [...text].map((letter) => letter.charCodeAt(0) - 97),
};

describe("steps of the sampler, by llama.cpp's expectations", () => {
  const tenths = [0.1, 0.2, 0.3, 0.4];
  const cases: [probabilities: number[], options: SamplingOptions, expected: number[], history?: number[]][] = [
    [tenths, { temperature: 1 }, tenths],
    [tenths, { temperature: 0 }, [0, 0, 0, 1]],
    [tenths, { temperature: 1, temperatureRange: 0 }, tenths],
    [tenths, { topK: 1 }, [0, 0, 0, 1]],
    [tenths, { topK: 3 }, [0, 0.22222, 0.33333, 0.44444]],
    [tenths, { topK: 4 }, tenths],
    [tenths, { topP: 1e-9 }, [0, 0, 0, 1]],
    [tenths, { topP: 0.7 }, [0, 0, 0.428571, 0.571429]],
    [tenths, { topP: 0.8 }, [0, 0.22222, 0.33333, 0.44444]],
    [tenths, { minP: 0.24 }, tenths],
    [tenths, { minP: 0.26 }, [0, 2 / 9, 3 / 9, 4 / 9]],
    [tenths, { minP: 0.49 }, [0, 2 / 9, 3 / 9, 4 / 9]],
    [tenths, { minP: 0.51 }, [0, 0, 3 / 7, 4 / 7]],
    [tenths, { minP: 0.76 }, [0, 0, 0, 1]],
    [tenths, { minP: 1 }, [0, 0, 0, 1]],
    [[0.4, 0.3, 0.2, 0.1], { xtcProbability: 1, xtcThreshold: 0.09 }, [0, 0, 0, 1]],
    [[0.4, 0.3, 0.2, 0.1], { xtcProbability: 1, xtcThreshold: 0.19 }, [0, 0, 2 / 3, 1 / 3]],
    [[0.4, 0.3, 0.2, 0.1], { xtcProbability: 1, xtcThreshold: 0.29 }, [0, 3 / 6, 2 / 6, 1 / 6]],
    [[0.4, 0.3, 0.2, 0.1], { xtcProbability: 1, xtcThreshold: 0.39 }, [0.4, 0.3, 0.2, 0.1]],
    [[0.97, 0.01, 0.01, 0.01], { typicalP: 0.5 }, [1, 0, 0, 0]],
    [[0.4, 0.2, 0.2, 0.2], { typicalP: 0.5 }, [0, 1 / 3, 1 / 3, 1 / 3]],
    [Array(5).fill(0.2), { frequencyPenalty: 5, presencePenalty: 5 }, [0.000011, ...Array(4).fill(0.249997)], [0]],
    [
      Array(5).fill(0.2),
      { frequencyPenalty: 5, presencePenalty: 5 },
      [0, 0.000023, 0.000023, 0.499977, 0.499977],
      [0, 1, 2, 0, 0],
    ],
    [Array(4).fill(0.25), { dryMultiplier: 1, dryBase: 1.1, dryLastN: 4 }, Array(4).fill(0.25), [0, 1]],
    [
      Array(4).fill(0.25),
      { dryMultiplier: 1, dryBase: 1.1, dryLastN: 5 },
      [0.296923, 0.296923, 0.109232, 0.296923],
      [0, 1, 2, 0, 1],
    ],
    [
      Array(5).fill(0.2),
      { dryMultiplier: 2, dryBase: 1.1, dryLastN: 5 },
      [0.241818, 0.241818, 0.032727, 0.241818, 0.241818],
      [0, 1, 2, 0, 1],
    ],
    [
      Array(5).fill(0.2),
      { dryMultiplier: 1, dryBase: 1.1, dryAllowedLength: 4, dryLastN: 7 },
      Array(5).fill(0.2),
      [0, 1, 2, 3, 4, 0, 1],
    ],
    [tenths, { topNSigma: 1 }, [0, 0, 0.428571, 0.571429]],
    [tenths, { topNSigma: 3 }, tenths],
  ];
  for (const [probabilities, options, expected, history] of cases)
    test(`${JSON.stringify(options)} of ${probabilities.join(", ")}${history ? ` after ${history.join()}` : ""}`, () =>
      assertNear(distribution(ofProbabilities(probabilities), options, history), expected));
});

describe("DRY", () => {
  /** The definition, in quadratic time: the longest end of the history that `id` would go on with. */
  function longest(history: readonly number[], id: number, limit: number): number {
    let best = 0;
    for (let at = 0; at + 1 < history.length; at++) {
      let n = 0;
      while (n <= at && history[at - n] === history[history.length - 1 - n]) n++;
      if (history[at + 1] === id) best = Math.max(best, Math.min(n, limit));
    }
    return best;
  }

  test("random histories of few ids, with windows and lengths, against the definition", () => {
    const random = new Random(7);
    let nPunished = 0;
    for (let round = 0; round < 2000; round++) {
      const nIds = 1 + random.below(4),
        history = Array.from({ length: random.below(40) }, () => random.below(nIds)),
        dryAllowedLength = random.below(5),
        dryLastN = random.oneIn(2) ? -1 : random.below(30),
        window = dryLastN < 0 ? history : dryLastN === 0 ? [] : history.slice(-dryLastN),
        logits = Float32Array.from({ length: 5 }, () => random.below(100) / 25),
        left = candidatesOf(
          logits,
          history,
          sampling({ dryMultiplier: 0.5, dryBase: 1.5, dryAllowedLength, dryLastN, dryBreakers: [] }, 5),
          numeric,
        );
      left.ids.forEach((id, i) => {
        const length = longest(window, id, window.length),
          isNext = window.some((each, at) => at > 0 && each === id),
          isPunished = isNext && length >= dryAllowedLength && window.length > dryAllowedLength,
          penalty = isPunished ? 0.5 * 1.5 ** (length - dryAllowedLength) : 0;
        if (isPunished) nPunished++;
        assert.ok(
          Math.abs(left.logits[i] - (logits[id] - penalty)) <= 1e-5 * Math.max(1, penalty),
          `${history.join()} then ${id}: ${left.logits[i]}, wanted ${logits[id] - penalty}`,
        );
      });
    }
    assert.ok(nPunished > 2000);
  });

  test("a breaker ends repetitions and is never punished itself", () => {
    const flat = new Float32Array(30),
      punished = (history: string, dryBreakers: string[]): number[] =>
        distribution(
          flat,
          { dryMultiplier: 10, dryAllowedLength: 2, dryBreakers },
          [...history].map((letter) => letter.charCodeAt(0) - 97),
          LETTERS,
        ).flatMap((p, id) => (p < 0.01 ? [id] : []));
    assert.deepEqual(punished("abcdabc", []), [3]);
    assert.deepEqual(punished("abcdabc", ["b"]), []); // only c repeats since
    assert.deepEqual(punished("abcdabc", ["a"]), [3]); // bc does
    assert.deepEqual(punished("abcdabc", ["d"]), []);
    assert.deepEqual(punished("abcdabc", ["bc"]), []); // of two ids
    assert.deepEqual(punished("abcdabc", ["bx"]), [3]);
  });

  test("a breaker may begin within a token and end in another, or be part of one", () => {
    const flat = new Float32Array(30),
      XY = 26,
      YZ = 27;
    const isPunished = (history: number[], dryBreakers: string[]): boolean =>
      distribution(flat, { dryMultiplier: 10, dryBreakers }, history, LETTERS)[3] < 0.01;
    const history = [0, XY, 25, 1, 2, 3, 0, XY, 25, 1, 2];
    assert.equal(isPunished(history, []), true);
    assert.equal(isPunished(history, ["yz"]), true); // since it: b, c
    assert.equal(isPunished(history, ["yzbc"]), false); // to the end
    assert.equal(isPunished([1, XY, 2, 3, 1, XY, 2], ["y"]), false);
    assert.equal(isPunished([1, YZ, 2, 3, 1, YZ, 2], ["yza"]), true);
  });

  test("ids beyond the vocabulary, or without one, hold no breaker", () => {
    const history = [40, 41, 3, 40, 41];
    assert.ok(distribution(new Float32Array(50), { dryMultiplier: 10 }, history, LETTERS)[3] < 0.01);
    assert.ok(distribution(new Float32Array(50), { dryMultiplier: 10 }, history)[3] < 0.01);
  });

  test("a long repetition is punished by a finite number, in linear time", () => {
    const history = new Array<number>(200_000).fill(1),
      { logits } = candidatesOf(
        new Float32Array(3),
        history,
        sampling({ dryMultiplier: 1, dryBase: 1.75 }, 3),
        numeric,
      );
    assert.ok(Number.isFinite(logits[1]) || logits.length === 2, `${logits}`);
  });
});

describe("dynamic temperature", () => {
  const heated = (logits: Float32Array, options: SamplingOptions): number => {
    const { ids, logits: after } = candidatesOf(logits, [], sampling(options, logits.length), numeric);
    return (logits[ids[0]] - logits[ids[1]]) / (after[0] - after[1]);
  };

  test("the temperature follows the entropy", () => {
    const probabilities = [0.5, 0.25, 0.125, 0.125],
      share = 1.75 / 2; // bits, of the 2 that four ids can have
    for (const [temperature, temperatureRange, temperatureExponent] of [
      [1, 0.5, 1],
      [1, 0.5, 2],
      [0.7, 0.7, 0.5],
      [0.2, 0.5, 1],
      [0, 1, 3],
    ]) {
      const coldest = Math.max(0, temperature - temperatureRange),
        expected = coldest + (temperature + temperatureRange - coldest) * share ** temperatureExponent,
        found = heated(ofProbabilities(probabilities), { temperature, temperatureRange, temperatureExponent });
      assert.ok(Math.abs(found - expected) < 1e-5, `${found}, wanted ${expected}`);
    }
  });

  test("flat logits have the highest, one candidate any", () => {
    assertNear(distribution(new Float32Array(4), { temperature: 1, temperatureRange: 0.5 }), Array(4).fill(0.25));
    assert.deepEqual(distribution(new Float32Array([1, 2]), { topK: 1, temperature: 1, temperatureRange: 1 }), [0, 1]);
    assert.deepEqual(
      distribution(new Float32Array([1, 2]), { topK: 1, temperature: 1, temperatureRange: 1, temperatureExponent: 0 }),
      [0, 1],
    );
  });
});

describe("Mirostat 2", () => {
  test("follows its definition, draw by draw", () => {
    const random = new Random(3),
      logits = Float32Array.from({ length: 200 }, () => random.below(1000) / 100),
      uniform = numeric.random(9),
      options = { mirostat: "v2", mirostatTau: 3, mirostatEta: 0.2, temperature: 0.8, seed: 9 } as const,
      sampler = createSampler(sampling(options, 200), numeric),
      order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b),
      weights = order.map((id) => Math.exp(logits[id] / 0.8)),
      sum = weights.reduce((a, b) => a + b);
    let mu = 6;
    for (let i = 0; i < 300; i++) {
      const kept = order.filter((_, at) => at === 0 || -Math.log2(weights[at] / sum) <= mu),
        total = weights.slice(0, kept.length).reduce((a, b) => a + b),
        goal = uniform.next();
      let place = 0;
      for (let left = goal * total - weights[0]; left >= 0; left -= weights[place]) place++;
      assert.equal(sampler.next(logits, []), kept[place], `draw ${i}`);
      mu -= 0.2 * (-Math.log2(weights[place] / total) - 3);
    }
  });

  test("less surprise is less surprising, all of it less than without", () => {
    const logits = Float32Array.from({ length: 4096 }, (_, i) => -1.1 * Math.log(i + 1)),
      sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
    const surprise = (mirostatTau: number): number => {
      const sampler = createSampler(sampling({ mirostat: "v2", mirostatTau, seed: 4 }, 4096), numeric);
      let bits = 0;
      for (let i = 0; i < 2000; i++) bits -= Math.log2(Math.exp(logits[sampler.next(logits, [])]) / sum) / 2000;
      return bits;
    };
    const all = -logits.reduce((bits, l) => bits + (Math.exp(l) / sum) * Math.log2(Math.exp(l) / sum), 0);
    const [least, less, more] = [1, 2, 4].map(surprise);
    assert.ok(least < less && less < more && more < all, `${least}, ${less}, ${more}, ${all}`);
  });
});

describe("the order of steps", () => {
  const probabilities = [0.5, 0.25, 0.125, 0.0625, 0.0625],
    logits = ofProbabilities(probabilities);
  const kept = (options: SamplingOptions, history?: number[]): number[] =>
    distribution(logits, options, history).flatMap((p, id) => (p > 0 ? [id] : []));

  test("each sees what the one before it left", () => {
    assert.deepEqual(kept({ samplers: ["top-k", "top-p"], topK: 2, topP: 0.6 }), [0]);
    assert.deepEqual(kept({ samplers: ["top-p", "top-k"], topK: 2, topP: 0.6 }), [0, 1]);
    assert.deepEqual(kept({ samplers: ["temperature", "min-p"], temperature: 2, minP: 0.3 }), [0, 1, 2, 3, 4]);
    assert.deepEqual(kept({ samplers: ["min-p", "temperature"], temperature: 2, minP: 0.3 }), [0, 1]);
  });

  test("penalties may come behind truncations", () => {
    const options = { topK: 2, presencePenalty: 10 } as const;
    assert.deepEqual(kept({ ...options, samplers: ["penalties", "top-k"] }, [0, 1]), [2, 3]);
    assert.deepEqual(kept({ ...options, samplers: ["top-k", "penalties"] }, [0, 1]), [0, 1]);
    assert.deepEqual(kept({ ...options, samplers: ["top-k", "penalties", "top-p"], topP: 0.5 }, [0]), [1]);
  });

  test("what is not listed does not run", () => {
    assert.deepEqual(kept({ samplers: [] }), [0, 1, 2, 3, 4]);
    assertNear(distribution(logits, { samplers: [] }), probabilities);
    assert.deepEqual(kept({ samplers: ["temperature"] }), [0, 1, 2, 3, 4]);
  });

  test("bias comes before all of them", () => {
    assert.deepEqual(kept({ samplers: ["top-k"], topK: 1, logitBias: { 4: 10 } }), [4]);
    // 2 + 2 is divided by the repetition penalty, not 2.
    assertNear(
      distribution(new Float32Array([2, 0]), { logitBias: { 0: 2 }, repetitionPenalty: 2 }, [0]),
      distribution(new Float32Array([2, 0]), {}),
    );
  });

  test("temperature 0 takes the likeliest of what the steps before it leave", () => {
    const next = (options: SamplingOptions, history: number[] = []): number =>
      createSampler(sampling({ ...options, temperature: 0 }, 5), numeric).next(logits, history);
    assert.equal(next({}), 0);
    assert.equal(next({ xtcProbability: 1, xtcThreshold: 0.2 }), 1);
    assert.equal(next({ samplers: ["temperature", "xtc"], xtcProbability: 1, xtcThreshold: 0.2 }), 0);
    assert.equal(next({ samplers: ["top-k", "penalties", "temperature"], presencePenalty: 9, topK: 2 }, [0, 2]), 1);
    assert.equal(next({ mirostat: "v2" }), 0);
  });
});
