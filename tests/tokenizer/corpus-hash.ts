/**
 * The ids of a corpus by small vocabularies behind every splitter and normal form: one hash, the same on every engine.
 */
import type { JsonObject } from "../../src/files/json.ts";
import { type Tokenizer, tokenizerFromGguf, tokenizerFromHf } from "../../src/tokenizer/tokenizer.ts";
import { corpusText } from "./corpus.ts";
import { makeRandom } from "./random-text.ts";
import { byteLevelJson, byteLevelMetadata, sentencePieceJson, sentencePieceMetadata } from "./small-vocabularies.ts";

const NAMES = ["<|eot_id|>", "<|im_end|>", "</s>", "[TOOL]", "<think>"];
/** Texts a tokenizer: half a second. */
const TEXTS = 600;

function tokenizers(): Tokenizer[] {
  const named = (pre: string): Tokenizer => tokenizerFromGguf(byteLevelMetadata({ "tokenizer.ggml.pre": pre }));
  const stepped = (normalizer: string, step: JsonObject): Tokenizer =>
    tokenizerFromHf(
      byteLevelJson({
        normalizer: { type: normalizer },
        pre_tokenizer: {
          type: "Sequence",
          pretokenizers: [step, { type: "ByteLevel", add_prefix_space: false, use_regex: true }],
        },
      }),
    );
  return [
    ...["llama-bpe", "qwen2", "qwen35", "gpt-2", "falcon", "deepseek-coder", "deepseek-v3", "default"].map(named),
    stepped("NFC", { type: "Digits", individual_digits: true }),
    stepped("NFKD", { type: "Punctuation", behavior: "MergedWithNext" }),
    stepped("NFD", { type: "Whitespace" }),
    tokenizerFromGguf(sentencePieceMetadata()),
    tokenizerFromHf(
      sentencePieceJson({
        normalizer: { type: "NFKC" },
        pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
      }),
    ),
  ];
}

/** SHA-256, in hexadecimal digits. */
export async function idsHash(): Promise<string> {
  const ids: number[] = [];
  for (const tokenizer of tokenizers()) {
    const random = makeRandom(2024);
    for (let i = 0; i < TEXTS; i++) {
      const found = tokenizer.encode(corpusText(random, NAMES), { parseSpecial: i % 2 === 0, addEos: true });
      ids.push(found.length, ...found);
    }
  }
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(Int32Array.from(ids).buffer));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
