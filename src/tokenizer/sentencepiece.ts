/**
 * SentencePiece's byte-pair encoding: characters are the first symbols, blanks are `▁`, neighbours merge by the score (or
 * rank) of the token they make, and characters without a token fall back to their bytes.
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
import { Merger } from "./merge.ts";
import { normalize } from "./normalize.ts";
import { PairTable } from "./pair-table.ts";
import type { NormalForm, SpacePrefix, TokenModel } from "./token-model.ts";
import { writeCodePoint } from "./utf8-bytes.ts";
import {
  TOKEN_BYTE,
  TOKEN_NORMAL,
  TOKEN_USER_DEFINED,
  type Vocabulary,
  bad,
  byteOfToken,
} from "./vocabulary.ts";

export interface SentencePieceOptions {
  readonly vocabulary: Vocabulary;
  /** Which symbols merge; see {@link pairsByScore} and {@link pairsByRank}. */
  readonly pairs: PairTable;
  /** Stands for characters that have neither a token nor bytes. */
  readonly unknownId?: number;
  readonly spacePrefix: SpacePrefix;
  /** The prefix goes only before fragments that do not begin with a blank. */
  readonly prefixUnlessSpace?: boolean;
  /** No token spans a blank that is not its first character (Metaspace's `split`). */
  readonly splitsAtSpaces?: boolean;
  readonly normalForm?: NormalForm;
}

/** U+2581, LOWER ONE EIGHTH BLOCK: how the vocabulary writes a blank. */
const SPACE_MARK = 0x2581;
const NO_CHARACTER = -1;
/** Symbols of the text that wait for a cut; longer stretches grow it, and it is given back above 16 times this. */
const STRETCH_SYMBOLS = 4096;
/** Bits of the filter of neighbours: 2 MiBit keep false positives of 262,144 tokens below 10 %. */
const FILTER_BITS = 21;

