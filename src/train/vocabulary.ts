/**
 * Vocabularies of trained models: the 256 bytes, or byte-level byte pairs; and their entries in model files.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { GgufEntry } from "../files/gguf-writer.ts";
import type { JsonObject, JsonValue } from "../files/json.ts";
import { makeByteAlphabet } from "../tokenizer/byte-alphabet.ts";
import type { TrainedBpe } from "../tokenizer/train-bpe.ts";
import { type Tokenizer, tokenizerFromGguf } from "../tokenizer/tokenizer.ts";
import { TOKEN_CONTROL, TOKEN_NORMAL, TOKEN_UNUSED } from "../tokenizer/vocabulary.ts";

/** The tokens of a trained model. */
export interface TrainedVocabulary {
  /** In the byte alphabet; ids 0 to 255 are the bytes. Control tokens' names as they are. */
  readonly tokens: readonly string[];
  /** "left right" in the byte alphabet, earliest first; none for bytes alone. */
  readonly merges: readonly string[];
  /** The pre-tokenizer, by its GGUF name. */
  readonly preTokenizer: string;
  /** The first control token: no text encodes to these. `tokens.length` when there is none. */
  readonly firstControlId: number;
  /** The end token. GGUF cannot say that there is none. */
  readonly eosId: number;
}

/** One token a byte; ids are the bytes. Byte 0, which no text has, is the end token. */
export function byteVocabulary(): TrainedVocabulary {
  const tokens = Array.from(makeByteAlphabet().unitOfByte, (unit) => String.fromCharCode(unit));
  return { tokens, merges: [], preTokenizer: "gpt-2", firstControlId: 256, eosId: 0 };
}

/**
 * The result of {@link trainBpe}, followed by control tokens; the first of these is the end token, or byte 0 without
 * any.
 *
 * @throws OnebitError `tokenizer/bad-vocabulary` for a name without brackets, which text could encode to;
 * `tokenizer/unsupported` for a pre-tokenizer without a tokenizer.json form
 */
export function bpeVocabulary(
  trained: TrainedBpe,
  controlTokens: readonly string[] = ["<|endoftext|>"],
): TrainedVocabulary {
  const { tokens, merges, preTokenizer } = trained;
  splitSteps(preTokenizer);
  for (const name of controlTokens) {
    if (!/^<.+>$/su.test(name))
      fail("tokenizer/bad-vocabulary", `control tokens: wanted names in angle brackets, got ${quoted(name)}`);
  }
  const eosId = controlTokens.length > 0 ? tokens.length : 0;
  return { tokens: [...tokens, ...controlTokens], merges, preTokenizer, firstControlId: tokens.length, eosId };
}

/** The tokenizer of every exported file. */
export function vocabularyTokenizer(vocabulary: TrainedVocabulary): Tokenizer {
  const entries = vocabularyMetadata(vocabulary, vocabulary.tokens.length);
  return tokenizerFromGguf(
    new Map(
      entries.map(([key, type, value]) => [
        key,
        type === "int32[]" ? Int32Array.from(value as number[]) : (value as never),
      ]),
    ),
  );
}

/**
 * The `tokenizer.ggml.*` keys of a vocabulary. llama.cpp requires merges and a pre-tokenizer even if nothing merges,
 * takes token 11 as BOS and EOS if a byte-level file names none, and wants as many tokens as the embedding has rows.
 *
 * @param vocabSize rows of the embedding; ids beyond the tokens become unused tokens
 * @throws OnebitError `model/bad-shape` when there are more tokens than rows
 */
