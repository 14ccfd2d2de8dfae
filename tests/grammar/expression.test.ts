/** Expressions: equal ones are one object, and their algebra is that of languages. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { edgesOf } from "../../src/grammar/edges.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import { UNLIMITED } from "../../src/grammar/node.ts";
import { matches } from "./automaton.ts";

describe("equal expressions are the same object", () => {
  const made = new Expressions();
  const [a, b, c] = ["a", "b", "c"].map((text) => made.text(text));
  const cases: Record<string, readonly [unknown, unknown]> = {
    "text and its bytes": [made.text("é"), made.bytes(Uint8Array.of(0xc3, 0xa9))],
    "nested sequences": [made.sequence(made.sequence(a, b), c), made.sequence(a, made.sequence(b, c))],
    "a text and its characters": [made.sequence(a, b), made.text("ab")],
    "nested choices, in any order": [made.choice([made.choice([c, b]), a]), made.choice([a, b, c, b])],
    "ranges, however they are cut": [
      made.characters([
        [0x61, 0x62],
        [0x63, 0x7a],
      ]),
      made.characters([[0x61, 0x7a]]),
    ],
    "nothing in a sequence": [made.sequence(a, made.nothing, b), made.nothing],
    "empty in a sequence": [made.sequence(made.empty, a, made.empty), a],
    "a repetition once": [made.repeat(a, 1, 1), a],
    "a repetition of a repetition": [made.repeat(made.repeat(a, 0), 0), made.repeat(a, 0)],
    "counters that touch": [made.choice([made.repeat(a, 0, 3), made.repeat(a, 4, 9)]), made.repeat(a, 0, 9)],
    "counters of counters": [made.repeat(made.repeat(a, 1, 1000), 1, 1000), made.repeat(a, 1, 1_000_000)],
    "a counter out of order": [made.repeat(a, 3, 2), made.nothing],
    "twice not": [made.complement(made.complement(a)), a],
    "both of the same": [made.both([a, a]), a],
    "any text and a text": [made.both([made.anyText, a]), a],
    "everything or something": [made.choice([made.everything, a]), made.everything],
    "no characters": [made.characters([]), made.nothing],
    "surrogates alone": [made.characters([[0xd800, 0xdfff]]), made.nothing],
  };
  for (const [name, [left, right]] of Object.entries(cases)) test(name, () => assert.equal(left, right));

  test("but counters with a gap stay apart", () => {
    const gap = made.repeat(made.repeat(a, 3, 3), 0, 5);
    for (let count = 0; count < 20; count++) {
      assert.equal(matches(made, gap, "a".repeat(count)), count % 3 === 0 && count <= 15, `${count}`);
    }
  });
});

describe("characters", () => {
  test("match every code point of their ranges and no other", () => {
    const made = new Expressions();
    const borders = [
      0, 0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x3ffff, 0x10ffff,
    ];
    for (const first of borders) {
      for (const last of borders) {
        if (last < first) continue;
        const set = made.characters([[first, last]]);
        for (const border of borders) {
          for (const codePoint of [border - 1, border, border + 1]) {
            if (codePoint < 0 || codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) continue;
            const isIn = codePoint >= first && codePoint <= last;
            assert.equal(matches(made, set, String.fromCodePoint(codePoint)), isIn, `${codePoint} in ${first}-${last}`);
          }
        }
      }
    }
  });

  test("match no surrogate, overlong or cut form", () => {
    const made = new Expressions();
    const any = made.characters([[0, 0x10ffff]]);
    const wrong = [
      [0xed, 0xa0, 0x80],
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xe0, 0x80, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
    ];
    for (const bytes of [...wrong, [0xf4, 0x90, 0x80, 0x80], [0x80], [0xff], [0xc3]]) {
      let rest = any;
      for (const byte of bytes) {
        const { classes, targets } = edgesOf(made, rest);
        rest = targets[classes[byte]];
      }
      assert.equal(rest.isNullable, false, bytes.join(" "));
    }
  });
});

describe("what an expression knows of itself", () => {
  const made = new Expressions();
  const rule = made.rule("rule");
  test("matches the empty text", () => {
    assert.deepEqual(
      [made.empty, made.nothing, made.text("a"), made.repeat(made.text("a"), 0), made.complement(made.text("a"))].map(
        (node) => node.isNullable,
      ),
      [true, false, false, true, true],
    );
  });
  test("is regular", () => {
    assert.ok(made.repeat(made.text("a"), 2, UNLIMITED).isRegular);
    assert.ok(!made.sequence(made.text("a"), rule).isRegular && !made.choice([rule, made.text("a")]).isRegular);
  });

  test("takes as many steps for each part of a long sequence that is made from its end", (t) => {
    const steps = (length: number): number => {
      const expressions = new Expressions(),
        { mock } = t.mock.method(Map.prototype, "get");
      let whole = expressions.empty;
      for (let i = 0; i < length; i++) whole = expressions.sequence(expressions.text(`${i}`), whole);
      mock.restore();
      return mock.callCount();
    };
    assert.ok(steps(1000) < 3 * steps(500));
  });
});
