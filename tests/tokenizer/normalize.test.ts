import assert from "node:assert/strict";
import { test } from "node:test";
import { CharClasses } from "../../src/tokenizer/char-classes.ts";
import { type NormalForm, Normalizer } from "../../src/tokenizer/normalize.ts";
import { makeRandom, randomText } from "./random-text.ts";

const classes = new CharClasses();
const normalize = (text: string, form: NormalForm): string => new Normalizer(form, classes).normalize(text);

/** Characters that Unicode has had since version 9 at least, of which every engine says the same. */
const OLD = new RegExp(
  String.raw`[\u{8f0}-\u{8ff}\u{1df6}-\u{1df9}]|[^\u{0}-\u{7fc}\u{900}-\u{9fb}\u{1100}-\u{11ff}\u{1e00}-\u{20bd}` +
    String.raw`\u{3000}-\u{312d}\u{4e00}-\u{9fd5}\u{ac00}-\u{d7a3}\u{1f600}-\u{1f64f}]`,
  "gu",
);

test("equals the engine's normal forms on old characters", () => {
  const random = makeRandom(91);
  for (let i = 0; i < 5000; i++) {
    const text = randomText(random, 40).replace(OLD, "");
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as const)
      assert.equal(normalize(text, form), text.normalize(form));
  }
});

test("later characters stay as they are, and nothing crosses them", () => {
  // U+1133B and U+0898 are marks since Unicode 11 and 14; U+32FF, since 12.1, is two characters to engines.
  assert.equal(normalize("a\u{1133b}\u0301", "NFC"), "a\u{1133b}\u0301");
  assert.equal(normalize("a\u0898\u0323e\u0301", "NFC"), "a\u0898\u0323\u00e9");
  assert.equal(normalize("\u32ff\ufb01", "NFKC"), "\u32fffi");
  assert.equal(normalize("\u{105d2}\u0307", "NFC"), "\u{105d2}\u0307");
});

test("runs of up to 256 marks are exact, longer ones take 256 at a time", () => {
  const marks = (count: number): string => "\u0315\u0300".repeat(count / 2);
  assert.equal(normalize(`a${marks(256)}b`, "NFC"), `a${marks(256)}b`.normalize("NFC"));
  assert.equal(
    normalize(`a${marks(512)}b`, "NFC"),
    `a${marks(256)}`.normalize("NFC") + `${marks(256)}b`.normalize("NFC"),
  );
  // A cut would fall into the middle of a surrogate pair.
  const pairs = "\u{1d165}".repeat(200);
  assert.equal(normalize(`x\u0327${pairs}`, "NFD"), `x\u0327${pairs}`);
});

test("a million marks in one run end soon", { timeout: 20_000 }, () => {
  // The engine alone would take minutes; this takes half a second.
  const text = `a${"\u0315\u0300".repeat(500_000)}`;
  assert.equal(normalize(text, "NFC").length, text.length - 1);
});
