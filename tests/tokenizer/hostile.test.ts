/**
 * Mutated vocabularies: they load and work, or are refused with a typed error; nothing crashes, hangs or is untyped.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import type { GgufValue } from "../../src/files/gguf-metadata.ts";
import type { JsonObject, JsonValue } from "../../src/files/json.ts";
import { type Tokenizer, tokenizerFromGguf, tokenizerFromHf } from "../../src/tokenizer/tokenizer.ts";
import { type Random, makeRandom, randomText } from "./random-text.ts";
import { byteLevelJson, byteLevelMetadata, sentencePieceJson, sentencePieceMetadata } from "./small-vocabularies.ts";

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)];
const ODD_VALUES: readonly GgufValue[] = [
  "",
  "x",
  -1,
  0,
  3,
  0.5,
  NaN,
  2 ** 32,
  2n ** 63n,
  true,
  [],
  ["a"],
  new Int32Array(3),
  new BigInt64Array(2),
];
const ODD_TEXTS = [
  "",
  " ",
  "a",
  "a b",
  "<0x-1>",
  "<0x100>",
  "▁",
  "\ud800",
  "\udcff",
  "😀",
  "__proto__",
  "</s>",
  "ĠĠ",
  "x".repeat(600),
];
const ODD_JSON: readonly JsonValue[] = [
  null,
  "",
  "x",
  -1,
  0.5,
  1e9,
  true,
  [],
  ["a"],
  {},
  { type: "x" },
  { a: { b: [] } },
];

function mutateMetadata(random: Random, metadata: Map<string, GgufValue>): void {
  const key = pick(random, [...metadata.keys()]);
  const value = metadata.get(key);
  const choice = random();
  if (choice < 0.15) metadata.delete(key);
  else if (choice < 0.4) metadata.set(key, pick(random, ODD_VALUES));
  else if (Array.isArray(value))
    metadata.set(key, mutateList(random, value as readonly string[], pick(random, ODD_TEXTS)));
  else if (value instanceof Int32Array || value instanceof Float32Array) {
    const changed = value.slice(0, random() < 0.2 ? Math.floor(random() * value.length) : value.length);
    changed[Math.floor(random() * changed.length)] = pick(random, [-1, 0, 1, 2, 3, 4, 5, 6, 7, 300, NaN, Infinity]);
    metadata.set(key, changed);
  }
}

function mutateList<T>(random: Random, list: readonly T[], odd: T): T[] {
  const changed = [...list];
  const at = Math.floor(random() * changed.length);
  const choice = random();
  if (choice < 0.3) changed.splice(at, 1);
  else if (choice < 0.6) changed.splice(at, 0, pick(random, changed));
  else changed[at] = odd;
  return changed;
}

/** One place of the document, chosen by walking down at random, becomes something odd or goes. */
function mutateJson(random: Random, value: JsonValue): JsonValue {
  if (random() < 0.1 || typeof value !== "object" || value === null) return pick(random, ODD_JSON);
  if (Array.isArray(value)) {
    const list = value as readonly JsonValue[];
    if (list.length === 0 || random() < 0.3) return mutateList<JsonValue>(random, list, pick(random, ODD_JSON));
    const at = Math.floor(random() * list.length);
    return list.map((item, i) => (i === at ? mutateJson(random, item) : item));
  }
  const entries = Object.entries(value) as [string, JsonValue][];
  if (entries.length === 0) return pick(random, ODD_JSON);
  const at = Math.floor(random() * entries.length);
  if (random() < 0.2) entries.splice(at, 1);
  else if (random() < 0.2) entries[at] = [pick(random, ODD_TEXTS), entries[at][1]];
  else entries[at] = [entries[at][0], mutateJson(random, entries[at][1])];
  return Object.fromEntries(entries);
}

function useEverything(tokenizer: Tokenizer, text: string): void {
  const ids = tokenizer.encode(text, { parseSpecial: true });
  for (const id of ids) assert.ok(Number.isInteger(id) && id >= 0 && id < tokenizer.vocabSize, `id ${id}`);
  tokenizer.decode(ids, { special: true });
  for (const id of ids) tokenizer.tokenBytes(id);
}

/** Runs one case; returns whether it was refused. */
function refusedOrFine(make: () => Tokenizer, text: string): boolean {
  try {
    useEverything(make(), text);
    return false;
  } catch (error) {
    assert.ok(error instanceof OnebitError, String((error as Error).stack));
    assert.match(error.code, /^tokenizer\//);
    return true;
  }
}

function countRefused(runs: number, seed: number, make: (random: Random) => () => Tokenizer): number {
  const random = makeRandom(seed);
  let refused = 0;
  for (let i = 0; i < runs; i++) {
    const text = `${randomText(random, 20)}</s>[TOOL]`;
    if (refusedOrFine(make(random), text)) refused += 1;
  }
  return refused;
}

for (const [name, metadataOf] of [
  ["byte-level", byteLevelMetadata],
  ["SentencePiece", sentencePieceMetadata],
] as const) {
  test(`3,000 mutated GGUF vocabularies, ${name}`, () => {
    const refused = countRefused(3000, 101, (random) => {
      const metadata = metadataOf({ "tokenizer.ggml.add_eos_token": true, "tokenizer.ggml.unknown_token_id": 0 });
      for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) mutateMetadata(random, metadata);
      return () => tokenizerFromGguf(metadata);
    });
    assert.ok(refused > 300 && refused < 2900, `${refused} refused`);
  });
}

for (const [name, json] of [
  ["byte-level", byteLevelJson()],
  ["SentencePiece", sentencePieceJson()],
] as const) {
  test(`3,000 mutated tokenizer.json files, ${name}`, () => {
    const config: JsonObject = {
      bos_token: "</s>",
      eos_token: { content: "<|im_end|>" },
      chat_template: [{ name: "default", template: "x" }],
    };
    const refused = countRefused(3000, 103, (random) => {
      let changed: JsonValue = json;
      for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) changed = mutateJson(random, changed);
      const file = (
        typeof changed === "object" && changed !== null && !Array.isArray(changed) ? changed : {}
      ) as JsonObject;
      const settings = random() < 0.5 ? {} : (mutateJson(random, config) as JsonObject);
      return () =>
        tokenizerFromHf(
          file,
          typeof settings === "object" && settings !== null && !Array.isArray(settings) ? settings : {},
        );
    });
    assert.ok(refused > 300 && refused < 2900, `${refused} refused`);
  });
}
