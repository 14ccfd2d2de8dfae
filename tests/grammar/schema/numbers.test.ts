/** Numbers under limits and multiples, against comparison and division of floats and of whole numbers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Random } from "../random.ts";
import { accepts, expectRefused, expectTexts, raw, statesOf } from "./texts.ts";

/** Of all sizes that JSON.stringify writes in its own way, with a sign. */
const NUMBERS = [
  0, 1, 2, 9, 10, 11, 99, 100, 101, 0.1, 0.5, 0.25, 0.05, 0.01, 1.5, 9.99, 10.01, 123.456, 1e-6, 1.5e-6, 1e-7, 2.5e-7,
  1e-10, 5e-324, 1e20, 1.5e20, 999999999999999900000, 1e21, 1.5e21, 2e21, 1e22, 1.7976931348623157e308, 1e308, 3.3e300,
  2251799813685248.5, 9007199254740991,
].flatMap((value) => (value === 0 ? [0] : [value, -value]));

describe("limits", () => {
  test("every number as JSON.stringify writes it, and no number that overflows or is -0", () => {
    expectTexts({ type: "number" }, NUMBERS, []);
    const refused = [
      "-0",
      "-0.0",
      "00",
      "01",
      "1.",
      ".5",
      "+1",
      "1e999",
      "1e309",
      "1.8e308",
      "1e5",
      "-",
      "1e",
      "0x1",
      "NaN",
      "1e-400",
      "1e-324",
    ];
    expectTexts(
      { type: "number" },
      [raw("1.50"), raw("0.0"), raw("-0.10"), raw("6.02e23"), raw("1E+22")],
      refused.map(raw),
    );
  });

  for (const [keyword, fits] of [
    ["minimum", (value: number, limit: number) => value >= limit],
    ["exclusiveMinimum", (value: number, limit: number) => value > limit],
    ["maximum", (value: number, limit: number) => value <= limit],
    ["exclusiveMaximum", (value: number, limit: number) => value < limit],
  ] as const) {
    test(`${keyword}: each number against each`, () => {
      for (const limit of NUMBERS) {
        const states = statesOf({ anyOf: [{ type: "number", [keyword]: limit }, { const: "keep" }] });
        for (const value of NUMBERS) {
          const text = JSON.stringify(value);
          assert.equal(accepts(states, text), fits(value, limit), `${keyword} ${limit}: ${text}`);
        }
      }
    });
  }

  test("pairs of limits, whole numbers and not, at random", () => {
    const random = new Random(1);
    const draw = (): number => {
      const size = 10 ** random.below(6);
      const value = Math.round(((random.below(2001) - 1000) * size) / 10) / 100;
      return random.oneIn(2) ? Math.round(value) + 0 : value;
    };
    for (let round = 0; round < 150; round++) {
      const [low, high] = [draw(), draw()].sort((a, b) => a - b);
      const type = random.oneIn(2) ? "integer" : "number";
      const states = statesOf({ anyOf: [{ type, minimum: low, exclusiveMaximum: high }, { const: "keep" }] });
      for (const value of [low, high, draw(), draw(), draw(), low + 1, high - 1, (low + high) / 2, 0, 1e21]) {
        const plain = value + 0;
        const fits = plain >= low && plain < high && (type === "number" || Number.isInteger(plain));
        assert.equal(accepts(states, JSON.stringify(plain)), fits, `${type} ${low} ≤ ${plain} < ${high}`);
      }
    }
  });

  test("zeros at the end change nothing", () => {
    expectTexts(
      { type: "number", maximum: 1.5 },
      [raw("1.50"), raw("1.4999"), raw("1.500000")],
      [raw("1.5001"), raw("1.51")],
    );
    expectTexts({ type: "number", exclusiveMaximum: 1.5 }, [raw("1.49"), raw("1.4")], [raw("1.50"), raw("1.5")]);
    expectTexts({ type: "number", exclusiveMinimum: 2 }, [raw("2.01"), raw("2.0001")], [raw("2.0"), raw("2.00")]);
    expectTexts({ type: "number", exclusiveMinimum: 0 }, [raw("0.001")], [raw("0.000"), raw("0"), raw("-0.0")]);
  });

  test("draft-04's flags", () => {
    const draft = { $schema: "http://json-schema.org/draft-04/schema#" };
    expectTexts({ ...draft, type: "integer", minimum: 3, exclusiveMinimum: true }, [4, 5], [3, 2]);
    expectTexts({ ...draft, type: "integer", maximum: 3, exclusiveMaximum: false }, [3], [4]);
    expectRefused({ ...draft, exclusiveMinimum: 3 }, "grammar/unsupported", /exclusiveMinimum.*draft-04/);
    const later = { $schema: "http://json-schema.org/draft-07/schema#" };
    expectRefused(
      { ...later, minimum: 3, exclusiveMinimum: true },
      "grammar/unsupported",
      /exclusiveMinimum.*draft-07/,
    );
  });

  test("whole numbers: no fraction, and not their negation's values either", () => {
    expectTexts({ type: "integer" }, [0, -5, 1e20, 1e21, 1e300], [0.5, raw("1.0"), raw("1.0e3")]);
    expectTexts({ type: "number", not: { type: "integer" } }, [0.5, -1.25], [1, 0, 1e21, raw("1.0"), raw("1.000")]);
  });
});

