/**
 * Fields of requests that are options of a generation: OpenAI's, and those that llama.cpp's server has beside them. A
 * field is one row. The library checks the bounds; its messages then name the field.
 *
 * @module
 */
import * as v from "valibot";
import type { GenerateOptions } from "../index.ts";
import { NUMBER, TEXT, listOr, optional, whole } from "./fields.ts";

/** OpenAI's own limit. */
const BIASES_MAX = 1024;
const WHOLE_MAX = Number.MAX_SAFE_INTEGER;

/** OpenAI has 0 for the likeliest token alone. */
const TOP_P = v.pipe(
  NUMBER,
  v.transform((p) => (p === 0 ? Number.MIN_VALUE : p)),
);
/** Not a record of the schemas' library, which leaves members named __proto__ out. */
const IDS_TO_NUMBERS = v.custom<Readonly<Record<string, number>>>((value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= BIASES_MAX && entries.every(([id, bias]) => /^\d{1,10}$/.test(id) && typeof bias === "number")
  );
}, `wanted an object of numbers by token ids, at most ${BIASES_MAX}`);
const TEXTS = v.array(TEXT, "wanted a list of texts");
/** llama.cpp has numbers for the versions, and its own names for two steps. */
const MIROSTAT = v.pipe(
  v.picklist([0, 2], "wanted 0 or 2: the second version is the one there is"),
  v.transform((version) => (version === 2 ? "v2" : "off")),
);
const SAMPLERS = v.pipe(
  TEXTS,
  v.transform((names) => names.map((name) => (name === "typ_p" ? "typical-p" : name.replaceAll("_", "-")))),
);
const STOPS = listOr(TEXTS, v.string("wanted a text or a list of texts"));

interface Row {
  readonly schema: v.GenericSchema;
  readonly option: keyof GenerateOptions;
}

const SAMPLING = {
  temperature: { schema: NUMBER, option: "temperature" },
  top_p: { schema: TOP_P, option: "topP" },
  top_k: { schema: whole(0, WHOLE_MAX), option: "topK" },
  min_p: { schema: NUMBER, option: "minP" },
  typical_p: { schema: NUMBER, option: "typicalP" },
  frequency_penalty: { schema: NUMBER, option: "frequencyPenalty" },
  presence_penalty: { schema: NUMBER, option: "presencePenalty" },
  repeat_penalty: { schema: NUMBER, option: "repetitionPenalty" },
  repeat_last_n: { schema: whole(-1, WHOLE_MAX), option: "penaltyLastN" },
  dry_multiplier: { schema: NUMBER, option: "dryMultiplier" },
  dry_base: { schema: NUMBER, option: "dryBase" },
  dry_allowed_length: { schema: whole(0, WHOLE_MAX), option: "dryAllowedLength" },
  dry_penalty_last_n: { schema: whole(-1, WHOLE_MAX), option: "dryLastN" },
  dry_sequence_breakers: { schema: TEXTS, option: "dryBreakers" },
  top_n_sigma: { schema: NUMBER, option: "topNSigma" },
  xtc_probability: { schema: NUMBER, option: "xtcProbability" },
  xtc_threshold: { schema: NUMBER, option: "xtcThreshold" },
  dynatemp_range: { schema: NUMBER, option: "temperatureRange" },
  dynatemp_exponent: { schema: NUMBER, option: "temperatureExponent" },
  mirostat: { schema: MIROSTAT, option: "mirostat" },
  mirostat_tau: { schema: NUMBER, option: "mirostatTau" },
  mirostat_eta: { schema: NUMBER, option: "mirostatEta" },
  samplers: { schema: SAMPLERS, option: "samplers" },
  logit_bias: { schema: IDS_TO_NUMBERS, option: "logitBias" },
  seed: { schema: whole(0, WHOLE_MAX), option: "seed" },
  stop: { schema: STOPS, option: "stop" },
  priority: { schema: NUMBER, option: "priority" },
} as const satisfies Readonly<Record<string, Row>>;

type SamplingField = keyof typeof SAMPLING;

const ROWS: readonly (readonly [string, Row])[] = Object.entries(SAMPLING);

/** For the schemas of requests. */
export const SAMPLING_FIELDS = Object.fromEntries(
  ROWS.map(([name, { schema }]) => [name, optional(schema)]),
) as Readonly<Record<SamplingField, ReturnType<typeof optional<v.GenericSchema>>>>;

/** The options that checked fields give. */
export function samplingOptions(found: Readonly<Partial<Record<SamplingField, unknown>>>): GenerateOptions {
  const given: Readonly<Record<string, unknown>> = found;
  const options = ROWS.flatMap(([name, { option }]) => (given[name] === undefined ? [] : [[option, given[name]]]));
  return Object.fromEntries(options) as GenerateOptions;
}

/** The field that an option of the library comes from, for messages. */
export function fieldOfOption(option: string): string | undefined {
  return (
    ROWS.find(([, row]) => row.option === option)?.[0] ?? (Object.hasOwn(OTHERS, option) ? OTHERS[option] : undefined)
  );
}

/** Options that come from fields with a meaning of their own. */
const OTHERS: Readonly<Record<string, string>> = {
  format: "response_format",
  messages: "messages",
  tools: "tools",
  toolChoice: "tool_choice",
  parallelToolCalls: "parallel_tool_calls",
  thinking: "reasoning_effort",
  prompt: "prompt",
  logprobs: "logprobs",
  chatTemplate: "chat_template",
  templateVariables: "chat_template_kwargs",
};
