/**
 * A vocabulary that is made up but well-formed: byte-level BPE (tokenizer model `gpt2`) with the 256 bytes, random
 * words reachable by merges, and special tokens at the end, of any size. Both onebit and llama.cpp load it.
 */
import { seededRandom } from "./random.ts";

export interface Vocabulary {
  readonly tokens: string[];
  /** 1 normal, 3 control. */
  readonly types: number[];
  readonly merges: string[];
  /** Name of the pre-tokenizer in `tokenizer.ggml.pre`. */
  readonly pre: "llama-bpe" | "qwen2";
  readonly bosId: number;
  readonly eosId: number;
  readonly eotId: number;
}

export function syntheticVocabulary(nVocab: number, pre: "llama-bpe" | "qwen2", seed: number): Vocabulary {
  const specials = pre === "llama-bpe" ? LLAMA_SPECIALS : QWEN_SPECIALS;
  const nWords = firstSpecial(nVocab, pre);
  const tokens = byteTokens();
  const merges: string[] = [];
  const random = seededRandom(seed);
  const known = new Set(tokens);
  while (tokens.length < nWords) {
    // Mostly short left parts and any right part: lengths stay near those of real vocabularies.
    const left = tokens[random.u32() % Math.min(tokens.length, 2048)];
    const right = tokens[random.u32() % tokens.length];
    const word = left + right;
    if (word.length > 12 || known.has(word)) continue;
    known.add(word);
    tokens.push(word);
    merges.push(`${left} ${right}`);
  }
  for (let i = 0; tokens.length < nVocab; i++) tokens.push(specials[i] ?? `<|reserved_${i}|>`);
  const types = tokens.map((_, id) => (id < nWords ? 1 : 3));
  const idOf = (name: string) => nWords + specials.indexOf(name);
  return pre === "llama-bpe"
    ? {
        tokens,
        types,
        merges,
        pre,
        bosId: idOf("<|begin_of_text|>"),
        eosId: idOf("<|end_of_text|>"),
        eotId: idOf("<|eot_id|>"),
      }
    : {
        tokens,
        types,
        merges,
        pre,
        bosId: idOf("<|endoftext|>"),
        eosId: idOf("<|im_end|>"),
        eotId: idOf("<|im_end|>"),
      };
}

const LLAMA_SPECIALS = [
  "<|begin_of_text|>",
  "<|end_of_text|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|eot_id|>",
];
const QWEN_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/** Where the special tokens start: as in the real files for their sizes, else the last 8 ids. */
function firstSpecial(nVocab: number, pre: "llama-bpe" | "qwen2"): number {
  if (pre === "llama-bpe" && nVocab === 128_256) return 128_000;
  if (pre === "qwen2" && nVocab === 151_936) return 151_643;
  return nVocab - 8;
}

/** The printable stand-ins of the 256 bytes, in GPT-2's order: printable Latin-1 first, the rest from U+0100 on. */
function byteTokens(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const tokens: string[] = [];
  for (let byte = 0; byte < 256; byte++) if (printable(byte)) tokens.push(String.fromCharCode(byte));
  for (let code = 256; tokens.length < 256; code++) tokens.push(String.fromCharCode(code));
  return tokens;
}