export class SentencePiece implements TokenModel {
  readonly spacePrefix: SpacePrefix;
  readonly #options: SentencePieceOptions;
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
    this.#options = options;
    this.spacePrefix = options.spacePrefix;
    this.#vocabulary = vocabulary;
    this.#merger = new Merger(options.pairs, {
      read: (from, to, into) => into.set(this.#symbols.subarray(from, to)),
      lengthOf: (symbol) => this.#lengthOf(symbol),
    });
    this.#byteIds = byteIds(vocabulary);
    this.#characters = characterIds(vocabulary);
    this.#neighbours = new NeighbourFilter(vocabulary);
  }

  encode(text: string, prefixed: boolean, into: number[]): void {
    const { normalForm, prefixUnlessSpace, splitsAtSpaces } = this.#options;
    const fragment = normalForm === undefined ? text : normalize(text, normalForm);
    let last = NO_CHARACTER;
    const first = fragment.charCodeAt(0);
    if (prefixed && !(prefixUnlessSpace === true && (first === 0x20 || first === SPACE_MARK))) {
      this.#append(SPACE_MARK);
      last = SPACE_MARK;
    }
    for (let at = 0; at < fragment.length; at++) {
      let character = codePointBefore(fragment, at, fragment.length);
      if (character > 0xffff) at++;
      else if (character === 0x20) character = SPACE_MARK;
      // No token has these two side by side, so no merge can cross here: short stretches stay in the cache.
      const isCut = !this.#neighbours.mayHave(last, character);
      if (isCut || (splitsAtSpaces === true && character === SPACE_MARK)) this.#mergeStretch(into);
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
    // A character without a token is a symbol beyond the vocabulary: longer tokens may still hold it.
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
    if (symbol >= this.#vocabulary.size) return 1;
    const text = this.#vocabulary.texts[symbol];
    let count = 0;
    for (let at = 0; at < text.length; at++) {
      if (codePointBefore(text, at, text.length) > 0xffff) at++;
      count += 1;
    }
    return count;
  }

  #pushBytes(character: number, into: number[]): void {
    const bytes = this.#bytes;
    const end = writeCodePoint(character, bytes, 0);
    for (let i = 0; i < end; i++) {
      if (this.#byteIds[bytes[i]] >= 0) continue;
      const code = character.toString(16).toUpperCase().padStart(4, "0");
      into.push(this.#options.unknownId ?? bad(`character U+${code} has no token, no byte tokens and no unknown token`));
      return;
    }
    for (let i = 0; i < end; i++) into.push(this.#byteIds[bytes[i]]);
  }
}

/**
 * The rules of a vocabulary with scores: every way to make a token of two symbols (characters or tokens), best score
 * first; equal scores are equal ranks.
 * @throws OnebitError `tokenizer/bad-vocabulary` for a score that is not a number, and for tokens so long that finding
 * their halves would take minutes.
 */
export function pairsByScore(vocabulary: Vocabulary, scores: ArrayLike<number>): PairTable {
  const ranks = scoreRanks(vocabulary, scores);
  let work = 0;
  for (let id = 0; id < vocabulary.size; id++) {
    const length = vocabulary.texts[id].length;
    if (isText(vocabulary, id)) work += length * length;
    if (work > SENTENCEPIECE_SPLIT_WORK_MAX) bad(`token ${id} ${quoted(vocabulary.texts[id])}: the tokens are too long`);
  }
  const found: number[] = [];
  for (let id = 0; id < vocabulary.size; id++) {
    if (isText(vocabulary, id)) findHalves(vocabulary, id, found);
  }
  const pairs = new PairTable(found.length / 3);
  for (let i = 0; i < found.length; i += 3) pairs.add(found[i], found[i + 1], ranks[found[i + 2]], found[i + 2]);
  return pairs;
}

/**
 * The rules of a tokenizer.json: ranked pairs of tokens.
 * @throws OnebitError `tokenizer/bad-vocabulary` when a rule names something that is no token.
 */
export function pairsByRank(
  vocabulary: Vocabulary,
  merges: Iterable<readonly [left: string, right: string]>,
  mergeCount: number,
): PairTable {
  const pairs = new PairTable(mergeCount);
  let rank = 0;
  const idOf = (text: string): number =>
    vocabulary.plainIdOf(text) ?? bad(`merge ${rank}: ${quoted(text)} is no token`);
  for (const [left, right] of merges) {
    pairs.add(idOf(left), idOf(right), rank, idOf(left + right));
    rank += 1;
  }
  return pairs;
}

/** Whether text may become this token. */
function isText(vocabulary: Vocabulary, id: number): boolean {
  const type = vocabulary.typeOf(id);
  return type === TOKEN_NORMAL || type === TOKEN_USER_DEFINED;
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

/** The symbol of part of a token: an id, a character beyond the vocabulary, or −1. */
function symbolOf(vocabulary: Vocabulary, text: string, from: number, to: number): number {
  const id = vocabulary.plainIdOf(text.slice(from, to));
  if (id !== undefined) return id;
  const character = codePointBefore(text, from, to);
  return to - from === (character > 0xffff ? 2 : 1) ? vocabulary.size + character : -1;
}

/** Rank of each token's score: 0 the best, equal scores alike. */
function scoreRanks(vocabulary: Vocabulary, scores: ArrayLike<number>): Int32Array {
  if (scores.length !== vocabulary.size) bad(`${scores.length} scores; wanted one for each of ${vocabulary.size} tokens`);
  const sorted = Float64Array.from(scores).sort();
  const rankOf = new Map<number, number>();
  for (let i = sorted.length - 1; i >= 0; i--) if (!rankOf.has(sorted[i])) rankOf.set(sorted[i], rankOf.size);
  return Int32Array.from({ length: scores.length }, (_, id) => {
    const score = scores[id];
    return Number.isNaN(score) ? bad(`token ${id} ${quoted(vocabulary.texts[id])}: its score is not a number`) : rankOf.get(score)!;
  });
}

/** The id of each byte's token, −1 without one. */
function byteIds(vocabulary: Vocabulary): Int32Array {
  const ids = new Int32Array(256).fill(-1);
  for (let id = 0; id < vocabulary.size; id++) {
    if (vocabulary.typeOf(id) === TOKEN_BYTE) ids[byteOfToken(id, vocabulary.texts[id])] = id;
  }
  return ids;
}

function characterIds(vocabulary: Vocabulary): ReadonlyMap<number, number> {
  const ids = new Map<number, number>();
  for (let id = 0; id < vocabulary.size; id++) {
    const text = vocabulary.texts[id];
    if (text === "" || !isText(vocabulary, id)) continue;
    const character = codePointBefore(text, 0, text.length);
    if (text.length === (character > 0xffff ? 2 : 1)) ids.set(character, id);
  }
  return ids;
}

/** Which characters stand side by side in some token; may say yes of a few that do not (one hash, one bit). */
class NeighbourFilter {
  readonly #bits = new Uint32Array(1 << (FILTER_BITS - 5));

  constructor(vocabulary: Vocabulary) {
    for (let id = 0; id < vocabulary.size; id++) if (isText(vocabulary, id)) this.#addText(vocabulary.texts[id]);
  }

  mayHave(left: number, right: number): boolean {
    const bit = hashOf(left, right);
    return (this.#bits[bit >>> 5] & (1 << (bit & 31))) !== 0;
  }

  #addText(text: string): void {
    let last = NO_CHARACTER;
    for (let at = 0; at < text.length; at++) {
      const character = codePointBefore(text, at, text.length);
      if (character > 0xffff) at++;
      const bit = hashOf(last, character);
      if (last !== NO_CHARACTER) this.#bits[bit >>> 5] |= 1 << (bit & 31);
      last = character;
    }
  }
}

function hashOf(left: number, right: number): number {
  return (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> (32 - FILTER_BITS);
}
