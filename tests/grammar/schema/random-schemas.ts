/** Random schemas over few names and values, so that keywords meet, and random values and texts for them. */
import type { State, States } from "../../../src/grammar/states.ts";
import type { Random } from "../random.ts";

const NAMES = ["a", "b", "c", "ab", "x1"];
const TYPES = ["null", "boolean", "number", "integer", "string", "array", "object"];
const SCALARS = [null, true, false, 0, 1, 2, -1, 1.5, 10, "", "a", "b", "ab", "abc", "x1"];
const PATTERNS = ["^a", "b$", "a", "^[ab]+$", "x", "^.$"];

type Schema = Record<string, unknown> | boolean;

export function randomValue(random: Random, depth: number): unknown {
  const kind = depth <= 0 ? 0 : random.below(10);
  if (kind < 6) return random.of(SCALARS);
  if (kind < 8) return Array.from({ length: random.below(4) }, () => randomValue(random, depth - 1));
  return Object.fromEntries(
    Array.from({ length: random.below(4) }, () => [random.of(NAMES), randomValue(random, depth - 1)]),
  );
}

export function randomSchema(random: Random, depth: number): Schema {
  if (depth <= 0 || random.oneIn(12)) {
    return random.of<Schema>([true, {}, { type: random.of(TYPES) }, { const: random.of(SCALARS) }]);
  }
  const schema: Record<string, unknown> = {};
  if (!random.oneIn(3)) schema["type"] = random.oneIn(4) ? twoTypes(random) : random.of(TYPES);
  const inner = (): Schema => randomSchema(random, depth - 1);
  for (let i = 1 + random.below(3); i > 0; i--) {
    const [keyword, value] = random.of(KEYWORDS)(random, inner);
    schema[keyword] = value;
  }
  return schema;
}

function twoTypes(random: Random): string[] {
  return [...new Set([random.of(TYPES), random.of(TYPES.slice(0, 3))])];
}

type Maker = (random: Random, inner: () => Schema) => [keyword: string, value: unknown];

const some = <T>(random: Random, most: number, make: () => T): T[] =>
  Array.from({ length: 1 + random.below(most) }, make);
const byName = (random: Random, make: () => unknown): Record<string, unknown> =>
  Object.fromEntries(some(random, 3, () => [random.of(NAMES), make()]));
const distinct = (values: unknown[]): unknown[] =>
  [...new Set(values.map((value) => JSON.stringify(value)))].map((text) => JSON.parse(text));

const KEYWORDS: readonly Maker[] = [
  (random) => ["enum", distinct(some(random, 4, () => randomValue(random, 1)))],
  (random) => ["const", randomValue(random, 1)],
  (random) => ["minimum", random.of([0, 1, -1, 1.5, 2])],
  (random) => ["maximum", random.of([0, 1, 2, 5, 1.5])],
  (random) => ["exclusiveMinimum", random.of([0, 1])],
  (random) => ["multipleOf", random.of([1, 2, 3, 0.5])],
  (random) => ["minLength", random.below(3)],
  (random) => ["maxLength", random.below(4)],
  (random) => ["pattern", random.of(PATTERNS)],
  (random) => ["minItems", random.below(3)],
  (random) => ["maxItems", random.below(4)],
  (_, inner) => ["items", inner()],
  (_, inner) => ["contains", inner()],
  (random) => ["maxContains", 1 + random.below(3)],
  (random, inner) => ["properties", byName(random, inner)],
  (random, inner) => ["properties", byName(random, inner)],
  (random) => ["required", distinct(some(random, 2, () => random.of(NAMES)))],
  (random, inner) => ["additionalProperties", random.oneIn(2) ? false : inner()],
  (random, inner) => ["patternProperties", { [random.of(["^a", "b$", "1", "^[xa]"])]: inner() }],
  (random) => ["propertyNames", random.of([{ pattern: "^a" }, { enum: ["a", "b"] }, { maxLength: 1 }])],
  (random) => ["minProperties", random.below(3)],
  (random) => ["maxProperties", random.below(3)],
  (random, inner) => ["anyOf", some(random, 3, inner)],
  (random, inner) => ["oneOf", some(random, 3, inner)],
  (random, inner) => ["allOf", some(random, 2, inner)],
  (_, inner) => ["not", inner()],
  (_, inner) => ["if", inner()],
  (_, inner) => ["then", inner()],
  (_, inner) => ["else", inner()],
  (random) => ["dependentRequired", { [random.of(NAMES)]: [random.of(NAMES)] }],
  (random, inner) => ["dependentSchemas", { [random.of(NAMES)]: inner() }],
];

/** Bytes that end things, so that texts end: quotes, brackets, and a few letters and digits. */
const ENDING = new Set([...'"]},ab10'].map((character) => character.charCodeAt(0)));
const TEXT_BYTES_MAX = 400;

/** A text of the grammar, byte by byte; undefined when it grew too long. Fails where nothing can follow. */
export function randomText(states: States, random: Random): string | undefined {
  const bytes: number[] = [];
  let state: State = states.start;
  while (!(states.isAccepting(state) && (random.oneIn(3) || states.isDone(state)))) {
    const live = Array.from({ length: 256 }, (_, byte) => byte).filter(
      (byte) => states.step(state, byte) !== states.dead,
    );
    if (live.length === 0)
      throw new Error(`nothing can follow ${JSON.stringify(new TextDecoder().decode(Uint8Array.from(bytes)))}`);
    if (bytes.length > TEXT_BYTES_MAX) return undefined;
    const ending = live.filter((byte) => ENDING.has(byte));
    const byte = random.of(ending.length > 0 && !random.oneIn(5) ? ending : live);
    bytes.push(byte);
    state = states.step(state, byte);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
}
