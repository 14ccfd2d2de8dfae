/** Grammars in llama.cpp's notation, with texts judged by hand. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import { gbnfExpression } from "../../src/grammar/gbnf.ts";
import { parseGbnf } from "../../src/grammar/gbnf-parse.ts";
import { States } from "../../src/grammar/states.ts";
import { accepts } from "./automaton.ts";

function compiled(grammar: string, root?: string): States {
  const made = new Expressions();
  return new States(made, gbnfExpression(made, grammar, { root }));
}

interface Case {
  readonly grammar: string;
  readonly accepted: readonly string[];
  readonly refused: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  JSON: {
    grammar: String.raw`
      # objects alone at the top
      root   ::= object
      value  ::= object | array | string | number | ("true" | "false" | "null") ws
      object ::=
        "{" ws (
          string ":" ws value
          ("," ws string ":" ws value)*
        )? "}" ws
      array  ::=
        "[" ws (
          value ("," ws value)*
        )? "]" ws
      string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
      number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
      ws ::= | " " | "\n" [ \t]{0,20}`,
    accepted: ["{}", '{"a": [1, -2.5e+7, {"b": null}],"é日😀": "\\u00e9\\n"}', '{\n  "a": true}\n'],
    refused: ["", "[]", '{"a"}', '{"a": 01}', '{"a": "\n"}', '{"a": 1,}', '{"a": tru}', "{}  "],
  },
  arithmetic: {
    grammar: String.raw`
      root  ::= (expr "=" ws term "\n")+
      expr  ::= term ([-+*/] term)*
      term  ::= ident | num | "(" ws expr ")" ws
      ident ::= [a-z] [a-z0-9_]* ws
      num   ::= [0-9]+ ws
      ws    ::= [ \t\n]*`,
    accepted: ["1=1\n", "a +(b*3 -7) /x1 = y\n2=2\n"],
    refused: ["1=1", "1+=2\n", "(a=b\n", "A=1\n"],
  },
  list: {
    grammar: String.raw`
      root ::= item+
      # Excludes various line break characters
      item ::= "- " [^\r\n\x0b\x0c\x85\u2028\u2029]+ "\n"`,
    accepted: ["- a\n", "- eggs\n- Brot & Käse\n"],
    refused: ["- a", "-a\n", "- \n", "- a\u2028\n", "- a\u0085\n"],
  },
  chess: {
    grammar: String.raw`
      root    ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move " " move "\n")+
      move    ::= (pawn | nonpawn | castle) [+#]?
      nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
      pawn    ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
      castle  ::= "O-O" "-O"?`,
    accepted: ["1. e4 e5\n2. Nf3 Nc6\n", "1. e4 e5\n10. O-O-O bxa8=Q#\n"],
    refused: ["1. e4 e5\n", "1. e9 e5\n2. Nf3 Nc6\n", "1. e4 e5\n2. O-O-O-O Nc6\n"],
  },
  Japanese: {
    grammar: `
      root ::= jp-char+ ([ \\t\\n] jp-char+)*
      jp-char ::= hiragana | katakana | punctuation | cjk
      hiragana ::= [ぁ-ゟ]
      katakana ::= [ァ-ヿ]
      punctuation ::= [、-〾]
      cjk ::= [一-鿿]`,
    accepted: ["日本語のテスト。", "はい\nいいえ"],
    refused: ["", "日本a", "日本 ", "é"],
  },
  repetitions: {
    grammar: 'root ::= "ab"{2} "c"{1,} [de]{0,2} ("f" | "gh"){2,3} "i"?',
    accepted: ["ababcff", "ababcccdeghfghi"],
    refused: ["abcff", "ababff", "ababcdedff", "ababcffff", "ababcf"],
  },
  "repetitions of repetitions": {
    grammar: 'root ::= "a"{2}* "b"?+',
    accepted: ["", "aa", "aaaab", "bbb"],
    refused: ["a", "aaa", "aba"],
  },
  escapes: {
    grammar: String.raw`root ::= "\x41\u00e9\U0001F600\t\\\"\[\]\-" [\]\-\\] [a-] [^^] .`,
    accepted: ['Aé😀\t\\"[]-]-x日', 'Aé😀\t\\"[]-\\a \n'],
    refused: ['Aé😀\t\\"[]-]b-x', 'Aé😀\t\\"[]-]-^x', 'Aé😀\t\\"[]-]-x'],
  },
  "no text at all": { grammar: 'root ::= "" | "a" |', accepted: ["", "a"], refused: ["b"] },
  "rules that end at lines": {
    grammar: 'root ::=\n\n "a" |\n "b" # a comment\n\r\nx ::= "c"\rroot-2 ::= x',
    accepted: ["a", "b"],
    refused: ["c", "ab"],
  },
  "balanced words": {
    grammar: 'root ::= "a" root? "b" | "[" root (", " root)* "]"',
    accepted: ["ab", "aabb", "[ab, a[ab]b]"],
    refused: ["aab", "[]", "abab", "a[abb]"],
  },
};

describe("grammars accept what they should", () => {
  for (const [name, { grammar, accepted, refused }] of Object.entries(CASES)) {
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
