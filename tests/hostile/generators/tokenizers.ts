/**
 * Vocabularies with one to three things changed, as GGUF metadata and as tokenizer.json, given text and ids to work on.
 */
import assert from "node:assert/strict";
import type { Random } from "../../synthetic/random.ts";
import { OnebitError } from "../../../src/core/errors.ts";
import type { GgufValue } from "../../../src/files/gguf-metadata.ts";
import type { JsonObject, JsonValue } from "../../../src/files/json.ts";
import { type Tokenizer, tokenizerFromGguf, tokenizerFromHf } from "../../../src/tokenizer/tokenizer.ts";
import { corpusText } from "../../tokenizer/corpus.ts";
import {
  byteLevelJson,
  byteLevelMetadata,
  sentencePieceJson,
  sentencePieceMetadata,
} from "../../tokenizer/small-vocabularies.ts";
import type { Attempt, HostileGenerator } from "./generator.ts";

type Draw = <T>(from: readonly T[]) => T;

const TEXTS = [
  "",
  " ",
  "a",
  "a b",
  "<0x-1>",
  "<0x0A>",
  "▁",
  "\ud800",
  "😀",
  "__proto__",
  "</s>",
  "ĠĠ",
  "x".repeat(600),
  "<".repeat(4000),
];
const NUMBERS = [-1, 0, 1, 6, 7, 255, 0.5, NaN, Infinity, 2 ** 31, 2 ** 32];
const GGUF_VALUES: readonly GgufValue[] = [
  "",
  "x",
  "llama-bpe",
  "qwen2",
  "default",
  -1,
  0,
  3,
  0.5,
  NaN,
  2 ** 32,
  2n ** 63n,
  true,
  false,
  [],
  ["a"],
  new Int32Array(3),
];
const PATTERNS: readonly JsonObject[] = [
  { Regex: "(a+)+$" },
  { Regex: "\\p{N}{1,3}" },
  { String: " " },
  { String: "" },
  { String: "a".repeat(300) },
  {},
];
const STEPS: readonly JsonObject[] = [
  { type: "NFC" },
  { type: "NFKD" },
  { type: "Strip", strip_left: true, strip_right: true },
  { type: "Prepend", prepend: "▁" },
  { type: "Lowercase" },
  { type: "Replace", pattern: { String: "a" }, content: "aa" },
  { type: "Replace", pattern: { String: " " }, content: "▁" },
  { type: "ByteLevel", add_prefix_space: true, use_regex: true },
  { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true },
  { type: "Digits", individual_digits: true },
  { type: "Punctuation", behavior: "MergedWithNext" },
  { type: "Whitespace" },
  { type: "BertPreTokenizer" },
  { type: "ByteFallback" },
  { type: "Fuse" },
  { type: "CTC" },
  { type: "TemplateProcessing", single: [{ Sequence: { id: "A" } }] },
];
/** Where a file has steps, and what a list of them is called there. */
const LISTS: readonly (readonly [key: string, list: string])[] = [
  ["normalizer", "normalizers"],
  ["pre_tokenizer", "pretokenizers"],
  ["decoder", "decoders"],
  ["post_processor", "processors"],
];

export const generator: HostileGenerator = {
  name: "tokenizers",
  weight: 0.1,
  tryOne(random) {
    const draw: Draw = (from) => from[random.u32() % from.length];
    const number = (): number => random.u32() / 2 ** 32;
    const isGguf = draw([true, false]);
    const [make, inputBytes] = isGguf ? changedMetadata(random, draw) : changedJson(random, draw);
    const text = corpusText(number, ["</s>", "<|im_end|>", "[TOOL]", "x".repeat(600)]).repeat(draw([1, 1, 1, 200]));
    return attempt(make, text, inputBytes + 2 * text.length);
  },
};

function attempt(make: () => Tokenizer, text: string, inputBytes: number): Attempt {
  try {
    const tokenizer = make();
    for (const parseSpecial of [false, true]) {
      const ids = tokenizer.encode(text, { parseSpecial, addEos: true });
      for (const id of ids) assert.ok(Number.isInteger(id) && id >= 0 && id < tokenizer.vocabSize, `id ${id}`);
      tokenizer.decode(ids, { special: true });
    }
    const inText = tokenizer.encode(text, { addSpecial: false });
    assert.ok(
      !inText.some((id) => tokenizer.isSpecial(id) && tokenizer.tokenId("<unk>") !== id),
      "a control token in text",
    );
    return { outcome: "accepted", inputBytes };
  } catch (error) {
    if (error instanceof OnebitError) return { outcome: error.code, inputBytes };
    throw error;
  }
}

