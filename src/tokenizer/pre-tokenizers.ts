/**
 * The pre-tokenizers that model files name, as a table: `tokenizer.ggml.pre` of GGUF. To add one, add a row.
 *
 * Source: the expressions in the models' own tokenizer.json files; names from llama.cpp's `llama-vocab.cpp`.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { LETTER, MARK, PUNCTUATION } from "./char-classes.ts";
import {
  type MatcherMaker,
  blankThen,
  deepseek3Words,
  gpt2Words,
  llama3Words,
  numbers,
  oneNewline,
  punctuationAnd,
  threeDigits,
  unitRanges,
} from "./split.ts";

/** How a family splits text, and what else its vocabulary expects. */
export interface PreTokenizer {
  readonly stages: readonly MatcherMaker[];
  /** A piece that is a token stays whole, even if merges cannot reach it. */
  readonly ignoreMerges: boolean;
  /** Whether texts begin with BOS if the file does not say. */
  readonly addBos: boolean;
}

const plain = (stages: readonly MatcherMaker[]): PreTokenizer => ({ stages, ignoreMerges: false, addBos: false });

/** Merges cannot reach 678 tokens of Llama 3, so whole pieces are looked up first. */
const llama3: PreTokenizer = { stages: [llama3Words(3)], ignoreMerges: true, addBos: true };
const llama3Merged = plain([llama3Words(3)]);
const qwen2 = plain([llama3Words(1)]);
const gpt2 = plain([gpt2Words]);
const digitsThenGpt2 = plain([numbers(1), gpt2Words]);

/** Han from U+4E00 to U+9FA5, and the rest of DeepSeek's class: U+0800–4E00, U+AC00–D7FF. */
export const deepseekLetters = unitRanges(0x0800, 0x9fa5, 0xac00, 0xd7ff);
export const hanAndKana = unitRanges(0x3040, 0x30ff, 0x4e00, 0x9fa5);
const deepseek3 = plain([numbers(3), hanAndKana, deepseek3Words]);

const NAMED: ReadonlyMap<string, PreTokenizer> = new Map([
  ["llama3", llama3],
  ["llama-v3", llama3],
  ["llama-bpe", llama3],
  ["falcon3", llama3],
  ["falcon_e", llama3],
  ["falcon-h1", llama3],
  ["pixtral", llama3],
  ["lfm2", llama3],
  ["midm-2.0", llama3],
  ["dbrx", llama3Merged],
  ["smaug-bpe", llama3Merged],
  ["glm4", llama3Merged],
  ["chatglm-bpe", llama3Merged],
  ["qwen2", qwen2],
  ["deepseek-r1-qwen", qwen2],
  ["stablelm2", qwen2],
  ["megrez", qwen2],
  ["qwen35", plain([llama3Words(1, LETTER | MARK)])],
  ["gpt-2", gpt2],
  ["phi-2", gpt2],
  ["mpt", gpt2],
  ["olmo", gpt2],
  ["jais", gpt2],
  ["falcon", plain([punctuationAnd("$+<=>^~|`"), gpt2Words, threeDigits])],
  ["starcoder", digitsThenGpt2],
  ["refact", digitsThenGpt2],
  ["command-r", digitsThenGpt2],
  ["smollm", digitsThenGpt2],
  ["codeshell", digitsThenGpt2],
  ["exaone", digitsThenGpt2],
  ["minerva-7b", digitsThenGpt2],
  ["deepseek-coder", plain([oneNewline, blankThen(LETTER), blankThen(PUNCTUATION), deepseekLetters, numbers(1)])],
  ["deepseek-v3", deepseek3],
  ["hunyuan-dense", deepseek3],
  ["default", plain([punctuationAnd("$+<=>^~|"), gpt2Words, numbers(), threeDigits])],
]);

/**
 * The row of a pre-tokenizer's name.
 * @throws OnebitError `tokenizer/unsupported` for a name that is not in the table.
 */
export function preTokenizerNamed(name: string): PreTokenizer {
  const row = NAMED.get(name);
  if (row !== undefined) return row;
  const known = Array.from(NAMED.keys()).join(", ");
  return fail(
    "tokenizer/unsupported",
    `tokenizer.ggml.pre: the pre-tokenizer ${quoted(name)} is not supported; supported are ${known}`,
  );
}
