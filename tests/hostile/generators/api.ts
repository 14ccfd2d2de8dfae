/**
 * Calls of every public function and method with one thing wrong: an argument, the value of an option, or its name.
 * What is thrown is an `OnebitError`; a misspelt option never runs.
 */
import assert from "node:assert/strict";
import type { Random } from "../../synthetic/random.ts";
import { OnebitError } from "../../../src/core/errors.ts";
import { LAYER_ENTRIES } from "./api-layers.ts";
import { LIBRARY_ENTRIES } from "./api-library.ts";
import { TRAINING_ENTRIES } from "./api-training.ts";
import type { HostileGenerator } from "./generator.ts";
import { oddValue } from "./odd-values.ts";

/** A public function, or a method of an object that is made for it. */
export interface ApiEntry {
  readonly name: string;
  /** Arguments that work; options as an object, last or where `optionsAt` says. */
  readonly args: () => readonly unknown[] | Promise<readonly unknown[]>;
  /** The place of the options among the arguments, and the names there are. */
  readonly options?: { readonly at: number; readonly names: readonly string[] };
  /** Calls it, waits for what it gives, and closes that. */
  run(args: readonly unknown[]): unknown;
}

export const API_ENTRIES: readonly ApiEntry[] = [...LIBRARY_ENTRIES, ...LAYER_ENTRIES, ...TRAINING_ENTRIES];

type Change = "argument" | "value" | "name";

export async function tryEntry(entry: ApiEntry, change: Change, random: Random): Promise<string> {
  const args = [...(await entry.args())];
  if (change === "argument" || entry.options === undefined) args[random.u32() % (args.length + 1)] = oddValue(random);
  else {
    const { at, names } = entry.options,
      name = names[random.u32() % names.length];
    args[at] = {
      ...(args[at] as object),
      [change === "value" ? name : misspelt(name, names, random)]: oddOrSome(change, random),
    };
  }
  const outcome = await tryCall(entry, change, args);
  if (outcome === "accepted" && change === "name" && entry.options !== undefined)
    assert.fail(`${entry.name} took a misspelt option: ${Object.keys(args[entry.options.at] as object).join()}`);
  return outcome;
}

/** Calls it with these arguments. @returns the code of what it throws, or "accepted" */
export async function tryCall(entry: ApiEntry, what: string, args: readonly unknown[]): Promise<string> {
  try {
    await entry.run(args);
    return "accepted";
  } catch (error) {
    if (error instanceof OnebitError) return error.code;
    throw new Error(`${entry.name} (${what}): ${String(error)}`, { cause: error });
  }
}

/** A misspelt option must be refused whatever its value, but one that was left out. */
function oddOrSome(change: Change, random: Random): unknown {
  return oddValue(random) ?? (change === "value" ? undefined : 1);
}

function misspelt(name: string, names: readonly string[], random: Random): string {
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    at = random.u32() % name.length;
  const ways = [
    snake,
    name.toUpperCase(),
    `${name}s`,
    name.slice(0, at) + name.slice(at + 1),
    `${name.slice(0, at)}x${name.slice(at)}`,
    "banana",
    "constructor",
    "toString",
  ];
  const word = ways[random.u32() % ways.length];
  return word === "" || names.includes(word) ? "banana" : word;
}

export const generator: HostileGenerator = {
  name: "api",
  weight: 1,
  async tryOne(random) {
    const entry = API_ENTRIES[random.u32() % API_ENTRIES.length],
      change = (["argument", "value", "name"] as const)[random.u32() % 3];
    return { outcome: await tryEntry(entry, change, random), inputBytes: 0 };
  },
};
