/**
 * The parts of a command, and options that several commands share.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { inspect, load, loadTokenizer } from "../index.ts";
import type { LoadModelOptions } from "../index.ts";
import type { list, pull, remove } from "../hub.ts";
import type { Screen } from "./screen.ts";

/** The part of the library the command line uses. */
export interface Library {
  readonly load: typeof load;
  readonly inspect: typeof inspect;
  readonly loadTokenizer: typeof loadTokenizer;
  readonly pull: typeof pull;
  readonly list: typeof list;
  readonly remove: typeof remove;
}

export interface CommandContext {
  readonly terminal: Screen;
  readonly library: Library;
  readonly positionals: readonly string[];
  readonly options: Options;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly usage: string;
  /** Lines below the usage. */
  readonly notes?: readonly string[];
  /** Lines of `--option VALUE  what it does`. */
  readonly optionHelp: readonly (readonly [option: string, help: string])[];
  readonly examples: readonly string[];
  readonly optionTypes: Readonly<Record<string, { readonly type: "string" | "boolean"; readonly multiple?: boolean }>>;
  /** How many positional arguments it takes. */
  readonly nPositionals: readonly [min: number, max: number];
  /** The command handles Ctrl-C itself; it does not end the program. */
  readonly handlesInterrupt?: boolean;
  run(context: CommandContext): Promise<void>;
}

/** Parsed options, read by name and type. Every reader throws `usage` for a value of another type. */
export class Options {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  texts(name: string): string[] | undefined {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(String) : undefined;
  }

  number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text) || !Number.isFinite(Number(text)))
      fail("usage", `--${name}: wanted a number, got ${quoted(text)}`);
    return Number(text);
  }

  /** An integer from `min` up, in digits. */
  integer(name: string, min: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^[-+]?\d+$/.test(text) || !Number.isSafeInteger(value) || value < min)
      fail("usage", `--${name}: wanted an integer from ${min} up, got ${quoted(text)}`);
    return value;
  }

  /** `1,2,3` */
  ids(name: string): number[] | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return text.split(",").map((part) => {
      if (!/^\s*\d{1,10}\s*$/.test(part))
        fail("usage", `--${name}: wanted token ids separated by commas, got ${quoted(text)}`);
      return Number(part);
    });
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : chosen(name, text, choices);
  }

  /** `a,b,c` */
  choices<T extends string>(name: string, choices: readonly T[]): T[] | undefined {
    return this.text(name)
      ?.split(",")
      .map((part) => chosen(name, part.trim(), choices));
  }
}

function chosen<T extends string>(name: string, text: string, choices: readonly T[]): T {
  return (
    choices.find((choice) => choice === text) ??
    fail("usage", `--${name}: wanted ${choices.join(" or ")}, got ${quoted(text)}`)
  );
}

/** Options of every command that loads weights. */
export const LOAD_OPTION_TYPES = {
  threads: { type: "string" },
  context: { type: "string" },
  variant: { type: "string" },
  ternary: { type: "string" },
  dots: { type: "string" },
  kv: { type: "string" },
} as const satisfies Command["optionTypes"];

export const LOAD_OPTION_HELP: Command["optionHelp"] = [
  ["--threads N", "threads to run on (default: the processors)"],
  ["--context N", "most ids of prompt and reply together (default: what the model was trained for, at most 4096)"],
  ["--variant V", "simd or relaxed kernels (default: the fastest this machine runs; results are the same)"],
  ["--ternary K", "dot or tables: how ternary weights are multiplied (default: the faster here; results are the same)"],
  ["--dots D", "fused or pairs: how products of bytes are added (default: the faster here; results are the same)"],
  ["--kv T", "f32 or q8: how keys and values are kept (default f32; q8 takes a quarter of the memory)"],
];

export function loadOptions(options: Options): LoadModelOptions {
  return {
    threads: options.integer("threads", 1),
    contextLength: options.integer("context", 1),
    variant: options.choice("variant", ["simd", "relaxed"]),
    ternaryKernel: options.choice("ternary", ["dot", "tables"]),
    dots: options.choice("dots", ["fused", "pairs"]),
    kvType: options.choice("kv", ["f32", "q8"]),
  };
}
