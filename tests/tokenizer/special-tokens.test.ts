import assert from "node:assert/strict";
import { test } from "node:test";
import { type CutToken, SpecialTokens } from "../../src/tokenizer/special-tokens.ts";
import { makeRandom } from "./random-text.ts";

function cutAll(tokens: readonly CutToken[], text: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  for (const cut of new SpecialTokens(tokens).cuts(text)) {
    if (cut.from > from) pieces.push(text.slice(from, cut.from));
    pieces.push(`[${cut.token.id}]`);
    from = cut.to;
  }
  if (from < text.length) pieces.push(text.slice(from));
  return pieces;
}

const named = (...texts: string[]): CutToken[] => texts.map((text, id) => ({ id, text }));

test("the longest token wins at each place, the leftmost place first", () => {
  const tokens = named("<a>", "<a><b>", "<b>", "😀", "");
  assert.deepEqual(cutAll(tokens, "x<a>y"), ["x", "[0]", "y"]);
  assert.deepEqual(cutAll(tokens, "<a><b><a><a"), ["[1]", "[0]", "<a"]);
  assert.deepEqual(cutAll(tokens, "😀\ud83dx"), ["[3]", "\ud83dx"]);
  assert.deepEqual(cutAll(tokens, ""), []);
  assert.deepEqual(cutAll([], "<a>"), ["<a>"]);
});

test("a token not allowed where it is found is text, and no shorter one is tried there", () => {
  const mayStand = (text: string, from: number): boolean => text[from - 1] !== "x";
  const tokens = [...named("<a>"), { id: 1, text: "<a>b", mayStand }];
  assert.deepEqual(cutAll(tokens, "<a>b x<a>b <a>"), ["[1]", " x<a>b ", "[0]"]);
});

test("more than half a million characters of tokens are refused", () => {
  const token = (id: number): CutToken => ({ id, text: `<${"x".repeat(4000)}${id}>` });
  new SpecialTokens(Array.from({ length: 100 }, (_, id) => token(id)));
  assert.throws(() => new SpecialTokens(Array.from({ length: 140 }, (_, id) => token(id))), {
    code: "tokenizer/bad-vocabulary",
    message: /of 56\d{4} characters.*524288/,
  });
});

test("equals a search of every token at every place", () => {
  const random = makeRandom(21);
  for (let i = 0; i < 3000; i++) {
    const word = (): string =>
      Array.from({ length: 1 + Math.floor(random() * 4) }, () => "ab<"[Math.floor(random() * 3)]).join("");
    const texts = [...new Set([word(), word(), word(), word()])];
    const text = Array.from({ length: 20 }, () => "ab<>"[Math.floor(random() * 4)]).join("");
    const expected: string[] = [];
    let plain = "";
    for (let at = 0; at < text.length; ) {
      const [longest] = texts.filter((token) => text.startsWith(token, at)).sort((a, b) => b.length - a.length);
      if (longest === undefined) plain += text[at++];
      else {
        if (plain !== "") expected.push(plain);
        plain = "";
        expected.push(`[${texts.indexOf(longest)}]`);
        at += longest.length;
      }
    }
    if (plain !== "") expected.push(plain);
    assert.deepEqual(cutAll(named(...texts), text), expected, `${texts.join(" ")} in ${text}`);
  }
});

/** Walking every token at every place takes a minute of these; one walk of the automaton a fifth of a second. */
const PROCESSOR_MS_MAX = 2000;

function assertSoon(run: () => unknown): void {
  const before = process.cpuUsage();
  run();
  const { user } = process.cpuUsage(before);
  assert.ok(user / 1000 <= PROCESSOR_MS_MAX, `${user / 1000} ms`);
}

const HOSTILE: Record<string, readonly string[]> = {
  "tokens that all begin alike": Array.from({ length: 900 }, (_, i) => `${"a".repeat(i + 1)}b`),
  "tokens within tokens": Array.from({ length: 900 }, (_, i) => "a".repeat(i + 1)),
  "tokens that all end alike": Array.from({ length: 900 }, (_, i) => `b${"a".repeat(i + 1)}`),
};
for (const [what, texts] of Object.entries(HOSTILE)) {
  test(`a million characters end soon: ${what}`, () => {
    const special = new SpecialTokens(named(...texts));
    assertSoon(() => special.cuts("a".repeat(1_000_000)));
  });
}

test("twenty thousand tokens are ready soon", () => {
  assertSoon(() => new SpecialTokens(Array.from({ length: 20_000 }, (_, id) => ({ id, text: `<|${id}|>` }))));
});
