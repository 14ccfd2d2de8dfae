/**
 * Trains a byte-level byte-pair encoding: splits text into pieces, then repeatedly makes one symbol of the neighbours
 * that are most frequent inside pieces (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword
 * Units").
 *
 * Each distinct piece is kept once, with its count. Every pair knows its count and its places, so a merge touches only
 * the places it changes; a heap gives the next pair. A count that fell is noticed when its entry surfaces.
 *
 * @module
 */
import { fail, throwIfAborted } from "../core/errors.ts";
import { VOCABULARY_TOKENS_MAX } from "../core/limits.ts";
import { makeByteAlphabet } from "./byte-alphabet.ts";
import { CharClasses } from "./char-classes.ts";
import { preTokenizerNamed } from "./pre-tokenizers.ts";
import { type PieceSink, chainStages } from "./split.ts";
import { BYTES_PER_UNIT_MAX, writeUtf8 } from "./utf8-bytes.ts";

export interface TrainBpeOptions {
  /** Tokens wanted, at least 256: the bytes, then what merging makes. */
  readonly vocabSize: number;
  /** How text is split, by its name in GGUF files. Default "gpt-2". */
  readonly preTokenizer?: string;
  /** Pairs seen less often are left alone. Default 2: what occurs once is no habit of the language. */
  readonly minCount?: number;
  /** Checked once a merge. */
  readonly signal?: AbortSignal;
}

export interface TrainedBpe {
  /** In the byte alphabet; tokens 0 to 255 are the bytes. Fewer than asked for when the text has no more pairs. */
  readonly tokens: readonly string[];
  /** "left right" in the byte alphabet, earliest first. */
  readonly merges: readonly string[];
  readonly preTokenizer: string;
}

/**
 * Trains on texts, each of which is split by itself. The same texts give the same tokens: of pairs that are equally
 * frequent, the one of the lowest left id merges first, then of the lowest right id. A pair counts once for every place
 * where it stands, also where places overlap ("aaa" has two), as in the `tokenizers` library.
 *
 * @param texts strings, or UTF-8 (bytes that are none become U+FFFD)
 * @throws OnebitError `option/invalid`, `tokenizer/unsupported` for an unknown pre-tokenizer, `aborted`
 */
export function trainBpe(texts: Iterable<string | Uint8Array>, options: TrainBpeOptions): TrainedBpe {
  const { vocabSize, preTokenizer = "gpt-2", minCount = 2 } = options;
  if (!Number.isInteger(vocabSize) || vocabSize < 256 || vocabSize > VOCABULARY_TOKENS_MAX) {
    fail(
      "option/invalid",
      `vocabSize: wanted an integer from 256, one token a byte, to ${VOCABULARY_TOKENS_MAX}, found ${vocabSize}`,
    );
  }
  if (!(minCount >= 1)) fail("option/invalid", `minCount: wanted 1 or more, found ${minCount}`);
  const names = new TokenNames();
  const merges: string[] = [];
  const pairs = new PairCounts(countPieces(texts, preTokenizer));
  while (names.tokens.length < vocabSize) {
    throwIfAborted(options.signal);
    const pair = pairs.popBest(minCount);
    if (pair === undefined) break;
    const left = names.tokens[pair.left],
      right = names.tokens[pair.right];
    merges.push(`${left} ${right}`);
    pairs.merge(pair, names.idOf(left + right));
  }
  return { tokens: names.tokens, merges, preTokenizer };
}

/** Tokens by id. Two merges may make the same text: then it is one token. */
class TokenNames {
  readonly tokens: string[] = Array.from(makeByteAlphabet().unitOfByte, (unit) => String.fromCharCode(unit));
  readonly #ids = new Map(this.tokens.map((token, id) => [token, id]));

  idOf(token: string): number {
    const known = this.#ids.get(token);
    if (known !== undefined) return known;
    const id = this.tokens.push(token) - 1;
    this.#ids.set(token, id);
    return id;
  }
}

/** How often each distinct piece occurs, in order of first occurrence. */
function countPieces(texts: Iterable<string | Uint8Array>, preTokenizer: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const count: PieceSink = (text, from, to) => {
    const piece = text.slice(from, to);
    counts.set(piece, (counts.get(piece) ?? 0) + 1);
  };
  const split = chainStages(preTokenizerNamed(preTokenizer).stages, new CharClasses(), count);
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const each of texts) {
    const text = typeof each === "string" ? each : utf8.decode(each);
    split(text, 0, text.length);
  }
  return counts;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Where the left symbol is or once was; check each place before use. */
  places: number[];
}

/** No place, or no symbol: the border of a piece, or a symbol that was merged into the one before it. */
const NONE = -1;
/** A pair's key is left · 2^20 + right; ids stay below the limit of a vocabulary, 2^20. */
const IDS = VOCABULARY_TOKENS_MAX;

