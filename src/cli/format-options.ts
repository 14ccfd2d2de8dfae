/**
 * Options for what a reply must fit, of `run` and `chat`.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { Format } from "../index.ts";
import { readTextFile } from "./command-files.ts";
import type { Command, Options } from "./command.ts";

export const FORMAT_OPTION_TYPES = {
  format: { type: "string" },
  "json-schema": { type: "string" },
  regex: { type: "string" },
  grammar: { type: "string" },
} as const satisfies Command["optionTypes"];

export const FORMAT_OPTION_HELP: Command["optionHelp"] = [
  ["--format json", "the reply is JSON"],
  ["--json-schema S", "the reply is JSON that fits a schema: a file, or the schema itself"],
  ["--regex R", "the reply matches a regular expression as a whole"],
  ["--grammar G", "the reply fits a grammar in llama.cpp's notation: a file, or the grammar itself"],
];

/** @throws OnebitError `usage`, `file/…` */
export async function formatOption(options: Options): Promise<Format | undefined> {
  const given = Object.keys(FORMAT_OPTION_TYPES).filter((name) => options.text(name) !== undefined);
  if (given.length > 1) fail("usage", `give one of ${given.map((name) => `--${name}`).join(" and ")}`);
  const schema = options.text("json-schema"),
    regex = options.text("regex"),
    grammar = options.text("grammar");
  if (schema !== undefined)
    return { jsonSchema: parseSchema(await textOf(schema, "--json-schema", /^\s*(?:\{|true|false)/)) };
  if (regex !== undefined) return { regex };
  if (grammar !== undefined) return { grammar: await textOf(grammar, "--grammar", /::=/) };
  return options.choice<"json">("format", ["json"]);
}

/** @param own what only a text has, not a path */
async function textOf(given: string, name: string, own: RegExp): Promise<string> {
  return own.test(given) ? given : await readTextFile(given, name);
}

function parseSchema(text: string): Record<string, unknown> | boolean {
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    fail("usage", `--json-schema: wanted JSON: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (typeof schema === "boolean") return schema;
  if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) return { ...schema };
  return fail("usage", `--json-schema: wanted an object, got ${quoted(text)}`);
}
