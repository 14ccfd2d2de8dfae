/** Schemas made to hang, to overflow the stack or to take all memory: each ends soon, most in an error with a code. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../../src/core/errors.ts";
import { accepts, statesOf } from "./texts.ts";

function nested(levels: number, wrap: (inner: unknown) => unknown, innermost: unknown = {}): unknown {
  let schema = innermost;
  for (let i = 0; i < levels; i++) schema = wrap(schema);
  return schema;
}

function object<T>(count: number, entry: (i: number) => [string, T]): Record<string, T> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => entry(i)));
}

/** `a0` refers to `a1` and so on; the last is `end`. */
function chain(count: number, link: (next: { $ref: string }) => unknown, end: unknown): unknown {
  return {
    $ref: "#/$defs/a0",
    $defs: object(count, (i) => [`a${i}`, i === count - 1 ? end : link({ $ref: `#/$defs/a${i + 1}` })]),
  };
}

const list = <T>(count: number, item: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i));
const cyclic: Record<string, unknown> = {};
cyclic["not"] = cyclic;

const REFUSED: readonly [name: string, schema: () => unknown, code: string, message: RegExp][] = [
  ["60,000 levels of not", () => nested(60_000, (not) => ({ not })), "grammar/too-large", /levels deep/],
  [
    "60,000 levels of properties",
    () => nested(60_000, (a) => ({ properties: { a } })),
    "grammar/too-large",
    /levels deep/,
  ],
  ["60,000 levels of lists", () => ({ const: nested(60_000, (a) => [a]) }), "grammar/too-large", /levels deep/],
  ["a schema within itself", () => cyclic, "grammar/too-large", /levels deep/],
  [
    "2^60 copies by shared objects",
    () => nested(60, (s) => ({ anyOf: [s, s] }), { minLength: 1 }),
    "grammar/too-large",
    /values/,
  ],
  [
    "2^20 combinations of anyOf",
    () => ({ type: "object", allOf: list(20, (i) => ({ anyOf: [{ required: [`a${i}`] }, { required: [`b${i}`] }] })) }),
    "grammar/too-large",
    /multiply/,
  ],
  [
    "2^20 combinations of oneOf",
    () => ({ type: "object", allOf: list(20, (i) => ({ oneOf: [{ required: [`a${i}`] }, { required: [`b${i}`] }] })) }),
    "grammar/too-large",
    /multiply/,
  ],
  [
    "2^20 combinations of dependencies",
    () => ({ type: "object", dependentRequired: object(20, (i) => [`a${i}`, [`b${i}`]]) }),
    "grammar/too-large",
    /multiply/,
  ],
  [
    "2^100 ways through references",
    () => chain(100, (next) => ({ anyOf: [next, next] }), { type: "string", minLength: 1 }),
    "grammar/too-large",
    /multiply/,
  ],
  [
    "10,000 references in a row",
    () => chain(10_000, (next) => next, { type: "null" }),
    "grammar/too-large",
    /apply to the same value/,
  ],
  [
    "references in a circle",
    () => chain(3, (next) => next, { $ref: "#/$defs/a0" }),
    "grammar/unsupported",
    /back to itself/,
  ],
  ["100,000 constants", () => ({ enum: list(100_001, (i) => i) }), "grammar/too-large", /values/],
  [
    "too many letters in constants",
    () => ({ enum: list(50_000, (i) => `value number ${i}`) }),
    "grammar/too-large",
    /nodes/,
  ],
  ["5,000 objects as constants", () => ({ enum: list(5000, (a) => ({ a })) }), "grammar/too-large", /multiply/],
  [
    "contains among 10^9",
    () => ({ type: "array", maxItems: 1e9, contains: { const: 1 } }),
    "grammar/unsupported",
    /"contains".*counts/,
  ],
  [
    "10^9 of contains",
    () => ({ type: "array", contains: { const: 1 }, minContains: 1e9 }),
    "grammar/unsupported",
    /"contains".*counts/,
  ],
  [
    "four times contains",
    () => ({ type: "array", allOf: list(4, (i) => ({ contains: { const: i }, minContains: 20 })) }),
    "grammar/unsupported",
    /"contains".*counts/,
  ],
  ["10^9 members", () => ({ type: "object", maxProperties: 1e9 }), "grammar/unsupported", /"maxProperties".*counts/],
  [
    "5,000 of 6,000 members",
    () => ({
      type: "object",
      properties: object(6000, (i) => [`p${i}`, true]),
      additionalProperties: false,
      minProperties: 5000,
    }),
    "grammar/unsupported",
    /"minProperties".*counts/,
  ],
  [
    "200 patterns of names",
    () => ({ type: "object", patternProperties: object(200, (i) => [`^k${i}$`, { minimum: i }]) }),
    "grammar/unsupported",
    /"patternProperties".*patterns/,
  ],
  [
    "a pattern of 10,001 letters",
    () => ({ type: "string", pattern: "a".repeat(10_001) }),
    "grammar/unsupported",
    /"pattern" is longer/,
  ],
  [
    "remainders of large multiples",
    () => ({ type: "integer", multipleOf: 999_999_999_989 }),
    "grammar/unsupported",
    /"multipleOf".*remainders/,
  ],
  [
    "a getter that throws",
    () => ({
      get type() {
        throw new Error("no");
      },
    }),
    "grammar/syntax",
    /cannot be read/,
  ],
  [
    "a proxy that throws",
    () =>
      new Proxy(
        {},
        {
          ownKeys() {
            throw new Error("no");
          },
        },
      ),
    "grammar/syntax",
    /cannot be read/,
  ],
];

