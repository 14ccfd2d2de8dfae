/**
 * Arrays that fit assertions.
 *
 * @module
 */
import type { Expression, Expressions } from "../expression.ts";
import { joinedItems } from "./array-keywords.ts";
import { type Assertion, type Conjunction, type Items, joined, type Origin } from "./assertions.ts";
import type { Branch } from "./formula.ts";
import { unsupported } from "./keyword-rule.ts";
import { COUNT_STATES_MAX, UNIQUE_VALUES_MAX } from "./limits.ts";
import type { Structure } from "./structure.ts";

/** What arrays need of the rest. */
export interface ItemSource {
  readonly made: Expressions;
  readonly structure: Structure;
  /** Texts of values that fit a conjunction. */
  value(conjunction: Conjunction): Expression;
  /** The negation of a conjunction of one schema. */
  negation(conjunction: Conjunction): Conjunction;
  /** The texts of all values that fit a conjunction when they are few; undefined when they are not. */
  constants(conjunction: Conjunction): readonly string[] | undefined;
}

type Contains = Extract<Assertion, { kind: "contains" }>;

/** Assertions about an array, taken together. */
interface Demand {
  readonly items: Items;
  readonly min: number;
  readonly max: number;
  readonly contains: readonly Contains[];
  readonly unique: Origin | undefined;
}

export function arrayExpression(source: ItemSource, branch: Branch): Expression {
  const demand = demandOf(branch);
  const { min, max, contains, unique } = demand;
  if (min > max) return source.made.nothing;
  if (unique !== undefined && max > 1) {
    if (contains.length > 0) return unsupported(unique, "is not supported beside contains and negated items");
    return source.structure.array(uniqueItems(source, demand, unique));
  }
  return source.structure.array(contains.length > 0 ? countedItems(source, demand) : items(source, demand));
}

function demandOf(branch: Branch): Demand {
  let [min, max] = [0, Number.POSITIVE_INFINITY];
  const lists: Items[] = [];
  const contains: Contains[] = [];
  let unique: Origin | undefined;
  for (const part of branch) {
    if (part.kind === "items") lists.push(part);
    else if (part.kind === "contains") contains.push(part);
    else if (part.kind === "unique") unique = part.origin;
    else if (part.kind === "length") [min, max] = [Math.max(min, part.min), Math.min(max, part.max)];
  }
  return { items: joinedItems(lists, joined), min, max, contains, unique };
}

/** The first items one by one, and the rest as a counter. */
function items({ made, structure, value }: ItemSource, { items: { prefix, rest }, min, max }: Demand): Expression {
  const count = Math.min(prefix.length, max);
  const more = made.sequence(structure.comma, value(rest));
  let tail: Expression;
  if (count > 0) tail = made.repeat(more, Math.max(min - count, 0), max - count);
  else if (max === 0) return made.empty;
  else {
    const some = made.sequence(value(rest), made.repeat(more, Math.max(min - 1, 0), max - 1));
    return min === 0 ? made.choice([made.empty, some]) : some;
  }
  for (let i = count - 1; i >= 0; i--) {
    const item = made.sequence(i === 0 ? made.empty : structure.comma, value(prefix[i]), tail);
    tail = i >= min ? made.choice([made.empty, item]) : item;
  }
  return tail;
}

/**
 * Items some of which are counted. A node stands for a place among the first items, and how many of each kind were
 * counted; a kind that has enough and no upper limit is not counted on.
 */
function countedItems(source: ItemSource, demand: Demand): Expression {
  const { items: list, min, max, contains } = demand;
  const isBounded = max < Number.POSITIVE_INFINITY;
  // Behind the first items, one place stands for all that follow; the very first has no comma before it.
  const last = isBounded ? max : Math.max(1, list.prefix.length, min, ...contains.map(({ from }) => from));
  const caps = contains.map((part) => (part.max < Number.POSITIVE_INFINITY ? part.max : part.min));
  const states = caps.reduce((product, cap) => product * (cap + 1), last + 1);
  if (!(states <= COUNT_STATES_MAX))
    return unsupported(contains[0].origin, `needs more than ${COUNT_STATES_MAX} counts`);
  return new CountedItems(source, demand, last, caps, isBounded).from();
}

class CountedItems {
  readonly #source: ItemSource;
  readonly #demand: Demand;
  readonly #last: number;
  readonly #caps: readonly number[];
  readonly #isBounded: boolean;
  /** By counts, of the place after the one that is being built. */
  #next = new Map<string, Expression>();

