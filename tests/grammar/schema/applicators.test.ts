/** Keywords that apply schemas, references, and keys that say nothing about values. */
import { type Case, runCases } from "./cases.ts";

const D4 = { $schema: "http://json-schema.org/draft-04/schema#" };
const D7 = { $schema: "http://json-schema.org/draft-07/schema#" };
const D12 = { $schema: "https://json-schema.org/draft/2020-12/schema" };

const CASES: Readonly<Record<string, readonly Case[]>> = {
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

runCases(CASES);
