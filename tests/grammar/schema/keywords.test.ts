/** Keywords about values, arrays and objects: values that fit, in every spelling, and values that do not. */
import { type Case, runCases } from "./cases.ts";
import { raw } from "./texts.ts";

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
};

runCases(CASES);
