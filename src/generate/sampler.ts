/**
 * Chooses the next id from one row of logits: bias, then a chain of steps in the order that `samplers` lists, then the
 * draw. Without another order: penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, XTC, temperature, as
 * llama.cpp has them.
 *
 * Bits agree on every engine: `exp`, `log` and the random numbers are the library's own, sums run in one order, and
 * every sort has a total order (logit descending, then id ascending).
 *
 * @module
 */
import type { Numeric, RandomSource } from "../kernels/numeric.ts";
import { type Candidates, failAllBanned, gather, likeliest, weigh } from "./candidates.ts";
import type { SamplerName, Sampling } from "./options.ts";
import { type Changes, dryPenalties, penalties } from "./repetition.ts";
import { type BreakerTokenizer, SequenceBreakers } from "./sequence-breakers.ts";
import {
  excludeTopChoices,
  keepMinP,
  keepTopK,
  keepTopNSigma,
  keepTopP,
  keepTypical,
  keepUnsurprising,
} from "./truncations.ts";

/** An id and its probability. */
export interface TokenLogprob {
  /** The id. */
  id: number;
  /** Natural logarithm of the model's own probability: before penalties, bias, truncation and temperature. */
  logprob: number;
}

export interface Sampler {
  /**
   * @param logits one row; unchanged on return
   * @param history all ids before this one, prompt included
   * @throws OnebitError `option/invalid` when the logit bias bans every id
   */
  next(logits: Float32Array, history: readonly number[]): number;
}

/** What the steps of one sampler share. */
interface Tools {
  readonly sampling: Sampling;
  readonly numeric: Numeric;
  readonly random: RandomSource;
  readonly breakers: SequenceBreakers;
}

/** One step of the chain: it changes logits, or what can be drawn. */
interface Step {
  isOn(sampling: Sampling): boolean;
  changes?(history: readonly number[], tools: Tools): Changes;
  apply?(candidates: Candidates, tools: Tools): Candidates;
}

const STEPS: Readonly<Record<SamplerName, Step>> = {
  penalties: {
    isOn: (sampling) =>
      sampling.penaltyLastN !== 0 &&
      (sampling.repetitionPenalty !== 1 || sampling.frequencyPenalty !== 0 || sampling.presencePenalty !== 0),
    changes: (history, { sampling }) => penalties(history, sampling),
  },
  dry: {
    isOn: ({ dryMultiplier, dryLastN }) => dryMultiplier > 0 && dryLastN !== 0,
    changes: (history, { sampling, breakers, numeric }) => dryPenalties(history, sampling, breakers, numeric),
  },
  "top-n-sigma": {
    isOn: ({ topNSigma }) => topNSigma > 0,
    apply: (candidates, { sampling }) => keepTopNSigma(candidates, sampling.topNSigma),
  },
  "top-k": {
    isOn: ({ topK }) => topK > 0,
    apply: (candidates, { sampling }) => keepTopK(candidates, sampling.topK),
  },
  "typical-p": {
    isOn: ({ typicalP }) => typicalP < 1,
    apply: (candidates, { sampling, numeric }) => keepTypical(candidates, sampling.typicalP, numeric),
  },
  "top-p": {
    isOn: ({ topP }) => topP < 1,
    apply: (candidates, { sampling, numeric }) => keepTopP(candidates, sampling.topP, numeric),
  },
  "min-p": {
    isOn: ({ minP }) => minP > 0,
    apply: (candidates, { sampling, numeric }) => keepMinP(candidates, sampling.minP, numeric),
  },
  xtc: {
    isOn: ({ xtcProbability }) => xtcProbability > 0,
    apply: (candidates, { sampling, numeric, random }) =>
      excludeTopChoices(
        candidates,
        { probability: sampling.xtcProbability, threshold: sampling.xtcThreshold },
        random,
        numeric,
      ),
  },
  temperature: { isOn: () => true, apply: (candidates, { sampling, numeric }) => heat(candidates, sampling, numeric) },
};

/** @param tokenizer finds the DRY step's sequence breakers */
export function createSampler(sampling: Sampling, numeric: Numeric, tokenizer?: BreakerTokenizer): Sampler {
  const tools = createTools(sampling, numeric, tokenizer),
    [first, others] = splitSteps(sampling),
    isOne = isGreedy(others, sampling),
    choose = sampling.mirostat === "v2" ? createMirostat(tools) : draw;
  return {
    next: (logits, history) =>
      withChanges(logits, history, first, tools, () =>
        isOne ? greedy(logits, numeric) : choose(runSteps(logits, history, others, tools), tools),
      ),
  };
}

/** What one draw chooses from: the chain without its end. */
export function candidatesOf(
  logits: Float32Array,
  history: readonly number[],
  sampling: Sampling,
  numeric: Numeric,
  tokenizer?: BreakerTokenizer,
): Candidates {
  const tools = createTools(sampling, numeric, tokenizer),
    [first, others] = splitSteps(sampling);
  return withChanges(logits, history, first, tools, () => runSteps(logits, history, others, tools));
}

function createTools(sampling: Sampling, numeric: Numeric, tokenizer: BreakerTokenizer | undefined): Tools {
  const breakers = new SequenceBreakers(sampling.dryBreakers, tokenizer);
  return { sampling, numeric, random: numeric.random(sampling.seed), breakers };
}

/** The steps that only change logits, until the first that does not; and those from there on. */
function splitSteps(sampling: Sampling): readonly [first: readonly Step[], others: readonly Step[]] {
  const steps = sampling.samplers.map((name) => STEPS[name]).filter((step) => step.isOn(sampling)),
    nFirst = steps.findIndex(({ changes }) => changes === undefined);
  return nFirst < 0 ? [steps, []] : [steps.slice(0, nFirst), steps.slice(nFirst)];
}

