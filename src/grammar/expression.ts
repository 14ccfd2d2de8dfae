/**
 * Expressions: the immutable nodes that every grammar compiles to. Equal expressions of one factory are the same
 * object, so that what is derived from them is computed once.
 *
 * Source: Brzozowski 1964, "Derivatives of regular expressions"; Owens, Reppy and Turon 2009, "Regular-expression
 * derivatives re-examined". Counters stay counters: `{0,10000}` is one node.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { GRAMMAR_DEPTH_MAX, GRAMMAR_NODES_MAX } from "../core/limits.ts";
import { ByteSets } from "./byte-sets.ts";
import { simplifiedChoice } from "./choice.ts";
import {
  BOTH,
  BYTE,
  CHOICE,
  COMPLEMENT,
  EMPTY,
  Expression,
  type ExpressionMaker,
  NOTHING,
  NO_PARTS,
  REPEAT,
  Rule,
  SEQUENCE,
  UNLIMITED,
  VALID_UTF8,
} from "./node.ts";
import { CharacterBuilder } from "./utf8-ranges.ts";

export type { Expression, Rule } from "./node.ts";

/** Two ids below it share a double; later ones, after days of dropping and making nodes, share a string. */
const IDS_IN_KEY = 2 ** 26;

/** What stays when the rest is dropped. */
interface Sealed {
  readonly known: readonly [string, Expression][];
  readonly sequences: readonly [number, Expression][];
  readonly nodes: number;
}

/** What limits a factory. */
export interface ExpressionLimits {
  /** Most nodes, with the members of choices. */
  nodes?: number;
}

/** Makes the expressions of one grammar. */
export class Expressions implements ExpressionMaker {
  /** Matches no string. */
  readonly nothing: Expression;
  /** Matches "". */
  readonly empty: Expression;
  /** Matches every byte string. */
  readonly everything: Expression;
  readonly sets = new ByteSets();
  readonly #encoder = new TextEncoder();
  readonly #characters: CharacterBuilder;
  readonly #rules = new Map<string, Rule>();
  #known = new Map<string, Expression>();
  /** By both ids as one number; the most frequent kind. */
  #sequences = new Map<number, Expression>();
  #anyText: Expression | undefined = undefined;
  #sealed: Sealed = { known: [], sequences: [], nodes: 0 };
  #nodesMax: number;
  #nodes = 0;
  #nextId = 0;

  constructor(limits: ExpressionLimits = {}) {
    this.#nodesMax = limits.nodes ?? GRAMMAR_NODES_MAX;
    this.nothing = this.#make(NOTHING, NO_PARTS);
    this.empty = this.#make(EMPTY, NO_PARTS);
    this.everything = this.#make(COMPLEMENT, [this.nothing]);
    this.nothing.emptiness = true;
    this.everything.emptiness = false;
    this.#characters = new CharacterBuilder(this);
  }

  /** One byte of a set: 1 for each member. */
  byteSet(set: Uint8Array): Expression {
    const shared = this.sets.shared(set);
    if (shared.isEmpty) return this.nothing;
    return this.#interned(`s${shared.id}`, BYTE, NO_PARTS, { set: shared.classes });
  }

  /** This very string. */
  bytes(bytes: Uint8Array): Expression {
    let whole = this.empty;
    for (let i = bytes.length - 1; i >= 0; i--) {
      const set = this.sets.single(bytes[i]);
      whole = this.#pair(this.#interned(`s${set.id}`, BYTE, NO_PARTS, { set: set.classes }), whole);
    }
    return whole;
  }

