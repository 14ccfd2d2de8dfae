/**
 * The tools of a chat: checks them, and plans how the reply is kept to calls of them and taken apart. A chunk of its
 * own: chats without tools never load it.
 *
 * @module
 */
import { OnebitError, fail, quoted, shown } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest-name.ts";
import type { CallFormat, CalledTool, ReplySource } from "../../grammar/call-format.ts";
import { copiedJson, jsonText } from "../../grammar/schema/json.ts";
import type { ChatOptions } from "../chat-options.ts";
import type { ReplyReader } from "../reply.ts";
import { CallParser, parsedTool } from "./call-parser.ts";
import { TOOLS_MAX, TOOL_NAME_CHARS_MAX } from "./limits.ts";
import { TOOL_FORMATS, type ToolFormatName, toolFormatOf } from "./tool-formats.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Calls of tools as the reply of a chat has them. */
export interface ToolPlan {
  readonly calls: NonNullable<ReplySource["calls"]>;
  readonly reader: ReplyReader;
}

/**
 * @param template the text of the chat template
 * @throws OnebitError `option/invalid` for what is no tool, and a template whose calls are in no known form;
 *   `grammar/unsupported` for a schema that cannot be kept
 */
export function planTools(template: string, options: ChatOptions): ToolPlan {
  const { toolChoice = "auto", parallelToolCalls: isParallel = true } = options,
    format: CallFormat = TOOL_FORMATS[formatName(template, options.toolFormat)];
  const all = readTools(options.tools ?? [], format),
    tools = typeof toolChoice === "object" ? chosen(all, toolChoice.name) : all,
    choice = typeof toolChoice === "object" ? "required" : toolChoice;
  return {
    calls: { format, tools: choice === "none" ? [] : tools, choice, isParallel },
    reader: new CallParser(format, choice === "none" ? [] : tools.map(parsedTool), newId),
  };
}

function formatName(template: string, wanted: string | undefined): ToolFormatName {
  const names = Object.keys(TOOL_FORMATS);
  if (wanted === undefined)
    return (
      toolFormatOf(template) ??
      fail(
        "option/invalid",
        `tools: this model's chat template writes calls in no known form: give toolFormat, one of ${names.join(", ")}`,
      )
    );
  if (Object.hasOwn(TOOL_FORMATS, wanted)) return wanted as ToolFormatName;
  return fail(
    "option/invalid",
    `toolFormat: no form ${shown(wanted)}${didYouMean(wanted, names) || `: there are ${names.join(", ")}`}`,
  );
}

function chosen(tools: readonly CalledTool[], name: string): CalledTool[] {
  const found = tools.filter((tool) => tool.name === name);
  if (found.length > 0) return found;
  const names = tools.map((tool) => tool.name);
  return fail("option/invalid", `toolChoice: no tool has the name ${quoted(name)}${didYouMean(name, names)}`);
}

