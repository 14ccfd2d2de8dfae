/**
 * Byte-level byte-pair encoding: text is split into pieces, a piece starts as the symbols of its UTF-8 bytes, and
 * neighbours merge by rank. Bytes without a token are dropped, as in llama.cpp; with all 256, any text has an encoding
 * that decodes back exactly.
 *
 * Source: GPT-2 (Radford et al. 2019); `ignoreMerges` as in Llama 3 (tiktoken looks whole pieces up first).
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { MERGES_MAX } from "../core/limits.ts";
import { encodeUtf8 } from "../files/utf8.ts";
import { makeByteAlphabet } from "./byte-alphabet.ts";
import { CharClasses } from "./char-classes.ts";
import { Merger } from "./merge.ts";
import { PairTable } from "./pair-table.ts";
import type { PreTokenizer } from "./pre-tokenizers.ts";
import { type PieceSink, chainStages } from "./split.ts";
import type { TokenModel } from "./token-model.ts";
import { BYTES_PER_UNIT_MAX, writeUtf8 } from "./utf8-bytes.ts";
import { TOKEN_NORMAL, type Vocabulary, bad } from "./vocabulary.ts";

/** The two symbols of a merge rule, in the byte alphabet. */
export type MergeRule = readonly [left: string, right: string];

export interface BpeOptions {
  readonly vocabulary: Vocabulary;
  /** Earliest first. */
  readonly merges: Iterable<MergeRule>;
  readonly mergeCount: number;
  /** Refuses merges of or into texts that are no token, as Hugging Face does; else these are steps between tokens. */
  readonly strictMerges: boolean;
  readonly preTokenizer: PreTokenizer;
}

/** Scratch memory above this is freed after a piece. */
const KEPT_BYTES = 65_536;

export class ByteLevelBpe implements TokenModel {
  readonly leadingBlanks = 0;
  readonly #vocabulary: Vocabulary;
  readonly #alphabet = makeByteAlphabet();
  readonly #merger: Merger;
  /** The symbol of each byte: an id, or a number beyond the vocabulary if the byte is no token. */
  readonly #symbolOfByte = new Int32Array(256);
  /** Texts of symbols that are no token, at symbol − vocabulary size. */
  readonly #stepTexts: readonly string[];
  readonly #split: PieceSink;
  readonly #ignoreMerges: boolean;
  readonly #longestBytes: number;
  readonly #units: Uint16Array;
  readonly #emit = (symbol: number): void => this.#push(symbol);
  #bytes = new Uint8Array(KEPT_BYTES);
  #ids: number[] = [];

