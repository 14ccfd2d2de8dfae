/** Files of tokenizers with steps that nobody published: any normalizers, any pre-tokenizers, in any order. */
import type { JsonObject, JsonValue } from "../../src/files/json.ts";
import { LLAMA3_EXPRESSION } from "../tokenizer/small-vocabularies.ts";
import type { Random } from "../tokenizer/random-text.ts";

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)];
const BEHAVIORS = ["Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"];
const TEXTS = [" ", "▁", "a", "  ", "the", "é", "\n", "Ġ"];
const EXPRESSIONS = [
  LLAMA3_EXPRESSION,
  LLAMA3_EXPRESSION.replace("{1,3}", ""),
  "\\p{N}{1,3}",
  "\\p{N}",
  "[0-9][0-9][0-9]",
  "\\s?\\p{L}+",
  "[\\r\\n]",
];

const NORMALIZERS: readonly ((random: Random) => JsonObject)[] = [
  (random) => ({ type: pick(random, ["NFC", "NFD", "NFKC", "NFKD"]) }),
  (random) => ({
    type: "Replace",
    pattern: { String: pick(random, TEXTS) },
    content: pick(random, ["▁", "", " ", "x"]),
  }),
  (random) => ({ type: "Prepend", prepend: pick(random, ["▁", " ", "ab"]) }),
  (random) => ({ type: "Strip", strip_left: random() < 0.5, strip_right: random() < 0.5 }),
];

const PRE_TOKENIZERS: readonly ((random: Random) => JsonObject)[] = [
  (random) => ({
    type: "Split",
    pattern: { String: pick(random, TEXTS) },
    behavior: pick(random, BEHAVIORS),
    invert: random() < 0.3,
  }),
  (random) => ({
    type: "Split",
    pattern: { Regex: pick(random, EXPRESSIONS) },
    behavior: pick(random, BEHAVIORS),
    invert: random() < 0.3,
  }),
  (random) => ({ type: "Digits", individual_digits: random() < 0.5 }),
  (random) => ({ type: "Punctuation", behavior: pick(random, BEHAVIORS) }),
  (random) => ({
    type: "Metaspace",
    replacement: "▁",
    prepend_scheme: pick(random, ["always", "never"]),
    split: random() < 0.5,
  }),
  () => ({ type: "Whitespace" }),
  () => ({ type: "WhitespaceSplit" }),
  () => ({ type: "BertPreTokenizer" }),
  (random) => ({ type: "ByteLevel", add_prefix_space: random() < 0.3, trim_offsets: true, use_regex: random() < 0.5 }),
];

const some = (random: Random, makers: readonly ((random: Random) => JsonObject)[], most: number): JsonObject[] =>
  Array.from({ length: Math.floor(random() * (most + 1)) }, () => pick(random, makers)(random));

/** `json` with other steps and options. Published are Falcon's: one pipeline of ten begins with its steps. */
export function randomSteps(json: JsonObject, random: Random): JsonObject {
  const isByteLevel = (json.pre_tokenizer as JsonObject | null)?.type === "Sequence";
  const falcon: JsonObject[] = [
    { type: "Punctuation", behavior: "Contiguous" },
    { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    { type: "Digits", individual_digits: false },
    { type: "Split", pattern: { Regex: "[0-9][0-9][0-9]" }, behavior: "Isolated", invert: false },
  ];
  const bytes =
    random() < 0.7
      ? [{ type: "ByteLevel", add_prefix_space: random() < 0.3, trim_offsets: true, use_regex: random() < 0.5 }]
      : [];
  // Only by itself: behind steps that put something before a text, or take it away, the library has another idea of its
  // beginning.
  const first: JsonObject = { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: random() < 0.5 };
  const isFirst = !isByteLevel && random() < 0.1;
  const steps =
    random() < 0.1 ? falcon : isFirst ? [first] : [...some(random, PRE_TOKENIZERS, 3), ...(isByteLevel ? bytes : [])];
  const model = json.model as JsonObject;
  return {
    version: "1.0",
    ...json,
    added_tokens: (json.added_tokens as JsonObject[]).map((token) => added(token, random)),
    normalizer: { type: "Sequence", normalizers: isFirst ? [] : some(random, NORMALIZERS, 3) },
    pre_tokenizer: { type: "Sequence", pretokenizers: steps },
    decoder: isByteLevel
      ? { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true }
      : pick<JsonValue>(random, [
          {
            type: "Sequence",
            decoders: [
              { type: "Replace", pattern: { String: "▁" }, content: " " },
              { type: "ByteFallback" },
              { type: "Fuse" },
              { type: "Strip", content: " ", start: 1, stop: 0 },
            ],
          },
          { type: "Metaspace", replacement: "▁", prepend_scheme: pick(random, ["always", "never"]), split: true },
        ]),
    post_processor: null,
    model: {
      dropout: null,
      unk_token: isByteLevel ? null : "<unk>",
      ...model,
      fuse_unk: random() < 0.5,
      byte_fallback: !isByteLevel && random() < 0.8,
      // A piece that is the name of a control token never becomes it here.
      ignore_merges: isByteLevel && random() < 0.3,
    },
  };
}

function added(token: JsonObject, random: Random): JsonObject {
  const often = (share: number): boolean => random() < share;
  return { ...token, single_word: often(0.2), lstrip: often(0.2), rstrip: often(0.2), normalized: often(0.3) };
}
