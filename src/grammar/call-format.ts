/**
 * How a family of models writes calls of tools, as data: what reads a reply and what constrains it follow the same
 * rows.
 *
 *   begin  call  between  call  end      a call is texts and slots:  <tool_call>\n{"name": "  NAME  ", "arguments": …
 *
 * @module
 */

/** A text as it stands, a slot, or parts that may be left out. */
export type CallPart = string | CallSlot | { readonly optional: readonly CallPart[] };

/**
 * `name`: the tool's. `arguments`: a JSON object. `parameters`: one after the other, as {@link ParameterFormat} says.
 * `id`: of the call, nine letters and digits.
 */
export type CallSlot = { readonly slot: "name" | "arguments" | "parameters" | "id" };

/** How one argument is written where arguments are no JSON object: strings as they are, other values as JSON. */
export interface ParameterFormat {
  /** Before the name, and between name and value. */
  readonly open: string;
  readonly nameEnd: string;
  /** After the value. */
  readonly close: string;
  /** Around strings that hold one of `escapes`. */
  readonly quote?: { readonly begin: string; readonly end: string; readonly escapes: readonly string[] };
}

export interface CallFormat {
  /** Begins a call: no text holds it. Absent: a call is the reply's beginning, or there is none. */
  readonly trigger?: string;
  /** For those without a trigger: with what a text that is no call does not begin. */
  readonly beginnings?: readonly string[];
  readonly begin: string;
  readonly call: readonly CallPart[];
  readonly between: string;
  readonly end: string;
  /** Never several calls at once. */
  readonly isSingle?: boolean;
  readonly parameters?: ParameterFormat;
  /** Texts in it that are tokens of their own in most vocabularies. */
  readonly markers: readonly string[];
}

export const NAME: CallSlot = { slot: "name" };
export const ARGUMENTS: CallSlot = { slot: "arguments" };
export const PARAMETERS: CallSlot = { slot: "parameters" };
export const ID: CallSlot = { slot: "id" };

/** A tool that may be called: its name, and what its arguments must fit. */
export interface CalledTool {
  readonly name: string;
  /** An object schema. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** Where it stands, for messages. */
  readonly place: string;
}

/** What a reply must be: checked, plain data. */
export interface ReplySource {
  /** Thinking comes first; `begin` is absent where the prompt has begun it. Optional where the model may not. */
  readonly thinking?: { readonly begin?: string; readonly end: string; readonly isOptional: boolean };
  readonly calls?: {
    readonly format: CallFormat;
    readonly tools: readonly CalledTool[];
    readonly choice: "auto" | "none" | "required";
    readonly isParallel: boolean;
  };
}

/** Whether an argument of this schema is written as the string it is. */
export function isPlainString(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  const { type, enum: values, const: value } = schema as { type?: unknown; enum?: unknown; const?: unknown };
  if (type !== undefined) return type === "string";
  const all = Array.isArray(values) ? values : value === undefined ? [] : [value];
  return all.length > 0 && all.every((one) => typeof one === "string");
}
