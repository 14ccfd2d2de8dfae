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

/** Whether assertions leave nothing that `part` would rule out; `false` when in doubt. */
export function isImplied(schemas: SchemaSource, branch: Branch, part: Assertion, depth: number): boolean {
  if (part.kind === "required") {
    const required = new Set(branch.flatMap((other) => (other.kind === "required" ? other.names : [])));
    return part.names.every((name) => required.has(name));
  }
  if (part.kind === "members") {
    if (part.patterns.size > 0 || part.additional.length > 0) return false;
    const members = branch.filter((other) => other.kind === "members");
    return [...part.properties].every(([name, demand]) => {
      const value = memberValue(members, name);
      return demand.every((term) => value.includes(term) || schemas.isImpossible(joined(value, [-term]), depth));
    });
  }
  const values = constantsOf(part);
  const left = values === undefined ? undefined : constantsLeft(branch);
  if (values === undefined || left === undefined) return false;
  const holds = !("holds" in part) || part.holds === true;
  return [...left].every((value) => values.includes(value) === holds);
}

/** What a member must at least fit: what patterns demand is left out. */
function memberValue(members: readonly Members[], name: string): Conjunction {
  return members
    .map(({ properties, patterns, additional }) => properties.get(name) ?? (patterns.size === 0 ? additional : []))
    .reduce(joined, []);
}

/** Whether any constant fits all lists of constants. */
function leavesConstants(branch: Branch): boolean {
  const left = constantsLeft(branch);
  return left === undefined || left.size > 0;
}

/** The constants that fit all lists of them, or undefined without such lists. */
function constantsLeft(branch: Branch): ReadonlySet<Constant> | undefined {
  let left: ReadonlySet<Constant> | undefined;
  const excluded: Constant[] = [];
  for (const part of branch) {
    const values = constantsOf(part);
    if (values === undefined) continue;
    if ("holds" in part && !part.holds) for (const value of values) excluded.push(value);
    else {
      const before: ReadonlySet<Constant> | undefined = left;
      left = new Set(before === undefined ? values : values.filter((value) => before.has(value)));
    }
  }
  if (left === undefined || excluded.length === 0) return left;
  const gone = new Set(excluded);
  return new Set([...left].filter((value) => !gone.has(value)));
}

type Constant = boolean | number | string;

function constantsOf(part: Assertion): readonly Constant[] | undefined {
  return part.kind === "booleans" || part.kind === "numbers" || part.kind === "strings" ? part.values : undefined;
}
