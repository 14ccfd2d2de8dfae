/** Grammars in llama.cpp's notation, of the kinds that its users write. */

/** A grammar and texts judged by hand. */
export interface GbnfCase {
  readonly grammar: string;
  readonly accepted: readonly string[];
  readonly refused: readonly string[];
}

export const GBNF_CASES: Readonly<Record<string, GbnfCase>> = {
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
