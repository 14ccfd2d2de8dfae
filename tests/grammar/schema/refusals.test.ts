/** Formats, what is refused and by which words, and white space. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Expressions } from "../../../src/grammar/expression.ts";
import { anyJson, anyJsonObject } from "../../../src/grammar/schema/schema-expression.ts";
import { States } from "../../../src/grammar/states.ts";
import { accepts, expectRefused, expectTexts, raw, statesOf } from "./texts.ts";

const D4 = { $schema: "http://json-schema.org/draft-04/schema#" };
const D7 = { $schema: "http://json-schema.org/draft-07/schema#" };
const D12 = { $schema: "https://json-schema.org/draft/2020-12/schema" };

describe("formats", () => {
  // What the suite of JSON Schema does not ask (suite.test.ts).
  const formats: readonly [format: string, fits: readonly string[], not: readonly string[]][] = [
    ["date", ["2024-02-29", "2000-02-29"], ["2023-02-29", "1900-02-29", "2024-13-01"]],
    ["time", ["10:00:60-13:59", "12:00:00+05:45"].slice(1), ["24:00:00Z", "12:00:00"]],
    ["date-time", ["2024-01-01T00:00:00Z", "2024-01-01t00:00:00.5+01:00"], ["2024-01-01 00:00:00Z", "2024-01-01"]],
    ["email", ["a@b.c", "a.b+c@x-y.org"], ["a", "a@", "@b", "a..b@c"]],
    ["uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000"]],
    ["hostname", ["a", "a-b.c", `${"a".repeat(63)}.b`], ["", "-a", "a-", "a..b", "a".repeat(64), "xn--a"]],
    ["ipv6", ["::", "1::8", "::1.2.3.4"], ["1::2::3", ":::", "1:2:3"]],
    ["uri", ["http://a/b?c#d", "urn:x"], ["a", "//b", "http://[", "http://a b"]],
  ];
  for (const [format, fits, not] of formats) {
    test(format, () => expectTexts({ type: "string", format }, fits, not));
  }
  test("with length, pattern and constants", () => {
    expectTexts({ type: "string", format: "date", pattern: "^2024" }, ["2024-05-01"], ["2023-05-01"]);
    expectTexts({ enum: ["a", "2024-05-01"], format: "date" }, ["2024-05-01"], ["a"]);
    expectTexts({ type: "string", not: { format: "ipv4" } }, ["", "1.2.3"], ["1.2.3.4"]);
  });
  test("refused by name", () => {
    expectRefused({ type: "string", format: "regex" }, "grammar/unsupported", /"format" "regex" is not supported/);
    expectRefused({ type: "string", format: "dateTime" }, "grammar/unsupported", /"format" "dateTime" is no format/);
    expectRefused({ type: "string", not: { format: "email" } }, "grammar/unsupported", /email.*cannot be negated/);
  });
});

describe("refused by name and place", () => {
  const refusals: readonly [schema: unknown, message: RegExp][] = [
    [
      { properties: { a: { additonalProperties: false } } },
      /"\/properties\/a".*"additonalProperties".*additionalProperties/,
    ],
    [{ "required:": [] }, /"required:".*did you mean required/],
    [{ Items: {} }, /"Items".*did you mean items/],
    [{ ...D4, const: 1 }, /"const" is no keyword of draft-04/],
    [{ ...D7, prefixItems: [] }, /"prefixItems" is no keyword of draft-07/],
    [{ ...D12, additionalItems: false }, /"additionalItems" is no keyword of 2020-12/],
    [{ ...D12, items: [{}] }, /"items" is one schema in 2020-12/],
    [{ $schema: "https://example.com/mine" }, /\$schema/],
    [{ type: "array", uniqueItems: true }, /"\/".*"uniqueItems"/],
    [{ type: "array", not: { uniqueItems: true } }, /"\/not".*"uniqueItems" cannot be negated/],
    [{ properties: { a: { $ref: "other.json" } } }, /"\/properties\/a".*other document|another document/],
    [{ $ref: "#" }, /leads back to itself/],
    [{ allOf: [{ $ref: "#/$defs/a" }], $defs: { a: { anyOf: [{ $ref: "#" }] } } }, /leads back to itself/],
    [{ type: "object", minProperties: 2 }, /"minProperties".*twice counts once/],
    [
      { type: "object", not: { patternProperties: { a: { type: "null" } } } },
      /"\/not".*"patternProperties" cannot be negated/,
    ],
    [
      { type: "object", anyOf: [{ properties: { a: {} } }, true], unevaluatedProperties: false },
      /"unevaluatedProperties"/,
    ],
    [{ type: "string", pattern: "(?<=a)b" }, /"\/".*"pattern"/],
    [{ type: "text" }, /"type".*"text"/],
    [false, /nothing fits/],
    [{ type: "string", minLength: 3, maxLength: 2 }, /nothing fits/],
    [{ type: "object", required: ["a"], additionalProperties: false }, /nothing fits/],
    [{ type: "object", required: ["a"], properties: { a: { $ref: "#" } } }, /nothing fits/],
    [{ enum: [] }, /nothing fits/],
    [{ const: [{ a: 1 }], items: { type: "string" } }, /nothing fits/],
    [{ type: "array", contains: { type: "string", enum: [1] } }, /nothing fits/],
  ];
  for (const [schema, message] of refusals) {
    test(JSON.stringify(schema).slice(0, 120), () => expectRefused(schema, "grammar/unsupported", message));
  }

  test("an unused definition is not read", () => {
    expectTexts(
      { type: "null", $defs: { a: { type: "array", uniqueItems: true, additonalProperties: 1 } } },
      [null],
      [1],
    );
  });

  test("what is no schema", () => {
    const malformed: readonly [schema: unknown, message: RegExp][] = [
      [5, /wanted a schema/],
      [undefined, /wanted a JSON value/],
      [{ type: 5 }, /"type" takes a type/],
      [{ minLength: -1 }, /"minLength" takes a whole number/],
      [{ properties: { a: 5 } }, /"properties" takes an object of schemas/],
      [{ required: "a" }, /"required" takes a list of names/],
      [{ $ref: "#/$defs/none" }, /to nothing/],
      [{ $ref: "#none" }, /no anchor/],
      [{ maximum: Number.NaN }, /wanted a JSON value/],
      [{ enum: [() => 1] }, /"\/enum\/0".*a function/],
      [{ pattern: "(" }, /pattern/],
      [new Map(), /wanted a JSON value/],
    ];
    for (const [schema, message] of malformed) {
      assert.throws(() => statesOf(schema), message, String(schema));
    }
  });
});

describe("white space", () => {
  test("bounded: a break and an indent, or two spaces, and none elsewhere", () => {
    const schema = { type: "object", properties: { a: { type: "array", items: { type: "null" } } }, required: ["a"] };
    expectTexts(
      schema,
      [raw('{"a":[null]}'), raw('{ "a": [ null, null ] }'), raw('{\r\n\t"a" : [\n\t\tnull\n\t]\n}'), raw('{"a":[]}')],
      [raw(' {"a":[]}'), raw('{"a":[]} '), raw('{   "a":[]}'), raw('{\n\n"a":[]\n\n\n}'), raw('{"a":[null ,null]}')],
    );
  });

  test("none", () => {
    const states = statesOf({ type: "array", items: { type: "null" } }, { whitespace: "none" });
    assert.ok(accepts(states, "[null,null]"));
    assert.ok(!accepts(states, "[null, null]"));
    assert.ok(!accepts(states, "[ ]"));
  });
});

test("any JSON, and any JSON object", () => {
  for (const [make, fits] of [
    [anyJson, true],
    [anyJsonObject, false],
  ] as const) {
    const expressions = new Expressions();
    const states = new States(expressions, make(expressions));
    assert.ok(accepts(states, '{"a":[1,{"b":null}]}'));
    assert.equal(accepts(states, "[1]"), fits);
  }
});
