/**
 * What a caller may ask of a generation, its defaults, and the check that refuses anything else.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { LOGPROBS_MAX, STOP_STRING_CHARS_MAX, STOP_STRINGS_MAX } from "../core/limits.ts";

/** How the next id is chosen. Steps run in the order listed; see `sampler.ts`. */
export interface SamplingOptions {
  /** Above 1 lowers, below 1 raises, the chance of an id seen in the last `penaltyLastN`. 0.01–10, default 1 (off). */
  repetitionPenalty?: number;
  /** Subtracted from an id's logit once for each time it was seen. −100–100, default 0. */
  frequencyPenalty?: number;
  /** Subtracted from an id's logit when it was seen at all. −100–100, default 0. */
  presencePenalty?: number;
  /** How many of the latest ids (prompt included) the penalties look at; −1 is all of them. Default 64. */
  penaltyLastN?: number;
  /** Added to the logit of each id; `-Infinity` bans it. */
  logitBias?: ReadonlyMap<number, number> | Readonly<Record<number, number>>;
  /** Keep the k likeliest ids; 0 keeps all. Default 40. */
  topK?: number;
  /** Keep the ids closest to the expected surprise, up to this probability. (0, 1], default 1 (off). */
  typicalP?: number;
  /** Keep the fewest likeliest ids that together have this probability. (0, 1], default 0.95. */
  topP?: number;
  /** Keep ids at least this fraction as likely as the likeliest. [0, 1], default 0. */
  minP?: number;
  /** Divides the logits before the draw; 0 always takes the likeliest id (greedy). 0–100, default 0.7. */
  temperature?: number;
  /** Same seed, model and prompt: same ids, on every engine. A safe integer ≥ 0 or a 64-bit bigint; default: a fresh one. */
  seed?: number | bigint;
}

/** Progress of the prompt: ids already in the context, of all of them. */
export interface PromptProgress {
  done: number;
  total: number;
}

export interface GenerateOptions extends SamplingOptions {
  /** The most ids to generate. Default 512. */
  maxTokens?: number;
  /** Text that ends the generation; it is not part of the text delivered. At most 64 strings. */
  stop?: string | readonly string[];
  /** Ids that end the generation, beside the model's own end-of-turn ids. */
  stopIds?: readonly number[];
  /** Go on past end-of-turn ids (for measuring). Default false. */
  ignoreEnd?: boolean;
  /** Read `<|special|>` spellings in a text prompt as special tokens. Default false: text is text. */
  parseSpecial?: boolean;
  /** Put the model's BOS before a text prompt when the model wants one. Default true. */
  addSpecial?: boolean;
  /** Report each id's natural-log probability, and those of this many likeliest ids. 0–64, default: no report. */
  logprobs?: number;
  /** Stops the generation: it ends with `stopReason: "aborted"` and what was generated so far. */
  signal?: AbortSignal;
  onProgress?: (progress: PromptProgress) => void;
}

/** {@link SamplingOptions} with every default filled in and every value checked. */
export interface Sampling {
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  readonly penaltyLastN: number;
  readonly logitBias: readonly (readonly [id: number, bias: number])[];
  readonly topK: number;
  readonly typicalP: number;
  readonly topP: number;
  readonly minP: number;
  readonly temperature: number;
  readonly seed: number | bigint;
}

/** Enough for an answer; a caller who wants more says so, and one who forgets waits seconds, not minutes. */
export const MAX_TOKENS_DEFAULT = 512;

interface Range {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
  readonly openMin?: boolean;
}

/** Outside these a value is a mistake, not a taste. */
const RANGES = {
  repetitionPenalty: { min: 0.01, max: 10 },
  frequencyPenalty: { min: -100, max: 100 },
  presencePenalty: { min: -100, max: 100 },
  penaltyLastN: { min: -1, max: Number.MAX_SAFE_INTEGER, integer: true },
  topK: { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true },
  typicalP: { min: 0, max: 1, openMin: true },
  topP: { min: 0, max: 1, openMin: true },
  minP: { min: 0, max: 1 },
  temperature: { min: 0, max: 100 },
  maxTokens: { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true },
  logprobs: { min: 0, max: LOGPROBS_MAX, integer: true },
} satisfies Record<string, Range>;

/**
 * Fills in defaults and checks ranges.
 * @param vocabSize ids of `logitBias` must be below it
 * @throws OnebitError `option/invalid`
 */
