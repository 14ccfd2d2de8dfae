/**
 * The tokenizer in a GGUF file's metadata: the keys `tokenizer.ggml.*` and `tokenizer.chat_template`.
 *
 * Source: the GGUF specification; defaults as in llama.cpp's `llama-vocab.cpp`.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { GgufMetadata } from "../files/gguf-metadata.ts";
import { ByteLevelBpe, type MergeRule, parseMerge } from "./bpe.ts";
import { chatFromGguf } from "./chat-extras.ts";
import { type PreTokenizer, preTokenizerNamed } from "./pre-tokenizers.ts";
import { SentencePiece, pairsByScore } from "./sentencepiece.ts";
import type { TokenModel } from "./token-model.ts";
import { type Tokenizer, makeTokenizer } from "./parts-tokenizer.ts";
import type { CutToken } from "./special-tokens.ts";
import { TOKEN_BYTE, TOKEN_NORMAL, TOKEN_USER_DEFINED, Vocabulary, bad } from "./vocabulary.ts";

const KEY = "tokenizer.ggml.";
/** SentencePiece files without these keys mean Llama's ids. */
const LLAMA_BOS = 1;
const LLAMA_EOS = 2;
const LLAMA_UNKNOWN = 0;
/** The vocabulary of Llama 3 and of BitNet b1.58 2B4T. */
const LLAMA3_TOKENS = 128_256;
const LLAMA3_BOS = 128_000;

/**
 * The tokenizer of a GGUF file.
 * @throws OnebitError `tokenizer/missing` when the file has none; `tokenizer/unsupported` for unknown kinds and
 * pre-tokenizers, by name; `tokenizer/bad-vocabulary` for contradictions, naming the entry.
 */
export function tokenizerFromGguf(metadata: GgufMetadata): Tokenizer {
  const kind = readString(metadata, `${KEY}model`);
  if (kind === undefined || kind === "no_vocab" || kind === "none") {
    fail(
      "tokenizer/missing",
      `the file has no tokenizer (${KEY}model is ${kind ?? "absent"}); only token ids can be used`,
    );
  }
  if (kind !== "gpt2" && kind !== "llama") {
    fail("tokenizer/unsupported", `${KEY}model: ${quoted(kind)} is not supported; supported are gpt2, llama`);
  }
  const vocabulary = readVocabulary(metadata, kind === "llama");
  return kind === "gpt2" ? bytePairs(metadata, vocabulary) : sentencePiece(metadata, vocabulary);
}

function bytePairs(metadata: GgufMetadata, vocabulary: Vocabulary): Tokenizer {
  const row = preTokenizerOf(metadata, vocabulary);
  const ends = readEnds(metadata, vocabulary, row.addBos, {});
  const merges = readStrings(metadata, `${KEY}merges`) ?? [];
  const model = new ByteLevelBpe({
    vocabulary,
    merges: parsedMerges(merges),
    mergeCount: merges.length,
    strictMerges: false,
    preTokenizer: row,
  });
  return assemble(metadata, vocabulary, model, ends);
}

function sentencePiece(metadata: GgufMetadata, vocabulary: Vocabulary): Tokenizer {
  const within = (id: number): number | undefined => (id < vocabulary.size ? id : undefined);
  const ends = readEnds(metadata, vocabulary, true, {
    bosId: within(LLAMA_BOS),
    eosId: within(LLAMA_EOS),
    unknownId: within(LLAMA_UNKNOWN),
  });
  const scores = readNumbers(metadata, `${KEY}scores`) ?? bad(`${KEY}scores is missing`);
  const model = new SentencePiece({
    vocabulary,
    pairs: pairsByScore(vocabulary, scores),
    unknownId: ends.unknownId,
    addSpacePrefix: readBoolean(metadata, `${KEY}add_space_prefix`) !== false,
  });
  return assemble(metadata, vocabulary, model, ends);
}

/** The tokens around a text, and those that a file names. */
interface Ends {
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly unknownId: number | undefined;
  readonly prefixIds: readonly number[];
  readonly suffixIds: readonly number[];
  readonly endOfTurnIds: ReadonlySet<number>;
}

/** Reads them before building the model, because they become control tokens, which no text merges into. */
function readEnds(
  metadata: GgufMetadata,
  vocabulary: Vocabulary,
  addBosByDefault: boolean,
  defaults: { bosId?: number; eosId?: number; unknownId?: number },
): Ends {
  const id = (name: string): number | undefined => readId(metadata, vocabulary, `${KEY}${name}_token_id`);
  const bosId = id("bos") ?? defaults.bosId;
  const eosId = id("eos") ?? defaults.eosId;
  if (bosId !== undefined) vocabulary.protect(bosId);
  // Old converters call every token normal, or give no types: a token that no merge makes can only be a name.
  const merges = readStrings(metadata, `${KEY}merges`);
  const hasTypes = metadata.get(`${KEY}token_type`) !== undefined;
  const isOrdinary = (text: string): boolean => merges?.some((rule) => rule.replace(" ", "") === text) ?? hasTypes;
  const addBos = readBoolean(metadata, `${KEY}add_bos_token`);
  const addEos = readBoolean(metadata, `${KEY}add_eos_token`);
  if (addBos === true && bosId === undefined) bad(`${KEY}add_bos_token is true; ${KEY}bos_token_id is missing`);
  if (addEos === true && eosId === undefined) bad(`${KEY}add_eos_token is true; ${KEY}eos_token_id is missing`);
  return {
    bosId,
    eosId,
    unknownId: id("unknown") ?? defaults.unknownId,
    prefixIds: (addBos ?? addBosByDefault) && bosId !== undefined ? [bosId] : [],
    suffixIds: addEos === true && eosId !== undefined ? [eosId] : [],
    endOfTurnIds: vocabulary.endOfTurn([eosId, id("eot"), id("eom")], isOrdinary),
  };
}

