/** Stop strings: the text cut off and held back must not depend on where the pieces are cut. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkOptions } from "../../src/core/options.ts";
import { GENERATE_OPTIONS } from "../../src/generate/options.ts";
import { createStopScanner } from "../../src/generate/stop.ts";
import { randomSource } from "./jinja/hostile-templates.ts";

/** The text before the stop string that is complete first; the longest of those complete at the same character. */
function cutNaively(text: string, stops: readonly string[]): string {
  for (let end = 1; end <= text.length; end++) {
    const hits = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    if (hits.length > 0) return text.slice(0, end - Math.max(...hits.map((stop) => stop.length)));
  }
  return text;
}

describe("stop strings", () => {
  test("hold back only text that can still become one", () => {
    const scanner = createStopScanner(["END", "\n\n"]);
    assert.equal(scanner.push("a"), "a");
    assert.equal(scanner.push("bE"), "b");
    assert.equal(scanner.push("N"), "");
    assert.equal(scanner.push("x\n"), "ENx");
    assert.equal(scanner.push("y"), "\ny");
    assert.equal(scanner.push("zEND and more"), "z");
    assert.equal(scanner.stopped, true);
    assert.equal(scanner.push("more"), "");
    assert.equal(scanner.end(), "");
  });

  test("give back the held text at the end", () => {
    const scanner = createStopScanner(["END"]);
    assert.equal(scanner.push("xEN"), "x");
    assert.equal(scanner.end(), "EN");
    assert.equal(scanner.stopped, false);
  });

  test("see control tokens' names when they name one, and show none", () => {
    const scanner = createStopScanner(["x<|end|>y", "ab"], new Set(["x<|end|>y"]));
    assert.equal(scanner.push("1x"), "1");
    assert.equal(scanner.pushHidden("<|other|>"), "x");
    // What is shown is stopped at as if no control token stood in it.
    assert.equal(scanner.push("2a"), "2");
    assert.equal(scanner.pushHidden("<|end|>"), "");
    assert.equal(scanner.push("c3x"), "ac3");
    assert.equal(scanner.pushHidden("<|end|>"), "");
    assert.equal(scanner.push("y4"), "");
    assert.equal(scanner.stopped, true);
    assert.equal(scanner.end(), "");

    const across = createStopScanner(["ab", "<|end|>"], new Set(["<|end|>"]));
    assert.equal(across.push("za") + across.pushHidden("<|no|>") + across.push("b"), "z");
    assert.equal(across.stopped, true);
  });

  test("that name control tokens agree with a naive search over text and names", () => {
    const random = randomSource(7);
    const names = ["<a>", "<b>"];
    for (let round = 0; round < 3000; round++) {
      const pieces = Array.from({ length: 12 }, () =>
        random(3) === 0 ? { text: names[random(2)], isHidden: true } : { text: "ab<>"[random(4)], isHidden: false },
      );
      const begin = random(12);
      const stop = pieces
        .slice(begin, begin + 1 + random(3))
        .map(({ text }) => text)
        .join("");
      const scanner = createStopScanner([stop], new Set([stop]));
      let out = "";
      for (const { text, isHidden } of pieces) out += isHidden ? scanner.pushHidden(text) : scanner.push(text);
      out += scanner.end();
      const full = pieces.map(({ text }) => text).join(""),
        end = full.indexOf(stop);
      let at = 0,
        expected = "";
      for (const { text, isHidden } of pieces) {
        if (!isHidden) expected += text.slice(0, Math.max(0, end - at));
        at += text.length;
      }
      assert.equal(out, expected, JSON.stringify({ pieces, stop }));
    }
  });

  test("agree with a naive search on random texts, however they are cut", () => {
    const random = randomSource(99);
    const word = (length: number): string => Array.from({ length }, () => "ab\u{1f600}"[random(4)] ?? "b").join("");
    for (let round = 0; round < 3000; round++) {
      const stops = Array.from({ length: 1 + random(3) }, () => word(1 + random(5)));
      const text = word(random(40));
      const scanner = createStopScanner(stops);
      let out = "";
      for (let at = 0; at < text.length; ) {
        const length = 1 + random(6);
        out += scanner.push(text.slice(at, at + length));
        at += length;
      }
      out += scanner.end();
      assert.equal(out, cutNaively(text, stops), JSON.stringify({ stops, text }));
    }
  });

  test("are checked", () => {
    const checkStop = (stop: unknown) => checkOptions("generate", { stop }, GENERATE_OPTIONS).stop;
    assert.deepEqual(checkStop("x"), ["x"]);
    assert.equal(checkStop(undefined), undefined);
    for (const stop of ["", [""], [3], "x".repeat(2000), new Array<string>(65).fill("x")]) {
      assert.throws(() => checkStop(stop), { code: "option/invalid" });
    }
  });
});
