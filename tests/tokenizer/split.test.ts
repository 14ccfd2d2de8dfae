import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  CharClasses,
  LETTER,
  LOWER,
  MARK,
  NUMBER,
  PUNCTUATION,
  SYMBOL,
  UPPER,
  isWhiteSpace,
} from "../../src/tokenizer/char-classes.ts";
import { preTokenizerNamed } from "../../src/tokenizer/pre-tokenizers.ts";
import { chainStages } from "../../src/tokenizer/split.ts";
import { makeRandom, randomText } from "./random-text.ts";

/** Unicode White_Space, which llama.cpp and the tokenizers library mean by `\s`; JavaScript's differs. */
const BLANK = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const CONTRACTION = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const LLAMA3 =
  `${CONTRACTION}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ` +
  `?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** The published expressions, one after another. */
const EXPRESSIONS: Record<string, readonly string[]> = {
  "llama-bpe": [LLAMA3],
  qwen2: [LLAMA3.replace("{1,3}", "")],
  qwen35: [
    `${CONTRACTION}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ` +
      `?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  ],
  "gpt-2": [GPT2],
  falcon: ["[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"],
  starcoder: ["\\p{N}", GPT2],
  default: ["[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"],
  "deepseek-coder": ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", "\\p{N}"],
  "deepseek-v3": [
    "\\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| " +
      "?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  ], // The same published list.
  "hunyuan-dense": [
    "\\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| " +
      "?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  ],
};

/** The expression for JavaScript's engine: its `\s`, and the class inside and outside brackets, spelled out. */
function compile(expression: string): RegExp {
  let source = "";
  let inClass = false;
  for (let i = 0; i < expression.length; i++) {
    const two = expression.slice(i, i + 2);
    if (two === "\\s") source += inClass ? BLANK : `[${BLANK}]`;
    else if (two === "\\S") source += `[^${BLANK}]`;
    else if (two[0] === "\\") source += two;
    else {
      // `[` needs an escape inside a class in JavaScript's `v` mode only, so `u` it is.
      if (two[0] === "[") inClass = true;
      if (two[0] === "]") inClass = false;
      source += two[0];
      continue;
    }
    i += 1;
  }
  return new RegExp(source, "gu");
}

function splitByExpressions(text: string, expressions: readonly RegExp[]): string[] {
  let pieces = [text];
  for (const expression of expressions) {
    pieces = pieces.flatMap((piece) => {
      const found: string[] = [];
      let at = 0;
      for (const match of piece.matchAll(expression)) {
        if (match.index > at) found.push(piece.slice(at, match.index));
        found.push(match[0]);
        at = match.index + match[0].length;
      }
      return at < piece.length ? [...found, piece.slice(at)] : found;
    });
  }
  return pieces;
}

/** Whether the engine, of whatever version, says of the character what Unicode 16 says. */
function isSettled(character: string): boolean {
  const kinds: readonly (readonly [RegExp, number])[] = [
    [/\p{L}/u, LETTER],
    [/\p{N}/u, NUMBER],
    [/\p{M}/u, MARK],
    [/\p{P}/u, PUNCTUATION],
    [/\p{S}/u, SYMBOL],
  ];
  const bits = CLASSES.of(character.codePointAt(0)!);
  return kinds.every(([kind, bit]) => kind.test(character) === ((bits & bit) !== 0));
}

const CLASSES = new CharClasses();

test("classes are those of Unicode 16, whatever version the engine has", () => {
  const kindOf = (codePoint: number): number => CLASSES.of(codePoint) & (LETTER | NUMBER | MARK | PUNCTUATION | SYMBOL);
  // Assigned in 15.1, in 16 and in 17: the last are nothing yet.
  assert.deepEqual([0x2ebf0, 0x1c89, 0x10d50, 0x897, 0x1ccf0, 0x1b4e, 0x1cc00].map(kindOf), [
    LETTER,
    LETTER,
    LETTER,
    MARK,
    NUMBER,
    PUNCTUATION,
    SYMBOL,
  ]);
  assert.deepEqual([0x88f, 0x323b0, 0x1acf, 0x10ed0, 0x378, 0xd800, 0x10ffff].map(kindOf), [0, 0, 0, 0, 0, 0, 0]);
  const counts = [LETTER, NUMBER, MARK, PUNCTUATION, SYMBOL, UPPER, LOWER].map(
    (bit) =>
      Array.from({ length: 0x110000 }, (_, codePoint) => CLASSES.of(codePoint)).filter((bits) => bits & bit).length,
  );
  assert.deepEqual(counts, [141_028, 1911, 2501, 855, 8514, 1858 + 31, 2258]);
});

test("a word with a letter of another version goes on alike everywhere", () => {
  assert.deepEqual(splitByName("llama-bpe")("\u088f's"), ["\u088f'", "s"]);
});

function splitByName(name: string, classes = new CharClasses()): (text: string) => string[] {
  let pieces: string[] = [];
  const sink = chainStages(preTokenizerNamed(name).stages, classes, (text, from, to) =>
    pieces.push(text.slice(from, to)),
  );
  return (text) => {
    pieces = [];
    sink(text, 0, text.length);
    return pieces;
  };
}

describe("pre-tokenizers split as their published expressions do", () => {
  for (const [name, expressions] of Object.entries(EXPRESSIONS)) {
    test(`${name}: 20,000 random strings`, () => {
      const compiled = expressions.map(compile);
      const split = splitByName(name);
      const random = makeRandom(11);
      for (let i = 0; i < 20_000; i++) {
        const text = Array.from(randomText(random, 24)).filter(isSettled).join("");
        assert.deepEqual(split(text), splitByExpressions(text, compiled), JSON.stringify(text));
      }
    });
  }
});

test("contractions, digits and blanks of Llama 3, by hand", () => {
  const split = splitByName("llama-bpe");
  assert.deepEqual(split("I'LL don't 'tis"), ["I", "'LL", " don", "'t", " '", "tis"]);
  assert.deepEqual(split("12345 6"), ["123", "45", " ", "6"]);
  assert.deepEqual(split("a  b \n\n  c   "), ["a", " ", " b", " \n\n", " ", " c", "   "]);
  assert.deepEqual(split("x\u0085y\ufeffz"), ["x", "\u0085y", "\ufeffz"]);
});

test("white space follows Unicode: it has U+0085, not U+FEFF and U+180E", () => {
  const expected = new RegExp(`^[${BLANK}]$`, "u");
  for (let code = 0; code <= 0xffff; code++) {
    if ((code & ~0x7ff) === 0xd800) continue;
    assert.equal(isWhiteSpace(code), expected.test(String.fromCharCode(code)), code.toString(16));
  }
});

test("an unknown pre-tokenizer is refused by its name", () => {
  assert.throws(() => preTokenizerNamed("no-such-split"), {
    code: "tokenizer/unsupported",
    message: /"no-such-split".*llama-bpe/s,
  });
});

/** Counts how often classes are looked up: the work of a splitter. */
class CountingClasses extends CharClasses {
  lookups = 0;

  override of(codePoint: number): number {
    this.lookups += 1;
    return super.of(codePoint);
  }
}

describe("splitting is linear, hostile inputs included", () => {
  const inputs: Record<string, string> = {
    letters: "a",
    blanks: " ",
    newlines: "\n",
    "blanks and newlines": " \n",
    "newlines, then blanks": "\n    ",
    quotes: "'",
    emoji: "😀",
    digits: "7",
    marks: "\u0301",
    mixed: "a 1'\n",
  };
  for (const name of Object.keys(EXPRESSIONS)) {
    test(name, () => {
      for (const [input, unit] of Object.entries(inputs)) {
        const classes = new CountingClasses();
        const text = unit.repeat(50_000);
        splitByName(name, classes)(text);
        // Every stage may look at a character, and at the one after it, from a few alternatives.
        const stages = preTokenizerNamed(name).stages.length;
        assert.ok(classes.lookups <= text.length * 8 * stages, `${input}: ${classes.lookups} look-ups`);
      }
    });
  }
});
