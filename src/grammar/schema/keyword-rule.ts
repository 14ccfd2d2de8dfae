/**
 * A rule turns keywords that belong together into a formula.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { Assertion, Conjunction, JsonType, Origin } from "./assertions.ts";
import type { SchemaDocument, SchemaNode } from "./document.ts";
import { assertion, type Formula, termOf } from "./formula.ts";
import { atPointer, type Json, type JsonMap } from "./json.ts";

/** The schemas of a document, as rules see them. */
export interface SchemaSource {
  readonly document: SchemaDocument;
  /** What no value fits. */
  readonly never: Conjunction;
  /** The conjunction of one schema, or of its negation. */
  conjunction(node: SchemaNode, holds?: boolean): Conjunction;
  /** The schema that only `value` fits. */
  constant(value: Json, pointer: string): Conjunction;
  /** What a schema, or with a negative id its negation, demands of values of a type. */
  formula(term: number, type: JsonType): Formula;
  /** Whether a look at constants and types shows that nothing fits; `false` says nothing. */
  isImpossible(conjunction: Conjunction, depth: number, types?: readonly JsonType[]): boolean;
}

/** A schema that is being read, for values of one type. */
export interface Reading {
  readonly schemas: SchemaSource;
  readonly node: SchemaNode;
  readonly value: JsonMap;
  readonly type: JsonType;
}

export interface KeywordRule {
  readonly keywords: readonly string[];
  /** Types it says anything about; all, when it does not say. */
  readonly types?: readonly JsonType[];
  readonly holds: (reading: Reading) => Formula;
  readonly fails: (reading: Reading) => Formula;
}

/** The sub-schema under a keyword, applied to the same value. */
export function applied(reading: Reading, node: SchemaNode, holds = true): Formula {
  const term = holds ? node.id : -node.id;
  return termOf(term, reading.schemas.formula(term, reading.type));
}

/** The sub-schema under a keyword, for a value inside. */
export function inner(reading: Reading, keys: readonly (string | number)[], holds = true): Conjunction {
  return reading.schemas.conjunction(reading.schemas.document.child(reading.node, ...keys), holds);
}

export function children(reading: Reading, keyword: string): SchemaNode[] {
  const list = reading.value.get(keyword);
  return Array.isArray(list) ? list.map((_, i) => reading.schemas.document.child(reading.node, keyword, i)) : [];
}

export function originOf(reading: Reading, keyword: string): Origin {
  return { pointer: reading.node.pointer, keyword };
}

/** @throws OnebitError `grammar/unsupported`, naming the keyword and where it stands */
export function unsupported(origin: Origin, why: string): never {
  return fail("grammar/unsupported", `${atPointer(origin.pointer)}: ${JSON.stringify(origin.keyword)} ${why}`);
}

export function refused(origin: Origin, why: string): Formula {
  return { kind: "refused", refuse: () => unsupported(origin, why) };
}

/** A rule of one keyword, whose value was checked, that asserts one thing. */
export function simpleRule<Value extends Json>(
  keyword: string,
  types: readonly JsonType[],
  assertions: (value: Value, reading: Reading) => { holds: Assertion | Formula; fails: Assertion | Formula },
): KeywordRule {
  // The table of keywords says what kind of value each takes, and it was checked.
  const both = (reading: Reading) => assertions(reading.value.get(keyword) as Value, reading);
  return {
    keywords: [keyword],
    types,
    holds: (reading) => asFormula(both(reading).holds),
    fails: (reading) => asFormula(both(reading).fails),
  };
}

const FORMULA_KINDS: ReadonlySet<string> = new Set(["holds", "fails", "assertion", "all", "any", "term", "refused"]);

function asFormula(part: Assertion | Formula): Formula {
  return isFormula(part) ? part : assertion(part);
}

function isFormula(part: Assertion | Formula): part is Formula {
  return FORMULA_KINDS.has(part.kind);
}
