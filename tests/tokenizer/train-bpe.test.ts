/** Training byte pairs: the same as the naive way, and tokens that encoding reaches. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeByteAlphabet } from "../../src/tokenizer/byte-alphabet.ts";
import { CharClasses } from "../../src/tokenizer/char-classes.ts";
import { preTokenizerNamed } from "../../src/tokenizer/pre-tokenizers.ts";
import { chainStages } from "../../src/tokenizer/split.ts";
import { trainBpe } from "../../src/tokenizer/train-bpe.ts";
import { mergeNaively } from "./naive-bpe.ts";
import { makeRandom, randomText } from "./random-text.ts";
import { byteSymbols } from "./small-vocabularies.ts";

/** One pass over everything for each merge; ids as the trainer gives them. */
function trainNaively(texts: readonly string[], vocabSize: number, preTokenizer: string, minCount: number) {
  const tokens = Array.from(makeByteAlphabet().unitOfByte, (unit) => String.fromCharCode(unit)),
    merges: string[] = [];
  let pieces: string[][] = [];
  const split = chainStages(
    preTokenizerNamed(preTokenizer).stages,
    new CharClasses(),
    (text, from, to) => void pieces.push(byteSymbols(text.slice(from, to))),
  );
  for (const text of texts) split(text, 0, text.length);
  while (tokens.length < vocabSize) {
    const counts = new Map<string, { left: number; right: number; count: number }>();
    for (const piece of pieces) {
      for (let i = 0; i + 1 < piece.length; i++) {
        const [left, right] = [tokens.indexOf(piece[i]), tokens.indexOf(piece[i + 1])],
          key = `${left} ${right}`;
        counts.set(key, { left, right, count: (counts.get(key)?.count ?? 0) + 1 });
      }
    }
    const [best] = [...counts.values()].sort((a, b) => b.count - a.count || a.left - b.left || a.right - b.right);
    if (best === undefined || best.count < minCount) break;
    const rule = `${tokens[best.left]} ${tokens[best.right]}`,
      merged = tokens[best.left] + tokens[best.right];
    merges.push(rule);
    if (!tokens.includes(merged)) tokens.push(merged);
    pieces = pieces.map((piece) => mergeNaively(piece, new Map([[rule, 0]])));
  }
  return { tokens, merges, preTokenizer };
}

const ENGLISH =
  "the cat sat on the mat; the other cat, they say, sat there too. That's that: 1234 cats and 12 mats.\n\n    " +
  "the end\n";

describe("the naive algorithm gives the same", () => {
  const random = makeRandom(7);
  const CORPORA: readonly (readonly [string, readonly string[]])[] = [
    ["a text", [ENGLISH]],
    ["runs of one letter", ["aaaaaaaaa aaaa aaa aa a baaa aaab aaaaab", "aabaabaaab"]],
    ["letters of several bytes", ["привет мир, приветы миру", "日本語の日本語 日本", "😀😀👍🏽😀 é é éé"]],
    ["random text", Array.from({ length: 12 }, () => randomText(random, 200))],
    [
      "two letters",
      Array.from({ length: 30 }, () => Array.from({ length: 30 }, () => (random() < 0.6 ? "a" : "b")).join("")),
    ],
  ];
  for (const [name, texts] of CORPORA) {
    for (const preTokenizer of ["gpt-2", "qwen2"]) {
      for (const minCount of [1, 2]) {
        test(`${name}, split as ${preTokenizer}, pairs seen ${minCount}+ times`, () => {
          const wanted = trainNaively(texts, 340, preTokenizer, minCount);
          const found = trainBpe(texts, { vocabSize: 340, preTokenizer, minCount });
          assert.ok(found.merges.length > 3, "nothing merged");
          assert.deepEqual(found, wanted);
        });
      }
    }
  }
});

test("bytes are read as UTF-8, a broken one as U+FFFD", () => {
  const text = "größe größe größer";
  assert.deepEqual(
    trainBpe([new TextEncoder().encode(text)], { vocabSize: 300 }),
    trainBpe([text], { vocabSize: 300 }),
  );
  const broken = trainBpe([Uint8Array.of(0x61, 0xff, 0x61, 0xff)], { vocabSize: 300 });
  assert.deepEqual(broken, trainBpe(["a\ufffda\ufffd"], { vocabSize: 300 }));
});

test("no merge crosses the border of a text or of a piece", () => {
  assert.deepEqual(trainBpe(["xy", "xy", "x y"], { vocabSize: 300 }).merges, ["x y"]);
  assert.deepEqual(trainBpe(["x", "y", "x", "y"], { vocabSize: 300 }).merges, []);
});

test("a text without more pairs gives fewer tokens", () => {
  const { tokens, merges } = trainBpe(["abab abab"], { vocabSize: 1000 });
  assert.deepEqual(merges, ["a b", "ab ab"]);
  assert.equal(tokens.length, 258);
});

test("one long piece takes linear time, not a pass per merge", () => {
  const random = makeRandom(3);
  const text = Array.from({ length: 200_000 }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join("");
  const { merges } = trainBpe([text], { vocabSize: 1256 });
  assert.equal(merges.length, 1000);
});

describe("refused", () => {
  for (const vocabSize of [255, 256.5, NaN, 2 ** 21]) {
    test(`${vocabSize} tokens`, () =>
      assert.throws(() => trainBpe([], { vocabSize }), { code: "option/invalid", message: /256/ }));
  }
  test("an invalid count", () =>
    assert.throws(() => trainBpe([], { vocabSize: 300, minCount: 0 }), { code: "option/invalid" }));
  test("an unknown pre-tokenizer", () =>
    assert.throws(() => trainBpe([], { vocabSize: 300, preTokenizer: "nobody" }), { code: "tokenizer/unsupported" }));
  test("after an abort", () =>
    assert.throws(() => trainBpe([ENGLISH], { vocabSize: 300, signal: AbortSignal.abort() }), { code: "aborted" }));
});
