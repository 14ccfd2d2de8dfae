/**
 * What one keyword demands of one value: the vocabulary in which schemas of all drafts, and their negations, are
 * expressed. Values inside arrays and objects are demanded by conjunctions of schemas, which are read later.
 *
 * @module
 */
export const JSON_TYPES = ["null", "boolean", "number", "string", "array", "object"] as const;
export type JsonType = (typeof JSON_TYPES)[number];

/** Ids of schemas that all hold; negative ones do not hold. Sorted, each once; none means any value. */
export type Conjunction = readonly number[];

/** Where an assertion comes from, for messages. */
export interface Origin {
  readonly pointer: string;
  readonly keyword: string;
}

/** Of one schema object: which schema the value of each member must fit. */
export interface Members {
  readonly kind: "members";
  readonly properties: ReadonlyMap<string, Conjunction>;
  readonly patterns: ReadonlyMap<string, Conjunction>;
  readonly additional: Conjunction;
  /** The names stand in the order that texts keep; not where only a negation mentions them. */
  readonly isOrdering: boolean;
  readonly origin: Origin;
}

/** Of one schema object: which schema each item must fit. */
export interface Items {
  readonly kind: "items";
  readonly prefix: readonly Conjunction[];
  readonly rest: Conjunction;
}

export type Assertion =
  | { readonly kind: "booleans"; readonly values: readonly boolean[] }
  // numbers
  | { readonly kind: "numbers"; readonly values: readonly number[]; readonly holds: boolean }
  | { readonly kind: "integer"; readonly holds: boolean }
  | { readonly kind: "at-least" | "at-most"; readonly value: number; readonly isExclusive: boolean }
  | { readonly kind: "multiple"; readonly of: number; readonly holds: boolean; readonly origin: Origin }
  // strings
  | { readonly kind: "strings"; readonly values: readonly string[]; readonly holds: boolean }
  | { readonly kind: "characters"; readonly min: number; readonly max: number }
  | { readonly kind: "pattern"; readonly pattern: string; readonly holds: boolean; readonly origin: Origin }
  | { readonly kind: "format"; readonly format: string; readonly holds: boolean; readonly origin: Origin }
  // arrays
  | Items
  | { readonly kind: "length"; readonly min: number; readonly max: number }
  | {
      readonly kind: "contains";
      readonly item: Conjunction;
      readonly from: number;
      readonly min: number;
      readonly max: number;
      readonly origin: Origin;
    }
  | { readonly kind: "unique"; readonly origin: Origin }
  // objects
  | Members
  | { readonly kind: "required"; readonly names: readonly string[] }
  | { readonly kind: "names"; readonly name: Conjunction; readonly origin: Origin }
  /** At least one member whose name does not fit `name`, or fits `pattern`, or is none of `properties`. */
  | { readonly kind: "some-name"; readonly name: NameSet; readonly origin: Origin }
  | { readonly kind: "count"; readonly min: number; readonly max: number; readonly origin: Origin };

/** Names that fit `fits`, match each of `matching` and none of `others`, and are none of `not`. */
export interface NameSet {
  readonly fits: Conjunction;
  readonly matching: readonly string[];
  readonly others: readonly string[];
  readonly not: readonly string[];
}

/** What fits both. */
export function joined(a: Conjunction, b: Conjunction): Conjunction {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  return [...new Set([...a, ...b])].sort((x, y) => x - y);
}

/** Whether a schema and its negation are both demanded. */
export function isContradictory(conjunction: Conjunction): boolean {
  // Sorted, so a negation stands before.
  return (
    conjunction.length > 1 && conjunction[0] < 0 && conjunction.some((term) => term > 0 && conjunction.includes(-term))
  );
}
