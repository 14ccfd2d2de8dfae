/**
 * The keywords: since which draft and until which, and what their value must be.
 *
 * A keyword of no draft is an annotation, as the specification wants it: schemas carry keys of editors, generators and
 * programs (a third of 1,000 published ones do). But one that is spelt almost like a keyword that asserts something is
 * refused: ignoring `additonalProperties` is the mistake nobody finds.
 *
 * @module
 */
import { fail, quoted, shown } from "../../core/errors.ts";
import type { DraftName } from "./drafts.ts";
import { isList, isMap, type Json } from "./json.ts";

/** What a keyword's value is. The last five hold schemas. */
export type ValueKind =
  | "anything"
  | "text"
  | "names"
  | "types"
  | "list"
  | "number"
  | "positive"
  | "count"
  | "boolean"
  | "limit"
  | "required-names"
  | "schema"
  | "schemas"
  | "schema-or-schemas"
  | "schema-or-boolean"
  | "schema-map"
  | "dependencies";

export interface Keyword {
  readonly value: ValueKind;
  readonly first?: DraftName;
  readonly last?: DraftName;
  /** Changes no verdict. */
  readonly isAnnotation?: boolean;
  /** Refused wherever it would change a verdict, with this reason. */
  readonly refused?: string;
}

const annotation: Keyword = { value: "anything", isAnnotation: true };
const DYNAMIC =
  "in a document of several resources, what it refers to depends on the way by which the schema was reached";

export const KEYWORDS: ReadonlyMap<string, Keyword> = new Map(
  Object.entries({
    $schema: { value: "text", isAnnotation: true },
    $id: { value: "text", first: "draft-06", isAnnotation: true },
    id: { value: "anything", last: "draft-04", isAnnotation: true },
    $anchor: { value: "text", first: "2019-09", isAnnotation: true },
    $ref: { value: "text" },
    $dynamicRef: { value: "text", first: "2020-12", refused: DYNAMIC },
    $dynamicAnchor: { value: "text", first: "2020-12", isAnnotation: true },
    $recursiveRef: { value: "text", first: "2019-09", last: "2019-09", refused: DYNAMIC },
    $recursiveAnchor: { value: "boolean", first: "2019-09", last: "2019-09", isAnnotation: true },
    $vocabulary: { value: "anything", first: "2019-09", isAnnotation: true },
    $defs: { value: "schema-map", isAnnotation: true },
    definitions: { value: "schema-map", isAnnotation: true },

    type: { value: "types" },
    enum: { value: "list" },
    const: { value: "anything", first: "draft-06" },

    allOf: { value: "schemas" },
    anyOf: { value: "schemas" },
    oneOf: { value: "schemas" },
    not: { value: "schema" },
    if: { value: "schema", first: "draft-07" },
    // biome-ignore lint/suspicious/noThenProperty: the keyword's name
    then: { value: "schema", first: "draft-07" },
    else: { value: "schema", first: "draft-07" },

    properties: { value: "schema-map" },
    patternProperties: { value: "schema-map" },
    additionalProperties: { value: "schema-or-boolean" },
    unevaluatedProperties: { value: "schema-or-boolean", first: "2019-09" },
    required: { value: "required-names" },
    propertyNames: { value: "schema", first: "draft-06" },
    minProperties: { value: "count" },
    maxProperties: { value: "count" },
    dependentRequired: { value: "names", first: "2019-09" },
    dependentSchemas: { value: "schema-map", first: "2019-09" },
    dependencies: { value: "dependencies" },

    items: { value: "schema-or-schemas" },
    prefixItems: { value: "schemas", first: "2020-12" },
    additionalItems: { value: "schema-or-boolean", last: "2019-09" },
    unevaluatedItems: { value: "schema-or-boolean", first: "2019-09" },
    contains: { value: "schema", first: "draft-06" },
    minContains: { value: "count", first: "2019-09" },
    maxContains: { value: "count", first: "2019-09" },
    minItems: { value: "count" },
    maxItems: { value: "count" },
    uniqueItems: { value: "boolean" },

    minLength: { value: "count" },
    maxLength: { value: "count" },
    pattern: { value: "text" },
    format: { value: "text" },

    minimum: { value: "number" },
    maximum: { value: "number" },
    exclusiveMinimum: { value: "limit" },
    exclusiveMaximum: { value: "limit" },
    multipleOf: { value: "positive" },

    title: annotation,
    description: annotation,
    default: annotation,
    examples: annotation,
    example: annotation,
    deprecated: annotation,
    readOnly: annotation,
    writeOnly: annotation,
    $comment: annotation,
    comment: annotation,
    contentEncoding: annotation,
    contentMediaType: annotation,
    contentSchema: annotation,
  } satisfies Record<string, Keyword>),
);