function changedMetadata(random: Random, draw: Draw): [() => Tokenizer, number] {
  const metadata = draw([byteLevelMetadata, sentencePieceMetadata])({ "tokenizer.ggml.add_eos_token": true });
  for (let changes = 1 + (random.u32() % 3); changes > 0; changes--) {
    const key = draw([...metadata.keys()]);
    const value = metadata.get(key);
    const index = random.u32();
    if (index % 8 === 0) metadata.delete(key);
    else if (index % 8 === 1) metadata.set(key, draw(GGUF_VALUES));
    else if (Array.isArray(value))
      metadata.set(
        key,
        (value as string[]).map((item, i) =>
          i === index % value.length ? draw([...TEXTS, (value as string[])[0]]) : item,
        ),
      );
    else if (value instanceof Int32Array || value instanceof Float32Array) {
      const changed = value.slice();
      changed[index % changed.length] = draw(NUMBERS);
      metadata.set(key, changed);
    }
  }
  return [() => tokenizerFromGguf(metadata), 40_000];
}

function changedJson(random: Random, draw: Draw): [() => Tokenizer, number] {
  let file: JsonObject = draw([byteLevelJson, sentencePieceJson])();
  for (let changes = 1 + (random.u32() % 3); changes > 0; changes--)
    file = CHANGES[random.u32() % CHANGES.length](file, random, draw);
  const config: JsonObject = draw<JsonObject>([
    {},
    { eos_token: "</s>" },
    { bos_token: { content: "<|im_end|>" }, add_bos_token: true },
    { eos_token: draw(TEXTS) },
    { add_eos_token: true },
  ]);
  return [() => tokenizerFromHf(file, config), JSON.stringify(file).length];
}

const CHANGES: readonly ((file: JsonObject, random: Random, draw: Draw) => JsonObject)[] = [
  /** Steps, as many as a limit more or less. */
  (file, random, draw) => {
    const [key, list] = draw(LISTS);
    const count = draw([1, 2, 3, 5, 63, 64, 65, 2000]);
    return {
      ...file,
      [key]: {
        type: "Sequence",
        [list]: Array.from({ length: count }, () => (count < 10 ? draw(STEPS) : STEPS[random.u32() % 2])),
      },
    };
  },
  /** Sequences within sequences. */
  (file, _, draw) => {
    const [key, list] = draw(LISTS);
    let step: JsonObject = draw(STEPS);
    for (let depth = draw([1, 10, 63, 500]); depth > 0; depth--) step = { type: "Sequence", [list]: [step] };
    return { ...file, [key]: step };
  },
  (file, _, draw) => ({
    ...file,
    pre_tokenizer: {
      type: "Split",
      pattern: draw(PATTERNS),
      behavior: draw(["Isolated", "Removed", "Contiguous", "x"]),
      invert: draw([true, false]),
    },
  }),
  /** Added tokens that overlap, repeat, trim, stand alone. */
  (file, random, draw) => {
    const vocab = Object.keys((file.model as JsonObject).vocab as JsonObject).length;
    const more = Array.from(
      { length: draw([1, 5, 300]) },
      (_, i): JsonObject => ({
        id: vocab + 20 + i,
        content:
          draw(["<", "<<", "a".repeat(1 + (i % 50)), " ".repeat(1 + (i % 9)), ...TEXTS]) + (i > 4 ? String(i) : ""),
        special: draw([true, false]),
        lstrip: draw([true, false]),
        rstrip: draw([true, false]),
        normalized: draw([true, false]),
        single_word: random.u32() % 4 === 0,
      }),
    );
    return { ...file, added_tokens: [...(file.added_tokens as JsonValue[]), ...more] };
  },
  (file, random, draw) => {
    const model = file.model as JsonObject;
    const merges = [...(model.merges as JsonValue[])];
    merges[random.u32() % merges.length] = draw<JsonValue>([
      ["a", "b"],
      ["a"],
      "a",
      "a  b",
      3,
      null,
      ["</", "s>"],
      draw(TEXTS),
    ]);
    return { ...file, model: { ...model, merges } };
  },
  (file, _, draw) => {
    const model = file.model as JsonObject;
    const option = draw([
      "ignore_merges",
      "byte_fallback",
      "fuse_unk",
      "unk_token",
      "dropout",
      "type",
      "continuing_subword_prefix",
    ]);
    return {
      ...file,
      model: { ...model, [option]: draw<JsonValue>([true, false, null, 0, 0.5, "", "<unk>", "BPE", "Unigram"]) },
    };
  },
  (file, random, draw) => {
    const model = file.model as JsonObject;
    const entries = Object.entries(model.vocab as JsonObject);
    entries[random.u32() % entries.length] = [
      draw(TEXTS),
      draw<JsonValue>([0, 1, random.u32() % entries.length, draw(NUMBERS), "1", null]),
    ];
    return { ...file, model: { ...model, vocab: Object.fromEntries(entries) } };
  },
];
