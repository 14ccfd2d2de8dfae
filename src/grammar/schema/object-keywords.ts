/**
 * Keywords about objects.
 *
 * @module
 */
import { type Conjunction, type JsonType, joined, type Members } from "./assertions.ts";
import { allOf, anyOf, assertion, FAILS, type Formula, HOLDS } from "./formula.ts";
import { isList, isMap, type Json } from "./json.ts";
import { applied, inner, type KeywordRule, originOf, type Reading, refused, simpleRule } from "./keyword-rule.ts";
import { evaluatedMembers } from "./unevaluated.ts";
import { countRule, memberOnly, withoutMember } from "./value-keywords.ts";

const OBJECT: readonly JsonType[] = ["object"];

const required = (...names: readonly string[]): Formula =>
  names.length === 0 ? HOLDS : assertion({ kind: "required", names });

function keysOf(reading: Reading, keyword: string): string[] {
  const value = reading.value.get(keyword);
  return isMap(value) ? [...value.keys()] : [];
}

function members(reading: Reading): Members {
  const by = (keyword: string): Map<string, Conjunction> =>
    new Map(keysOf(reading, keyword).map((key) => [key, inner(reading, [keyword, key])]));
  return {
    kind: "members",
    properties: by("properties"),
    patterns: by("patternProperties"),
    additional: reading.value.has("additionalProperties") ? inner(reading, ["additionalProperties"]) : [],
    isOrdering: true,
    origin: originOf(reading, "patternProperties"),
  };
}

/** One of the members does not fit its schema. */
function membersFail(reading: Reading): Formula {
  const names = keysOf(reading, "properties");
  const patterns = keysOf(reading, "patternProperties");
  const parts: Formula[] = names.map((name) => {
    const value = inner(reading, ["properties", name], false);
    if (isNever(reading, value)) return FAILS;
    const other = assertion(memberOnly(reading, name, value));
    // Where the schema requires the member too, one that is not there fails it as well: see requiredFails.
    return isRequired(reading, name) ? other : allOf([required(name), other]);
  });
  for (const pattern of patterns) {
    const value = inner(reading, ["patternProperties", pattern], false);
    parts.push(someName(reading, "patternProperties", value, { matching: [pattern] }));
  }
  if (reading.value.has("additionalProperties")) {
    const value = inner(reading, ["additionalProperties"], false);
    parts.push(someName(reading, "additionalProperties", value, { others: patterns, not: names }));
  }
  return anyOf(parts);
}

function isRequired(reading: Reading, name: string): boolean {
  const names = reading.value.get("required");
  return isList(names) && names.includes(name);
}

/**
 * A required member is not there. That it is not there or does not fit its schema is one alternative instead of two,
 * which `oneOf` over many schemas would multiply.
 */
function requiredFails(reading: Reading, names: readonly string[]): Formula {
  const properties = new Set(keysOf(reading, "properties"));
  const covered = (name: string): boolean =>
    properties.has(name) && !isNever(reading, inner(reading, ["properties", name], false));
  return anyOf(names.filter((name) => !covered(name)).map((name) => withoutMember(reading, name)));
}

function isNever(reading: Reading, value: Conjunction): boolean {
  return value.length === 1 && value[0] === reading.schemas.never[0];
}

interface SomeNames {
  readonly fits?: Conjunction;
  readonly matching?: readonly string[];
  readonly others?: readonly string[];
  readonly not?: readonly string[];
}

/** There is a member with such a name, whose value fits `value`. */
function someName(reading: Reading, keyword: string, value: Conjunction, names: SomeNames): Formula {
  if (isNever(reading, value)) return FAILS;
  const origin = originOf(reading, keyword);
  if (value.length > 0) {
    return refused(
      origin,
      "cannot be negated: a later member of the same name would replace the one that must not fit",
    );
  }
  const { fits = [], matching = [], others = [], not = [] } = names;
  return assertion({ kind: "some-name", name: { fits, matching, others, not }, origin });
}

/** `when` brings `then` along. */
function dependency(reading: Reading, when: string, then: Formula, holds: boolean): Formula {
  if (!holds) return allOf([required(when), then]);
  return anyOf([withoutMember(reading, when), allOf([required(when), then])]);
}

function dependencies(reading: Reading, keyword: string, holds: boolean): Formula {
  const value = reading.value.get(keyword);
  const parts = isMap(value)
    ? [...value].map(([when, part]) => dependency(reading, when, body(when, part), holds))
    : [];
  function body(when: string, part: Json): Formula {
    if (!isList(part)) return applied(reading, reading.schemas.document.child(reading.node, keyword, when), holds);
    const names = part.filter((name) => typeof name === "string");
    return holds ? required(...names) : anyOf(names.map((name) => withoutMember(reading, name)));
  }
  return holds ? allOf(parts) : anyOf(parts);
}

function unevaluated(reading: Reading, holds: boolean): Formula {
  const value = inner(reading, ["unevaluatedProperties"], holds);
  if (holds && value.length === 0) return HOLDS;
  const origin = originOf(reading, "unevaluatedProperties");
  const evaluated = evaluatedMembers(reading.schemas.document, reading.node);
  if (evaluated === "all") return holds ? HOLDS : FAILS;
  if (evaluated === "unknown") {
    return refused(origin, "is not supported beside anyOf, oneOf, if and dependencies that read members");
  }
  const { names, patterns } = evaluated;
  if (!holds) return someName(reading, "unevaluatedProperties", value, { others: [...patterns], not: [...names] });
  const free = (keys: Iterable<string>): Map<string, Conjunction> => new Map([...keys].map((key) => [key, []]));
  return assertion({
    kind: "members",
    properties: free(names),
    patterns: free(patterns),
    additional: value,
    isOrdering: false,
    origin,
  });
}

export const OBJECT_RULES: readonly KeywordRule[] = [
  {
    keywords: ["properties", "patternProperties", "additionalProperties"],
    types: OBJECT,
    holds: (reading) => assertion(members(reading)),
    fails: membersFail,
  },
  simpleRule<readonly string[]>("required", OBJECT, (names, reading) => ({
    holds: required(...names),
    fails: requiredFails(reading, names),
  })),
  {
    keywords: ["propertyNames"],
    types: OBJECT,
    holds: (reading) => {
      const name = inner(reading, ["propertyNames"]);
      return name.length === 0 ? HOLDS : assertion({ kind: "names", name, origin: originOf(reading, "propertyNames") });
    },
    fails: (reading) => {
      const fits = inner(reading, ["propertyNames"], false);
      return isNever(reading, fits) ? FAILS : someName(reading, "propertyNames", [], { fits: joined(fits, []) });
    },
  },
  countRule("minProperties", OBJECT, "min", (span, reading) => ({
    kind: "count",
    ...span,
    origin: originOf(reading, "minProperties"),
  })),
  countRule("maxProperties", OBJECT, "max", (span, reading) => ({
    kind: "count",
    ...span,
    origin: originOf(reading, "maxProperties"),
  })),
  ...["dependentRequired", "dependentSchemas", "dependencies"].map((keyword) => ({
    keywords: [keyword],
    types: OBJECT,
    holds: (reading: Reading) => dependencies(reading, keyword, true),
    fails: (reading: Reading) => dependencies(reading, keyword, false),
  })),
  {
    keywords: ["unevaluatedProperties"],
    types: OBJECT,
    holds: (reading) => unevaluated(reading, true),
    fails: (reading) => unevaluated(reading, false),
  },
];
