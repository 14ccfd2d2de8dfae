/**
 * A quick look at whether assertions contradict each other: enough to drop the combinations of `oneOf` and `if` that a
 * discriminator rules out, before they multiply. Whether the rest matches anything is found out later and exactly.
 *
 * @module
 */
import { type Assertion, type Conjunction, joined, type Members } from "./assertions.ts";
import type { Branch } from "./formula.ts";
import type { SchemaSource } from "./keyword-rule.ts";

/** `true` when in doubt. @param depth levels of members to look into */
export function isPossible(schemas: SchemaSource, branch: Branch, depth: number): boolean {
  if (branch.length < 2) return true;
  const required = new Set<string>();
  const members: Members[] = [];
  const span = { min: 0, max: Number.POSITIVE_INFINITY };
  for (const part of branch) {
    if (part.kind === "required") for (const name of part.names) required.add(name);
    if (part.kind === "members") members.push(part);
    if (part.kind === "length" || part.kind === "count" || part.kind === "characters") {
      span.min = Math.max(span.min, part.min);
      span.max = Math.min(span.max, part.max);
    }
  }
  if (span.min > span.max || !leavesConstants(branch)) return false;
  if (members.length === 0) return true;
  return [...required].every((name) => !schemas.isImpossible(memberValue(members, name), depth));
}

/** What a member must at least fit: what patterns demand is left out. */
function memberValue(members: readonly Members[], name: string): Conjunction {
  return members
    .map(({ properties, patterns, additional }) => properties.get(name) ?? (patterns.size === 0 ? additional : []))
    .reduce(joined, []);
}

/** Whether any constant fits all lists of constants. */
function leavesConstants(branch: Branch): boolean {
  let left: ReadonlySet<unknown> | undefined;
  const excluded: unknown[] = [];
  for (const part of branch) {
    const values = constantsOf(part);
    if (values === undefined) continue;
    if ("holds" in part && !part.holds) excluded.push(...values);
    else left = new Set(left === undefined ? values : values.filter((value) => left!.has(value)));
  }
  if (left === undefined) return true;
  const gone = new Set(excluded);
  return [...left].some((value) => !gone.has(value));
}

function constantsOf(part: Assertion): readonly unknown[] | undefined {
  return part.kind === "booleans" || part.kind === "numbers" || part.kind === "strings" ? part.values : undefined;
}
