/** Grammars in llama.cpp's notation, with texts judged by hand. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import { gbnfExpression } from "../../src/grammar/gbnf.ts";
import { parseGbnf } from "../../src/grammar/gbnf-parse.ts";
import { States } from "../../src/grammar/states.ts";
import { accepts } from "./automaton.ts";
import { GBNF_CASES } from "./gbnf-cases.ts";

function compiled(grammar: string, root?: string): States {
  const made = new Expressions();
  return new States(made, gbnfExpression(made, grammar, { root }));
}

describe("grammars accept what they should", () => {
  for (const [name, { grammar, accepted, refused }] of Object.entries(GBNF_CASES)) {
    test(name, () => {
      const states = compiled(grammar);
      for (const text of accepted) assert.ok(accepts(states, text), JSON.stringify(text));
      for (const text of refused) assert.ok(!accepts(states, text), JSON.stringify(text));
    });
  }

  test("from another rule than root", () => {
    assert.ok(accepts(compiled('root ::= "a" b\nb ::= "b"', "b"), "b"));
  });

  test("with rules used so often that putting them in would never end", () => {
    const rules = Array.from({ length: 40 }, (_, i) => `r${i} ::= r${i + 1} r${i + 1}`);
    const states = compiled(`root ::= r25\n${rules.join("\n")}\nr40 ::= "a"`);
    let state = states.start;
    for (let i = 0; i < 2 ** 15 - 1; i++) state = states.step(state, 0x61);
    assert.ok(!states.isAccepting(state));
    assert.ok(states.isDone(states.step(state, 0x61)));
  });
});

/** What is wrong, its code, and what the message must say. */
const REFUSED: readonly (readonly [grammar: string, code: string, message: RegExp])[] = [
  ["", "grammar/syntax", /no rule "root"/],
  ['other ::= "a"', "grammar/syntax", /no rule "root".*"other"/],
  ["root ::= missing", "grammar/syntax", /line 1, column 10: found "missing", a rule that has no definition/],
  ['root ::= "a"\nroot ::= "b"', "grammar/syntax", /line 2, column 1: found a second definition/],
  ['root = "a"', "grammar/syntax", /line 1, column 6.*wanted ::=/],
  ['root ::= "a" "b', "grammar/syntax", /column 14: found a text without its closing/],
  ["root ::= [a", "grammar/syntax", /column 10: found a \[ without/],
  ["root ::= []", "grammar/syntax", /class without characters/],
  ["root ::= [z-a]", "grammar/syntax", /column 11: found a range out of order/],
  ['root ::= ("a"', "grammar/syntax", /found a \( without/],
  ['root ::= "a")', "grammar/syntax", /column 13: found "\)"; wanted the end of the line/],
  ["root ::= *", "grammar/syntax", /nothing before it to repeat/],
  ['root ::= "a"{,3}', "grammar/syntax", /wanted a number/],
  ['root ::= "a"{3,2}', "grammar/syntax", /out of order/],
  ['root ::= "a"{3', "grammar/syntax", /wanted }/],
  ['root ::= "\\q"', "grammar/syntax", /unknown escape/],
  ['root ::= "\\x4"', "grammar/syntax", /without 2 hexadecimal digits/],
  ['root ::= "\\uD800"', "grammar/syntax", /U\+D800, which no text has/],
  ['root ::= "\\U00110000"', "grammar/syntax", /U\+110000/],
  ["root ::= snake_case\nsnake ::= root", "grammar/syntax", /column 15: found "_"/],
  ['root ::= "a" <think>', "grammar/unsupported", /column 14: "<think>" names a token/],
  ["root ::= !<[12]>", "grammar/unsupported", /"!<\[12\]>" names a token/],
  ['root ::= root "a" | "b"', "grammar/unsupported", /"root".*left recursion/],
  ['root ::= x\nx ::= "a"? y\ny ::= [b]* root', "grammar/unsupported", /left recursion/],
];

describe("grammars are refused with the place", () => {
  for (const [grammar, code, message] of REFUSED) {
    test(JSON.stringify(grammar), () => {
      assert.throws(
        () => compiled(grammar),
        (error) => error instanceof OnebitError && error.code === code && message.test(error.message),
      );
    });
  }

  test("and read in their order", () => {
    assert.deepEqual([...parseGbnf('b ::= a\na ::= "x"').keys()], ["b", "a"]);
  });
});
