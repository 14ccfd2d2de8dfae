/**
 * What can be drawn, and with which probabilities, against llama.cpp's samplers on the same logits: all steps that
 * node-llama-cpp has, alone and together, in its order. It cannot change the order, and has no typical sampling,
 * top-n-sigma, dynamic temperature or Mirostat: tests/generate/sampler-steps.test.ts has those by llama.cpp's own
 * expectations.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { load } from "../../src/load.ts";
import { GENERATE_OPTIONS, type SamplingOptions, checkSampling } from "../../src/generate/options.ts";
import { candidatesOf } from "../../src/generate/sampler.ts";
import { checkOptions } from "../../src/core/options.ts";
import { numeric } from "../generate/fakes.ts";
import { Random } from "../grammar/random.ts";
import { type PeerSampling, peerDistributions, peerInstalled } from "./peer.ts";

const skip = peerInstalled ? false : "llama.cpp is not installed";
const MODEL = "models/shakespeare.gguf";
const CASES = 600;
const PROMPT = "First Citizen:\nBefore we proceed";
const BREAKERS = ["\n", ":", "the", "e, ", "aa", "th"];

/** One case in both languages. */
interface Case {
  readonly options: SamplingOptions;
  readonly peer: PeerSampling;
}

function randomCase(random: Random, idOf: (letter: string) => number): Case {
  const some = <T>(value: T): T | undefined => (random.oneIn(2) ? value : undefined),
    text = Array.from({ length: random.below(40) }, () => random.of([..."abeht:\n ,"])).join(""),
    history = [...text].map(idOf),
    dry = some({ strength: random.of([0.3, 0.8, 2]), base: random.of([1, 1.2, 1.75, 3]), length: random.below(4) }),
    lastN = random.of([-1, 0, 7, 20]),
    breakers = BREAKERS.filter(() => random.oneIn(3)),
    topK = some(1 + random.below(80)) ?? 0,
    topP = some(random.of([0.3, 0.7, 0.95])) ?? 1,
    minP = some(random.of([0.01, 0.05, 0.3])) ?? 0,
    xtc = some(random.of([0.02, 0.1, 0.25])),
    penalty = some({ repeat: random.of([1, 1.3]), frequency: random.of([0, 0.4]), presence: random.of([0, 0.7]) }),
    bias = some(
      new Map([
        [idOf("t"), 3],
        [idOf("e"), -5],
        [idOf("a"), -Infinity],
      ]),
    ),
    temperature = random.of([0.3, 1, 2]);
  return {
    options: {
      topK,
      topP,
      minP,
      temperature,
      ...(dry && { dryMultiplier: dry.strength, dryBase: dry.base, dryAllowedLength: dry.length, dryLastN: lastN }),
      dryBreakers: breakers,
      ...(xtc !== undefined && { xtcProbability: 1, xtcThreshold: xtc }),
      ...(penalty && {
        repetitionPenalty: penalty.repeat,
        frequencyPenalty: penalty.frequency,
        presencePenalty: penalty.presence,
        penaltyLastN: 64,
      }),
      ...(bias && { logitBias: bias }),
    },
    peer: {
      history,
      config: {
        topK,
        topP,
        minP,
        temperature,
        seed: 1,
        ...(dry && {
          dryRepeatPenaltyStrength: dry.strength,
          dryRepeatPenaltyBase: dry.base,
          dryRepeatPenaltyAllowedLength: dry.length,
          // llama.cpp itself knows no -1: its callers put the context length there.
          dryRepeatPenaltyLastTokens: lastN < 0 ? 1000 : lastN,
          dryRepeatPenaltySequenceBreakers: breakers.length > 0 ? breakers : false,
        }),
        ...(xtc !== undefined && { xtcProbability: 1, xtcThreshold: xtc }),
        ...(penalty && {
          repeatPenalty: penalty.repeat,
          repeatPenaltyFrequencyPenalty: penalty.frequency,
          repeatPenaltyPresencePenalty: penalty.presence,
          repeatPenaltyMaxTokens: 64,
          repeatPenaltyTokens: history,
        }),
        ...(bias && {
          tokenBiasKeys: [...bias.keys()],
          // JSON has no infinity; so low that nothing is left of it.
          tokenBiasValues: [...bias.values()].map((value) => Math.max(value, -1e30)),
        }),
      },
    },
  };
}

describe("samplers like llama.cpp's", { skip }, () => {
  test(`${CASES} random chains on the model in the box`, async () => {
    await using model = await load(MODEL, { contextLength: 64 });
    const tokenizer = model.tokenizer ?? assert.fail("no vocabulary"),
      idOf = (letter: string) => tokenizer.encode(letter, { addSpecial: false })[0],
      random = new Random(11),
      cases = Array.from({ length: CASES }, () => randomCase(random, idOf)),
      prompt = tokenizer.encode(PROMPT, { addSpecial: false }),
      { logits, distributions } = peerDistributions(
        MODEL,
        prompt,
        cases.map(({ peer }) => peer),
      ),
      row = Float32Array.from(logits);
    cases.forEach(({ options, peer: { history } }, i) => {
      const sampling = checkSampling(checkOptions("generate", { ...options, seed: 1 }, GENERATE_OPTIONS), row.length),
        left = candidatesOf(row, history, sampling, numeric, tokenizer),
        highest = Math.max(...left.logits),
        weights = [...left.logits].map((logit) => Math.exp(logit - highest)),
        sum = weights.reduce((a, b) => a + b),
        ours = new Map([...left.ids].map((id, at) => [id, weights[at] / sum])),
        theirs = new Map(pairs(distributions[i]));
      for (const id of new Set([...ours.keys(), ...theirs.keys()])) {
        const [a, b] = [ours.get(id) ?? 0, theirs.get(id) ?? 0];
        if (Math.abs(a - b) <= 1e-4) continue;
        assert.fail(`${JSON.stringify(options)} after ${history.join()}: id ${id} has ${a}, llama.cpp gives ${b}`);
      }
    });
  });
});

function pairs(flat: readonly number[]): [id: number, probability: number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}