function runSteps(logits: Float32Array, history: readonly number[], steps: readonly Step[], tools: Tools): Candidates {
  const isTopKFirst = steps[0] === STEPS["top-k"];
  let candidates = gather(logits, isTopKFirst ? tools.sampling.topK : 0, tools.numeric);
  for (const step of isTopKFirst ? steps.slice(1) : steps) candidates = applied(step, candidates, history, tools);
  return candidates;
}

/** The chosen id's log probability and those of the `n` likeliest ids. */
export function logprobs(
  logits: Float32Array,
  chosen: number,
  n: number,
  numeric: Numeric,
): { chosen: number; top: TokenLogprob[] } {
  const total = numeric.logSumExp(logits);
  const top: TokenLogprob[] = [];
  if (n > 0) {
    const best = numeric.topK(logits, n);
    best.ids.forEach((id, i) => top.push({ id, logprob: best.logits[i] - total }));
  }
  return { chosen: logits[chosen] - total, top };
}

/** Runs `task` with bias, then the steps' changes, written into the logits, which are as before afterwards. */
function withChanges<T>(
  logits: Float32Array,
  history: readonly number[],
  steps: readonly Step[],
  tools: Tools,
  task: () => T,
): T {
  const undo: [number, number][] = [];
  const write = (id: number, logit: number): void => {
    undo.push([id, logits[id]]);
    logits[id] = logit;
  };
  try {
    for (const [id, bias] of tools.sampling.logitBias) write(id, logits[id] + bias);
    for (const step of steps)
      for (const [id, change] of step.changes?.(history, tools) ?? [])
        if (id < logits.length) write(id, change(logits[id]));
    return task();
  } finally {
    // An id that changed twice was saved twice: the first value is restored last.
    for (const [id, logit] of undo.reverse()) logits[id] = logit;
  }
}

function applied(step: Step, candidates: Candidates, history: readonly number[], tools: Tools): Candidates {
  if (step.apply !== undefined) return step.apply(candidates, tools);
  const changes = step.changes?.(history, tools);
  const { ids } = candidates,
    logits = candidates.logits.map((logit, i) => changes?.get(ids[i])?.(logit) ?? logit);
  return { ids, logits, sorted: false };
}

/** Whether the likeliest id is all that can come: no truncation leaves it out, but XTC does. */
function isGreedy(steps: readonly Step[], { temperature, temperatureRange }: Sampling): boolean {
  const before = steps.slice(0, Math.max(0, steps.indexOf(STEPS.temperature)));
  const isLikeliestKept = before.every((step) => step.changes === undefined && step !== STEPS.xtc);
  return temperature === 0 && temperatureRange === 0 && isLikeliestKept && steps.includes(STEPS.temperature);
}

function greedy(logits: Float32Array, numeric: Numeric): number {
  const id = numeric.argmax(logits);
  return logits[id] > -Infinity ? id : failAllBanned();
}

/**
 * Divides the logits by the temperature; with a range, by one that grows within it with the entropy (dynamic
 * temperature, as in llama.cpp). At 0 the likeliest remains.
 */
function heat(candidates: Candidates, sampling: Sampling, numeric: Numeric): Candidates {
  const temperature =
    sampling.temperatureRange > 0 ? dynamicTemperature(candidates, sampling, numeric) : sampling.temperature;
  if (temperature === 0) return likeliest(candidates);
  return { ...candidates, logits: candidates.logits.map((logit) => logit / temperature) };
}

function dynamicTemperature(candidates: Candidates, sampling: Sampling, numeric: Numeric): number {
  const { temperature, temperatureRange, temperatureExponent } = sampling,
    coldest = Math.max(0, temperature - temperatureRange),
    { weights, sum } = weigh(candidates, numeric);
  let entropy = 0;
  for (const weight of weights) if (weight > 0) entropy -= (weight / sum) * numeric.log(weight / sum);
  // Of one candidate the temperature does not matter.
  const share = weights.length > 1 ? entropy / numeric.log(weights.length) : 0,
    power = share > 0 ? numeric.exp(temperatureExponent * numeric.log(share)) : temperatureExponent === 0 ? 1 : 0;
  return coldest + (temperature + temperatureRange - coldest) * power;
}

function draw(candidates: Candidates, { numeric, random }: Tools): number {
  const { weights, sum } = weigh(candidates, numeric);
  return candidates.ids[drawnPlace(weights, random.next() * sum)];
}

function drawnPlace(weights: Float64Array, goal: number): number {
  let left = goal;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i];
    if (left < 0) return i;
  }
  // Rounding may leave a crumb at the end: it goes to the last id that can be drawn.
  return weights.findLastIndex((weight) => weight > 0);
}

/**
 * Mirostat 2 (Basu et al., 2020, arXiv 2007.14966): leaves out ids that surprise by more than a limit, which follows
 * the surprise of what was drawn so that its average becomes `mirostatTau` bits.
 */
function createMirostat({ sampling: { mirostatTau, mirostatEta } }: Tools): typeof draw {
  let limitBits = 2 * mirostatTau;
  return (candidates, { numeric, random }) => {
    const kept = keepUnsurprising(candidates, limitBits, numeric),
      { weights, sum } = weigh(kept, numeric),
      place = drawnPlace(weights, random.next() * sum),
      surpriseBits = -numeric.log(weights[place] / sum) / Math.LN2;
    limitBits -= mirostatEta * (surpriseBits - mirostatTau);
    return kept.ids[place];
  };
}
