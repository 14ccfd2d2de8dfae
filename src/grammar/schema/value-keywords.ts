/**
 * Keywords about a value itself: its type, constants, and what numbers and strings are measured by.
 *
 * @module
 */
import { type Assertion, JSON_TYPES, type JsonType } from "./assertions.ts";
import { allOf, anyOf, assertion, FAILS, type Formula, HOLDS } from "./formula.ts";
import { checkFormat, formatNames } from "./formats.ts";
import { isList, isMap, type Json } from "./json.ts";
import { type KeywordRule, originOf, type Reading, refused, simpleRule, unsupported } from "./keyword-rule.ts";
import { PATTERN_UNITS_MAX } from "./limits.ts";

const NUMBER: readonly JsonType[] = ["number"];
const STRING: readonly JsonType[] = ["string"];

/** The type of a value; JSON Schema's `integer` is a kind of number. */
function typeOf(value: Json): JsonType {
  if (value === null) return "null";
  if (isList(value)) return "array";
  if (isMap(value)) return "object";
  if (typeof value === "string") return "string";
  return typeof value === "number" ? "number" : "boolean";
}

function typeFormula(reading: Reading, holds: boolean): Formula {
  const given = reading.value.get("type");
  const names = isList(given) ? given : [given];
  for (const name of names) {
    if (name !== "integer" && !JSON_TYPES.some((type) => type === name)) {
      unsupported(
        originOf(reading, "type"),
        `is ${JSON.stringify(name)}; types are ${[...JSON_TYPES, "integer"].join(", ")}`,
      );
    }
  }
  if (names.includes(reading.type)) return holds ? HOLDS : FAILS;
  if (reading.type === "number" && names.includes("integer")) return assertion({ kind: "integer", holds });
  return holds ? FAILS : HOLDS;
}

/** What fits any of some constants, or none of them. */
function constantsFormula(reading: Reading, values: readonly Json[], keyword: string, holds: boolean): Formula {
  const fitting = values.filter((value) => typeOf(value) === reading.type);
  if (fitting.length === 0) return holds ? FAILS : HOLDS;
  switch (reading.type) {
    case "null":
      return holds ? HOLDS : FAILS;
    case "boolean": {
      const rest = [false, true].filter((value) => fitting.includes(value) === holds);
      return rest.length === 0 ? FAILS : assertion({ kind: "booleans", values: rest });
    }
    case "number":
      return assertion({ kind: "numbers", values: fitting.filter((value) => typeof value === "number"), holds });
    case "string":
      return assertion({ kind: "strings", values: fitting.filter((value) => typeof value === "string"), holds });
    default: {
      const parts = fitting.map((value) => compoundFormula(reading, value, keyword, holds));
      return holds ? anyOf(parts) : allOf(parts);
    }
  }
}

/** One array or object, or anything but it. */
function compoundFormula(reading: Reading, value: Json, keyword: string, holds: boolean): Formula {
  const { schemas, node } = reading;
  const origin = originOf(reading, keyword);
  const constant = (part: Json) => schemas.constant(part, node.pointer);
  const other = (part: Json) => constant(part).map((term) => -term);
  if (isList(value)) {
    const length = value.length;
    if (holds) {
      return allOf([
        assertion({ kind: "items", prefix: value.map(constant), rest: [] }),
        assertion({ kind: "length", min: length, max: length }),
      ]);
    }
    return anyOf([
      ...(length > 0 ? [assertion({ kind: "length", min: 0, max: length - 1 })] : []),
      assertion({ kind: "length", min: length + 1, max: Number.POSITIVE_INFINITY }),
      ...value.map((item, i) => itemFails(i, other(item))),
    ]);
  }
  if (!isMap(value)) return FAILS;
  const names = [...value.keys()];
  if (holds) {
    const properties = new Map([...value].map(([name, part]) => [name, constant(part)]));
    return allOf([
      assertion({
        kind: "members",
        properties,
        patterns: new Map(),
        additional: schemas.never,
        isOrdering: true,
        origin,
      }),
      assertion({ kind: "required", names }),
    ]);
  }
  return anyOf([
    ...names.map((name) => withoutMember(reading, name)),
    ...[...value].map(([name, part]) =>
      allOf([assertion(memberOnly(reading, name, other(part))), assertion({ kind: "required", names: [name] })]),
    ),
    assertion({ kind: "some-name", name: { fits: [], matching: [], others: [], not: names }, origin }),
  ]);
}

/** There is an item at `i`, and it fits `item`. */
export function itemFails(i: number, item: readonly number[]): Formula {
  const prefix = [...Array.from({ length: i }, () => []), item];
  return allOf([
    assertion({ kind: "length", min: i + 1, max: Number.POSITIVE_INFINITY }),
    assertion({ kind: "items", prefix, rest: [] }),
  ]);
}

/** About one member alone. */
export function memberOnly(reading: Reading, name: string, value: readonly number[]): Assertion {
  const origin = originOf(reading, "properties");
  const properties = new Map([[name, value]]);
  return { kind: "members", properties, patterns: new Map(), additional: [], isOrdering: false, origin };
}