  /** The UTF-8 of a text; a lone surrogate becomes U+FFFD. */
  text(text: string): Expression {
    return this.bytes(this.#encoder.encode(text));
  }

  /** One code point of these ranges, both ends included, as UTF-8; surrogates never match. */
  characters(ranges: readonly (readonly [first: number, last: number])[]): Expression {
    return this.#characters.ofRanges(ranges);
  }

  /** Any valid UTF-8. */
  get anyText(): Expression {
    return (this.#anyText ??= this.repeat(this.characters([[0, 0x10ffff]]), 0));
  }

  /** One after the other. */
  sequence(...parts: Expression[]): Expression {
    let whole = this.empty;
    for (let i = parts.length - 1; i >= 0; i--) whole = this.#before(parts[i], whole);
    return whole;
  }

  /** Any of them. */
  choice(parts: Iterable<Expression>): Expression {
    const members = simplifiedChoice(this, parts);
    if (members.length === 1) return members[0];
    if (members.length === 0) return this.nothing;
    return this.#interned(`c${idsOf(members)}`, CHOICE, members);
  }

  /** `min` to `max` times; without `max` any number from `min`. Nothing when `min` is the larger. */
  repeat(part: Expression, min: number, max = UNLIMITED): Expression {
    if (min > max) return this.nothing;
    if (max === 0 || part === this.empty) return this.empty;
    if (part === this.nothing) return min === 0 ? this.empty : this.nothing;
    if (min === 1 && max === 1) return part;
    if (part.kind === REPEAT && isContiguous(part, min)) {
      return this.repeat(part.parts[0], part.min * min, part.max * max);
    }
    const least = part.isNullable ? 0 : min;
    if (part.isNullable && max === 1) return part;
    return this.#interned(`r${part.id},${least},${max}`, REPEAT, [part], { min: least, max });
  }

  /** What matches all of them; of none, any text. Regular parts only. */
  both(parts: Iterable<Expression>): Expression {
    const found = new Set<Expression>();
    const add = (part: Expression): void => {
      if (part.kind === BOTH) part.parts.forEach(add);
      else if (part !== this.everything) found.add(this.#regular(part));
    };
    let given = 0;
    for (const part of parts) given++, add(part);
    if (given === 0) return this.anyText;
    const { anyText } = this;
    if (found.has(anyText) && [...found].some((part) => part !== anyText && part.utf8 === VALID_UTF8)) {
      found.delete(anyText);
    }
    const members = [...found].sort((a, b) => a.id - b.id);
    if (members.length === 0) return this.everything;
    if (members.length === 1) return members[0];
    if (found.has(this.nothing)) return this.nothing;
    if (found.has(this.empty)) return members.every((part) => part.isNullable) ? this.empty : this.nothing;
    return this.#interned(`b${idsOf(members)}`, BOTH, members);
  }

  /** Valid UTF-8 that `part` does not match. Regular parts only. */
  not(part: Expression): Expression {
    return this.both([this.anyText, this.complement(part)]);
  }

  /** Byte strings, UTF-8 or not, that `part` does not match. Regular parts only. */
  complement(part: Expression): Expression {
    if (part.kind === COMPLEMENT) return part.parts[0];
    if (part === this.nothing) return this.everything;
    return this.#interned(`n${part.id}`, COMPLEMENT, [this.#regular(part)]);
  }

  /** The rule of this name, the same at every call; it may be defined later. */
  rule(name: string): Rule {
    const known = this.#rules.get(name);
    if (known !== undefined) return known;
    const rule = new Rule(this.#newId(1), name);
    this.#rules.set(name, rule);
    return rule;
  }

  /**
   * Ends the grammar: what there is now stays, and what is made from here on may be dropped by {@link forget}.
   * @param derivedMax most nodes to make before that
   */
  seal(derivedMax: number): void {
    this.#sealed = { known: [...this.#known], sequences: [...this.#sequences], nodes: this.#nodes };
    this.#nodesMax = this.#nodes + derivedMax;
  }

  /** Nodes that {@link forget} would drop, with the members of choices. */
  get derivedNodes(): number {
    return this.#nodes - this.#sealed.nodes;
  }

  /**
   * Drops all that was derived since {@link seal}: nodes are made anew when they are needed again, with new ids. Nodes
   * that are still held stay right, but equal ones made later are other objects.
   */
  forget(): void {
    for (const node of this.#known.values()) node.edges = undefined;
    for (const node of this.#sequences.values()) node.edges = undefined;
    this.#known = new Map(this.#sealed.known);
    this.#sequences = new Map(this.#sealed.sequences);
    this.#characters.forget();
    this.#anyText = undefined;
    this.everything.edges = undefined;
    this.#nodes = this.#sealed.nodes;
  }

  /** `head`, then `tail`: nested to the right, so that a derivative only changes the front. */
  #before(head: Expression, tail: Expression): Expression {
    if (head.kind !== SEQUENCE) return this.#pair(head, tail);
    // Without this, a list of n parts that is made from its end takes n² steps.
    if (tail === this.empty) return head;
    const heads: Expression[] = [];
    let rest = head;
    for (; rest.kind === SEQUENCE; rest = rest.parts[1]) heads.push(rest.parts[0]);
    let whole = this.#pair(rest, tail);
    for (let i = heads.length - 1; i >= 0; i--) whole = this.#pair(heads[i], whole);
    return whole;
  }

  #pair(head: Expression, tail: Expression): Expression {
    if (head === this.empty) return tail;
    if (tail === this.empty) return head;
    if (head === this.nothing || tail === this.nothing) return this.nothing;
    if (tail.id >= IDS_IN_KEY) return this.#interned(`q${head.id},${tail.id}`, SEQUENCE, [head, tail]);
    const key = head.id * IDS_IN_KEY + tail.id;
    let node = this.#sequences.get(key);
    if (node === undefined) this.#sequences.set(key, (node = this.#make(SEQUENCE, [head, tail])));
    return node;
  }

  #interned(
    key: string,
    kind: number,
    parts: readonly Expression[],
    fields: Partial<Expression> = NO_FIELDS,
  ): Expression {
    let node = this.#known.get(key);
    if (node === undefined) this.#known.set(key, (node = this.#make(kind, parts, fields)));
    return node;
  }

  #make(kind: number, parts: readonly Expression[], fields: Partial<Expression> = NO_FIELDS): Expression {
    const node = new Expression(this.#newId(1 + (kind === SEQUENCE ? 0 : parts.length)), kind, parts, fields);
    if (node.depth > GRAMMAR_DEPTH_MAX) {
      fail("grammar/too-large", `the grammar nests more than ${GRAMMAR_DEPTH_MAX} levels deep; make it simpler`);
    }
    return node;
  }

  #newId(nodes: number): number {
    this.#nodes += nodes;
    if (this.#nodes > this.#nodesMax) {
      fail("grammar/too-large", `the grammar needs more than ${this.#nodesMax} nodes; make it simpler`);
    }
    return this.#nextId++;
  }

  #regular(part: Expression): Expression {
    if (part.isRegular) return part;
    return fail("grammar/unsupported", "an intersection or a complement of something recursive cannot be decided");
  }
}

const NO_FIELDS: Partial<Expression> = {};

/** Whether `inner` any of n or more times matches, for some r{a,b}, all numbers of r from n × a on. */
function isContiguous(inner: Expression, min: number): boolean {
  return min === 0 ? inner.min <= 1 : min * inner.max >= (min + 1) * inner.min - 1;
}

function idsOf(parts: readonly Expression[]): string {
  return parts.map((part) => part.id).join(",");
}
