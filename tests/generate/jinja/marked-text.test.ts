/** Marks follow their characters: checked against a text that carries one mark for each character. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, inputText, type MarkedText, templateText } from "../../../src/generate/jinja/marked-text.ts";
import { randomSource } from "./hostile-templates.ts";

/** One flag a character. */
function flags(text: MarkedText): string {
  return text
    .runs()
    .map((run) => (run.isInput ? "I" : "T").repeat(run.text.length))
    .join("");
}

test("concatenations and slices keep every character's mark", () => {
  const random = randomSource(5);
  for (let round = 0; round < 2000; round++) {
    let text = templateText("");
    let expected = "";
    for (let i = 0; i < 8; i++) {
      const part = (random(2) ? inputText : templateText)("x".repeat(random(4)));
      const [parts, marks] = random(2)
        ? [[text, part], expected + flags(part)]
        : [[part, text], flags(part) + expected];
      text = concat(parts);
      expected = marks;
      const begin = random(expected.length + 1);
      const end = begin + random(expected.length + 2 - begin);
      assert.equal(flags(text.slice(begin, end)), expected.slice(begin, end));
      if (random(3) === 0) [text, expected] = [text.slice(begin), expected.slice(begin)];
    }
    assert.equal(flags(text), expected);
    assert.deepEqual(
      text
        .runs()
        .map((run) => run.text)
        .join(""),
      text.text,
    );
    // Runs alternate, so the parts of a prompt are as few as can be.
    text.runs().forEach((run, i, runs) => assert.ok(i === 0 || run.isInput !== runs[i - 1].isInput));
  }
});

test("a change of length marks all as input when any was", () => {
  assert.equal(flags(concat([templateText("a"), inputText("ß")]).map((chars) => chars.toUpperCase())), "III");
  assert.equal(flags(templateText("ß").map((chars) => chars.toUpperCase())), "TT");
  assert.equal(flags(concat([templateText("a"), inputText("b")]).map((chars) => chars.toUpperCase())), "TI");
});
