/**
 * One code point of a set as an expression over bytes: per number of bytes a lead, then continuation bytes, where leads
 * with the same continuations share them.
 *
 * @module
 */
import { type Range, cutRanges, joinedRanges } from "./code-points.ts";
import type { Expression, ExpressionMaker } from "./node.ts";

/** Code points by the number of their bytes after the first, and the first byte's marker bits. */
const LENGTHS = [
  { first: 0, last: 0x7f, depth: 0, lead: 0 },
  { first: 0x80, last: 0x7ff, depth: 1, lead: 0xc0 },
  { first: 0x800, last: 0xd7ff, depth: 2, lead: 0xe0 },
  { first: 0xe000, last: 0xffff, depth: 2, lead: 0xe0 },
  { first: 0x10000, last: 0x10ffff, depth: 3, lead: 0xf0 },
];

const CONTINUATION = 0x80;

/** A pattern repeats few classes. The ranges of `\p{L}` take 6 kB as a key, and 1 ms to build. */
const CLASSES_KEPT = 256;

export class CharacterBuilder {
  readonly #expressions: ExpressionMaker;
  /** Any 0 to 3 continuation bytes. */
  #anyTail: Expression[] = [];
  /** By their ranges. */
  readonly #known = new Map<string, Expression>();

  constructor(expressions: ExpressionMaker) {
    this.#expressions = expressions;
  }

  forget(): void {
    this.#anyTail = [];
    this.#known.clear();
  }

  ofRanges(ranges: readonly Range[]): Expression {
    const sorted = joinedRanges(ranges),
      key = sorted.join();
    let found = this.#known.get(key);
    if (found !== undefined) return found;
    if (this.#known.size === CLASSES_KEPT) this.#known.clear();
    this.#known.set(key, (found = this.#built(sorted)));
    return found;
  }

  #built(sorted: readonly Range[]): Expression {
    return this.#expressions.choice(
      LENGTHS.map(({ first, last, depth, lead }) => this.#units(cutRanges(sorted, first, last), depth, lead)),
    );
  }

  /** Numbers of `depth` × 6 bits and a lead, as bytes; the lead byte has the bits `marker`. */
  #units(ranges: readonly Range[], depth: number, marker: number): Expression {
    const span = 64 ** depth;
    const partial = new Map<number, Range[]>();
    const byTail = new Map<Expression, Uint8Array>();
    const add = (tail: Expression, from: number, to: number): void => {
      let set = byTail.get(tail);
      if (set === undefined) byTail.set(tail, (set = new Uint8Array(256)));
      set.fill(1, marker + from, marker + to);
    };
    for (const [first, last] of ranges) {
      const from = Math.ceil(first / span);
      const to = Math.floor((last + 1) / span);
      if (from < to) add(this.#tail(depth), from, to);
      for (const lead of new Set([Math.floor(first / span), Math.floor(last / span)])) {
        if (lead >= from && lead < to) continue;
        const part: Range = [Math.max(first - lead * span, 0), Math.min(last - lead * span, span - 1)];
        const parts = partial.get(lead);
        if (parts === undefined) partial.set(lead, [part]);
        else parts.push(part);
      }
    }
    for (const [lead, parts] of partial) add(this.#units(parts, depth - 1, CONTINUATION), lead, lead + 1);
    const made = this.#expressions;
    return made.choice([...byTail].map(([tail, set]) => made.sequence(made.byteSet(set), tail)));
  }

  #tail(depth: number): Expression {
    const known = this.#anyTail[depth];
    if (known !== undefined) return known;
    if (depth === 0) return (this.#anyTail[0] = this.#expressions.empty);
    const tail = this.#tail(depth - 1);
    const set = new Uint8Array(256).fill(1, CONTINUATION, CONTINUATION + 64);
    return (this.#anyTail[depth] = this.#expressions.sequence(this.#expressions.byteSet(set), tail));
  }
}
