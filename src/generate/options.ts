/**
 * The options of a generation, their defaults and their checks.
 *
 * @module
 */
import { type ErrorCode, fail, shown } from "../core/errors.ts";
import { LOGPROBS_MAX, STOP_STRING_CHARS_MAX, STOP_STRINGS_MAX } from "../core/limits.ts";
import {
  BOOLEAN,
  FUNCTION,
  type Kind,
  type Meanings,
  OBJECT,
  type OptionTable,
  SIGNAL,
  kind,
  list,
  number,
  oneOf,
  whole,
} from "../core/options.ts";
import { FORMAT, type Format } from "./format.ts";

/** A step between the bias and the draw. */
export type SamplerName =
  | "penalties"
  | "dry"
  | "top-n-sigma"
  | "top-k"
  | "typical-p"
  | "top-p"
  | "min-p"
  | "xtc"
  | "temperature";

/**
 * How the next id is chosen: bias; penalties (Keskar et al., 2019, arXiv 1909.05858, for repetition); DRY; top-n-sigma
 * (Tang et al., 2024, arXiv 2411.07641); top-k; locally typical (Meister et al., 2022, arXiv 2202.00666); top-p
 * (Holtzman et al., 2019, arXiv 1904.09751); min-p (Nguyen et al., 2024, arXiv 2407.01082); XTC; temperature; draw. The
 * steps run in this order, unless `samplers` gives another. All are defined as in llama.cpp.
 */
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
  /**
   * Above 0: lowers the logit of an id that would go on with a repetition (DRY, don't repeat yourself), by this times
   * `dryBase ** (length - dryAllowedLength)`. 0–100, default 0 (off); 0.8 is common.
   */
  dryMultiplier?: number;
  /** How fast that grows with the length of the repetition. 1–100, default 1.75. */
  dryBase?: number;
  /** The shortest repetition, in ids, that is punished. From 0 up, default 2. */
  dryAllowedLength?: number;
  /** How many of the latest ids (prompt included) are searched for repetitions; −1 is all of them. Default −1. */
  dryLastN?: number;
  /** Texts that no repetition reaches across. At most 64; default line ends, colons, quotation marks and asterisks. */
  dryBreakers?: readonly string[];
  /** Keep ids whose logit is at most so many standard deviations below the largest. 0–100, default 0 (off). */
  topNSigma?: number;
  /** Keep the k likeliest ids; 0 keeps all. Default 40. */
  topK?: number;
  /** Keep the ids closest to the expected surprise, up to this probability. (0, 1], default 1 (off). */
  typicalP?: number;
  /** Keep the fewest likeliest ids that together have this probability. (0, 1], default 0.95. */
  topP?: number;
  /** Keep ids at least this fraction as likely as the likeliest. [0, 1], default 0. */
  minP?: number;
  /**
   * How often the likeliest ids are left out (XTC, exclude top choices): all that have at least `xtcThreshold`, but the
   * last of them. 0–1, default 0 (off).
   */
  xtcProbability?: number;
  /** 0–1, default 0.1. Above 0.5 nothing is left out: of ids so likely there is only one. */
  xtcThreshold?: number;
  /** Divides the logits before the draw; 0 always takes the likeliest id (greedy). 0–100, default 0.7. */
  temperature?: number;
  /**
   * Above 0: the temperature is between `temperature - temperatureRange` (at least 0) and `temperature +
   * temperatureRange`, the higher the less sure the model is (dynamic temperature). 0–100, default 0 (off).
   */
  temperatureRange?: number;
  /** How that follows the entropy, which is 0 to 1 of the largest possible: its power. 0–100, default 1. */
  temperatureExponent?: number;
  /**
   * The steps that run, and their order. One that is not listed does not run; its options are then refused. Default:
   * all, in the order above, or with `mirostat` only `temperature`.
   */
  samplers?: readonly SamplerName[];
  /**
   * `v2`: leave out what would surprise too much, so that the surprise of the text stays near `mirostatTau` (Basu et
   * al., 2020, arXiv 2007.14966). Default `off`.
   */
  mirostat?: "off" | "v2";
  /** The surprise to aim at, in bits. 0–100, default 5. */
  mirostatTau?: number;
  /** How fast Mirostat corrects itself. 0–1, default 0.1. */
  mirostatEta?: number;
  /**
   * Same seed, model and prompt: same ids, on every engine. A safe integer ≥ 0 or a 64-bit bigint; default: a fresh
   * one.
   */
  seed?: number | bigint;
}

/**
 * Changes the logits of the next id in place.
 * @param logits `vocabSize` numbers
 * @param ids all before it, prompt included
 */
export type LogitsProcessor = (logits: Float32Array, ids: readonly number[]) => void;

/** Ids done, of all. */
export interface PromptProgress {
  /** Done so far. */
  done: number;
  /** All. */
  total: number;
}