describe("refused", () => {
  for (const [name, schema, code, message] of REFUSED) {
    test(name, () => {
      assert.throws(
        () => statesOf(schema()),
        (error) => error instanceof OnebitError && error.code === code && message.test(error.message),
      );
    });
  }
});

const KEPT: readonly [name: string, schema: () => unknown, fits: string, not: string][] = [
  [
    "up to 10^9 items",
    () => ({ type: "array", minItems: 3, maxItems: 1e9, items: { type: "null" } }),
    "[null,null,null]",
    "[null]",
  ],
  ["up to 10^9 characters", () => ({ type: "string", minLength: 2, maxLength: 1e9 }), '"ab"', '"a"'],
  ["10^300 characters", () => ({ anyOf: [{ type: "string", minLength: 1e300 }, { const: 1 }] }), "1", '"a"'],
  ["a pattern of 10^6 counts", () => ({ type: "string", pattern: "^((a{0,1000}){0,1000})$" }), '"aaa"', '"b"'],
  [
    "90 levels of objects",
    () => nested(90, (a) => ({ type: "object", properties: { a } })),
    '{"a":{"a":{}}}',
    '{"a":{"a":1}}',
  ],
  [
    "60 levels of references, each twice",
    () => chain(60, (next) => ({ allOf: [next, next] }), { type: "string" }),
    '"a"',
    "1",
  ],
  [
    "1,000 names",
    () => ({ type: "object", properties: object(1000, (i) => [`p${i}`, { type: "null" }]) }),
    '{"p1":null,"p999":null}',
    '{"p9":1}',
  ],
  [
    "a constant kept out of 5,000",
    () => ({ type: "string", not: { enum: list(5000, (i) => `v${i}`) } }),
    '"v5000"',
    '"v4999"',
  ],
  [
    "200 alternatives told apart by a constant",
    () => ({
      oneOf: list(200, (i) => ({
        type: "object",
        properties: { k: { const: `v${i}` }, n: { minimum: i } },
        required: ["k"],
      })),
    }),
    '{"k":"v150","n":150}',
    '{"k":"v150","n":149}',
  ],
  [
    "40 conditions over one constant",
    () => ({
      type: "object",
      properties: { k: { enum: list(40, (i) => `v${i}`) } },
      required: ["k"],
      allOf: list(40, (i) => ({ if: { properties: { k: { const: `v${i}` } } }, then: { required: [`r${i}`] } })),
    }),
    '{"k":"v3","r3":1}',
    '{"k":"v3","r4":1}',
  ],
];

describe("kept, within bounds", () => {
  for (const [name, schema, fits, not] of KEPT) {
    test(name, () => {
      const states = statesOf(schema());
      assert.ok(accepts(states, fits), fits);
      assert.ok(!accepts(states, not), not);
    });
  }
});
