/** Patterns, with JavaScript's own `RegExp` and its `u` flag as the oracle. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import { regexExpression } from "../../src/grammar/regex.ts";
import { States } from "../../src/grammar/states.ts";
import { accepts, writtenBy } from "./automaton.ts";
import { Random } from "./random.ts";

const CHARACTERS = ["a", "b", "c", "1", "_", "-", " ", "\n", "é", "日", "😀", "]", "{", "."];

function compiled(pattern: string, anchored = false): States {
  const made = new Expressions();
  return new States(made, regexExpression(made, pattern, { anchored }));
}

function randomText(random: Random): string {
  return Array.from({ length: random.below(8) }, () => random.of(CHARACTERS)).join("");
}

function randomClass(random: Random): string {
  const members = Array.from({ length: 1 + random.below(3) }, () =>
    random.of([
      "a",
      "b",
      "a-c",
      "0-9",
      "\\d",
      "\\w",
      "\\s",
      "\\W",
      "é",
      "日",
      "\\u{1F600}",
      "\\-",
      "_",
      "à-ÿ",
      "\\]",
      ".",
    ]),
  );
  return `[${random.oneIn(3) ? "^" : ""}${members.join("")}]`;
}

function randomAtom(random: Random, depth: number, assertions: boolean): string {
  if (depth > 0 && random.oneIn(3)) {
    const open = random.of(["(", "(?:", "(?<n>".replace("n", `n${random.below(1e9)}`)]);
    return `${open}${randomPattern(random, depth - 1, assertions)})`;
  }
  if (random.oneIn(4)) return randomClass(random);
  if (random.oneIn(99)) return random.of(["\\p{L}", "\\P{Lu}", "\\p{Script=Han}"]);
  if (random.oneIn(8)) return random.of(["\\d", "\\w", "\\s", "\\D", "\\W", "\\S", ".", "\\x61"]);
  return random.of(["a", "b", "c", "1", "_", "é", "日", "😀", "\\.", " ", "\\n"]);
}

function randomPattern(random: Random, depth: number, assertions: boolean): string {
  const alternatives = Array.from({ length: random.oneIn(3) ? 2 : 1 }, () => {
    const terms = Array.from({ length: random.below(4) }, () => {
      if (assertions && random.oneIn(5)) {
        const ahead = (): string => randomPattern(random, Math.max(depth - 1, 0), false);
        return random.of(["^", "$", "\\b", "\\B", `(?=${ahead()})`, `(?!${ahead()})`]);
      }
      const atom = randomAtom(random, depth, assertions);
      return atom + (random.oneIn(3) ? random.of(["*", "+", "?", "*?", "{2}", "{1,3}", "{0,2}?", "{2,}"]) : "");
    });
    return terms.join("");
  });
  return alternatives.join("|");
}

function compare(pattern: string, random: Random, anchored: boolean): void {
  const oracle = new RegExp(anchored ? `^(?:${pattern})$` : pattern, "u");
  let states: States;
  try {
    states = compiled(pattern, anchored);
  } catch (error) {
    assert.ok(error instanceof OnebitError && error.code === "grammar/unsupported", `${pattern}: ${String(error)}`);
    assert.match(error.message, /repetition of an assertion/);
    return;
  }
  // V8 finds places between the halves of a pair, where `u` has none: /\B/u.test("a😀1") is true there.
  const isComparable = (text: string): boolean => !/\\b|\\B|\(\?[=!]/.test(pattern) || !/[^\0-\uffff]/u.test(text);
  for (let i = 0; i < 12; i++) {
    const text = randomText(random);
    const what = `${pattern} on ${JSON.stringify(text)}, anchored ${anchored}`;
    if (isComparable(text)) assert.equal(accepts(states, text), oracle.test(text), what);
    const written = writtenBy(states, random);
    if (written === undefined || !isComparable(written)) continue;
    assert.ok(oracle.test(written), `${pattern} wrote ${JSON.stringify(written)}, anchored ${anchored}`);
  }
}

describe("patterns like RegExp", () => {
  test("2,000 random ones without assertions", () => {
    const random = new Random(1);
    for (let i = 0; i < 2000; i++) compare(randomPattern(random, 3, false), random, random.oneIn(2));
  });

  test("2,000 random ones with assertions", () => {
    const random = new Random(2);
    for (let i = 0; i < 2000; i++) compare(randomPattern(random, 2, true), random, random.oneIn(2));
  });

  test("published ones", () => {
    const random = new Random(3);
    const patterns = [
      "^[A-Za-z_][A-Za-z0-9_]*$",
      "^(?!foo)[a-z]+$",
      "^(?=.*\\d)(?=.*[a-c]).{2,5}$",
      "^(?:(?!ab).)*$",
      "^(?:(?!a|b$)[^c])+$",
      "\\ba\\b",
      "^\\S+(?: \\S+)*$",
      "^(a|b(?=c))*$|^$",
      "^[^\\s](.*[^\\s])?$",
      "^-?(?:0|[1-9]\\d*)(?:\\.\\d+)?$",
      "[\\u{1F600}-\\u{1F64F}]|\\uD83D\\uDE00",
      "^\\p{Script=Han}+$",
      "^[\\p{L}\\p{N}_ -]{1,4}$",
      "(a*)*b",
      "(a+|b?){2,3}$",
    ];
    for (const pattern of patterns) for (let i = 0; i < 20; i++) compare(pattern, random, false);
  });
});

describe("what is no syntax stands for itself, as without the u flag", () => {
  const texts = ["a{", "a{,5}", "aaaaa", "a]", "a}", "-", "w", "@/", "a-b", "{}", "\b", "x", "a{1", "a{1,", "]"];
  for (const pattern of [
    "a{",
    "a{,5}",
    "a]",
    "a}",
    "^{}$",
    "[\\w-@]",
    "[a-\\d]",
    "\\@\\/",
    "\\-",
    "[\\b]",
    "a{1",
    "a{1,",
    "^]",
  ]) {
    test(pattern, () => {
      const oracle = new RegExp(pattern);
      const states = compiled(pattern);
      for (const text of texts) assert.equal(accepts(states, text), oracle.test(text), JSON.stringify(text));
    });
  }
});

/** A pattern, its code, and what the message must say. */
const REFUSED: readonly (readonly [pattern: string, code: string, message: RegExp])[] = [
  ["a(b", "grammar/syntax", /character 2: found a \( without its \)/],
  ["a)b", "grammar/syntax", /character 2: found an unmatched \)/],
  ["[a", "grammar/syntax", /character 1: found a \[ without its \]/],
  ["[b-a]", "grammar/syntax", /range out of order/],
  ["a**", "grammar/syntax", /quantifier behind a quantifier/],
  ["^*", "grammar/syntax", /quantifier behind an assertion/],
  ["+a", "grammar/syntax", /\+ with nothing before it/],
  ["{2}", "grammar/syntax", /nothing before it/],
  ["a{3,2}", "grammar/syntax", /out of order/],
  ["a\\", "grammar/syntax", /character 2: found a \\ at the end/],
  ["\\Aabc\\Z", "grammar/syntax", /unknown escape \\A/],
  ["\\u12", "grammar/syntax", /four hexadecimal digits/],
  ["\\u{110000}", "grammar/syntax", /no code point/],
  ["\\p{", "grammar/syntax", /name of a property/],
  ["\\p{Nonsense}", "grammar/unsupported", /the property "Nonsense"/],
  ["(a)\\1", "grammar/unsupported", /character 4: a reference to a group/],
  ["(?<x>a)\\k<x>", "grammar/unsupported", /character 8: a reference to a group/],
  ["(?<=a)b", "grammar/unsupported", /character 1: a lookbehind/],
  ["(?<!a)b", "grammar/unsupported", /a lookbehind/],
  ["(?i:a)", "grammar/unsupported", /a group with flags/],
  ["(?<1>a)", "grammar/syntax", /"1" as the name of a group/],
  ["(a|\\b)*c", "grammar/unsupported", /character 1: a repetition of an assertion/],
];

describe("patterns are refused with the place", () => {
  for (const [pattern, code, message] of REFUSED) {
    test(pattern, () => {
      assert.throws(
        () => compiled(pattern),
        (error) => error instanceof OnebitError && error.code === code && message.test(error.message),
      );
    });
  }
});

describe("properties of Unicode", () => {
  for (const name of ["L", "Lu", "Script=Greek", "Nd", "Emoji", "Cn", "Any", "P"]) {
    test(name, () => {
      const oracle = new RegExp(`^\\p{${name}}$`, "u");
      const states = compiled(`^\\p{${name}}$`);
      for (let codePoint = 0; codePoint <= 0x10ffff; codePoint += codePoint < 0x3000 ? 1 : 61) {
        if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue;
        const character = String.fromCodePoint(codePoint);
        assert.equal(accepts(states, character), oracle.test(character), codePoint.toString(16));
      }
    });
  }
});