/** Options of {@link Model.generate}. */
export interface GenerateOptions extends SamplingOptions {
  /** The most ids to generate. Default 512. */
  maxTokens?: number;
  /**
   * Text that ends the generation, or the name of a control token; it is not part of the text delivered. At most 64
   * strings.
   */
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
  /**
   * Decode faster where the reply repeats what stands in the prompt or in itself (code to edit, quotes, lists).
   * `lookup`: what followed the last ids when they stood before is guessed to follow again, and several guesses are
   * computed together (prompt lookup decoding, Saxena 2023). The ids are the same either way. How many guesses are
   * tried follows from how often they come true and from how long it takes here; where they do not pay, none are.
   * Models whose layers keep states, which cannot be cut back (`qwen35`), guess nothing. Default `off`.
   */
  speculate?: "off" | "lookup";
  /**
   * What the reply must fit: `"json"`, `{ jsonSchema }`, `{ regex }` or `{ grammar }` (llama.cpp's GBNF). Only tokens
   * after which it still can are drawn; the reply ends when nothing can follow. Cut short by `maxTokens`, it is a
   * beginning of what fits.
   */
  format?: Format;
  /**
   * Called for each id that is drawn, before all else: may change the logits (a copy; `-Infinity` bans an id). Not for
   * ids that `format` leaves no choice about. A function cannot cross to a model in a worker: there it is refused.
   */
  logitsProcessor?: LogitsProcessor;
  /**
   * Among contexts of a model that wait: prompts of higher ones are read first, and theirs are the pages where the KV
   * cache has too few for all. −100–100, default 0; equals are served in the order they came.
   */
  priority?: number;
  /** Stops the generation: it ends with `stopReason: "aborted"` and what was generated so far. */
  signal?: AbortSignal;
  /** Told while the prompt is read. */
  onProgress?: (progress: PromptProgress) => void;
}

/** {@link SamplingOptions} with every default filled in and every value checked. */
export interface Sampling extends Required<Omit<SamplingOptions, "logitBias">> {
  readonly logitBias: readonly (readonly [id: number, bias: number])[];
}

/** Steps with the options that only they read, in their default order. */
const OPTIONS_OF: Readonly<Record<SamplerName, readonly (keyof SamplingOptions)[]>> = {
  penalties: ["repetitionPenalty", "frequencyPenalty", "presencePenalty"],
  dry: ["dryMultiplier"],
  "top-n-sigma": ["topNSigma"],
  "top-k": ["topK"],
  "typical-p": ["typicalP"],
  "top-p": ["topP"],
  "min-p": ["minP"],
  xtc: ["xtcProbability"],
  temperature: ["temperature", "temperatureRange"],
};

/** All steps of {@link SamplingOptions}, in their default order. */
export const SAMPLERS = Object.keys(OPTIONS_OF) as readonly SamplerName[];

const SAMPLING_DEFAULTS = {
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
  topK: 40,
  typicalP: 1,
  topP: 0.95,
  minP: 0,
  xtcProbability: 0,
  xtcThreshold: 0.1,
  temperature: 0.7,
  temperatureRange: 0,
  temperatureExponent: 1,
  mirostat: "off",
  mirostatTau: 5,
  mirostatEta: 0.1,
} as const satisfies SamplingOptions;

/** Enough for an answer: a caller who sets no limit waits seconds, not minutes. */
export const MAX_TOKENS_DEFAULT = 512;

/** Items of any kind: the model's vocabulary bounds the ids later. */
export const ID_LIST = list("a list of token ids", (id) => id as number);

/** A prompt. */
export const TEXT_OR_IDS: Kind<string | number[]> = (value, name, code) =>
  typeof value === "string" ? value : list("a text or a list of token ids", (id) => id as number)(value, name, code);

const STOP_STRING = kind<string>(
  `strings of 1 to ${STOP_STRING_CHARS_MAX} characters`,
  (text) => typeof text === "string" && text.length > 0 && text.length <= STOP_STRING_CHARS_MAX,
);
const SEED = kind<number | bigint>("an integer from 0 to 2^53 - 1 or a bigint below 2^64", (seed) =>
  typeof seed === "bigint" ? seed >= 0n && seed < 1n << 64n : Number.isSafeInteger(seed) && (seed as number) >= 0,
);

/** The bounds are where a value must be a mistake. */
export const GENERATE_OPTIONS: OptionTable<GenerateOptions> = {
  repetitionPenalty: number({ min: 0.01, max: 10 }),
  frequencyPenalty: number({ min: -100, max: 100 }),
  presencePenalty: number({ min: -100, max: 100 }),
  penaltyLastN: whole(-1),
  logitBias: readBias,
  dryMultiplier: number({ min: 0, max: 100 }),
  dryBase: number({ min: 1, max: 100 }),
  dryAllowedLength: whole(0),
  dryLastN: whole(-1),
  dryBreakers: list("a list of strings", STOP_STRING, STOP_STRINGS_MAX),
  topNSigma: number({ min: 0, max: 100 }),
  topK: whole(0),
  typicalP: number({ above: 0, max: 1 }),
  topP: number({ above: 0, max: 1 }),
  minP: number({ min: 0, max: 1 }),
  xtcProbability: number({ min: 0, max: 1 }),
  xtcThreshold: number({ min: 0, max: 1 }),
  temperature: number({ min: 0, max: 100 }),
  temperatureRange: number({ min: 0, max: 100 }),
  temperatureExponent: number({ min: 0, max: 100 }),
  samplers: readSamplers,
  mirostat: oneOf("off", "v2"),
  mirostatTau: number({ min: 0, max: 100 }),
  mirostatEta: number({ min: 0, max: 1 }),
  seed: SEED,
  maxTokens: whole(0),
  stop: (value, name, code) =>
    list("a string or a list of strings", STOP_STRING, STOP_STRINGS_MAX)(
      typeof value === "string" ? [value] : value,
      name,
      code,
    ),
  stopIds: ID_LIST,
  ignoreEnd: BOOLEAN,
  parseSpecial: BOOLEAN,
  addSpecial: BOOLEAN,
  logprobs: whole(0, LOGPROBS_MAX),
  speculate: oneOf("off", "lookup"),
  format: FORMAT,
  logitsProcessor: FUNCTION,
  priority: number({ min: -100, max: 100 }),
  signal: SIGNAL,
  onProgress: FUNCTION,
};