class PairCounts {
  /** All pieces one after another; a merged symbol stands at the place of its first byte. */
  readonly #symbols: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** How often each place's piece occurs. */
  readonly #weights: Float64Array;
  readonly #pairs = new Map<number, Pair>();
  readonly #heap = new PairHeap();
  /** Pairs that became more frequent in the current merge. */
  readonly #risen = new Set<Pair>();

  constructor(pieces: ReadonlyMap<string, number>) {
    const size = [...pieces.keys()].reduce((bytes, piece) => bytes + piece.length * BYTES_PER_UNIT_MAX, 0);
    const room = new Uint8Array(size);
    const ends: number[] = [];
    let used = 0;
    for (const piece of pieces.keys()) {
      used += writeUtf8(piece, 0, piece.length, room.subarray(used));
      ends.push(used);
    }
    this.#symbols = Int32Array.from(room.subarray(0, used));
    this.#next = new Int32Array(used);
    this.#previous = new Int32Array(used);
    this.#weights = new Float64Array(used);
    let begin = 0,
      piece = 0;
    for (const weight of pieces.values()) {
      const end = ends[piece++];
      for (let at = begin; at < end; at++) {
        this.#previous[at] = at === begin ? NONE : at - 1;
        this.#next[at] = at + 1 === end ? NONE : at + 1;
        this.#weights[at] = weight;
        if (at + 1 < end) this.#add(at, at + 1);
      }
      begin = end;
    }
    this.#offerRisen();
  }

  /** Removes the most frequent pair; undefined if none occurs `minCount` times. */
  popBest(minCount: number): Pair | undefined {
    for (let top = this.#heap.pop(); top !== undefined && top.count >= minCount; top = this.#heap.pop()) {
      if (top.count === top.pair.count) return top.pair;
      // Its count fell since, or a later entry has its higher count.
      if (top.count > top.pair.count && top.pair.count > 0) this.#heap.push(top.pair);
    }
    return undefined;
  }

  /** Puts `merged` where the pair stands. */
  merge(pair: Pair, merged: number): void {
    const symbols = this.#symbols,
      { left, right } = pair;
    // Places overlap only in a run of equal symbols; there the leftmost must merge first, as in encoding.
    const places = left === right ? pair.places.sort((a, b) => a - b) : pair.places;
    pair.places = [];
    for (const at of places) {
      const after = this.#next[at];
      if (symbols[at] !== left || after === NONE || symbols[after] !== right) continue;
      const before = this.#previous[at],
        beyond = this.#next[after];
      if (before !== NONE) this.#remove(before, at);
      this.#remove(at, after);
      if (beyond !== NONE) this.#remove(after, beyond);
      symbols[at] = merged;
      symbols[after] = NONE;
      this.#next[at] = beyond;
      if (beyond !== NONE) this.#previous[beyond] = at;
      if (before !== NONE) this.#add(before, at);
      if (beyond !== NONE) this.#add(at, beyond);
    }
    this.#offerRisen();
  }

  #remove(at: number, after: number): void {
    const pair = this.#pairs.get(this.#symbols[at] * IDS + this.#symbols[after]);
    if (pair !== undefined) pair.count -= this.#weights[at];
  }

  #add(at: number, after: number): void {
    const left = this.#symbols[at],
      right = this.#symbols[after],
      key = left * IDS + right;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = { left, right, count: 0, places: [] };
      this.#pairs.set(key, pair);
    }
    pair.count += this.#weights[at];
    pair.places.push(at);
    this.#risen.add(pair);
  }

  #offerRisen(): void {
    for (const pair of this.#risen) if (pair.count > 0) this.#heap.push(pair);
    this.#risen.clear();
  }
}

/** A pair with the count it had when it was pushed. */
interface HeapEntry {
  readonly pair: Pair;
  readonly count: number;
}

/** A binary heap: the highest count on top, on ties the lowest left id, then the lowest right id. */
class PairHeap {
  readonly #entries: HeapEntry[] = [];

  push(pair: Pair): void {
    const entries = this.#entries,
      entry = { pair, count: pair.count };
    let at = entries.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBetter(entry, entries[parent])) break;
      entries[at] = entries[parent];
      at = parent;
    }
    entries[at] = entry;
  }

  pop(): HeapEntry | undefined {
    const entries = this.#entries,
      top = entries[0],
      last = entries.pop();
    if (last === undefined || entries.length === 0) return last;
    const size = entries.length;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && isBetter(entries[child + 1], entries[child])) child++;
      if (!isBetter(entries[child], last)) break;
      entries[at] = entries[child];
      at = child;
    }
    entries[at] = last;
    return top;
  }
}

function isBetter(a: HeapEntry, b: HeapEntry): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.pair.left !== b.pair.left ? a.pair.left < b.pair.left : a.pair.right < b.pair.right;
}