export function vocabularyMetadata(vocabulary: TrainedVocabulary, vocabSize: number): GgufEntry[] {
  const { tokens, merges, preTokenizer, eosId } = vocabulary;
  requireRoom(vocabulary, vocabSize);
  const padding = Array.from({ length: vocabSize - tokens.length }, (_, i) => `[PAD${tokens.length + i}]`);
  return [
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", preTokenizer],
    ["tokenizer.ggml.tokens", "string[]", [...tokens, ...padding]],
    ["tokenizer.ggml.token_type", "int32[]", Array.from({ length: vocabSize }, (_, id) => typeOf(vocabulary, id))],
    ["tokenizer.ggml.merges", "string[]", [...merges]],
    ["tokenizer.ggml.bos_token_id", "uint32", eosId],
    ["tokenizer.ggml.eos_token_id", "uint32", eosId],
    ["tokenizer.ggml.add_bos_token", "bool", false],
    ["tokenizer.ggml.add_eos_token", "bool", false],
    ["tokenizer.ggml.add_space_prefix", "bool", false],
  ];
}

function typeOf({ tokens, firstControlId }: TrainedVocabulary, id: number): number {
  if (id >= tokens.length) return TOKEN_UNUSED;
  return id >= firstControlId ? TOKEN_CONTROL : TOKEN_NORMAL;
}

/** @throws OnebitError `model/bad-shape` */
export function requireRoom({ tokens }: TrainedVocabulary, vocabSize: number): void {
  if (tokens.length > vocabSize)
    fail(
      "model/bad-shape",
      `vocabulary: wanted at most ${vocabSize} tokens, the embedding's rows, got ${tokens.length}`,
    );
}

/**
 * tokenizer.json of a vocabulary, as the `tokenizers` library reads it.
 * @throws OnebitError `tokenizer/unsupported` for a pre-tokenizer without a row here
 */
export function vocabularyJson(vocabulary: TrainedVocabulary): JsonObject {
  const { tokens, merges, preTokenizer, firstControlId } = vocabulary;
  const { steps, ignoreMerges } = splitSteps(preTokenizer);
  const controls = tokens.slice(firstControlId).map((content, i) => ({
    id: firstControlId + i,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  }));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: controls,
    normalizer: null,
    pre_tokenizer: { type: "Sequence", pretokenizers: [...steps, { ...byteLevel, use_regex: steps.length === 0 }] },
    post_processor: null,
    decoder: { ...byteLevel, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      vocab: Object.fromEntries(tokens.slice(0, firstControlId).map((token, id) => [token, id])),
      merges: merges.map((rule) => rule.split(" ")),
    },
  };
}

/**
 * tokenizer_config.json. It does not name byte 0 as EOS: text with its letter in the byte alphabet, Ā, would become it.
 */
export function vocabularyConfigJson({ tokens, firstControlId, eosId }: TrainedVocabulary): JsonObject {
  const named = eosId >= firstControlId ? { bos_token: tokens[eosId], eos_token: tokens[eosId] } : {};
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...named,
    add_bos_token: false,
    add_eos_token: false,
    clean_up_tokenization_spaces: false,
  };
}

interface SplitSteps {
  /** Steps before ByteLevel; none if ByteLevel's own expression, GPT-2's, applies. */
  readonly steps: readonly JsonValue[];
  readonly ignoreMerges: boolean;
}

/** Pre-tokenizers of GGUF as steps of tokenizer.json. */
function splitSteps(preTokenizer: string): SplitSteps {
  switch (preTokenizer) {
    case "gpt-2":
      return { steps: [], ignoreMerges: false };
    case "qwen2":
      return { steps: [splitAt(llama3Expression("\\p{N}"))], ignoreMerges: false };
    case "llama-bpe":
      return { steps: [splitAt(llama3Expression("\\p{N}{1,3}"))], ignoreMerges: true };
    default:
      return fail(
        "tokenizer/unsupported",
        `pre-tokenizer ${quoted(preTokenizer)}: wanted gpt-2, qwen2 or llama-bpe for a trained vocabulary`,
      );
  }
}

function splitAt(expression: string): JsonValue {
  return { type: "Split", pattern: { Regex: expression }, behavior: "Isolated", invert: false };
}

/** Llama 3's expression and Qwen 2's differ only in the digits of a piece. */
function llama3Expression(digits: string): string {
  return (
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ` +
    `?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`
  );
}
