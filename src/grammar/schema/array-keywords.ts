/**
 * Keywords about arrays.
 *
 * @module
 */
import type { Conjunction, Items, JsonType } from "./assertions.ts";
import { anyOf, assertion, FAILS, type Formula, HOLDS } from "./formula.ts";
import { isList } from "./json.ts";
import {
  children,
  inner,
  type KeywordRule,
  originOf,
  type Reading,
  refused,
  simpleRule,
  unsupported,
} from "./keyword-rule.ts";
import { evaluatedItems } from "./unevaluated.ts";
import { countRule, itemFails } from "./value-keywords.ts";

const ARRAY: readonly JsonType[] = ["array"];

/** Where the schemas of the first items and of the rest stand: `items` was a list until 2019-09. */
function itemKeywords(reading: Reading): { prefix: string; rest: string } {
  if (!isList(reading.value.get("items"))) return { prefix: "prefixItems", rest: "items" };
  if (reading.node.draft.name === "2020-12")
    unsupported(originOf(reading, "items"), "is one schema in 2020-12; lists go into prefixItems");
  if (reading.value.has("prefixItems")) unsupported(originOf(reading, "items"), "is a list, and prefixItems another");
  return { prefix: "items", rest: "additionalItems" };
}

function items(reading: Reading): Items {
  const { prefix, rest } = itemKeywords(reading);
  return {
    kind: "items",
    prefix: children(reading, prefix).map((node) => reading.schemas.conjunction(node)),
    rest: reading.value.has(rest) ? inner(reading, [rest]) : [],
  };
}

/** One of the items does not fit its schema. */
function itemsFail(reading: Reading): Formula {
  const { prefix, rest } = itemKeywords(reading);
  const nodes = children(reading, prefix);
  const parts = nodes.map((node, i) => {
    const item = reading.schemas.conjunction(node, false);
    return isNever(reading, item) ? FAILS : itemFails(i, item);
  });
  if (reading.value.has(rest)) parts.push(restFails(reading, rest, nodes.length));
  return anyOf(parts);
}

function restFails(reading: Reading, keyword: string, from: number): Formula {
  const item = inner(reading, [keyword], false);
  const origin = originOf(reading, keyword);
  return isNever(reading, item)
    ? FAILS
    : assertion({ kind: "contains", item, from, min: 1, max: Number.POSITIVE_INFINITY, origin });
}

function isNever(reading: Reading, item: Conjunction): boolean {
  return item.length === 1 && item[0] === reading.schemas.never[0];
}

function contains(reading: Reading, holds: boolean): Formula {
  const { value } = reading;
  if (!value.has("contains")) return holds ? HOLDS : FAILS;
  const item = inner(reading, ["contains"]);
  const origin = originOf(reading, "contains");
  const bound = (keyword: string, without: number): number => {
    const given = value.get(keyword);
    return typeof given === "number" ? given : without;
  };
  const min = bound("minContains", 1);
  const max = bound("maxContains", Number.POSITIVE_INFINITY);
  const counted = (least: number, most: number): Formula =>
    least === 0 && most === Number.POSITIVE_INFINITY
      ? HOLDS
      : assertion({ kind: "contains", item, from: 0, min: least, max: most, origin });
  if (holds) return counted(min, max);
  return anyOf([
    min > 0 ? counted(0, min - 1) : FAILS,
    max < Number.POSITIVE_INFINITY ? counted(max + 1, Number.POSITIVE_INFINITY) : FAILS,
  ]);
}

function unevaluated(reading: Reading, holds: boolean): Formula {
  if (inner(reading, ["unevaluatedItems"]).length === 0) return holds ? HOLDS : FAILS;
  const evaluated = evaluatedItems(reading.schemas.document, reading.node);
  if (evaluated === "all") return holds ? HOLDS : FAILS;
  if (evaluated === "unknown") {
    const why = "is not supported beside anyOf, oneOf, if and contains that read items";
    return refused(originOf(reading, "unevaluatedItems"), why);
  }
  if (!holds) return restFails(reading, "unevaluatedItems", evaluated);
  const prefix = Array.from({ length: evaluated }, () => []);
  return assertion({ kind: "items", prefix, rest: inner(reading, ["unevaluatedItems"]) });
}

export const ARRAY_RULES: readonly KeywordRule[] = [
  {
    keywords: ["items", "prefixItems", "additionalItems"],
    types: ARRAY,
    holds: (reading) => assertion(items(reading)),
    fails: itemsFail,
  },
  {
    keywords: ["contains", "minContains", "maxContains"],
    types: ARRAY,
    holds: (reading) => contains(reading, true),
    fails: (reading) => contains(reading, false),
  },
  countRule("minItems", ARRAY, "min", (span) => ({ kind: "length", ...span })),
  countRule("maxItems", ARRAY, "max", (span) => ({ kind: "length", ...span })),
  simpleRule<boolean>("uniqueItems", ARRAY, (isUnique, reading) => {
    if (!isUnique) return { holds: HOLDS, fails: FAILS };
    const origin = originOf(reading, "uniqueItems");
    return { holds: { kind: "unique", origin }, fails: refused(origin, "cannot be negated") };
  }),
  {
    keywords: ["unevaluatedItems"],
    types: ARRAY,
    holds: (reading) => unevaluated(reading, true),
    fails: (reading) => unevaluated(reading, false),
  },
];

/** Both of two lists of items at once. */
export function joinedItems(parts: readonly Items[], join: (a: Conjunction, b: Conjunction) => Conjunction): Items {
  const length = Math.max(0, ...parts.map(({ prefix }) => prefix.length));
  const at = (i: number): Conjunction => parts.map(({ prefix, rest }) => prefix[i] ?? rest).reduce(join, []);
  return {
    kind: "items",
    prefix: Array.from({ length }, (_, i) => at(i)),
    rest: parts.map(({ rest }) => rest).reduce(join, []),
  };
}
