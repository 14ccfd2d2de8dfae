/**
 * SentencePiece's byte-pair encoding: characters are the first symbols, blanks are `▁`, neighbours merge by the score
 * of the token they make, and characters without a token fall back to their bytes.
 *
 * A literal U+2581 in a text decodes to a blank: the vocabulary cannot tell them apart.
 *
 * Source: Kudo and Richardson 2018, "SentencePiece", and its `bpe_model.cc`.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { SENTENCEPIECE_SPLIT_WORK_MAX } from "../core/limits.ts";
import { encodeUtf8 } from "../files/utf8.ts";
import { codePointBefore } from "./char-classes.ts";
import { NO_CHARACTER, NeighbourFilter, byteIds, characterIds, nCharacters } from "./characters.ts";
import { Merger } from "./merge.ts";
import { PairTable } from "./pair-table.ts";
import type { TokenModel } from "./token-model.ts";
import { writeCodePoint } from "./utf8-bytes.ts";
import { TOKEN_BYTE, TOKEN_NORMAL, type Vocabulary, bad, byteOfToken } from "./vocabulary.ts";

export interface SentencePieceOptions {
  readonly vocabulary: Vocabulary;
  /** Which symbols merge; see {@link pairsByScore}. */
  readonly pairs: PairTable;
  /** For characters with neither a token nor bytes. */
  readonly unknownId?: number;
  /** A blank goes before each fragment, and decoding drops the first. */
  readonly addSpacePrefix: boolean;
}

/** U+2581, LOWER ONE EIGHTH BLOCK: how the vocabulary writes a blank. */
const SPACE_MARK = 0x2581;
/** Symbols waiting for a cut; longer stretches grow the buffer, and above 16 times this it is freed. */
const STRETCH_SYMBOLS = 4096;

export class SentencePiece implements TokenModel {
  readonly leadingBlanks: number;
  readonly #unknownId: number | undefined;
  readonly #vocabulary: Vocabulary;
  readonly #merger: Merger;
  readonly #byteIds: Int32Array;
  readonly #characters: ReadonlyMap<number, number>;
  readonly #neighbours: NeighbourFilter;
  readonly #bytes = new Uint8Array(4);
  #symbols = new Int32Array(STRETCH_SYMBOLS);
  #count = 0;

