/**
 * Options of a session, checked as the standard says: wrong types and ranges throw, what no model here can do is
 * unavailable.
 *
 * @module
 */
import type { ChatOptions } from "../index.ts";
import { notSupported } from "./errors.ts";
import type {
  LanguageModelCreateCoreOptions,
  LanguageModelExpected,
  LanguageModelParams,
  LanguageModelTool,
  SamplingMode,
} from "./types.ts";

/** The library's defaults; the most are those of Chrome. */
export const PARAMS: LanguageModelParams = {
  defaultTopK: 40,
  maxTopK: 128,
  defaultTemperature: 0.8,
  maxTemperature: 2,
};

interface Sampling {
  readonly topK: number;
  readonly temperature: number;
}

const MODES: Readonly<Record<SamplingMode, Sampling>> = {
  "most-predictable": { topK: 1, temperature: 0 },
  predictable: { topK: 20, temperature: 0.4 },
  balanced: { topK: PARAMS.defaultTopK, temperature: PARAMS.defaultTemperature },
  creative: { topK: 80, temperature: 1.1 },
  "most-creative": { topK: 128, temperature: 1.4 },
};

/** What a session samples by, and may call. */
export interface SessionSettings extends Sampling {
  readonly samplingMode: SamplingMode;
  readonly tools: readonly LanguageModelTool[];
}

/** @throws TypeError, RangeError */
export function readSettings(options: LanguageModelCreateCoreOptions): SessionSettings {
  const { samplingMode = "balanced", topK, temperature, tools = [], expectedInputs, expectedOutputs } = options;
  if (!Object.hasOwn(MODES, samplingMode))
    throw new TypeError(`samplingMode: wanted ${Object.keys(MODES).join(", ")}, got ${String(samplingMode)}`);
  for (const { languages = [] } of [...(expectedInputs ?? []), ...(expectedOutputs ?? [])])
    Intl.getCanonicalLocales([...languages]);
  const mode = MODES[samplingMode];
  return {
    samplingMode,
    tools: tools.map(toolOf),
    topK: topK === undefined ? mode.topK : Math.floor(bounded("topK", topK, 1, PARAMS.maxTopK)),
    temperature:
      temperature === undefined ? mode.temperature : bounded("temperature", temperature, 0, PARAMS.maxTemperature),
  };
}

function bounded(name: string, value: number, min: number, max: number): number {
  if (typeof value !== "number") throw new TypeError(`${name}: wanted a number`);
  if (Number.isNaN(value) || value < min) throw new RangeError(`${name}: wanted at least ${min}, got ${value}`);
  return Math.min(value, max);
}

function toolOf(tool: LanguageModelTool): LanguageModelTool {
  const { name, description, inputSchema, execute } = tool,
    isTool = typeof name === "string" && typeof description === "string" && typeof execute === "function";
  if (isTool && typeof inputSchema === "object" && inputSchema !== null) return tool;
  throw new TypeError("tools: wanted each to have a name, a description, an inputSchema and execute");
}

/** Whether all that is expected are texts. */
export function isText({ expectedInputs = [], expectedOutputs = [] }: LanguageModelCreateCoreOptions): boolean {
  const isOne = ({ type }: LanguageModelExpected): boolean => type === "text";
  return expectedInputs.every(isOne) && expectedOutputs.every(isOne);
}

/** The format of a constraint, and how the model is told of it. */
export interface Constraint {
  readonly format: NonNullable<ChatOptions["format"]>;
  readonly said: string;
}

/** Flags that change what a regular expression matches, and that formats here have not. */
const FLAGS = /[ims]/;

/** @throws TypeError, DOMException `NotSupportedError` */
export function readConstraint(constraint: object | undefined): Constraint | undefined {
  if (constraint === undefined || constraint === null) return undefined;
  if (typeof constraint !== "object") throw new TypeError("responseConstraint: wanted a JSON Schema or a RegExp");
  if (constraint instanceof RegExp) {
    const { source, flags } = constraint;
    if (FLAGS.test(flags)) throw notSupported("responseConstraint: the flags i, m and s are not possible");
    return { format: { regex: source }, said: `All of the answer matches the regular expression ${source}` };
  }
  const jsonSchema = { ...constraint };
  return { format: { jsonSchema }, said: `The answer is JSON by this schema: ${JSON.stringify(jsonSchema)}` };
}
