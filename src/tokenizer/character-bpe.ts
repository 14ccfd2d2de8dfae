/**
 * Byte-pair encoding of characters by ranked pairs, as in tokenizer.json files, over text that their steps prepared:
 * with blanks as `▁`, or in the byte alphabet.
 *
 * Source: `BPE` of the `tokenizers` library. A character without a token becomes the tokens of its bytes if all have
 * one; else the unknown token, one for several in a row where the file fuses them; else nothing.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import type { MergeRule } from "./bpe.ts";
import { codePointBefore } from "./char-classes.ts";
import { NO_CHARACTER, NeighbourFilter, byteIds, characterIds, nCharacters } from "./characters.ts";
import { Merger } from "./merge.ts";
import { PairTable } from "./pair-table.ts";
import { writeCodePoint } from "./utf8-bytes.ts";
import { type Vocabulary, bad } from "./vocabulary.ts";

export interface CharacterBpeOptions {
  readonly vocabulary: Vocabulary;
  /** Earliest first. */
  readonly merges: Iterable<MergeRule>;
  readonly mergeCount: number;
  /** For characters with neither a token nor bytes. */
  readonly unknownId?: number;
  /** One unknown token for several characters in a row. */
  readonly fusesUnknown: boolean;
  /** A piece that is a token stays whole, even if merges cannot reach it. */
  readonly ignoreMerges: boolean;
}

/** Symbols waiting for a cut; longer stretches grow the buffer, and above 16 times this it is freed. */
const STRETCH_SYMBOLS = 4096;

export class CharacterBpe {
  readonly #options: CharacterBpeOptions;
  readonly #merger: Merger;
  readonly #byteIds: Int32Array;
  readonly #characters: ReadonlyMap<number, number>;
  readonly #neighbours: NeighbourFilter;
  readonly #bytes = new Uint8Array(4);
  #symbols = new Int32Array(STRETCH_SYMBOLS);
  #count = 0;

  constructor(options: CharacterBpeOptions) {
    const { vocabulary } = options;
    this.#options = options;
    this.#merger = new Merger(pairsByRank(options), {
      read: (from, to, into) => into.set(this.#symbols.subarray(from, to)),
      lengthOf: (symbol) => nCharacters(vocabulary.texts[symbol]),
    });
    this.#byteIds = byteIds(vocabulary);
    this.#characters = characterIds(vocabulary);
    this.#neighbours = new NeighbourFilter(vocabulary);
  }

  /** Appends the ids of the piece `[from, to)` of a text. */
  encodePiece(text: string, from: number, to: number, into: number[]): void {
    const { unknownId, fusesUnknown, ignoreMerges, vocabulary } = this.#options;
    const whole = ignoreMerges ? vocabulary.plainIdOf(text.slice(from, to)) : undefined;
    if (whole !== undefined) {
      into.push(whole);
      return;
    }
    let last = NO_CHARACTER;
    let isUnknown = false;
    const flushUnknown = (): void => {
      if (isUnknown && unknownId !== undefined) into.push(unknownId);
      isUnknown = false;
    };
    for (let at = from; at < to; at++) {
      const character = codePointBefore(text, at, to);
      if (character > 0xffff) at++;
      const id = this.#characters.get(character);
      if (id === undefined) {
        const nBytes = this.#knownBytes(character);
        if (nBytes === 0 && unknownId === undefined) continue;
        this.#mergeStretch(into);
        // An unknown token waiting to be fused goes behind bytes that follow it, as in the library.
        for (let i = 0; i < nBytes; i++) into.push(this.#byteIds[this.#bytes[i]]);
        if (nBytes === 0 && !fusesUnknown) flushUnknown();
        isUnknown ||= nBytes === 0;
        last = NO_CHARACTER;
        continue;
      }
      // No token has these two side by side, so no merge can cross here; short stretches stay in the cache.
      if (isUnknown || !this.#neighbours.mayHave(last, character)) this.#mergeStretch(into);
      flushUnknown();
      this.#append(id);
      last = character;
    }
    this.#mergeStretch(into);
    flushUnknown();
    if (this.#symbols.length > STRETCH_SYMBOLS * 16) this.#symbols = new Int32Array(STRETCH_SYMBOLS);
  }

  #append(symbol: number): void {
    if (this.#count === this.#symbols.length) {
      const grown = new Int32Array(this.#count * 2);
      grown.set(this.#symbols);
      this.#symbols = grown;
    }
    this.#symbols[this.#count++] = symbol;
  }

  #mergeStretch(into: number[]): void {
    if (this.#count === 0) return;
    this.#merger.merge(this.#count, (symbol) => into.push(symbol));
    this.#count = 0;
  }

  /** Writes the character's bytes to the scratch memory and returns their number if all have tokens; else 0. */
  #knownBytes(character: number): number {
    const end = writeCodePoint(character, this.#bytes, 0);
    for (let i = 0; i < end; i++) if (this.#byteIds[this.#bytes[i]] < 0) return 0;
    return end;
  }
}

/** @throws OnebitError `tokenizer/bad-vocabulary` when a rule names a text that is no token */
function pairsByRank({ vocabulary, merges, mergeCount }: CharacterBpeOptions): PairTable {
  const pairs = new PairTable(mergeCount);
  let rank = 0;
  for (const [left, right] of merges) {
    const ids = [left, right, left + right].map(
      (text) => vocabulary.idOf(text) ?? bad(`merge ${rank}: ${quoted(text)} is no token`),
    );
    // Text cannot become one of these, so the rule never applies.
    if (ids.every((id) => vocabulary.isText(id))) pairs.add(ids[0], ids[1], rank, ids[2]);
    rank += 1;
  }
  return pairs;
}
