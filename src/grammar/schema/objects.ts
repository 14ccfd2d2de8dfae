/**
 * Objects that fit assertions: first the members that the schema names, in its order, then others.
 *
 * A name of the schema comes once. Another name may come again, which JSON allows and readers answer with the last one;
 * as every one of them fits, so does the last.
 *
 * @module
 */
import type { Expression } from "../expression.ts";
import type { Conjunction, Origin } from "./assertions.ts";
import type { Branch } from "./formula.ts";
import { unsupported } from "./keyword-rule.ts";
import { COUNT_STATES_MAX } from "./limits.ts";
import { type MemberNames, memberNames, type NamedMember, type NameSource } from "./member-names.ts";
import type { Structure } from "./structure.ts";

export interface MemberSource extends NameSource {
  readonly structure: Structure;
  /** Texts of values that fit a conjunction. */
  value(conjunction: Conjunction): Expression;
}

/** How many members there may be. */
interface Count {
  readonly min: number;
  readonly max: number;
  readonly origin: Origin | undefined;
}

export function objectExpression(source: MemberSource, branch: Branch): Expression {
  const names = memberNames(source, branch);
  if (names.named.some(({ isRequired, isForbidden }) => isRequired && isForbidden)) return source.made.nothing;
  const named = names.named.filter(({ isForbidden }) => !isForbidden);
  const count = countOf(branch, named, names);
  if (count.min > count.max) return source.made.nothing;
  const isPlain = count.min <= 1 && count.max === Number.POSITIVE_INFINITY && names.demandedKinds === 0;
  const writer = { source, named, names, count };
  return source.structure.object(isPlain ? plainMembers(writer) : new CountedMembers(writer).all());
}

/** The limits that are not met anyway. */
function countOf(branch: Branch, named: readonly NamedMember[], { classes }: MemberNames): Count {
  let [min, max] = [0, Number.POSITIVE_INFINITY];
  let origin: Origin | undefined;
  for (const part of branch) {
    if (part.kind !== "count") continue;
    max = Math.min(max, part.max);
    if (part.min > min) [min, origin] = [part.min, part.origin];
    origin ??= part.origin;
  }
  const required = named.filter(({ isRequired }) => isRequired).length;
  if (required > max) return { min: 1, max: 0, origin };
  if (min <= required) min = 0;
  if (classes.length === 0 && named.length <= max) max = Number.POSITIVE_INFINITY;
  if (min > required + 1 && classes.length > 0 && origin !== undefined) {
    unsupported(origin, "is not supported where names are free: a name that comes twice counts once");
  }
  return { min, max, origin };
}

interface Writer {
  readonly source: MemberSource;
  readonly named: readonly NamedMember[];
  readonly names: MemberNames;
  readonly count: Count;
}

function memberText({ source }: Writer, { name, value }: NamedMember): Expression {
  return source.structure.member(source.names.constant(name), source.value(value));
}

/** All members of names that the schema does not name. */
function otherText({ source: { made, structure, value }, names: { classes } }: Writer): Expression {
  return made.choice(classes.map(({ name, value: demand }) => structure.member(name, value(demand))));
}

/** Nothing is counted but whether a member came before. */
function plainMembers(writer: Writer): Expression {
  const { source, named, count } = writer;
  const { made, structure } = source;
  const other = otherText(writer);
  const others = made.repeat(made.sequence(structure.comma, other), 0);
  // Behind a member: each next one with a comma.
  const rests = [others];
  const texts = named.map((member) => memberText(writer, member));
  for (let i = named.length - 1; i >= 0; i--) {
    const text = made.sequence(structure.comma, texts[i]);
    rests.unshift(made.sequence(named[i].isRequired ? text : made.choice([made.empty, text]), rests[0]));
  }
  const firsts: Expression[] = [];
  for (let i = 0; i < named.length; i++) {
    firsts.push(made.sequence(texts[i], rests[i + 1]));
    if (named[i].isRequired) return made.choice(firsts);
  }
  firsts.push(made.sequence(other, others));
  return made.choice(count.min === 0 ? [made.empty, ...firsts] : firsts);
}

