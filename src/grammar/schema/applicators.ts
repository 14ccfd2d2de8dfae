/**
 * Keywords that apply other schemas to the same value. `oneOf` is what one schema fits and no other does; where two
 * contradict each other, that one fits is enough.
 *
 * @module
 */
import type { SchemaNode } from "./document.ts";
import { allOf, anyOf, type Formula, FAILS, HOLDS } from "./formula.ts";
import { applied, children, type KeywordRule, originOf, type Reading, refused } from "./keyword-rule.ts";
import { KEYWORDS } from "./keywords.ts";

/** Levels of members in which `oneOf` looks for what tells its schemas apart. */
const DISTINCTION_DEPTH = 2;

function oneOf(reading: Reading): Formula {
  const schemas = children(reading, "oneOf");
  const bodies = schemas.map((schema) => applied(reading, schema));
  return anyOf(
    schemas.map((schema, i) => {
      if (bodies[i].kind === "fails") return FAILS;
      const others = schemas.filter(
        (_, j) => j !== i && bodies[j].kind !== "fails" && !areDisjoint(reading, schema, schemas[j]),
      );
      return allOf([bodies[i], ...others.map((other) => applied(reading, other, false))]);
    }),
  );
}

/** None of them, or two at once. */
function notOneOf(reading: Reading): Formula {
  const schemas = children(reading, "oneOf");
  const pairs = schemas.flatMap((schema, i) => schemas.slice(i + 1).map((other) => [schema, other]));
  return anyOf([
    allOf(schemas.map((schema) => applied(reading, schema, false))),
    ...pairs.map(([schema, other]) => allOf([applied(reading, schema), applied(reading, other)])),
  ]);
}

function areDisjoint({ schemas, type }: Reading, a: SchemaNode, b: SchemaNode): boolean {
  // The same schema twice fits never or twice; not to be told by its id alone.
  return (
    a.id !== b.id &&
    schemas.isImpossible(
      [a.id, b.id].sort((x, y) => x - y),
      DISTINCTION_DEPTH,
      [type],
    )
  );
}

function condition(reading: Reading, holds: boolean): Formula {
  const { schemas, node, value } = reading;
  if (!value.has("if")) return holds ? HOLDS : FAILS;
  const test = schemas.document.child(node, "if");
  const branch = (keyword: string): Formula =>
    value.has(keyword) ? applied(reading, schemas.document.child(node, keyword), holds) : holds ? HOLDS : FAILS;
  const [then, otherwise] = [branch("then"), branch("else")];
  if (then.kind === "holds" && otherwise.kind === "holds") return HOLDS;
  if (then.kind === "fails" && otherwise.kind === "fails") return FAILS;
  return anyOf([allOf([applied(reading, test), then]), allOf([applied(reading, test, false), otherwise])]);
}

function reference(reading: Reading, holds: boolean): Formula {
  const target = reading.value.get("$ref");
  if (typeof target !== "string") return HOLDS;
  return applied(reading, reading.schemas.document.resolve(reading.node, target), holds);
}

/** In a document of one resource, a dynamic reference is one to the anchor of its name. */
function dynamicReference(keyword: string, why: string): KeywordRule {
  const formula = (reading: Reading, holds: boolean): Formula => {
    const { document } = reading.schemas;
    const target = reading.value.get(keyword);
    if (document.hasOneResource && typeof target === "string") {
      return applied(reading, document.resolve(reading.node, target), holds);
    }
    return refused(originOf(reading, keyword), `is not supported: ${why}`);
  };
  return {
    keywords: [keyword],
    holds: (reading) => formula(reading, true),
    fails: (reading) => formula(reading, false),
  };
}

const under = (reading: Reading, keyword: string): SchemaNode => reading.schemas.document.child(reading.node, keyword);

export const APPLICATOR_RULES: readonly KeywordRule[] = [
  { keywords: ["$ref"], holds: (reading) => reference(reading, true), fails: (reading) => reference(reading, false) },
  {
    keywords: ["allOf"],
    holds: (reading) => allOf(children(reading, "allOf").map((schema) => applied(reading, schema))),
    fails: (reading) => anyOf(children(reading, "allOf").map((schema) => applied(reading, schema, false))),
  },
  {
    keywords: ["anyOf"],
    holds: (reading) => anyOf(children(reading, "anyOf").map((schema) => applied(reading, schema))),
    fails: (reading) => allOf(children(reading, "anyOf").map((schema) => applied(reading, schema, false))),
  },
  { keywords: ["oneOf"], holds: oneOf, fails: notOneOf },
  {
    keywords: ["not"],
    holds: (reading) => applied(reading, under(reading, "not"), false),
    fails: (reading) => applied(reading, under(reading, "not")),
  },
  {
    keywords: ["if", "then", "else"],
    holds: (reading) => condition(reading, true),
    fails: (reading) => condition(reading, false),
  },
  ...[...KEYWORDS].flatMap(([keyword, { refused: why }]) =>
    why === undefined ? [] : [dynamicReference(keyword, why)],
  ),
];
