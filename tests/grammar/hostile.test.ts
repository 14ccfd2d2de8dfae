/** Patterns and grammars made to hang, overflow the stack or take all memory: an answer or a typed error. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import type { Expression } from "../../src/grammar/node.ts";
import { gbnfExpression } from "../../src/grammar/gbnf.ts";
import { regexExpression } from "../../src/grammar/regex.ts";
import { type State, States } from "../../src/grammar/states.ts";
import { TokenMasks } from "../../src/grammar/token-masks.ts";
import { TokenTrie } from "../../src/grammar/token-trie.ts";

const LETTERS = 'abc日\n"[(x1';

/** Tokens of up to three letters, and long runs. */
const tokens = [...LETTERS].flatMap((a) => [a, a.repeat(40), ...[...LETTERS].flatMap((b) => [a + b, `${a}${b}a`])]);
const encoder = new TextEncoder();
const trie = new TokenTrie({ vocabSize: tokens.length, bytesOf: (id) => encoder.encode(tokens[id]) });

/** Compiles, and takes masks along a text; the code of the error that ends it. */
function outcome(make: (made: Expressions) => Expression, text: string): string {
  try {
    const made = new Expressions();
    const states = new States(made, make(made));
    const masks = new TokenMasks(states, trie);
    let state: State = states.start;
    for (const byte of encoder.encode(text)) {
      masks.mask(state);
      state = states.step(state, byte);
    }
    return "works";
  } catch (error) {
    assert.ok(error instanceof OnebitError, String(error));
    return error.code;
  }
}

const PATTERNS: Readonly<Record<string, readonly [pattern: string, expected: string]>> = {
  "60,000 open groups": ["(".repeat(16_000), "grammar/too-large"],
  "60,000 characters": ["(".repeat(60_000), "grammar/too-large"],
  "groups as deep as allowed": [`${"(a|".repeat(240)}b${")*".repeat(240)}`, "works"],
  "loops of loops": ["((((a*)*)*)*)*(b*|(c*)*)*", "works"],
  "counters of counters": ["^((a{1,1000}){1,1000}){1,1000}$", "works"],
  "counters of counters with gaps": ["^((a{3,7}b?){2,900}c?){5,1000}$", "works"],
  "a counter of a thousand million": ["^(a|b){999999999}$", "works"],
  "a counter beyond": ["a{99999999999}", "grammar/too-large"],
  "an exponential automaton": ["^.*a.{30}$", "works"],
  "an ambiguous loop": ["^(a|aa|aaa|aaaa)*b$", "works"],
  "counters that overlap": ["^(a{0,100}){0,100}(a{0,50}b?){0,100}c$", "works"],
  "10,000 alternatives": [`^(${Array.from({ length: 5000 }, (_, i) => i.toString(36)).join("|")})$`, "works"],
  "a huge class": [
    `[${Array.from({ length: 15_000 }, (_, i) => String.fromCodePoint(0x100 + i * 2)).join("")}]`,
    "works",
  ],
  "many properties": [
    `[${Array.from({ length: 20 }, (_, i) => `\\p{Script=${["Greek", "Latin"][i % 2]}}`).join("")}]`,
    "works",
  ],
  "many lookaheads": [`^${"(?=.*a)(?!.*b.*c)".repeat(12)}.*$`, "works"],
  "lookaheads that exclude each other": ["^(?=.*a)(?=[b-z]*$)", "works"],
};

describe("hostile patterns", () => {
  for (const [name, [pattern, expected]] of Object.entries(PATTERNS)) {
    test(name, () => {
      const found = outcome((made) => regexExpression(made, pattern), "aaaabaaaaabbacaaaaaaaaaaaaaaa");
      assert.equal(found, expected);
    });
  }
});

const GRAMMARS: Readonly<Record<string, readonly [grammar: string, expected: string]>> = {
  "60,000 open groups": [`root ::= ${"(".repeat(60_000)}`, "grammar/too-large"],
  "30,000 rules in a chain": [
    `root ::= r0\n${Array.from({ length: 30_000 }, (_, i) => `r${i} ::= "a" r${i + 1}`).join("\n")}\nr30000 ::= "b"`,
    "works",
  ],
  "60,000 rules that begin with the next": [
    `root ::= r0\n${Array.from({ length: 60_000 }, (_, i) => `r${i} ::= r${i + 1}`).join("\n")}\nr60000 ::= "a"`,
    "grammar/too-large",
  ],
  "a ring of 10,000 rules": [
    `root ::= r0\n${Array.from({ length: 10_000 }, (_, i) => `r${i} ::= "a"? r${(i + 1) % 10_000}`).join("\n")}`,
    "grammar/unsupported",
  ],
  "rules that never end": ['root ::= "a" root', "works"],
  "an ambiguous grammar": ['root ::= "a" root | "a" root "b" | "a" root root | "c"', "works"],
  "all prefixes": ['root ::= x* "b"\nx ::= "a" x? y?\ny ::= "a" y? x?', "works"],
  "empty loops": ['root ::= (x y)* "b"\nx ::= ("a" x)?\ny ::= (x x)* (x*)*', "works"],
  "no end of a comment": [`root ::= "a" #${"#".repeat(900_000)}`, "works"],
  "too long": ["#".repeat(2_000_000), "grammar/too-large"],
};

describe("hostile grammars", () => {
  for (const [name, [grammar, expected]] of Object.entries(GRAMMARS)) {
    test(name, () => {
      assert.equal(
        outcome((made) => gbnfExpression(made, grammar), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        expected,
      );
    });
  }
});

describe("hostile expressions", () => {
  test("10,000 levels of nesting", () => {
    const found = outcome((made) => {
      let nested = made.text("a");
      for (let i = 0; i < 10_000; i++) nested = made.choice([made.sequence(nested, made.text("b")), made.text("c")]);
      return nested;
    }, "aaa");
    assert.equal(found, "grammar/too-large");
  });

  test("an intersection of many automata", () => {
    const found = outcome(
      (made) => made.both([2, 3, 5, 7, 11, 13, 17, 19].map((n) => made.repeat(made.repeat(made.text("a"), n, n), 1))),
      "aaa",
    );
    assert.equal(found, "grammar/too-large");
  });

  test("a million alternatives", () => {
    const found = outcome(
      (made) => made.choice(Array.from({ length: 1_000_000 }, (_, i) => made.text(i.toString(36)))),
      "aaa",
    );
    assert.equal(found, "grammar/too-large");
  });
});
