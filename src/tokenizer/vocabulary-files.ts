/**
 * The vocabulary of a folder from before tokenizer.json: joins `vocab.json`, `merges.txt` and the added tokens in other
 * files to the tokenizer.json that transformers would make from them.
 *
 * Source: transformers, `convert_slow_tokenizer.py` (GPT2Converter, Qwen2Converter) and `tokenization_utils_base.py`.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { MERGES_MAX } from "../core/limits.ts";
import { type JsonObject, type JsonValue, isJsonObject } from "../files/json.ts";
import { JsonReader, badEntry } from "./json-reader.ts";

export interface VocabularyFiles {
  /** `vocab.json`: token → id. */
  readonly vocab: JsonObject;
  /** `merges.txt`: a merge a line. */
  readonly merges: string;
  /** `added_tokens.json`: token → id. */
  readonly addedTokens: JsonObject | undefined;
  /** `special_tokens_map.json`. */
  readonly specialTokensMap: JsonObject | undefined;
}

const QWEN2_WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| " +
  "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

interface Family {
  readonly normalizer: JsonObject | null;
  readonly preTokenizer: (addPrefixSpace: boolean) => JsonObject;
  /** Special tokens that apply if no file names them. */
  readonly defaults: Readonly<Record<string, string>>;
}

const GPT2: Family = {
  normalizer: null,
  preTokenizer: (addPrefixSpace) => ({ type: "ByteLevel", add_prefix_space: addPrefixSpace, use_regex: true }),
  defaults: { bos_token: "<|endoftext|>", eos_token: "<|endoftext|>", unk_token: "<|endoftext|>" },
};

const QWEN2: Family = {
  normalizer: { type: "NFC" },
  preTokenizer: (addPrefixSpace) => ({
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: QWEN2_WORDS }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: addPrefixSpace, use_regex: false },
    ],
  }),
  defaults: { eos_token: "<|endoftext|>", unk_token: "<|endoftext|>", pad_token: "<|endoftext|>" },
};

/** By `tokenizer_class`, or by `model_type` if the configuration names no class. */
const CLASSES: Readonly<Record<string, Family>> = {
  GPT2Tokenizer: GPT2,
  GPT2TokenizerFast: GPT2,
  Qwen2Tokenizer: QWEN2,
  Qwen2TokenizerFast: QWEN2,
};
const MODEL_TYPES: Readonly<Record<string, Family>> = { gpt2: GPT2, qwen2: QWEN2, qwen3: QWEN2 };

const SPECIAL_KEYS = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** The command that makes a tokenizer.json. */
export const HOW_TO_MAKE_TOKENIZER_JSON =
  'make it in that folder: python -c "from transformers import AutoTokenizer as T; ' +
  "T.from_pretrained('.').save_pretrained('.')\"";

/**
 * Makes a tokenizer.json and a tokenizer_config.json from the files.
 * @throws OnebitError `tokenizer/unsupported` for another class of tokenizer, by name; `tokenizer/bad-vocabulary`
 */
export function joinVocabularyFiles(
  files: VocabularyFiles,
  config: JsonObject,
  modelType: string,
): { readonly json: JsonObject; readonly config: JsonObject } {
  const settings = new JsonReader(config, "tokenizer_config.json"),
    map = new JsonReader(files.specialTokensMap ?? {}, "special_tokens_map.json");
  const family = familyOf(settings, modelType);
  const special = new Map(
    SPECIAL_KEYS.map((key) => [key, contentOf(settings, key) ?? contentOf(map, key) ?? family.defaults[key]]),
  );
  const json: JsonObject = {
    added_tokens: addedTokens(files, settings, map, special),
    normalizer: family.normalizer,
    pre_tokenizer: family.preTokenizer(settings.boolean("add_prefix_space") === true),
    model: { type: "BPE", vocab: files.vocab, merges: mergesOf(files.merges) },
  };
  const known = [...special].filter(([, token]) => token !== undefined && isToken(files, token));
  return { json, config: { ...config, ...Object.fromEntries(known) } };
}

function familyOf(settings: JsonReader, modelType: string): Family {
  const name = settings.string("tokenizer_class");
  const family =
    name === undefined
      ? Object.hasOwn(MODEL_TYPES, modelType)
        ? MODEL_TYPES[modelType]
        : undefined
      : Object.hasOwn(CLASSES, name)
        ? CLASSES[name]
        : undefined;
  const found =
    name === undefined
      ? `a model of type ${quoted(modelType)} and no tokenizer_class`
      : `the tokenizer_class ${quoted(name)}`;
  return (
    family ??
    fail(
      "tokenizer/unsupported",
      `vocab.json and merges.txt: wanted a tokenizer of ${Object.keys(CLASSES).join(", ")}, found ${found}; ` +
        `tokenizer.json is missing: ${HOW_TO_MAKE_TOKENIZER_JSON}`,
    )
  );
}

function isToken({ vocab, addedTokens = {} }: VocabularyFiles, token: string): boolean {
  return Object.hasOwn(vocab, token) || Object.hasOwn(addedTokens, token);
}

/** `"<s>"` or `{ "content": "<s>", … }`. */
function contentOf(reader: JsonReader, key: string): string | undefined {
  const value = reader.get(key);
  return value === undefined || typeof value === "string"
    ? value
    : isJsonObject(value)
      ? reader.child(key)?.string("content")
      : reader.wrong(key, "a token", value);
}

/**
 * Newer folders describe each added token in the configuration; older ones have a list of ids, and another of the
 * special ones.
 */
function addedTokens(
  files: VocabularyFiles,
  settings: JsonReader,
  map: JsonReader,
  special: ReadonlyMap<string, string | undefined>,
): JsonValue[] {
  const decoder = settings.child("added_tokens_decoder");
  const tokens = new Map<string, JsonObject>();
  for (const [id, token] of Object.entries(decoder?.object ?? {})) {
    if (!isJsonObject(token) || typeof token["content"] !== "string")
      badEntry(`tokenizer_config.json.added_tokens_decoder.${id}`, "an object with content", token);
    else tokens.set(token["content"], { ...token, id: Number(id) });
  }
  const more = [
    ...(map.list("additional_special_tokens") ?? []),
    ...(settings.list("additional_special_tokens") ?? []),
  ];
  const names = more
    .map((token) => (isJsonObject(token) ? token["content"] : token))
    .filter((token) => typeof token === "string");
  const specials = new Set([...special.values(), ...names]);
  const add = (content: string, id: JsonValue | undefined) => {
    if (!tokens.has(content))
      tokens.set(content, { id: id ?? null, content, special: specials.has(content), lstrip: false, rstrip: false });
  };
  for (const [content, id] of Object.entries(files.addedTokens ?? {})) add(content, id);
  for (const content of specials)
    if (content !== undefined && Object.hasOwn(files.vocab, content)) add(content, files.vocab[content]);
  return [...tokens.values()];
}

function mergesOf(text: string): string[] {
  const lines = text.split("\n", MERGES_MAX + 2).map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  return lines.filter((line) => line !== "" && !line.startsWith("#version"));
}