/** What no name has: forms of calls end names with it. */
const NOT_IN_NAMES = /[\s<>[\]{}"\\\p{C}]/u;

function readTools(given: readonly unknown[], format: CallFormat): CalledTool[] {
  if (given.length > TOOLS_MAX) fail("option/invalid", `tools: at most ${TOOLS_MAX}, got ${given.length}`);
  const seen = new Set<string>();
  return given.map((tool, i) => {
    const read = readTool(tool, `tools[${i}]`, format);
    if (seen.has(read.name)) fail("option/invalid", `tools[${i}]: another tool has the name ${quoted(read.name)}`);
    seen.add(read.name);
    return read;
  });
}

function readTool(given: unknown, place: string, format: CallFormat): CalledTool {
  const outer = object(given, place),
    inner = outer["function"] === undefined ? outer : object(outer["function"], `${place}.function`),
    { name, parameters, strict } = inner;
  if (outer["type"] !== undefined && outer["type"] !== "function" && outer !== inner)
    fail("option/invalid", `${place}.type: wanted "function", got ${shown(outer["type"])}`);
  if (typeof name !== "string" || name === "" || name.length > TOOL_NAME_CHARS_MAX || NOT_IN_NAMES.test(name))
    fail(
      "option/invalid",
      `${place}: wanted a name of 1 to ${TOOL_NAME_CHARS_MAX} characters without blanks, brackets, < > " and \\, ` +
        `got ${shown(name)}`,
    );
  if (strict !== undefined && strict !== null && typeof strict !== "boolean")
    fail("option/invalid", `${place}: strict: wanted true or false, got ${shown(strict)}`);
  const named = `${place} (${quoted(name)})`;
  const schema = strict === false ? { type: "object" } : objectSchema(copied(parameters, named), named);
  if (format.parameters !== undefined) checkParameters(schema, named);
  return { name, schema, place: named };
}

function object(value: unknown, place: string): Schema {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Schema;
  return fail("option/invalid", `${place}: wanted { type: "function", function: { name, … } }, got ${shown(value)}`);
}

/** A copy: the caller may change its own later, and what JSON cannot hold is refused. */
function copied(parameters: unknown, place: string): Schema | undefined {
  if (parameters === undefined || parameters === null) return undefined;
  try {
    return JSON.parse(jsonText(copiedJson(object(parameters, `${place}.parameters`)))) as Schema;
  } catch (error) {
    if (!(error instanceof OnebitError)) throw error;
    throw new OnebitError(error.code, `${place}: ${error.message}`, { cause: error });
  }
}

/** Keywords by which a schema says something of members that `properties` does not list. */
const OTHER_MEMBERS: readonly string[] = [
  "additionalProperties",
  "patternProperties",
  "unevaluatedProperties",
  "propertyNames",
  "minProperties",
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "if",
  "$ref",
  "$dynamicRef",
  "dependentSchemas",
  "dependencies",
];

/** Arguments have only the members that the schema names, unless it says otherwise: a function knows no others. */
function objectSchema(given: Schema | undefined, place: string): Schema {
  if (given === undefined) return { type: "object", additionalProperties: false };
  const { type = "object" } = given;
  if (type !== "object") fail("option/invalid", `${place}: arguments are an object: wanted a schema of type "object"`);
  const isOpen = OTHER_MEMBERS.some((name) => given[name] !== undefined);
  return { ...given, type, ...(isOpen ? {} : { additionalProperties: false }) };
}

/** What can be kept where arguments are written one by one. */
const KEPT_BY_PARAMETERS: readonly string[] = [
  "type",
  "properties",
  "required",
  "additionalProperties",
  "$defs",
  "definitions",
  "$schema",
  "title",
  "description",
  "examples",
  "default",
  "$comment",
];

function checkParameters(schema: Schema, place: string): void {
  const other = Object.keys(schema).find((name) => !KEPT_BY_PARAMETERS.includes(name));
  if (other !== undefined)
    fail(
      "grammar/unsupported",
      `${place}: schema at ${JSON.stringify(`/${other}`)}: this model writes each argument apart, which cannot keep it`,
    );
  const { properties = {}, required = [] } = schema as { properties?: Schema; required?: readonly string[] };
  for (const name of Object.keys(properties))
    if (name === "" || NOT_IN_NAMES.test(name))
      fail("grammar/unsupported", `${place}: an argument of the name ${quoted(name)} cannot be written by this model`);
  const missing = Array.isArray(required) ? required.find((name) => !Object.hasOwn(properties, name)) : undefined;
  if (missing !== undefined)
    fail("grammar/unsupported", `${place}: schema at "/required": ${quoted(String(missing))} is no property`);
}

const ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/** Templates of Mistral want nine. */
const ID_LENGTH = 9;

function newId(): string {
  // 2^32 is no multiple of 62; that some letters are likelier by 10^-8 tells nobody anything.
  return Array.from(
    globalThis.crypto.getRandomValues(new Uint32Array(ID_LENGTH)),
    (number) => ID_LETTERS[number % ID_LETTERS.length],
  ).join("");
}
