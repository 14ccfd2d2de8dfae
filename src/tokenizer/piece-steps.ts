/**
 * Steps between a text and a vocabulary that takes pieces: each hands its pieces on as they come.
 *
 * Source: `PreTokenizedString` and `SplitDelimiterBehavior` of the `tokenizers` library.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { codePointBefore } from "./char-classes.ts";
import { type JsonReader, badEntry } from "./json-reader.ts";
import type { Matcher } from "./split.ts";

/** Receives the piece `[from, to)` of a text, never empty; `isFirst` if the whole text begins with it. */
export type PieceSink = (text: string, from: number, to: number, isFirst: boolean) => void;

export type PieceStep = (next: PieceSink) => PieceSink;

const BEHAVIORS = ["Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"] as const;
/** What a match becomes: a piece, nothing, part of the piece before or after it, or one piece with adjacent matches. */
export type Behavior = (typeof BEHAVIORS)[number];

export function readBehavior(step: JsonReader, byDefault: Behavior | undefined): Behavior {
  const name = step.string("behavior") ?? byDefault ?? badEntry(step.at("behavior"), "a name", undefined);
  return BEHAVIORS.find((known) => known === name) ?? step.unsupported(`the behavior ${quoted(name)}`);
}

export function chainPieces(steps: readonly PieceStep[], sink: PieceSink): PieceSink {
  return steps.reduceRight((next, step) => step(next), sink);
}

/** Rewrites each piece. */
export function mapPieces(write: (text: string, isFirst: boolean) => string): PieceStep {
  return (next) => (text, from, to, isFirst) => {
    const written = write(text.slice(from, to), isFirst);
    if (written !== "") next(written, 0, written.length, isFirst);
  };
}

/** Splits each piece at the matches or, inverted, at the rest. */
export function splitPieces(match: Matcher, behavior: Behavior, invert = false): PieceStep {
  return (next) => (text, from, to, isFirst) => {
    const joiner = new Joiner(behavior, (begin, end) => next(text, begin, end, isFirst && begin === from));
    let begin = from;
    for (let at = from; at < to; ) {
      const stop = match(text, at, to);
      if (stop === at) {
        at += codePointBefore(text, at, to) > 0xffff ? 2 : 1;
        continue;
      }
      if (begin < at) joiner.add(begin, at, invert);
      joiner.add(at, stop, !invert);
      at = begin = stop;
    }
    if (begin < to) joiner.add(begin, to, invert);
    joiner.end();
  };
}

/** Joins matches to their neighbours by a behaviour; one stretch waits for the next. */
class Joiner {
  readonly #behavior: Behavior;
  readonly #emit: (from: number, to: number) => void;
  #from = 0;
  #to = 0;
  #isMatch = false;

  constructor(behavior: Behavior, emit: (from: number, to: number) => void) {
    this.#behavior = behavior;
    this.#emit = emit;
  }

  add(from: number, to: number, isMatch: boolean): void {
    if (this.#behavior === "Removed" && isMatch) return;
    const waits = this.#from < this.#to;
    if (waits && this.#joins(isMatch)) {
      this.#to = to;
      // A match that took in its neighbour takes no other.
      this.#isMatch = this.#behavior === "MergedWithPrevious" || (this.#behavior === "Contiguous" && isMatch);
      return;
    }
    this.end();
    this.#from = from;
    this.#to = to;
    this.#isMatch = isMatch;
  }

  end(): void {
    if (this.#from < this.#to) this.#emit(this.#from, this.#to);
    this.#from = this.#to;
  }

  #joins(isMatch: boolean): boolean {
    if (this.#behavior === "Contiguous") return isMatch === this.#isMatch;
    if (this.#behavior === "MergedWithPrevious") return isMatch && !this.#isMatch;
    return this.#behavior === "MergedWithNext" && this.#isMatch && !isMatch;
  }
}