/**
 * Members that are counted, and of which some must have names of a kind. A node stands for how many members came, up to
 * a cap, and which kinds are still missing.
 */
class CountedMembers {
  readonly #writer: Writer;
  readonly #cap: number;
  readonly #known = new Map<string, Expression>();

  constructor(writer: Writer) {
    this.#writer = writer;
    const { count, named, names } = writer;
    this.#cap = count.max < Number.POSITIVE_INFINITY ? count.max : Math.max(count.min, 1);
    const states = (named.length + 1) * (this.#cap + 1) * (names.demandedKinds + 1);
    if (!(states <= COUNT_STATES_MAX)) {
      const origin = count.origin ?? { pointer: "", keyword: "maxProperties" };
      unsupported(origin, `needs more than ${COUNT_STATES_MAX} counts`);
    }
  }

  all(): Expression {
    const { named, names } = this.#writer;
    const texts = named.map((member) => memberText(this.#writer, member));
    // From the last name to the first, so that nothing recurses over names.
    let next = (count: number, missing: number): Expression => this.#others(count, missing);
    for (let i = named.length - 1; i >= 0; i--) {
      const after = next;
      const built = new Map<number, Expression>();
      for (let count = 0; count <= this.#cap; count++) {
        for (let missing = 0; missing <= names.demandedKinds; missing++) {
          built.set(count * 64 + missing, this.#node(named[i], texts[i], count, missing, after));
        }
      }
      next = (count, missing) => built.get(count * 64 + missing)!;
    }
    return next(0, names.demandedKinds);
  }

  #node(
    member: NamedMember,
    text: Expression,
    count: number,
    missing: number,
    after: (count: number, missing: number) => Expression,
  ): Expression {
    const { made } = this.#writer.source;
    const skipped = member.isRequired ? made.nothing : after(count, missing);
    if (this.#isFull(count)) return skipped;
    return made.choice([
      made.sequence(this.#comma(count), text, after(this.#counted(count), missing & ~member.kinds)),
      skipped,
    ]);
  }

  /** Members of other names, behind the named ones. */
  #others(count: number, missing: number): Expression {
    const key = `${count},${missing}`;
    let found = this.#known.get(key);
    if (found === undefined) this.#known.set(key, (found = this.#othersNode(count, missing)));
    return found;
  }

  #othersNode(count: number, missing: number): Expression {
    const { source, count: limits, names } = this.#writer;
    const { made, structure } = source;
    const isEnough = missing === 0 && count >= limits.min;
    const end = isEnough ? made.empty : made.nothing;
    if (this.#isFull(count)) return end;
    const isBounded = limits.max < Number.POSITIVE_INFINITY;
    if (isEnough && count > 0) {
      const more = made.sequence(structure.comma, otherText(this.#writer));
      return made.repeat(more, 0, isBounded ? limits.max - count : undefined);
    }
    const steps: Expression[] = [];
    for (const { name, value, kinds } of names.classes) {
      const [nextCount, nextMissing] = [this.#counted(count), missing & ~kinds];
      // The same node again is a loop, which stands before.
      if (nextCount === count && nextMissing === missing) continue;
      const text = structure.member(name, source.value(value));
      steps.push(made.sequence(this.#comma(count), text, this.#others(nextCount, nextMissing)));
    }
    const isLoop = !isBounded && count === this.#cap;
    const loop = isLoop ? made.repeat(made.sequence(structure.comma, otherText(this.#writer)), 0) : made.empty;
    return made.sequence(loop, made.choice([end, ...steps]));
  }

  #comma(count: number): Expression {
    return count === 0 ? this.#writer.source.made.empty : this.#writer.source.structure.comma;
  }

  #counted(count: number): number {
    return Math.min(count + 1, this.#cap);
  }

  #isFull(count: number): boolean {
    return this.#writer.count.max < Number.POSITIVE_INFINITY && count >= this.#writer.count.max;
  }
}
