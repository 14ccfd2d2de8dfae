/** Small vocabularies of both kinds, trained here on a few lines of text, as GGUF metadata and as tokenizer.json. */
import type { GgufValue } from "../../src/files/gguf-metadata.ts";
import type { JsonObject, JsonValue } from "../../src/files/json.ts";
import { makeByteAlphabet } from "../../src/tokenizer/byte-alphabet.ts";
import { trainMerges } from "./naive-bpe.ts";

const CORPUS = [
  "Once upon a time there was a little girl. She liked to play in the garden with her brother, and they're happy!",
  "The quick brown fox    jumps over the lazy dog; the dog didn't mind.\n\n  It was 1234567 o'clock in the morning.",
  "Größe, façade, naïve, привет мир, 日本語の日本, 中文中文, 한국어 한국어, 😀😀👍🏽 — “quoted” … ½ ² ٣٣",
  'for (let i = 0; i < 100; i++) {\n\tconsole.log("the value is " + i);\n}\n',
  "aaaaaaaa aaaa aa a        \n\n\n\n    the the the and and in in of of to to",
];

/** Types of tokens, as in GGUF. */
const NORMAL = 1;
const CONTROL = 3;
const USER_DEFINED = 4;
const BYTE = 6;

const alphabet = makeByteAlphabet();

/** Text in the byte alphabet, one string a byte. */
export function byteSymbols(text: string): string[] {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(alphabet.unitOfByte[byte]));
}

/** A vocabulary under construction. */
export interface SmallVocabulary {
  readonly tokens: string[];
  readonly types: number[];
  readonly merges: string[];
  readonly scores: number[];
}

const BYTE_CONTROLS = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"];
const BYTE_USER_DEFINED = ["<think>", "[TOOL]"];

/** 256 bytes, 300 merges, five control tokens, two user-defined ones. */
export const BYTE_LEVEL: SmallVocabulary = trainByteLevel();

function trainByteLevel(): SmallVocabulary {
  const pieces = CORPUS.flatMap((line) => line.match(/ ?[\p{L}\p{N}]+|\s+| ?[^\s\p{L}\p{N}]+/gu) ?? []).map(
    byteSymbols,
  );
  const merges = trainMerges(pieces, 300);
  const bytes = Array.from(alphabet.unitOfByte, (unit) => String.fromCharCode(unit));
  const normal = [...bytes, ...new Set(merges.map((rule) => rule.replace(" ", "")))];
  return {
    tokens: [...normal, ...BYTE_CONTROLS, ...BYTE_USER_DEFINED],
    types: [
      ...normal.map(() => NORMAL),
      ...BYTE_CONTROLS.map(() => CONTROL),
      ...BYTE_USER_DEFINED.map(() => USER_DEFINED),
    ],
    merges,
    scores: [],
  };
}

/** `<unk>`, `<s>`, `</s>`, 256 bytes, ChatML's control tokens, one user-defined token, 250 merges, their characters. */
export const SENTENCE_PIECE: SmallVocabulary = trainSentencePiece();

function trainSentencePiece(): SmallVocabulary {
  const pieces = CORPUS.flatMap((line) => ` ${line}`.replaceAll(" ", "▁").match(/▁*[^▁]*/g) ?? []).map((piece) =>
    Array.from(piece),
  );
  const merges = trainMerges(pieces, 250);
  const words = new Set(merges.map((rule) => rule.replace(" ", "")));
  const characters = new Set(pieces.flat());
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const special = ["<|im_start|>", "<|im_end|>"];
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...special, "[TOOL]", ...words, ...characters];
  const types = [2, CONTROL, CONTROL, ...bytes.map(() => BYTE), CONTROL, CONTROL, USER_DEFINED];
  const scores = tokens.map((_, id) => (id < types.length ? 0 : -(id - types.length) / 4));
  return { tokens, types: tokens.map((_, id) => types[id] ?? NORMAL), merges, scores };
}

/**
 * Metadata of a GGUF file with the byte-level vocabulary; entries of `more` replace or, when undefined, remove keys.
 */
export function byteLevelMetadata(more: Record<string, GgufValue | undefined> = {}): Map<string, GgufValue> {
  const { tokens, types, merges } = BYTE_LEVEL;
  return withKeys(
    {
      "general.architecture": "llama",
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "llama-bpe",
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": Int32Array.from(types),
      "tokenizer.ggml.merges": merges,
      "tokenizer.ggml.bos_token_id": tokens.indexOf("<|begin_of_text|>"),
      "tokenizer.ggml.eos_token_id": tokens.indexOf("<|end_of_text|>"),
    },
    more,
  );
}

/** The same for the SentencePiece vocabulary. */
export function sentencePieceMetadata(more: Record<string, GgufValue | undefined> = {}): Map<string, GgufValue> {
  const { tokens, types, scores } = SENTENCE_PIECE;
  return withKeys(
    {
      "general.architecture": "llama",
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": Int32Array.from(types),
      "tokenizer.ggml.scores": Float32Array.from(scores),
    },
    more,
  );
}

function withKeys(
  keys: Record<string, GgufValue>,
  more: Record<string, GgufValue | undefined>,
): Map<string, GgufValue> {
  const metadata = new Map(Object.entries(keys));
  for (const [key, value] of Object.entries(more)) {
    if (value === undefined) metadata.delete(key);
    else metadata.set(key, value);
  }
  return metadata;
}

/** tokenizer.json of the byte-level vocabulary behind Llama 3's expression. */
export function byteLevelJson(more: JsonObject = {}, modelMore: JsonObject = {}): JsonObject {
  const { tokens, types, merges } = BYTE_LEVEL;
  const normal = tokens.filter((_, id) => types[id] === NORMAL);
  return {
    added_tokens: addedTokens(BYTE_LEVEL),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: LLAMA3_EXPRESSION }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    model: {
      type: "BPE",
      ignore_merges: true,
      vocab: Object.fromEntries(normal.map((text, id) => [text, id])),
      merges,
      ...modelMore,
    },
    ...more,
  };
}

/** tokenizer.json of the SentencePiece vocabulary, as Llama 2's. */
export function sentencePieceJson(more: JsonObject = {}): JsonObject {
  const { tokens } = SENTENCE_PIECE;
  return {
    added_tokens: addedTokens(SENTENCE_PIECE),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      byte_fallback: true,
      fuse_unk: true,
      vocab: Object.fromEntries(tokens.map((text, id) => [text, id])),
      merges: allHalves(SENTENCE_PIECE),
    },
    ...more,
  };
}

export const LLAMA3_EXPRESSION =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| " +
  "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

function addedTokens({ tokens, types }: SmallVocabulary): JsonValue[] {
  return tokens.flatMap((content, id) => {
    const special = types[id] === CONTROL || types[id] === 2;
    return special || types[id] === USER_DEFINED ? [{ id, content, special, lstrip: false, rstrip: false }] : [];
  });
}

/** Every way to halve a token, best score first, as converters to tokenizer.json write it. */
function allHalves({ tokens, types, scores }: SmallVocabulary): string[][] {
  const normal = new Set(tokens.filter((_, id) => types[id] === NORMAL));
  const ids = tokens.map((_, id) => id).filter((id) => types[id] === NORMAL);
  return ids
    .sort((a, b) => scores[b] - scores[a])
    .flatMap((id) => {
      const text = Array.from(tokens[id]);
      const halves = text.slice(1).map((_, i) => [text.slice(0, i + 1).join(""), text.slice(i + 1).join("")]);
      return halves.filter(([left, right]) => normal.has(left) && normal.has(right));
    });
}