/** Names of these options in other programs. */
export const GENERATE_MEANINGS: Meanings = {
  n_predict: "maxTokens",
  num_predict: "maxTokens",
  repeat_penalty: "repetitionPenalty",
  repeat_last_n: "penaltyLastN",
  stop_token_ids: "stopIds",
  n_probs: "logprobs",
  dynatemp_range: "temperatureRange",
  dynatemp_exponent: "temperatureExponent",
  dry_penalty_last_n: "dryLastN",
  dry_sequence_breakers: "dryBreakers",
  prompt_lookup_num_tokens: "speculate",
  response_format: "format",
  json_schema: "format",
  grammar: "format",
};

/**
 * Fills in defaults.
 * @param options checked by {@link GENERATE_OPTIONS}
 * @param vocabSize ids of `logitBias` must be below it
 * @throws OnebitError `option/invalid`
 */
export function checkSampling(options: SamplingOptions, vocabSize: number): Sampling {
  const logitBias = options.logitBias === undefined ? [] : [...(options.logitBias as ReadonlyMap<number, number>)];
  checkIds(
    "logitBias",
    logitBias.map(([id]) => id),
    vocabSize,
    "option/invalid",
  );
  const given = Object.fromEntries(
    Object.keys(SAMPLING_DEFAULTS).flatMap((name) => {
      const value = options[name as keyof SamplingOptions];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return {
    ...SAMPLING_DEFAULTS,
    ...given,
    logitBias,
    samplers: checkSamplers(options),
    seed: options.seed ?? globalThis.crypto.getRandomValues(new Uint32Array(1))[0],
  };
}

/** The steps in order. @throws OnebitError `option/invalid` when options are given of one that does not run */
function checkSamplers(options: SamplingOptions): readonly SamplerName[] {
  const isMirostat = options.mirostat === "v2",
    samplers = options.samplers ?? (isMirostat ? ["temperature"] : SAMPLERS);
  for (const name of SAMPLERS) {
    const ignored = samplers.includes(name) ? undefined : OPTIONS_OF[name].find((each) => options[each] !== undefined);
    if (ignored !== undefined)
      fail(
        "option/invalid",
        `${ignored}: the step ${name} does not run${options.samplers === undefined ? " with mirostat" : ""}: list it ` +
          "in samplers, or leave this option out",
      );
  }
  return samplers;
}

/** Names, each once. */
function readSamplers(value: unknown, name: string, code: ErrorCode): SamplerName[] {
  const samplers = list(`a list of ${SAMPLERS.join(", ")}`, oneOf(...SAMPLERS))(value, name, code),
    twice = samplers.find((each, i) => samplers.indexOf(each) !== i);
  return twice === undefined ? samplers : fail(code, `${name}: ${twice} is listed twice: a step runs once`);
}

/** Each id an integer in [0, vocabSize). @throws OnebitError `code` */
export function checkIds(
  what: string,
  ids: readonly number[],
  vocabSize: number,
  code: "model/bad-token" | "option/invalid",
): void {
  ids.forEach((id, i) => {
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      fail(code, `${what}[${i}]: wanted an id from 0 to ${vocabSize - 1}, got ${shown(id)}`);
    }
  });
}

const BIAS = kind<number>(
  "a number within ±1e6 or -Infinity",
  (bias) => typeof bias === "number" && bias <= 1e6 && (bias >= -1e6 || bias === -Infinity),
);

/** A map, or an object whose keys are digits. */
function readBias(value: unknown, name: string, code: ErrorCode): ReadonlyMap<number, number> {
  const entries: Iterable<[unknown, unknown]> =
    value instanceof Map ? value : Object.entries(OBJECT(value, name, code));
  const bias = new Map<number, number>();
  for (const [key, item] of entries) {
    const id = typeof key === "string" && /^\d+$/.test(key) ? Number(key) : key;
    if (!Number.isSafeInteger(id)) fail(code, `${name}: wanted ids of the vocabulary, got ${shown(key)}`);
    bias.set(id as number, BIAS(item, `${name} of id ${id}`, code));
  }
  return bias;
}
