/**
 * What each keyword demands, and what its negation does. A schema holds when all its keywords do, and does not when any
 * does not, so `not`, `oneOf` and `if` are exact wherever the keywords within are.
 *
 * @module
 */
import { ARRAY_RULES } from "./array-keywords.ts";
import { allOf, anyOf, FAILS, type Formula, HOLDS } from "./formula.ts";
import { APPLICATOR_RULES } from "./applicators.ts";
import type { KeywordRule, Reading } from "./keyword-rule.ts";
import { OBJECT_RULES } from "./object-keywords.ts";
import { VALUE_RULES } from "./value-keywords.ts";

const RULES: readonly KeywordRule[] = [...VALUE_RULES, ...APPLICATOR_RULES, ...OBJECT_RULES, ...ARRAY_RULES];

const BY_KEYWORD: ReadonlyMap<string, KeywordRule> = new Map(
  RULES.flatMap((rule) => rule.keywords.map((keyword) => [keyword, rule] as const)),
);

/** Decide most types without a look at the rest. */
const FIRST = ["type", "const", "enum"];

/** What the schema demands of a value of one type, or its negation. Rules apply in the order of the schema's text. */
export function keywordFormula(reading: Reading, holds: boolean): Formula {
  const parts: Formula[] = [];
  const verdict = holds ? "fails" : "holds";
  for (const rule of rulesOf(reading)) {
    if (rule.types !== undefined && !rule.types.includes(reading.type)) continue;
    const part = holds ? rule.holds(reading) : rule.fails(reading);
    if (part.kind === verdict) return holds ? FAILS : HOLDS;
    parts.push(part);
  }
  return holds ? allOf(parts) : anyOf(parts);
}

function rulesOf({ node, value }: Reading): Iterable<KeywordRule> {
  const keywords = node.draft.refStandsAlone && value.has("$ref") ? ["$ref"] : [...value.keys()];
  const found = new Set<KeywordRule>();
  for (const keyword of [...FIRST, ...keywords]) {
    const rule = BY_KEYWORD.get(keyword);
    if (rule !== undefined && keywords.includes(keyword)) found.add(rule);
  }
  return found;
}
