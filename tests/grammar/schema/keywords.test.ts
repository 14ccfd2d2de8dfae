/** Each keyword: values that fit, in every spelling that models and programs write, and values that do not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { anyJson, anyJsonObject } from "../../../src/grammar/schema/schema-expression.ts";
import { Expressions } from "../../../src/grammar/expression.ts";
import { States } from "../../../src/grammar/states.ts";
import { accepts, expectRefused, expectTexts, raw, statesOf } from "./texts.ts";

interface Case {
  readonly schema: unknown;
  readonly fits: readonly unknown[];
  readonly not: readonly unknown[];
}

const D4 = { $schema: "http://json-schema.org/draft-04/schema#" };
const D7 = { $schema: "http://json-schema.org/draft-07/schema#" };
const D12 = { $schema: "https://json-schema.org/draft/2020-12/schema" };

const ANYTHING = [null, true, false, 0, -1.5, "", "a", [], [1, [2]], {}, { a: { b: [] } }];

const CASES: Readonly<Record<string, readonly Case[]>> = {
  "boolean schemas": [
    { schema: true, fits: ANYTHING, not: [raw(""), raw("nul"), raw("[1,]"), raw('{"a"}'), raw("{}{}")] },
    { schema: {}, fits: ANYTHING, not: [raw("'a'")] },
  ],
  type: [
    { schema: { type: "null" }, fits: [null], not: [false, 0, "", [], {}] },
    { schema: { type: "boolean" }, fits: [true, false], not: [null, 0, "true"] },
    { schema: { type: "string" }, fits: ["", 'a"\\\n\u0001é😀'], not: [1, null, raw('"\n"'), raw('"')] },
    { schema: { type: ["integer", "null"] }, fits: [1, null], not: [1.5, "1"] },
    { schema: { type: ["number", "integer"] }, fits: [1, 1.5], not: ["1"] },
    { schema: { type: "array" }, fits: [[], [1, "a", {}]], not: [{}, raw("[,1]")] },
    { schema: { type: "object" }, fits: [{}, { a: 1, b: [] }], not: [[], raw("{a:1}")] },
  ],
  "enum and const": [
    {
      schema: { enum: [1, "a", null, [1, { b: 2 }]] },
      fits: [1, "a", null, [1, { b: 2 }]],
      not: [2, "b", [1], [1, { b: 3 }]],
    },
    {
      schema: { const: { b: 1, a: [] } },
      fits: [{ b: 1, a: [] }],
      not: [{ a: [], b: 1 }, {}, { b: 1 }, { b: 1, a: [], c: 1 }],
    },
    { schema: { const: 'é\n"/' }, fits: ['é\n"/'], not: ["e"] },
    { schema: { enum: [1, 5, 9], minimum: 4 }, fits: [5, 9], not: [1] },
    { schema: { enum: ["ab", "abc", "b"], pattern: "^a", maxLength: 2 }, fits: ["ab"], not: ["abc", "b"] },
    { schema: { enum: [1, "a"], type: "string" }, fits: ["a"], not: [1] },
    { schema: { const: -0 }, fits: [0], not: [raw("-0")] },
    { schema: { not: { const: "a" }, type: "string" }, fits: ["", "b", "aa"], not: ["a", raw('"\\u0061"')] },
    {
      schema: { not: { enum: [1, 2.5] }, type: "number" },
      fits: [2, 2.51, -1],
      not: [1, 2.5, raw("1.0"), raw("2.50")],
    },
    { schema: { not: { const: { a: 1 } }, type: "object" }, fits: [{}, { a: 2 }, { a: 1, b: 1 }], not: [{ a: 1 }] },
    { schema: { not: { const: [1, 2] }, type: "array" }, fits: [[], [1], [1, 3], [1, 2, 3]], not: [[1, 2]] },
  ],
  "strings: length in code points": [
    {
      schema: { type: "string", minLength: 2, maxLength: 3 },
      fits: ["ab", "abc", "😀é", '\n"\\'],
      not: ["a", "abcd", "😀"],
    },
    {
      schema: { type: "string", maxLength: 1 },
      fits: ["", "a", raw('"\\ud83d\\ude00"'), raw('"\\u00e9"'), raw('"\\/"')],
      not: ["ab", raw('"\\ud83d"'), raw('"\\ude00"')],
    },
    { schema: { type: "string", maxLength: 0 }, fits: [""], not: ["a"] },
    { schema: { minLength: 1 }, fits: ["a", 5, null], not: [""] },
  ],
  pattern: [
    { schema: { type: "string", pattern: "b+" }, fits: ["b", "abba"], not: ["", "a"] },
    { schema: { type: "string", pattern: '^"\\\\$' }, fits: ['"\\'], not: ['"', "\\"] },
    {
      schema: { type: "string", pattern: "^[^a]$" },
      fits: ["b", "\n", "😀"],
      not: ["a", "bb", raw('"\\u0061"')],
    },
    {
      schema: { type: "string", pattern: "^a", minLength: 3, allOf: [{ pattern: "z$" }] },
      fits: ["abz"],
      not: ["az", "abc"],
    },
    { schema: { type: "string", not: { pattern: "^a" } }, fits: ["", "ba"], not: ["a", "ab"] },
    { schema: { type: "string", pattern: "^\\S+\\s\\S+$" }, fits: ["a b", "a\tb"], not: ["ab", "a  b"] },
  ],
  "what no value fits stands nowhere": [
    {
      schema: { type: "object", properties: { a: { const: [1], items: { type: "string" } }, b: true } },
      fits: [{}, { b: 1 }],
      not: [{ a: [1] }, { a: ["x"] }],
    },
    { schema: { type: "array", items: { const: {}, required: ["a"] } }, fits: [[]], not: [[{}]] },
  ],
  "limits on items": [
    { schema: { type: "array", minItems: 1, maxItems: 2 }, fits: [[1], [1, []]], not: [[], [1, 2, 3]] },
    { schema: { type: "array", maxItems: 0 }, fits: [[]], not: [[1]] },
    {
      schema: { type: "array", items: { type: "integer" }, minItems: 2 },
      fits: [
        [1, 2],
        [1, 2, 3],
      ],
      not: [[1], [1, "a"]],
    },
    { schema: { type: "array", items: false }, fits: [[]], not: [[1]] },
  ],
  "prefixItems and lists of items": [
    {
      schema: { ...D12, type: "array", prefixItems: [{ type: "integer" }, { type: "string" }] },
      fits: [[], [1], [1, "a"], [1, "a", null]],
      not: [["a"], [1, 2]],
    },
    { schema: { type: "array", prefixItems: [{ const: 1 }], items: false }, fits: [[], [1]], not: [[1, 1], [2]] },
    {
      schema: { type: "array", items: [{ const: 1 }, { const: 2 }], additionalItems: { const: 3 } },
      fits: [[], [1], [1, 2, 3, 3]],
      not: [[1, 2, 4], [2]],
    },
    {
      schema: { ...D7, items: [{ const: 1 }], additionalItems: false, minItems: 1 },
      fits: [[1], "x"],
      not: [[], [1, 2]],
    },
    { schema: { ...D7, items: { const: 1 }, additionalItems: false }, fits: [[1, 1]], not: [[2]] },
    {
      schema: { type: "array", prefixItems: [{ const: 1 }, { const: 2 }], maxItems: 1 },
      fits: [[], [1]],
      not: [[1, 2]],
    },
    { schema: { type: "array", prefixItems: [true, false, true] }, fits: [[], [1]], not: [[1, 2]] },
  ],
  contains: [
    { schema: { type: "array", contains: { const: 1 } }, fits: [[1], [2, 1], [1, 1, 3]], not: [[], [2], [2, 3]] },
    {
      schema: { type: "array", contains: { const: 1 }, minContains: 2 },
      fits: [
        [1, 1],
        [1, 2, 1],
        [1, 1, 1],
      ],
      not: [[1], [1, 2]],
    },
    {
      schema: { type: "array", contains: { const: 1 }, maxContains: 1 },
      fits: [[1], [2, 1, 3]],
      not: [[1, 1], [2], [1, 2, 1]],
    },
    {
      schema: { type: "array", contains: { const: 1 }, minContains: 0, maxContains: 1 },
      fits: [[], [2], [1]],
      not: [[1, 1]],
    },
    { schema: { type: "array", contains: { const: 1 }, minContains: 0 }, fits: [[], [2]], not: [] },
    {
      schema: { type: "array", contains: { const: 1 }, maxItems: 2 },
      fits: [[1], [2, 1], [1, 2]],
      not: [
        [2, 2],
        [2, 2, 1],
      ],
    },
    {
      schema: { type: "array", prefixItems: [{ const: 5 }], contains: { const: 1 }, minItems: 3 },
      fits: [
        [5, 1, 2],
        [5, 2, 3, 1],
      ],
      not: [
        [5, 1],
        [1, 5, 1],
      ],
    },
    {
      schema: { type: "array", allOf: [{ contains: { const: 1 } }, { contains: { const: 2 } }] },
      fits: [
        [1, 2],
        [2, 1],
        [3, 2, 1],
      ],
      not: [[1], [2, 3]],
    },
    { schema: { type: "array", not: { contains: { const: 1 } } }, fits: [[], [2]], not: [[1], [2, 1]] },
    { schema: { type: "array", not: { items: { type: "integer" } } }, fits: [["a"], [1, null]], not: [[], [1, 2]] },
  ],
  uniqueItems: [
    {
      schema: { type: "array", items: { enum: ["a", "b", "c"] }, uniqueItems: true },
      fits: [[], ["a"], ["c", "a", "b"]],
      not: [
        ["a", "a"],
        ["a", "b", "a"],
      ],
    },
    {
      schema: { type: "array", items: { type: "boolean" }, uniqueItems: true, minItems: 2 },
      fits: [
        [true, false],
        [false, true],
      ],
      not: [[true], [true, true]],
    },
    { schema: { type: "array", uniqueItems: true, maxItems: 1 }, fits: [[], [1]], not: [[1, 2]] },
    { schema: { type: "array", uniqueItems: false }, fits: [[1, 1]], not: [] },
    {
      schema: { type: "array", prefixItems: [{ enum: [1, 2] }], items: { enum: [1, 3, null] }, uniqueItems: true },
      fits: [
        [2, 1, 3],
        [1, null],
      ],
      not: [[1, 1], [3], [2, 2]],
    },
  ],
  properties: [
    {
      schema: { type: "object", properties: { a: { type: "integer" }, b: { type: "string" } } },
      fits: [{}, { a: 1 }, { b: "x" }, { a: 1, b: "x" }, { a: 1, c: null }, { c: 1, d: 2 }],
      not: [{ a: "x" }, { b: 1 }, { b: "x", a: 1 }, raw('{"a":1,"a":1}')],
    },
    {
      schema: {
        type: "object",
        properties: { a: true, b: true, c: true },
        required: ["b"],
        additionalProperties: false,
      },
      fits: [{ b: 1 }, { a: 1, b: 1 }, { b: 1, c: 1 }, { a: 1, b: 1, c: 1 }],
      not: [{}, { a: 1 }, { a: 1, c: 1 }, { b: 1, d: 1 }, raw('{"b":1,}'), raw('{,"b":1}')],
    },
    {
      schema: { properties: { 'a"\n': { const: 1 } } },
      fits: [{ 'a"\n': 1 }, 5],
      not: [{ 'a"\n': 2 }, raw('{"a\\u0022\\n":2}')],
    },
    {
      schema: { type: "object", properties: { constructor: { const: 2 } } },
      fits: [{ constructor: 2 }],
      not: [{ constructor: 1 }],
    },
    {
      schema: JSON.parse('{"type":"object","properties":{"__proto__":{"const":1}}}'),
      fits: [raw('{"__proto__":1}')],
      not: [raw('{"__proto__":2}')],
    },
    {
      schema: { type: "object", required: ["z", "a"] },
      fits: [
        { z: 1, a: 2 },
        { z: 1, a: 2, x: 3 },
      ],
      not: [{}, { z: 1 }],
    },
    { schema: { type: "object", properties: { a: false, b: true } }, fits: [{}, { b: 1 }], not: [{ a: 1 }] },
  ],
  "additionalProperties and patternProperties": [
    {
      schema: { type: "object", additionalProperties: { type: "integer" } },
      fits: [{}, { a: 1, é: 2 }],
      not: [{ a: "x" }],
    },
    {
      schema: { type: "object", patternProperties: { "^x": { type: "integer" } }, additionalProperties: false },
      fits: [{ x: 1, xy: 2 }],
      not: [{ y: 1 }, { x: "a" }],
    },
    {
      schema: {
        type: "object",
        patternProperties: { "^x": { type: "integer" }, y$: { minimum: 5 } },
        additionalProperties: { type: "string" },
      },
      fits: [{ xa: 1, xy: 5, by: 7, ay: "k", b: "q" }],
      not: [{ xy: 4 }, { xa: "a" }, { b: 1 }, { by: 4 }],
    },
    {
      schema: { type: "object", properties: { xa: { maximum: 3 } }, patternProperties: { "^x": { type: "integer" } } },
      fits: [{ xa: 2 }, { xa: -1, xb: 9, c: null }],
      not: [{ xa: 4 }, { xa: 2.5 }, { xa: null }, { xb: "s" }],
    },
    { schema: { type: "object", patternProperties: { "^x": false } }, fits: [{}, { a: 1 }], not: [{ x: 1 }] },
    {
      schema: {
        type: "object",
        allOf: [{ properties: { a: true }, additionalProperties: false }, { properties: { b: true, a: true } }],
      },
      fits: [{}, { a: 1 }],
      not: [{ b: 1 }],
    },
  ],
  propertyNames: [
    {
      schema: { type: "object", propertyNames: { pattern: "^[a-z]+$" } },
      fits: [{}, { abc: 1 }],
      not: [{ A: 1 }, { "": 1 }],
    },
    {
      schema: { type: "object", propertyNames: { enum: ["b", "a"] }, minProperties: 2 },
      fits: [{ b: 1, a: 2 }],
      not: [{ b: 1 }, { c: 1 }],
    },
    {
      schema: { type: "object", propertyNames: { maxLength: 2 }, properties: { abc: true, ab: true } },
      fits: [{ ab: 1 }],
      not: [{ abc: 1 }],
    },
    { schema: { type: "object", propertyNames: false }, fits: [{}], not: [{ a: 1 }] },
    {
      schema: { type: "object", not: { propertyNames: { pattern: "^a" } } },
      fits: [{ b: 1 }, { a: 1, b: 1 }],
      not: [{}, { a: 1 }],
    },
    {
      schema: { type: "object", not: { additionalProperties: false, properties: { a: true } } },
      fits: [{ b: 1 }, { a: 1, c: 1 }],
      not: [{}, { a: 1 }],
    },
  ],
  "counts of members": [
    { schema: { type: "object", minProperties: 1 }, fits: [{ a: 1 }, { a: 1, b: 2 }], not: [{}] },
    { schema: { type: "object", maxProperties: 1 }, fits: [{}, { a: 1 }], not: [{ a: 1, b: 2 }] },
    {
      schema: {
        type: "object",
        properties: { a: true, b: true, c: true },
        additionalProperties: false,
        minProperties: 2,
        maxProperties: 2,
      },
      fits: [
        { a: 1, b: 1 },
        { a: 1, c: 1 },
        { b: 1, c: 1 },
      ],
      not: [{}, { a: 1 }, { a: 1, b: 1, c: 1 }],
    },
    {
      schema: { type: "object", properties: { a: true }, required: ["a"], minProperties: 2, maxProperties: 3 },
      fits: [
        { a: 1, b: 1 },
        { a: 1, b: 1, c: 1 },
      ],
      not: [{ a: 1 }, { a: 1, b: 1, c: 1, d: 1 }],
    },
    { schema: { type: "object", not: { minProperties: 1 } }, fits: [{}], not: [{ a: 1 }] },
  ],
  dependencies: [
    {
      schema: { type: "object", properties: { a: true, b: true }, dependentRequired: { a: ["b"] } },
      fits: [{}, { b: 1 }, { a: 1, b: 1 }],
      not: [{ a: 1 }],
    },
    {
      schema: {
        type: "object",
        properties: { a: true, b: true },
        dependentSchemas: { a: { properties: { b: { type: "integer" } } } },
      },
      fits: [{ b: "x" }, { a: 1, b: 1 }, { a: 1 }],
      not: [{ a: 1, b: "x" }],
    },
    {
      schema: {
        ...D7,
        type: "object",
        properties: { a: true, b: true },
        dependencies: { a: ["b"], b: { maxProperties: 2 } },
      },
      fits: [{}, { a: 1, b: 1 }, { b: 1, c: 1 }],
      not: [{ a: 1 }, { b: 1, c: 1, d: 1 }],
    },
  ],
  "anyOf, oneOf, allOf, not": [
    {
      schema: { anyOf: [{ type: "integer" }, { type: "string", maxLength: 1 }] },
      fits: [1, "a"],
      not: [1.5, "ab", null],
    },
    { schema: { oneOf: [{ type: "integer" }, { minimum: 2 }] }, fits: [1, 2.5, "x"], not: [3, 1.5] },
    {
      schema: {
        oneOf: [
          { type: "string", pattern: "^a" },
          { type: "string", pattern: "b$" },
        ],
      },
      fits: ["a", "b", "ac"],
      not: ["ab", "c"],
    },
    {
      schema: { type: "object", oneOf: [{ required: ["a"] }, { required: ["b"] }] },
      fits: [{ a: 1 }, { b: 1 }, { a: 1, c: 1 }],
      not: [{}, { a: 1, b: 1 }],
    },
    { schema: { oneOf: [true, true] }, fits: [], not: [1] },
    {
      schema: {
        oneOf: [
          { type: "object", properties: { k: { const: "x" }, v: { type: "integer" } }, required: ["k", "v"] },
          { type: "object", properties: { k: { const: "y" }, v: { type: "string" } }, required: ["k", "v"] },
        ],
      },
      fits: [
        { k: "x", v: 1 },
        { k: "y", v: "s" },
      ],
      not: [
        { k: "x", v: "s" },
        { k: "z", v: 1 },
      ],
    },
    {
      schema: {
        allOf: [
          { type: "object", properties: { a: { type: "integer" } } },
          { properties: { a: { minimum: 2 }, b: { type: "null" } } },
        ],
      },
      fits: [{ a: 2, b: null }],
      not: [{ a: 1 }, { b: 1 }, 5],
    },
    { schema: { not: { type: ["string", "object", "array"] } }, fits: [1, null, true], not: ["", {}, []] },
    { schema: { not: { not: { type: "string" } } }, fits: ["a"], not: [1] },
    {
      schema: { type: "object", properties: { a: true, b: true }, not: { required: ["a", "b"] } },
      fits: [{}, { a: 1 }, { b: 1 }],
      not: [{ a: 1, b: 1 }],
    },
    {
      schema: { type: "object", properties: { a: { type: "integer" } }, not: { properties: { a: { minimum: 5 } } } },
      fits: [{ a: 4 }],
      not: [{}, { a: 5 }, { b: 1 }],
    },
    { schema: { type: "integer", not: { anyOf: [{ minimum: 10 }, { maximum: 3 }] } }, fits: [4, 9], not: [3, 10] },
  ],
  "if, then, else": [
    {
      schema: {
        type: "object",
        properties: { k: { enum: ["a", "b"] }, v: true },
        required: ["k", "v"],
        if: { properties: { k: { const: "a" } } },
        then: { properties: { v: { type: "integer" } } },
        else: { properties: { v: { type: "string" } } },
      },
      fits: [
        { k: "a", v: 1 },
        { k: "b", v: "s" },
      ],
      not: [
        { k: "a", v: "s" },
        { k: "b", v: 1 },
      ],
    },
    { schema: { type: "integer", if: { minimum: 10 }, then: { multipleOf: 5 } }, fits: [1, 9, 10, 15], not: [11] },
    { schema: { if: { type: "string" }, else: { type: "null" } }, fits: ["a", null], not: [1] },
    { schema: { then: { type: "string" } }, fits: [1], not: [] },
  ],
  references: [
    {
      schema: {
        $defs: {
          p: {
            oneOf: [
              { type: "object", required: ["not"], properties: { not: { $ref: "#/$defs/q" } } },
              { type: "object", required: ["is"], properties: { is: { type: "null" } } },
            ],
          },
          q: { $ref: "#/$defs/p" },
        },
        $ref: "#/$defs/p",
      },
      fits: [{ is: null }, { not: { not: { is: null } } }],
      not: [{ not: {} }, { not: { is: null }, is: null }],
    },
    {
      schema: { $defs: { a: { type: "integer" } }, type: "array", items: { $ref: "#/$defs/a" } },
      fits: [[1]],
      not: [["a"]],
    },
    {
      schema: {
        definitions: {
          node: {
            type: "object",
            properties: { v: { type: "integer" }, next: { $ref: "#/definitions/node" } },
            required: ["v"],
            additionalProperties: false,
          },
        },
        $ref: "#/definitions/node",
      },
      fits: [{ v: 1 }, { v: 1, next: { v: 2, next: { v: 3 } } }],
      not: [{ v: 1, next: {} }, { v: "x" }],
    },
    {
      schema: { type: "object", properties: { c: { $ref: "#" } }, additionalProperties: false },
      fits: [{}, { c: { c: {} } }],
      not: [{ c: 1 }, { d: {} }],
    },
    {
      schema: {
        $id: "https://example.com/root",
        $defs: { a: { $id: "a.json", type: "string", $defs: { b: { $anchor: "b", type: "integer" } } } },
        type: "array",
        prefixItems: [{ $ref: "a.json" }, { $ref: "a.json#b" }, { $ref: "https://example.com/a.json#/$defs/b" }],
      },
      fits: [["x", 1, 2]],
      not: [[1], ["x", "y"], ["x", 1, "z"]],
    },
    { schema: { $ref: "#/$defs/a~1b~0c%25", $defs: { "a/b~c%": { type: "null" } } }, fits: [null], not: [1] },
    {
      schema: { ...D7, $ref: "#/definitions/a", maximum: 3, definitions: { a: { type: "integer" } } },
      fits: [1, 5],
      not: ["a"],
    },
    { schema: { ...D12, $ref: "#/$defs/a", maximum: 3, $defs: { a: { type: "integer" } } }, fits: [1], not: [5] },
    {
      schema: { ...D4, id: "http://x.y/z", definitions: { a: { id: "#foo", type: "null" } }, $ref: "#foo" },
      fits: [null],
      not: [1],
    },
    {
      schema: {
        ...D12,
        $dynamicAnchor: "node",
        type: "object",
        properties: { c: { $dynamicRef: "#node" } },
        additionalProperties: false,
      },
      fits: [{ c: {} }],
      not: [{ c: 1 }],
    },
  ],
  "unevaluatedProperties and unevaluatedItems": [
    {
      schema: {
        type: "object",
        allOf: [{ properties: { a: true } }],
        properties: { b: true },
        unevaluatedProperties: false,
      },
      fits: [{ a: 1, b: 1 }, {}],
      not: [{ c: 1 }],
    },
    {
      schema: {
        type: "object",
        $ref: "#/$defs/x",
        unevaluatedProperties: { type: "null" },
        $defs: { x: { patternProperties: { "^p": true } } },
      },
      fits: [{ p: 1, q: null }],
      not: [{ q: 1 }],
    },
    {
      schema: {
        type: "object",
        properties: { a: true },
        anyOf: [{ required: ["a"] }, { minProperties: 0 }],
        unevaluatedProperties: false,
      },
      fits: [{ a: 1 }, {}],
      not: [{ b: 1 }],
    },
    { schema: { type: "array", prefixItems: [{ const: 1 }], unevaluatedItems: false }, fits: [[1], []], not: [[1, 2]] },
    { schema: { type: "array", items: true, unevaluatedItems: false }, fits: [[1, 2]], not: [] },
  ],
  annotations: [
    {
      schema: {
        title: "t",
        description: 5,
        default: {},
        examples: [],
        "x-hint": 1,
        _format: "date",
        contentMediaType: "a/b",
        type: "null",
        javaType: "X",
        readOnly: true,
      },
      fits: [null],
      not: [1],
    },
    { schema: { type: "integer", format: "int32" }, fits: [1], not: ["a"] },
    { schema: { type: "string", format: "color" }, fits: ["anything"], not: [1] },
  ],
};

for (const [name, cases] of Object.entries(CASES)) {
  describe(name, () => {
    for (const { schema, fits, not } of cases) {
      const title = JSON.stringify(schema).slice(0, 140);
      test(title, () => {
        if (fits.length === 0) expectRefused(schema, "grammar/unsupported", /nothing fits/);
        else expectTexts(schema, fits, not);
      });
    }
  });
}

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