describe("multipleOf", () => {
  for (const of of [1, 2, 3, 5, 7, 10, 11, 12, 25, 60, 100, 128, 429]) {
    test(`${of}`, () => {
      const states = statesOf({ type: "number", multipleOf: of });
      const random = new Random(of);
      for (let i = 0; i < 200; i++) {
        const value = Math.floor((random.below(1 << 30) / 2 ** 30) * 10 ** (1 + random.below(14)));
        for (const each of [value, value * of]) {
          if (each >= 9e15) continue;
          assert.equal(accepts(states, String(each)), each % of === 0, `${each}`);
          if (each > 0) assert.equal(accepts(states, String(-each)), each % of === 0, `-${each}`);
          assert.equal(accepts(states, `${each}.0`), each % of === 0, `${each}.0`);
        }
        assert.ok(!accepts(states, `${value}.5`));
      }
    });
  }

  test("decimal fractions, exactly", () => {
    expectTexts({ type: "number", multipleOf: 0.01 }, [0.07, 1.1, 4.35, 12, 19.99, 0], [0.001, 4.355]);
    expectTexts({ type: "number", multipleOf: 2.5 }, [0, 2.5, 5, 7.5, -2.5, raw("5.0"), raw("2.50")], [1, 2, 2.05, 6]);
    expectTexts({ type: "integer", multipleOf: 1e-8 }, [12391239123, 8e15], [0.5]);
    expectTexts({ type: "number", multipleOf: 1e-8 }, [12391239123, 123456.00000001], [123456.000000001]);
    expectTexts({ type: "number", multipleOf: 0.0001 }, [0.0075], [0.00751]);
  });

  test("with limits, types and other multiples", () => {
    expectTexts({ type: "integer", multipleOf: 7, minimum: 10, maximum: 30 }, [14, 21, 28], [7, 35, 15]);
    expectTexts(
      { type: "number", allOf: [{ multipleOf: 4 }, { multipleOf: 6 }], maximum: 40, minimum: 0 },
      [0, 12, 24, 36],
      [4, 6, 48],
    );
    expectTexts({ type: "integer", multipleOf: 2, not: { multipleOf: 3 } }, [2, 4, 8, 10], [6, 12, 3, 1]);
    expectTexts({ type: "integer", multipleOf: 0.5 }, [1, 1e21, 1e308], [0.5]);
  });

  test("negated: with no more digits than a float keeps", () => {
    expectTexts(
      { type: "number", not: { multipleOf: 1 } },
      [1.5, -0.25, 0.1],
      [1, 0, raw("2.00"), raw("1.0000000000000001")],
    );
    expectTexts({ type: "number", not: { multipleOf: 0.5 } }, [1.25, 0.01], [1, 1.5, raw("3.50")]);
    expectTexts({ type: "number", allOf: [{ multipleOf: 0.5 }, { not: { multipleOf: 1 } }] }, [0.5, -1.5], [1, 0.25]);
    expectTexts({ type: "integer", multipleOf: 3 }, [111], [raw("11150200021802001"), 112]);
  });

  test("refused: too many remainders, and nothing that fits", () => {
    expectRefused({ type: "integer", multipleOf: 123457 }, "grammar/unsupported", /multipleOf.*remainders/);
    expectRefused({ type: "integer", multipleOf: 7, minimum: 8, maximum: 13 }, "grammar/unsupported", /nothing fits/);
    expectRefused({ type: "integer", multipleOf: 0 }, "grammar/syntax", /multipleOf.*above 0/);
    expectRefused({ type: "integer", minimum: 5, maximum: 4 }, "grammar/unsupported", /nothing fits/);
    expectRefused({ type: "integer", exclusiveMinimum: 1, exclusiveMaximum: 2 }, "grammar/unsupported", /nothing fits/);
  });
});