export function withoutMember(reading: Reading, name: string): Formula {
  return assertion(memberOnly(reading, name, reading.schemas.never));
}

/** `minimum` or `maximum` and its exclusive sister: a number of its own, or in draft-04 a flag. */
function limitRule(side: "at-least" | "at-most", inclusive: string, exclusive: string): KeywordRule {
  const limits = ({ value }: Reading): { value: number; isExclusive: boolean }[] => {
    const found: { value: number; isExclusive: boolean }[] = [];
    const plain = value.get(inclusive);
    const sister = value.get(exclusive);
    if (typeof plain === "number") found.push({ value: plain, isExclusive: sister === true });
    if (typeof sister === "number") found.push({ value: sister, isExclusive: true });
    return found;
  };
  const other = side === "at-least" ? "at-most" : "at-least";
  const check = (reading: Reading): void => {
    const sister = reading.value.get(exclusive);
    const draft = reading.node.draft.name;
    if (draft === undefined || sister === undefined || (draft === "draft-04") === (typeof sister === "boolean")) return;
    unsupported(
      originOf(reading, exclusive),
      draft === "draft-04" ? "is true or false in draft-04" : `is a number in ${draft}`,
    );
  };
  return {
    keywords: [inclusive, exclusive],
    types: NUMBER,
    holds: (reading) => (check(reading), allOf(limits(reading).map((limit) => assertion({ kind: side, ...limit })))),
    fails: (reading) => (
      check(reading),
      anyOf(
        limits(reading).map(({ value, isExclusive }) => assertion({ kind: other, value, isExclusive: !isExclusive })),
      )
    ),
  };
}

function formatFormula(format: string, reading: Reading): { holds: Formula; fails: Formula } {
  const origin = originOf(reading, "format");
  const state = checkFormat(format);
  if (state === "annotation") return { holds: HOLDS, fails: FAILS };
  if (state === "supported") {
    return {
      holds: assertion({ kind: "format", format, holds: true, origin }),
      fails: assertion({ kind: "format", format, holds: false, origin }),
    };
  }
  const why = state === "misspelt" ? "is no format" : "is not supported";
  const part = refused(origin, `${JSON.stringify(format)} ${why}; formats are ${formatNames().join(", ")}`);
  return { holds: part, fails: part };
}

const FROM: Record<"min" | "max", (count: number) => { min: number; max: number }> = {
  min: (min) => ({ min, max: Number.POSITIVE_INFINITY }),
  max: (max) => ({ min: 0, max }),
};

/** `min…` or `max…` of something counted. */
export function countRule(
  keyword: string,
  types: readonly JsonType[],
  side: "min" | "max",
  counted: (span: { min: number; max: number }, reading: Reading) => Assertion,
): KeywordRule {
  return simpleRule<number>(keyword, types, (value, reading) => {
    const isMin = side === "min";
    const isAlways = isMin && value === 0;
    return {
      holds: isAlways ? HOLDS : counted(FROM[side](value), reading),
      fails: isAlways ? FAILS : counted(isMin ? FROM.max(value - 1) : FROM.min(value + 1), reading),
    };
  });
}

export const VALUE_RULES: readonly KeywordRule[] = [
  {
    keywords: ["type"],
    holds: (reading) => typeFormula(reading, true),
    fails: (reading) => typeFormula(reading, false),
  },
  constantRule("enum", (value) => (isList(value) ? value : [])),
  constantRule("const", (value) => [value]),
  limitRule("at-least", "minimum", "exclusiveMinimum"),
  limitRule("at-most", "maximum", "exclusiveMaximum"),
  simpleRule<number>("multipleOf", NUMBER, (of, reading) => {
    const origin = originOf(reading, "multipleOf");
    return {
      holds: { kind: "multiple", of, holds: true, origin },
      fails: { kind: "multiple", of, holds: false, origin },
    };
  }),
  countRule("minLength", STRING, "min", (span) => ({ kind: "characters", ...span })),
  countRule("maxLength", STRING, "max", (span) => ({ kind: "characters", ...span })),
  simpleRule<string>("pattern", STRING, (pattern, reading) => {
    const origin = originOf(reading, "pattern");
    if (pattern.length > PATTERN_UNITS_MAX) unsupported(origin, `is longer than ${PATTERN_UNITS_MAX}`);
    return {
      holds: { kind: "pattern", pattern, holds: true, origin },
      fails: { kind: "pattern", pattern, holds: false, origin },
    };
  }),
  simpleRule<string>("format", STRING, formatFormula),
];

function constantRule(keyword: string, values: (value: Json) => readonly Json[]): KeywordRule {
  const formula = (reading: Reading, holds: boolean): Formula => {
    const value = reading.value.get(keyword);
    return value === undefined ? HOLDS : constantsFormula(reading, values(value), keyword, holds);
  };
  return {
    keywords: [keyword],
    holds: (reading) => formula(reading, true),
    fails: (reading) => formula(reading, false),
  };
}
