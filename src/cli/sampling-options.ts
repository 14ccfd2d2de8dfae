/**
 * The options of a generation that `run` and `chat` share.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { type GenerateOptions, SAMPLERS } from "../index.ts";
import type { Command, Options } from "./command.ts";

export const SAMPLING_OPTION_TYPES = {
  "max-tokens": { type: "string" },
  temperature: { type: "string" },
  "top-k": { type: "string" },
  "top-p": { type: "string" },
  "min-p": { type: "string" },
  "typical-p": { type: "string" },
  "repetition-penalty": { type: "string" },
  "frequency-penalty": { type: "string" },
  "presence-penalty": { type: "string" },
  "penalty-last-n": { type: "string" },
  "logit-bias": { type: "string", multiple: true },
  "dry-multiplier": { type: "string" },
  "dry-base": { type: "string" },
  "dry-allowed-length": { type: "string" },
  "dry-last-n": { type: "string" },
  "dry-breaker": { type: "string", multiple: true },
  "top-n-sigma": { type: "string" },
  "xtc-probability": { type: "string" },
  "xtc-threshold": { type: "string" },
  "temperature-range": { type: "string" },
  "temperature-exponent": { type: "string" },
  samplers: { type: "string" },
  mirostat: { type: "string" },
  "mirostat-tau": { type: "string" },
  "mirostat-eta": { type: "string" },
  seed: { type: "string" },
  stop: { type: "string", multiple: true },
  speculate: { type: "string" },
} as const satisfies Command["optionTypes"];

export const SAMPLING_OPTION_HELP: Command["optionHelp"] = [
  ["--max-tokens N", "the most tokens to generate (default 512)"],
  ["--temperature T", "0 takes the likeliest token each time (greedy); default 0.7"],
  ["--top-k K", "draw from the K likeliest tokens, 0 from all (default 40)"],
  ["--top-p P", "draw from the likeliest tokens that together have probability P (default 0.95)"],
  ["--min-p P", "drop tokens less than P times as likely as the likeliest (default 0)"],
  ["--typical-p P", "locally typical sampling (default 1: off)"],
  ["--repetition-penalty X", "above 1: make tokens already seen less likely (default 1: off)"],
  ["--frequency-penalty X", "lower a token's logit by X for each time it was seen (default 0)"],
  ["--presence-penalty X", "lower a token's logit by X if it was seen (default 0)"],
  ["--penalty-last-n N", "how far back the penalties look; -1 is all (default 64)"],
  ["--logit-bias ID=X", "add X to a token's logit; -inf bans it (repeatable)"],
  ["--dry-multiplier X", "above 0: punish going on with a repetition (DRY; default 0: off; 0.8 is common)"],
  ["--dry-base X", "how fast that grows with the repetition's length (default 1.75)"],
  ["--dry-allowed-length N", "the shortest repetition, in tokens, that DRY punishes (default 2)"],
  ["--dry-last-n N", "how far back DRY looks; -1 is all (default -1)"],
  ["--dry-breaker TEXT", 'a repetition ends at this text (repeatable; default \\n, :, " and *)'],
  ["--top-n-sigma N", "drop tokens whose logit is N standard deviations below the largest (default 0: off)"],
  ["--xtc-probability P", "how often to leave out the likeliest tokens (XTC; default 0: off)"],
  ["--xtc-threshold P", "all that have probability P, but the last of them (default 0.1)"],
  ["--temperature-range X", "raise or lower the temperature by up to X with the entropy (default 0: off)"],
  ["--temperature-exponent X", "how it follows the entropy: its power (default 1)"],
  ["--samplers LIST", `the steps and their order: ${SAMPLERS.join(",")} (the default)`],
  ["--mirostat V", "v2: keep the surprise of the text near mirostat-tau (default off)"],
  ["--mirostat-tau T", "the surprise to aim at, in bits (default 5)"],
  ["--mirostat-eta E", "how fast Mirostat corrects itself (default 0.1)"],
  ["--seed S", "same seed, same text (default: a new one each time)"],
  [
    "--stop TEXT",
    "stop before this text (repeatable); \\n is a line end, \\t a tab, \\\\ a backslash, \\u0041 any character",
  ],
  ["--speculate S", "lookup: guess what repeats and compute several tokens at once; same text (default off)"],
];

/** The library checks ranges; its errors name them. */
export function samplingOptions(options: Options): GenerateOptions {
  return {
    maxTokens: options.integer("max-tokens", 0),
    temperature: options.number("temperature"),
    topK: options.integer("top-k", 0),
    topP: options.number("top-p"),
    minP: options.number("min-p"),
    typicalP: options.number("typical-p"),
    repetitionPenalty: options.number("repetition-penalty"),
    frequencyPenalty: options.number("frequency-penalty"),
    presencePenalty: options.number("presence-penalty"),
    penaltyLastN: options.integer("penalty-last-n", -1),
    logitBias: readBias(options.texts("logit-bias")),
    dryMultiplier: options.number("dry-multiplier"),
    dryBase: options.number("dry-base"),
    dryAllowedLength: options.integer("dry-allowed-length", 0),
    dryLastN: options.integer("dry-last-n", -1),
    dryBreakers: options.texts("dry-breaker")?.map((text) => unescaped("--dry-breaker", text)),
    topNSigma: options.number("top-n-sigma"),
    xtcProbability: options.number("xtc-probability"),
    xtcThreshold: options.number("xtc-threshold"),
    temperatureRange: options.number("temperature-range"),
    temperatureExponent: options.number("temperature-exponent"),
    samplers: options.choices("samplers", SAMPLERS),
    mirostat: options.choice("mirostat", ["off", "v2"]),
    mirostatTau: options.number("mirostat-tau"),
    mirostatEta: options.number("mirostat-eta"),
    seed: readSeed(options.text("seed")),
    stop: options.texts("stop")?.map((text) => unescaped("--stop", text)),
    speculate: options.choice("speculate", ["off", "lookup"]),
  };
}

function readBias(entries: readonly string[] | undefined): Map<number, number> | undefined {
  if (entries === undefined) return undefined;
  return new Map(
    entries.map((entry) => {
      const [, id, bias] = /^(\d{1,10})=(-inf|[-+]?[\d.]+(?:e[-+]?\d+)?)$/i.exec(entry) ?? [];
      const value = /^-inf$/i.test(bias ?? "") ? -Infinity : Number(bias);
      if (id === undefined || Number.isNaN(value))
        fail("usage", `--logit-bias: wanted ID=NUMBER or ID=-inf, got ${JSON.stringify(entry)}`);
      return [Number(id), value] as const;
    }),
  );
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\" };

function unescaped(option: string, text: string): string {
  return text.replace(/\\(u[0-9a-f]{4}|.?)/gis, (whole, code: string) => {
    if (code.length === 5) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return Object.hasOwn(ESCAPES, code)
      ? ESCAPES[code]
      : fail(
          "usage",
          `${option}: unknown escape ${quoted(whole)}: wanted \\n, \\t, \\r, \\u0041, or \\\\ for a backslash`,
        );
  });
}

/** A bigint: seeds go to 2^64 − 1, beyond exact numbers. */
function readSeed(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,20}$/.test(text)) fail("usage", `--seed: wanted an integer from 0 up, got ${JSON.stringify(text)}`);
  return BigInt(text);
}
