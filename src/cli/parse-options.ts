/**
 * The options of a command line: `--name value`, `--name=value`, `-h`; everything after `--` is an argument. It accepts
 * llama.cpp's and Ollama's names that mean the same; for other unknown names it suggests the nearest.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { nearestName } from "../core/nearest-name.ts";
import type { Command } from "./command.ts";

export interface ParsedOptions {
  readonly values: Readonly<Record<string, boolean | string | readonly string[]>>;
  readonly positionals: readonly string[];
}

/** Our options' names in other programs. */
const ALIASES: Readonly<Record<string, string>> = {
  "-h": "--help",
  "-n": "--max-tokens",
  "--n-predict": "--max-tokens",
  "--predict": "--max-tokens",
  "--num-predict": "--max-tokens",
  "--max-new-tokens": "--max-tokens",
  "-c": "--context",
  "--ctx-size": "--context",
  "--num-ctx": "--context",
  "--context-length": "--context",
  "-t": "--threads",
  "-s": "--seed",
  "--temp": "--temperature",
  "--repeat-penalty": "--repetition-penalty",
  "--repeat-last-n": "--penalty-last-n",
  "--cache-type-k": "--kv",
  "-f": "--file",
  "--system-prompt": "--system",
  "-sys": "--system",
};

/** Other programs' options that are arguments here. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  "-m": "the model is the first argument",
  "--model": "the model is the first argument",
  "-p": "the prompt is an argument, behind the model",
  "--prompt": "the prompt is an argument, behind the model",
  "-hf": "the model is the first argument: hf:owner/repo",
  "--hf-repo": "the model is the first argument: hf:owner/repo",
};

/** @throws OnebitError `usage` */
export function parseOptions(command: Command, args: readonly string[]): ParsedOptions {
  const types: Command["optionTypes"] = { ...command.optionTypes, help: { type: "boolean" } };
  const values: Record<string, boolean | string | string[]> = {},
    positionals: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--") {
      positionals.push(...args.slice(i + 1));
      break;
    }
    // A lone dash, numbers and texts are arguments.
    if (!/^--?[a-z]/i.test(arg)) {
      positionals.push(arg);
      continue;
    }
    const equals = arg.indexOf("="),
      given = equals < 0 ? arg : arg.slice(0, equals),
      name = optionNamed(given, types, command);
    let value = equals < 0 ? undefined : arg.slice(equals + 1);
    const { type, multiple = false } = types[name];
    if (type === "boolean") {
      if (value !== undefined) fail("usage", `--${name}: takes no value, got ${quoted(value)}`);
      set(values, name, true, false);
      continue;
    }
    if (value === undefined && isValue(args[i + 1])) value = args[++i];
    if (value === undefined && args[i + 1] === undefined) fail("usage", `--${name}: wanted a value`);
    if (value === undefined)
      fail(
        "usage",
        `--${name}: wanted a value, found ${quoted(args[i + 1])}; write a value that begins with a dash after an ` +
          `equals sign: --${name}=${quoted(args[i + 1])}`,
      );
    set(values, name, value, multiple);
  }
  return { values, positionals };
}

/** Arguments without a leading dash, and negative numbers. */
function isValue(arg: string | undefined): arg is string {
  return arg !== undefined && (!arg.startsWith("-") || arg === "-" || /^-(?:\d|\.\d|inf)/i.test(arg));
}

function set(
  values: Record<string, boolean | string | string[]>,
  name: string,
  value: boolean | string,
  multiple: boolean,
): void {
  const before = values[name];
  if (multiple && typeof value === "string") values[name] = Array.isArray(before) ? [...before, value] : [value];
  else if (before !== undefined) fail("usage", `--${name}: given twice, wanted once`);
  else values[name] = value;
}

function optionNamed(given: string, types: Command["optionTypes"], command: Command): string {
  const full = Object.hasOwn(ALIASES, given) ? ALIASES[given] : given,
    name = full.slice(2);
  if (full.startsWith("--") && Object.hasOwn(types, name)) return name;
  if (given === "--prompt" || !Object.hasOwn(ARGUMENTS, given)) {
    const nearest = given.startsWith("--") ? nearestName(given.slice(2), Object.keys(types)) : undefined;
    const advice =
      nearest === undefined
        ? `see onebit ${command.name} --help; write a text that begins with a dash after --`
        : `did you mean --${nearest}?`;
    return fail(
      "usage",
      `${command.name}: no ` +
        `option ${shownOption(given)}: ${Object.hasOwn(ARGUMENTS, given) ? ARGUMENTS[given] : advice}`,
    );
  }
  return fail("usage", `${command.name}: no option ${given}: ${ARGUMENTS[given]}: ${command.usage}`);
}

function shownOption(given: string): string {
  return /^--?[\w.-]{1,64}$/.test(given) ? given : quoted(given);
}
