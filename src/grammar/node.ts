/**
 * The nodes of expressions, and what each knows of itself. `Expressions` alone makes them.
 *
 * @module
 */
import { fail } from "../core/errors.ts";

export const NOTHING = 0;
export const EMPTY = 1;
/** One byte of a set. */
export const BYTE = 2;
export const SEQUENCE = 3;
export const CHOICE = 4;
export const REPEAT = 5;
export const BOTH = 6;
/** All byte strings but those of a part. */
export const COMPLEMENT = 7;
const RULE = 8;

/** No limit on a repetition. */
export const UNLIMITED = Number.POSITIVE_INFINITY;

export const NO_PARTS: readonly Expression[] = [];

/** One node. Made by {@link Expressions} alone. */
export class Expression {
  /** Unique within its factory, and never used again. */
  readonly id: number;
  readonly kind: number;
  /** What it is made of: two of a sequence, one of a repetition or complement, any number else. */
  readonly parts: readonly Expression[];
  /** Of a repetition; `max` may be {@link UNLIMITED}. */
  readonly min: number;
  readonly max: number;
  /** 1 for each byte of a byte set. */
  readonly set: Uint8Array | undefined;
  /** Matches "". Rules within count as if they did not; `Analysis` knows better. */
  readonly isNullable: boolean;
  /** No rule within. */
  readonly isRegular: boolean;
  /** Only intersections, complements and rules within can make it match no string at all. */
  readonly mayBeEmpty: boolean;
  /** What it means for being valid UTF-8: see {@link utf8Of}. */
  readonly utf8: number;
  /** A repetition within has an end that is counted. */
  readonly hasCounter: boolean;
  /** Levels of nesting; what follows in a sequence is none. */
  readonly depth: number;
  /** Known once it was searched for: whether it matches no string. */
  emptiness: boolean | undefined = undefined;
  /** Where each byte leads, once asked for. */
  edges: Edges | undefined = undefined;

  constructor(id: number, kind: number, parts: readonly Expression[], fields: Partial<Expression>) {
    this.id = id;
    this.kind = kind;
    this.parts = parts;
    this.min = fields.min ?? 0;
    this.max = fields.max ?? 0;
    this.set = fields.set;
    this.isNullable = isNullable(kind, parts, this.min);
    this.utf8 = utf8Of(kind, parts, fields.set);
    let isRegular = kind !== RULE;
    let mayBeEmpty = kind >= BOTH;
    let hasCounter = kind === REPEAT && isCounted(this);
    for (const part of parts) {
      isRegular &&= part.isRegular;
      mayBeEmpty ||= part.mayBeEmpty;
      hasCounter ||= part.hasCounter;
    }
    this.isRegular = isRegular;
    this.mayBeEmpty = mayBeEmpty;
    this.hasCounter = hasCounter;
    this.depth = depthOf(kind, parts);
  }
}

/** A name that an expression can refer to before it is defined, even within its own definition. */
export class Rule extends Expression {
  readonly name: string;
  #expression: Expression | undefined = undefined;

  constructor(id: number, name: string) {
    super(id, RULE, NO_PARTS, {});
    this.name = name;
  }

  /** Says what the rule matches; once. */
  define(expression: Expression): void {
    if (this.#expression !== undefined) fail("grammar/syntax", `rule ${this.name}: is defined twice`);
    this.#expression = expression;
  }

  get isDefined(): boolean {
    return this.#expression !== undefined;
  }

  /** @throws OnebitError `grammar/syntax` when it has no definition. */
  get expression(): Expression {
    return this.#expression ?? fail("grammar/syntax", `rule ${this.name}: is used and has no definition`);
  }
}

function isCounted({ min, max }: { min: number; max: number }): boolean {
  return min > 1 || (max > 1 && max < UNLIMITED);
}

function depthOf(kind: number, parts: readonly Expression[]): number {
  if (kind === SEQUENCE) return Math.max(parts[0].depth + 1, parts[1].depth);
  let most = 0;
  for (const part of parts) most = Math.max(most, part.depth);
  return most + 1;
}

function isNullable(kind: number, parts: readonly Expression[], min: number): boolean {
  if (kind === EMPTY) return true;
  if (kind === SEQUENCE || kind === BOTH) return parts.every((part) => part.isNullable);
  if (kind === CHOICE) return parts.some((part) => part.isNullable);
  if (kind === REPEAT) return min === 0 || parts[0].isNullable;
  return kind === COMPLEMENT && !parts[0].isNullable;
}

/** What a byte leads to, for all bytes at once. */
export interface Edges {
  /** The class of each byte. */
  readonly classes: Uint8Array;
  /** What must follow after a byte of each class. */
  readonly targets: readonly Expression[];
}

/** What makes nodes from nodes. */
export interface ExpressionMaker {
  /** Matches no string. */
  readonly nothing: Expression;
  /** Matches "". */
  readonly empty: Expression;
  /** Matches every byte string. */
  readonly everything: Expression;
  /** One byte of a set: 1 for each member. */
  byteSet(set: Uint8Array): Expression;
  /** One after the other. */
  sequence(...parts: Expression[]): Expression;
  /** One of them. */
  choice(parts: Iterable<Expression>): Expression;
  /** `min` to `max` times; without `max` any number from `min`. */
  repeat(part: Expression, min: number, max?: number): Expression;
}

/** All strings of an expression are valid UTF-8. */
export const VALID_UTF8 = 0;
const NOT_KNOWN = 99;

/**
 * Whether the strings of a node are valid UTF-8, as far as its parts tell: {@link VALID_UTF8}; k above 0: when k
 * continuation bytes are taken from the front; −k: when k continuation bytes are put behind; NOT_KNOWN.
 */
function utf8Of(kind: number, parts: readonly Expression[], set: Uint8Array | undefined): number {
  if (kind === BYTE) return utf8OfSet(set!);
  if (kind === RULE || kind === COMPLEMENT) return NOT_KNOWN;
  if (parts.length === 0) return VALID_UTF8;
  const [first, second] = parts;
  if (kind === BOTH) return parts.find((part) => part.utf8 !== NOT_KNOWN)?.utf8 ?? NOT_KNOWN;
  if (kind === CHOICE) return parts.every((part) => part.utf8 === first.utf8) ? first.utf8 : NOT_KNOWN;
  if (kind === REPEAT) return first.utf8 === VALID_UTF8 ? VALID_UTF8 : NOT_KNOWN;
  if (kind !== SEQUENCE || second.utf8 === NOT_KNOWN) return NOT_KNOWN;
  if (first.utf8 > 0 && first.utf8 !== NOT_KNOWN && second.utf8 >= 0) {
    return first.kind === BYTE || second.utf8 === 0 ? first.utf8 + second.utf8 : NOT_KNOWN;
  }
  return first.utf8 <= 0 && second.utf8 === -first.utf8 ? VALID_UTF8 : NOT_KNOWN;
}

function utf8OfSet(set: Uint8Array): number {
  const isWithin = (from: number, to: number): boolean =>
    set.every((bit, byte) => bit === 0 || (byte >= from && byte < to));
  if (isWithin(0, 0x80)) return VALID_UTF8;
  if (isWithin(0x80, 0xc0)) return 1;
  if (isWithin(0xc2, 0xe0)) return -1;
  if (isWithin(0xe0, 0xf0)) return -2;
  return isWithin(0xf0, 0xf5) ? -3 : NOT_KNOWN;
}