  constructor(source: ItemSource, demand: Demand, last: number, caps: readonly number[], isBounded: boolean) {
    this.#source = source;
    this.#demand = demand;
    this.#last = last;
    this.#caps = caps;
    this.#isBounded = isBounded;
  }

  /** Built from the last place to the first, so that nothing recurses over places. */
  from(): Expression {
    const counts = combinations(this.#caps);
    for (let place = this.#last; place >= 0; place--) {
      const current = new Map<string, Expression>();
      // From full counts down: a node of the last place leads to others there.
      for (const count of counts) current.set(count.join(), this.#node(place, count, current));
      this.#next = current;
    }
    return this.#next.get(this.#caps.map(() => 0).join())!;
  }

  #node(place: number, counts: readonly number[], current: ReadonlyMap<string, Expression>): Expression {
    const { made, structure, value } = this.#source;
    const { items: list, min, contains } = this.#demand;
    const end = place >= min && contains.every((part, i) => counts[i] >= part.min) ? made.empty : made.nothing;
    if (place === this.#last && this.#isBounded) return end;
    const isLoop = place === this.#last;
    const item = list.prefix[place] ?? list.rest;
    const steps: Expression[] = [];
    const loops: Expression[] = [];
    for (const { demanded, after } of this.#kinds(place, counts)) {
      const text = made.sequence(place === 0 ? made.empty : structure.comma, value(joined(item, demanded)));
      if (isLoop && after.join() === counts.join()) loops.push(text);
      else if (isLoop) steps.push(made.sequence(text, current.get(after.join()) ?? made.nothing));
      else steps.push(made.sequence(text, this.#next.get(after.join()) ?? made.nothing));
    }
    return made.sequence(made.repeat(made.choice(loops), 0), made.choice([end, ...steps]));
  }

  /** Kinds of items that may stand at a place, and the counts after each. */
  #kinds(place: number, counts: readonly number[]): { demanded: Conjunction; after: number[] }[] {
    let kinds: { demanded: Conjunction; after: number[] }[] = [{ demanded: [], after: [] }];
    this.#demand.contains.forEach((part, i) => {
      const isCounted = place >= part.from;
      const count = counts[i];
      const isLimited = part.max < Number.POSITIVE_INFINITY;
      kinds = kinds.flatMap(({ demanded, after }) => {
        const same = { demanded, after: [...after, count] };
        if (!isCounted || (!isLimited && count >= part.min)) return [same];
        const fits = { demanded: joined(demanded, part.item), after: [...after, count + 1] };
        // Without an upper limit, an item that fits may as well go uncounted.
        const other = isLimited ? { ...same, demanded: joined(demanded, this.#source.negation(part.item)) } : same;
        return count < this.#caps[i] ? [other, fits] : [other];
      });
    });
    return kinds;
  }
}

/** All lists of numbers from each cap down to 0. */
function combinations(caps: readonly number[]): number[][] {
  return caps.reduce<number[][]>(
    (lists, cap) => lists.flatMap((list) => Array.from({ length: cap + 1 }, (_, i) => [...list, cap - i])),
    [[]],
  );
}

/** Items of which no two are the same: only where few values fit at all, as each set of those used is a node. */
function uniqueItems(source: ItemSource, { items: { prefix, rest }, min, max }: Demand, origin: Origin): Expression {
  const { made, structure } = source;
  const refuse = (): never =>
    unsupported(origin, `is supported for up to one item, and where items are at most ${UNIQUE_VALUES_MAX} constants`);
  const places = [...prefix, rest].map((item) => source.constants(item) ?? refuse());
  const values = [...new Set(places.flat())];
  if (values.length > UNIQUE_VALUES_MAX) refuse();
  const nodes: Expression[] = [];
  for (let used = 2 ** values.length - 1; used >= 0; used--) {
    const count = bits(used);
    const allowed = places[Math.min(count, prefix.length)];
    const steps = values.map((text, i) => {
      if ((used >> i) & 1 || count >= max || !allowed.includes(text)) return made.nothing;
      return made.sequence(count === 0 ? made.empty : structure.comma, made.text(text), nodes[used | (1 << i)]);
    });
    nodes[used] = made.choice([count >= min ? made.empty : made.nothing, ...steps]);
  }
  return nodes[0];
}

function bits(set: number): number {
  let count = 0;
  for (let rest = set; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}