/** Those that assert something, for the search of misspelt ones. */
const ASSERTING = [...KEYWORDS].filter(([, keyword]) => !keyword.isAnnotation).map(([name]) => name);

/** Below this length, words of no draft are too often one letter away from a keyword: `item`, `form`, `text`. */
const MISSPELT_CHARS_MIN = 5;

/**
 * The keyword that `name` was probably meant to be: equal but for case and signs between, or one letter away. Names
 * that begin with a sign (`_format`, `x-enum`, `$extends`) are someone's own.
 */
export function misspelt(name: string): string | undefined {
  if (!/^[A-Za-z]/.test(name) || /^x-/i.test(name)) return undefined;
  const plain = plainName(name);
  return ASSERTING.find((keyword) => {
    const wanted = plainName(keyword);
    return plain === wanted || (wanted.length >= MISSPELT_CHARS_MIN && isOneEditAway(plain, wanted));
  });
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[^a-z]/g, "");
}

/** One letter more, less or other, or two neighbours swapped. */
function isOneEditAway(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let from = 0;
  while (from < a.length && from < b.length && a[from] === b[from]) from++;
  const restA = a.slice(from);
  const restB = b.slice(from);
  if (a.length !== b.length) return a.length > b.length ? restA.slice(1) === restB : restA === restB.slice(1);
  return (
    restA.slice(1) === restB.slice(1) ||
    (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2))
  );
}

const isText = (value: Json): boolean => typeof value === "string";
const isCount = (value: Json): boolean => typeof value === "number" && Number.isInteger(value) && value >= 0;
const isSchema = (value: Json): boolean => typeof value === "boolean" || isMap(value);
const isNames = (value: Json): boolean => isList(value) && value.every(isText);

const VALUE_KINDS: Readonly<Record<ValueKind, { wanted: string; fits: (value: Json) => boolean }>> = {
  anything: { wanted: "anything", fits: () => true },
  text: { wanted: "a string", fits: isText },
  names: { wanted: "an object of lists of names", fits: (value) => isMap(value) && [...value.values()].every(isNames) },
  types: { wanted: "a type or a list of types", fits: (value) => isText(value) || isNames(value) },
  list: { wanted: "a list", fits: isList },
  number: { wanted: "a number", fits: (value) => typeof value === "number" },
  positive: { wanted: "a number above 0", fits: (value) => typeof value === "number" && value > 0 },
  count: { wanted: "a whole number from 0", fits: isCount },
  boolean: { wanted: "true or false", fits: (value) => typeof value === "boolean" },
  limit: {
    wanted: "a number, or true or false",
    fits: (value) => typeof value === "number" || typeof value === "boolean",
  },
  "required-names": { wanted: "a list of names", fits: isNames },
  schema: { wanted: "a schema", fits: isSchema },
  schemas: { wanted: "a list of schemas", fits: (value) => isList(value) && value.every(isSchema) },
  "schema-or-schemas": {
    wanted: "a schema or a list of schemas",
    fits: (value) => isSchema(value) || (isList(value) && value.every(isSchema)),
  },
  "schema-or-boolean": { wanted: "a schema", fits: isSchema },
  "schema-map": {
    wanted: "an object of schemas",
    fits: (value) => isMap(value) && [...value.values()].every(isSchema),
  },
  dependencies: {
    wanted: "an object of schemas and lists of names",
    fits: (value) => isMap(value) && [...value.values()].every((part) => isSchema(part) || isNames(part)),
  },
};

/** @throws OnebitError `grammar/syntax` when the value is not what the keyword takes. */
export function checkValue(name: string, keyword: Keyword, value: Json, where: string): void {
  const { wanted, fits } = VALUE_KINDS[keyword.value];
  if (fits(value)) return;
  const found = isList(value) ? `a list of ${value.length}` : isMap(value) ? "an object" : shown(value);
  fail("grammar/syntax", `${where}: ${quoted(name)} takes ${wanted}, found ${found}`);
}
