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
  test("hold back only what can still become one", () => {
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

  test("give back what was held when no more comes", () => {
    const scanner = createStopScanner(["END"]);
    assert.equal(scanner.push("xEN"), "x");
    assert.equal(scanner.end(), "EN");
    assert.equal(scanner.stopped, false);
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