  constructor(options: SentencePieceOptions) {
    const { vocabulary } = options;
    this.#unknownId = options.unknownId;
    this.leadingBlanks = options.addSpacePrefix ? 1 : 0;
    this.#vocabulary = vocabulary;
    this.#merger = new Merger(options.pairs, {
      read: (from, to, into) => into.set(this.#symbols.subarray(from, to)),
      lengthOf: (symbol) => this.#lengthOf(symbol),
    });
    this.#byteIds = byteIds(vocabulary);
    this.#characters = characterIds(vocabulary);
    this.#neighbours = new NeighbourFilter(vocabulary);
  }

  prepare(fragment: string): string {
    return this.leadingBlanks > 0 ? ` ${fragment}` : fragment;
  }

  encode(prepared: string, _isFirst: boolean, into: number[]): void {
    let last = NO_CHARACTER;
    for (let at = 0; at < prepared.length; at++) {
      let character = codePointBefore(prepared, at, prepared.length);
      if (character > 0xffff) at++;
      else if (character === 0x20) character = SPACE_MARK;
      // No token has these two side by side, so no merge can cross here; short stretches stay in the cache.
      if (!this.#neighbours.mayHave(last, character)) this.#mergeStretch(into);
      this.#append(character);
      last = character;
    }
    this.#mergeStretch(into);
    if (this.#symbols.length > STRETCH_SYMBOLS * 16) this.#symbols = new Int32Array(STRETCH_SYMBOLS);
  }

  bytesOf(id: number): Uint8Array {
    const text = this.#vocabulary.texts[id];
    const type = this.#vocabulary.typeOf(id);
    if (type === TOKEN_BYTE) return Uint8Array.of(byteOfToken(id, text));
    return encodeUtf8(type === TOKEN_NORMAL ? text.replaceAll("\u2581", " ") : text);
  }

  #append(character: number): void {
    if (this.#count === this.#symbols.length) {
      const grown = new Int32Array(this.#count * 2);
      grown.set(this.#symbols);
      this.#symbols = grown;
    }
    // A character without a token is a symbol beyond the vocabulary: longer tokens may contain it.
    this.#symbols[this.#count++] = this.#characters.get(character) ?? this.#vocabulary.size + character;
  }

  #mergeStretch(into: number[]): void {
    const { size } = this.#vocabulary;
    this.#merger.merge(this.#count, (symbol) => {
      if (symbol < size) into.push(symbol);
      else this.#pushBytes(symbol - size, into);
    });
    this.#count = 0;
  }

  /** Characters in a symbol's text. */
  #lengthOf(symbol: number): number {
    return symbol < this.#vocabulary.size ? nCharacters(this.#vocabulary.texts[symbol]) : 1;
  }

  #pushBytes(character: number, into: number[]): void {
    const bytes = this.#bytes;
    const end = writeCodePoint(character, bytes, 0);
    for (let i = 0; i < end; i++) {
      if (this.#byteIds[bytes[i]] >= 0) continue;
      const code = character.toString(16).toUpperCase().padStart(4, "0");
      into.push(this.#unknownId ?? bad(`character U+${code} has no token, no byte tokens and no unknown token`));
      return;
    }
    for (let i = 0; i < end; i++) into.push(this.#byteIds[bytes[i]]);
  }
}

/**
 * The rules of a vocabulary with scores: every way to make a token from two symbols (characters or tokens), best score
 * first; equal scores have equal ranks.
 * @throws OnebitError `tokenizer/bad-vocabulary` for a score that is not a number, and for tokens so long that finding
 * their halves would take minutes.
 */
export function pairsByScore(vocabulary: Vocabulary, scores: ArrayLike<number>): PairTable {
  const ranks = scoreRanks(vocabulary, scores);
  let work = 0;
  for (let id = 0; id < vocabulary.size; id++) {
    const length = vocabulary.texts[id].length;
    if (vocabulary.isText(id)) work += length * length;
    if (work > SENTENCEPIECE_SPLIT_WORK_MAX)
      bad(`token ${id} ${quoted(vocabulary.texts[id])}: the tokens up to here are too long to find their halves`);
  }
  const found: number[] = [];
  for (let id = 0; id < vocabulary.size; id++) {
    if (vocabulary.isText(id)) findHalves(vocabulary, id, found);
  }
  const pairs = new PairTable(found.length / 3);
  for (let i = 0; i < found.length; i += 3) pairs.add(found[i], found[i + 1], ranks[found[i + 2]], found[i + 2]);
  return pairs;
}

/** Appends (left, right, id) for each way to halve a token. */
function findHalves(vocabulary: Vocabulary, id: number, found: number[]): void {
  const text = vocabulary.texts[id];
  for (let at = 1; at < text.length; at++) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800) continue;
    const left = symbolOf(vocabulary, text, 0, at);
    if (left < 0) continue;
    const right = symbolOf(vocabulary, text, at, text.length);
    if (right >= 0) found.push(left, right, id);
  }
}

/** The symbol for part of a token: an id, a character beyond the vocabulary, or −1. */
function symbolOf(vocabulary: Vocabulary, text: string, from: number, to: number): number {
  const id = vocabulary.plainIdOf(text.slice(from, to));
  if (id !== undefined) return id;
  const character = codePointBefore(text, from, to);
  return to - from === (character > 0xffff ? 2 : 1) ? vocabulary.size + character : -1;
}

/** The rank of each token's score: 0 is best; equal scores have equal ranks. */
function scoreRanks(vocabulary: Vocabulary, scores: ArrayLike<number>): Int32Array {
  if (scores.length !== vocabulary.size)
    bad(`${scores.length} scores; wanted one for each of ${vocabulary.size} tokens`);
  const sorted = Float64Array.from(scores).sort();
  const rankOf = new Map<number, number>();
  for (let i = sorted.length - 1; i >= 0; i--) if (!rankOf.has(sorted[i])) rankOf.set(sorted[i], rankOf.size);
  return Int32Array.from({ length: scores.length }, (_, id) => {
    const score = scores[id];
    return Number.isNaN(score)
      ? bad(`token ${id} ${quoted(vocabulary.texts[id])}: its score is not a number`)
      : rankOf.get(score)!;
  });
}