  constructor(options: BpeOptions) {
    const { vocabulary } = options;
    this.#vocabulary = vocabulary;
    this.#ignoreMerges = options.preTokenizer.ignoreMerges;
    this.#longestBytes = longestText(vocabulary);
    const symbols = new SymbolNames(vocabulary, options.strictMerges);
    for (let byte = 0; byte < 256; byte++) {
      this.#symbolOfByte[byte] = symbols.baseOf(String.fromCharCode(this.#alphabet.unitOfByte[byte]));
    }
    this.#stepTexts = symbols.stepTexts;
    this.#units = new Uint16Array(this.#longestBytes);
    this.#merger = new Merger(pairTable(options, symbols), {
      read: (from, to, into) => this.#readSymbols(from, to, into),
      lengthOf: (symbol) => this.#textOf(symbol).length,
    });
    const sink: PieceSink = (text, from, to) => this.encodePiece(text, from, to, this.#ids);
    this.#split = chainStages(options.preTokenizer.stages, new CharClasses(), sink);
  }

  prepare(fragment: string): string {
    return fragment;
  }

  encode(prepared: string, _isFirst: boolean, into: number[]): void {
    this.#ids = into;
    this.#split(prepared, 0, prepared.length);
    this.#ids = [];
  }

  bytesOf(id: number): Uint8Array {
    const text = this.#vocabulary.texts[id];
    const isWritten = this.#vocabulary.typeOf(id) === TOKEN_NORMAL;
    return (isWritten ? this.#alphabet.bytesOf(text) : undefined) ?? encodeUtf8(text);
  }

  /** Appends the ids of the piece `[from, to)` of a text. */
  encodePiece(text: string, from: number, to: number, into: number[]): void {
    const room = (to - from) * BYTES_PER_UNIT_MAX;
    if (this.#bytes.length < room) this.#bytes = new Uint8Array(room);
    const count = writeUtf8(text, from, to, this.#bytes);
    if (this.#ignoreMerges && count <= this.#longestBytes) {
      const id = this.#vocabulary.plainIdOf(this.#written(count));
      if (id !== undefined) {
        into.push(id);
        return;
      }
    }
    this.#ids = into;
    this.#merger.merge(count, this.#emit);
    if (room > KEPT_BYTES) this.#bytes = new Uint8Array(KEPT_BYTES);
  }

  #readSymbols(from: number, to: number, into: Int32Array): void {
    const bytes = this.#bytes;
    for (let i = from; i < to; i++) into[i - from] = this.#symbolOfByte[bytes[i]];
  }

  /** The first `count` bytes of the scratch memory in the byte alphabet. */
  #written(count: number): string {
    const units = this.#units;
    for (let i = 0; i < count; i++) units[i] = this.#alphabet.unitOfByte[this.#bytes[i]];
    return String.fromCharCode.apply(null, units.subarray(0, count) as unknown as number[]);
  }

  #push(symbol: number): void {
    if (symbol < this.#vocabulary.size) {
      this.#ids.push(symbol);
      return;
    }
    for (const byte of this.#alphabet.bytesOf(this.#textOf(symbol)) ?? []) this.#pushByte(byte);
  }

  /** A symbol's text, one character a byte. */
  #textOf(symbol: number): string {
    const { size, texts } = this.#vocabulary;
    return symbol < size ? texts[symbol] : this.#stepTexts[symbol - size];
  }

  #pushByte(byte: number): void {
    const symbol = this.#symbolOfByte[byte];
    if (symbol < this.#vocabulary.size) this.#ids.push(symbol);
  }
}

/**
 * "left right" as GGUF and older tokenizer.json files write it, split at the first blank after the first character.
 * @throws OnebitError `tokenizer/bad-vocabulary` without a blank or a right symbol.
 */
export function parseMerge(index: number, text: string): MergeRule {
  const blank = text.indexOf(" ", 1);
  if (blank < 0 || blank + 1 === text.length)
    bad(`merge ${index} ${quoted(text)}: wanted two symbols with a blank between`);
  return [text.slice(0, blank), text.slice(blank + 1)];
}

/** Numbers the texts in merge rules: ids for tokens, numbers beyond the vocabulary for the steps between them. */
class SymbolNames {
  readonly stepTexts: string[] = [];
  readonly #vocabulary: Vocabulary;
  readonly #strict: boolean;
  readonly #steps = new Map<string, number>();

  constructor(vocabulary: Vocabulary, strict: boolean) {
    this.#vocabulary = vocabulary;
    this.#strict = strict;
  }

  /** The symbol of one byte; may be no token. */
  baseOf(text: string): number {
    return this.#vocabulary.plainIdOf(text) ?? this.#step(text);
  }

  /** Undefined for a token that text cannot become. */
  of(text: string, index: number): number | undefined {
    const id = this.#vocabulary.plainIdOf(text);
    if (id !== undefined) return id;
    if (this.#vocabulary.idOf(text) !== undefined) return undefined;
    if (this.#strict) bad(`merge ${index}: ${quoted(text)} is no token`);
    return this.#step(text);
  }

  #step(text: string): number {
    let symbol = this.#steps.get(text);
    if (symbol === undefined) {
      symbol = this.#vocabulary.size + this.stepTexts.push(text) - 1;
      this.#steps.set(text, symbol);
    }
    return symbol;
  }
}

function pairTable(options: BpeOptions, symbols: SymbolNames): PairTable {
  if (options.mergeCount > MERGES_MAX) bad(`${options.mergeCount} merges; the limit is ${MERGES_MAX}`);
  const pairs = new PairTable(options.mergeCount);
  let rank = 0;
  for (const rule of options.merges) {
    const [left, right, merged] = [rule[0], rule[1], rule[0] + rule[1]].map((text) => symbols.of(text, rank));
    if (left !== undefined && right !== undefined && merged !== undefined) pairs.add(left, right, rank, merged);
    rank += 1;
  }
  return pairs;
}

function longestText(vocabulary: Vocabulary): number {
  let longest = 0;
  for (const text of vocabulary.texts) longest = Math.max(longest, text.length);
  return longest;
}