function assemble(metadata: GgufMetadata, vocabulary: Vocabulary, model: TokenModel, ends: Ends): Tokenizer {
  const chat = chatFromGguf(metadata, vocabulary.texts, ends);
  return makeTokenizer({ vocabulary, model, ...ends, ...chat, cutTokens: cutTokens(vocabulary) });
}

function cutTokens(vocabulary: Vocabulary): CutToken[] {
  const tokens: CutToken[] = [];
  for (let id = 0; id < vocabulary.size; id++) {
    const isControl = vocabulary.isSpecial(id);
    if (isControl || vocabulary.typeOf(id) === TOKEN_USER_DEFINED)
      tokens.push({ id, text: vocabulary.texts[id], isControl });
  }
  return tokens;
}

/**
 * The row that the file names. Microsoft's BitNet b1.58 2B4T names none, and llama.cpp's default mis-splits its text:
 * files of BitNet architectures, and any with Llama 3's vocabulary, use Llama 3's.
 */
function preTokenizerOf(metadata: GgufMetadata, vocabulary: Vocabulary): PreTokenizer {
  const name = readString(metadata, `${KEY}pre`);
  if (name !== undefined) return preTokenizerNamed(name);
  const isBitNet = readString(metadata, "general.architecture")?.startsWith("bitnet") === true;
  const isLlama3 = vocabulary.size === LLAMA3_TOKENS && vocabulary.texts[LLAMA3_BOS] === "<|begin_of_text|>";
  return preTokenizerNamed(isBitNet || isLlama3 ? "llama-bpe" : "default");
}

function readVocabulary(metadata: GgufMetadata, hasByteTokens: boolean): Vocabulary {
  const texts = readStrings(metadata, `${KEY}tokens`) ?? bad(`${KEY}tokens is missing`);
  const given = readNumbers(metadata, `${KEY}token_type`);
  const types = new Uint8Array(given?.length ?? texts.length);
  for (let id = 0; id < types.length; id++) {
    const type = given?.[id] ?? guessedType(texts[id], hasByteTokens);
    if (!Number.isInteger(type) || type < 0 || type > 255)
      bad(`${KEY}token_type: entry ${id} is ${type}; wanted 1 to 6`);
    // The specification's own converter writes 0 for "undefined".
    types[id] = type === 0 ? TOKEN_NORMAL : type;
  }
  return new Vocabulary(texts, types);
}

/** For files without types: all tokens are text except SentencePiece's bytes. */
function guessedType(text: string, hasByteTokens: boolean): number {
  return hasByteTokens && /^<0x[0-9A-Fa-f]{2}>$/.test(text) ? TOKEN_BYTE : TOKEN_NORMAL;
}

function* parsedMerges(merges: readonly string[]): Iterable<MergeRule> {
  for (let i = 0; i < merges.length; i++) yield parseMerge(i, merges[i]);
}

function readString(metadata: GgufMetadata, key: string): string | undefined {
  const value = metadata.get(key);
  return value === undefined || typeof value === "string" ? value : wrongType(key, "a string", value);
}

function readBoolean(metadata: GgufMetadata, key: string): boolean | undefined {
  const value = metadata.get(key);
  return value === undefined || typeof value === "boolean" ? value : wrongType(key, "a boolean", value);
}

function readId(metadata: GgufMetadata, vocabulary: Vocabulary, key: string): number | undefined {
  const value = metadata.get(key);
  if (value !== undefined && typeof value !== "number") wrongType(key, "a number", value);
  // Some converters write −1 (as a signed or unsigned 32-bit number) for "none".
  return value === -1 || value === 0xffff_ffff ? undefined : vocabulary.checkedId(key, value);
}

function readStrings(metadata: GgufMetadata, key: string): readonly string[] | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  const isStrings = Array.isArray(value) && (value.length === 0 || typeof value[0] === "string");
  return isStrings ? (value as readonly string[]) : wrongType(key, "strings", value);
}

function readNumbers(metadata: GgufMetadata, key: string): ArrayLike<number> | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  const isNumbers =
    ArrayBuffer.isView(value) && !(value instanceof BigInt64Array) && !(value instanceof BigUint64Array);
  return isNumbers ? (value as unknown as ArrayLike<number>) : wrongType(key, "numbers", value);
}

function wrongType(key: string, wanted: string, value: unknown): never {
  const found = typeof value === "object" ? "another array" : `${typeof value} ${quoted(String(value))}`;
  return bad(`${key}: wanted ${wanted}, found ${found}`);
}
