import assert from "node:assert/strict";
import { test } from "node:test";
import { normalize } from "../../src/tokenizer/normalize.ts";
import { makeRandom, randomText } from "./random-text.ts";

test("equals the engine's normal forms", () => {
  const random = makeRandom(91);
  for (let i = 0; i < 5000; i++) {
    const text = randomText(random, 40);
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as const) assert.equal(normalize(text, form), text.normalize(form));
  }
});

test("runs of up to 256 marks are exact, longer ones take 256 at a time", () => {
  const marks = (count: number): string => "\u0315\u0300".repeat(count / 2);
  assert.equal(normalize(`a${marks(256)}b`, "NFC"), `a${marks(256)}b`.normalize("NFC"));
  assert.equal(normalize(`a${marks(512)}b`, "NFC"), `a${marks(256)}`.normalize("NFC") + `${marks(256)}b`.normalize("NFC"));
  // A cut would fall into the middle of a surrogate pair.
  const pairs = "\u{1d165}".repeat(200);
  assert.equal(normalize(`x\u0327${pairs}`, "NFD"), `x\u0327${pairs}`);
});

test("a million marks in one run end soon", { timeout: 20_000 }, () => {
  // The engine alone would take minutes; this takes half a second.
  const text = `a${"\u0315\u0300".repeat(500_000)}`;
  assert.equal(normalize(text, "NFC").length, text.length - 1);
});
