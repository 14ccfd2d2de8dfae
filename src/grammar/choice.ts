/**
 * The members of a choice in their normal form: flat, sorted, each once, and alternatives that differ only in a set of
 * bytes or in a counter as one. Without the last, reading `(a|aa){0,1000}` would carry a thousand counters along.
 *
 * @module
 */
import { BYTE, CHOICE, EMPTY, type Expression, type ExpressionMaker, REPEAT, SEQUENCE } from "./node.ts";

export function simplifiedChoice(expressions: ExpressionMaker, parts: Iterable<Expression>): Expression[] {
  const members = new Set<Expression>();
  for (const part of parts) {
    if (part.kind === CHOICE) for (const inner of part.parts) members.add(inner);
    else if (part !== expressions.nothing) members.add(part);
  }
  if (members.size < 2) return [...members];
  if (members.has(expressions.everything)) return [expressions.everything];
  const merged = withOneEmpty(expressions, withJoinedCounters(expressions, withJoinedSets(expressions, [...members])));
  return merged.sort((a, b) => a.id - b.id);
}

function headOf(part: Expression): Expression {
  return part.kind === SEQUENCE ? part.parts[0] : part;
}

/** What follows the head, undefined for nothing. */
function tailOf(part: Expression): Expression | undefined {
  return part.kind === SEQUENCE ? part.parts[1] : undefined;
}

/** `[a]x | [b]x` as `[ab]x`. */
function withJoinedSets(expressions: ExpressionMaker, members: Expression[]): Expression[] {
  const byTail = grouped(members, (part) => (headOf(part).kind === BYTE ? (tailOf(part)?.id ?? -1) : undefined));
  return byTail === undefined
    ? members
    : joined(members, byTail, (group) => {
        const set = new Uint8Array(256);
        for (const part of group) headOf(part).set!.forEach((bit, byte) => (set[byte] |= bit));
        return [expressions.sequence(expressions.byteSet(set), tailOf(group[0]) ?? expressions.empty)];
      });
}

/** `r{0,3}x | r{2,5}x` as `r{0,5}x`, when no number between is missing. */
function withJoinedCounters(expressions: ExpressionMaker, members: Expression[]): Expression[] {
  const byPart = grouped(members, (part) => {
    const head = headOf(part);
    return head.kind === REPEAT ? `${head.parts[0].id},${tailOf(part)?.id ?? -1}` : undefined;
  });
  return byPart === undefined
    ? members
    : joined(members, byPart, (group) => {
        const counters = group.map(headOf).sort((a, b) => a.min - b.min);
        const tail = tailOf(group[0]) ?? expressions.empty;
        const spans: { min: number; max: number }[] = [];
        for (const { min, max } of counters) {
          const last = spans[spans.length - 1];
          if (last !== undefined && min <= last.max + 1) last.max = Math.max(last.max, max);
          else spans.push({ min, max });
        }
        return spans.map(({ min, max }) =>
          expressions.sequence(expressions.repeat(counters[0].parts[0], min, max), tail),
        );
      });
}

/** No "" beside what matches it anyway; `"" | r{1,5}` as `r{0,5}`. */
function withOneEmpty(expressions: ExpressionMaker, members: Expression[]): Expression[] {
  if (!members.includes(expressions.empty) || members.length === 1) return members;
  const others = members.filter((part) => part.kind !== EMPTY);
  if (others.some((part) => part.isNullable)) return others;
  const counter = others.findIndex((part) => part.kind === REPEAT && part.min === 1);
  if (counter < 0) return members;
  others[counter] = expressions.repeat(others[counter].parts[0], 0, others[counter].max);
  return others;
}

/** The groups of at least two members with the same key, or undefined if there are none. */
function grouped<Key>(
  members: readonly Expression[],
  keyOf: (part: Expression) => Key | undefined,
): Expression[][] | undefined {
  const groups = new Map<Key, Expression[]>();
  for (const part of members) {
    const key = keyOf(part);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [part]);
    else group.push(part);
  }
  const several = [...groups.values()].filter((group) => group.length > 1);
  return several.length === 0 ? undefined : several;
}

function joined(
  members: readonly Expression[],
  groups: readonly Expression[][],
  join: (group: Expression[]) => Expression[],
): Expression[] {
  const gone = new Set(groups.flat());
  const kept = new Set(members.filter((part) => !gone.has(part)));
  for (const group of groups) for (const part of join(group)) kept.add(part);
  return [...kept];
}