export function checkSampling(options: SamplingOptions, vocabSize: number): Sampling {
  return {
    repetitionPenalty: checkNumber("repetitionPenalty", options.repetitionPenalty, 1),
    frequencyPenalty: checkNumber("frequencyPenalty", options.frequencyPenalty, 0),
    presencePenalty: checkNumber("presencePenalty", options.presencePenalty, 0),
    penaltyLastN: checkNumber("penaltyLastN", options.penaltyLastN, 64),
    logitBias: checkBias(options.logitBias, vocabSize),
    topK: checkNumber("topK", options.topK, 40),
    typicalP: checkNumber("typicalP", options.typicalP, 1),
    topP: checkNumber("topP", options.topP, 0.95),
    minP: checkNumber("minP", options.minP, 0),
    temperature: checkNumber("temperature", options.temperature, 0.7),
    seed: checkSeed(options.seed),
  };
}

/** One option against its row of {@link RANGES}. @throws OnebitError `option/invalid` */
export function checkNumber(name: keyof typeof RANGES, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  const range: Range = RANGES[name];
  const fits =
    typeof value === "number" &&
    value <= range.max &&
    (range.openMin ? value > range.min : value >= range.min) &&
    (!range.integer || Number.isInteger(value));
  if (fits) return value;
  const kind = range.integer ? "an integer" : "a number";
  const from = range.openMin ? `above ${range.min}` : `from ${range.min}`;
  const to = range.max === Number.MAX_SAFE_INTEGER ? "up" : `to ${range.max}`;
  fail("option/invalid", `${name}: wanted ${kind} ${from} ${to}, got ${show(value)}`);
}

/** Stop strings as a list. @throws OnebitError `option/invalid` */
export function checkStop(stop: GenerateOptions["stop"]): readonly string[] {
  if (stop === undefined) return [];
  const list: readonly unknown[] = typeof stop === "string" ? [stop] : stop;
  if (!Array.isArray(list)) fail("option/invalid", `stop: wanted a string or a list of strings, got ${show(stop)}`);
  if (list.length > STOP_STRINGS_MAX) {
    fail("option/invalid", `stop: at most ${STOP_STRINGS_MAX} strings, got ${list.length}`);
  }
  return list.map((text) => {
    if (typeof text !== "string" || text.length === 0 || text.length > STOP_STRING_CHARS_MAX) {
      fail("option/invalid", `stop: wanted strings of 1 to ${STOP_STRING_CHARS_MAX} characters, got ${show(text)}`);
    }
    return text;
  });
}

/** Each id an integer in [0, vocabSize). @throws OnebitError `code` */
export function checkIds(what: string, ids: readonly number[], vocabSize: number, code: "model/bad-token" | "option/invalid"): void {
  ids.forEach((id, i) => {
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      fail(code, `${what}[${i}]: wanted an id from 0 to ${vocabSize - 1}, got ${show(id)}`);
    }
  });
}

function checkBias(bias: SamplingOptions["logitBias"], vocabSize: number): readonly (readonly [number, number])[] {
  if (bias === undefined) return [];
  if (typeof bias !== "object" || bias === null) fail("option/invalid", `logitBias: wanted a map of id to number, got ${show(bias)}`);
  const entries: [unknown, unknown][] = bias instanceof Map ? [...bias] : Object.entries(bias);
  return entries.map(([key, value]) => {
    const id = typeof key === "string" && /^\d+$/.test(key) ? Number(key) : key;
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= vocabSize) {
      fail("option/invalid", `logitBias: wanted ids from 0 to ${vocabSize - 1}, got ${show(key)}`);
    }
    if (typeof value !== "number" || !(value <= 1e6) || !(value >= -1e6 || value === -Infinity)) {
      fail("option/invalid", `logitBias of id ${id}: wanted a number within ±1e6 or -Infinity, got ${show(value)}`);
    }
    return [id, value] as const;
  });
}

function checkSeed(seed: number | bigint | undefined): number | bigint {
  if (seed === undefined) return globalThis.crypto.getRandomValues(new Uint32Array(1))[0];
  const fits =
    typeof seed === "bigint" ? seed >= 0n && seed < 1n << 64n : Number.isSafeInteger(seed) && seed >= 0;
  if (!fits) fail("option/invalid", `seed: wanted an integer from 0 to 2^53 - 1 or a bigint below 2^64, got ${show(seed)}`);
  return seed;
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
