/** The JSON parser against the engine's own, on good and damaged texts; and what only ours refuses. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseJsonObject } from "../../src/files/json.ts";
import { mutate, seededRandom } from "../hostile/mutate.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const SEEDS: readonly string[] = [
  '{"a":[1,{"b":":{[\\""}],"c":null,"d":true,"e":false,"f":{}, "g" : [ ] }',
  '{"n":[0,-0,1.5,-2e10,1E-3,123456789012345678901234567890,0.1e+5,1e400,-1e-400]}',
  '{"s":["\\u0041\\ud83d\\ude00\\ud800","\\n\\t\\"\\\\\\/","é☃😀","", ' +
    '"\u2028"],"\\u0061b":{"__proto__":1,"constructor":2,"10":3,"2":4}}',
  ' \n\t\r{ "x" : [ [ [ ] ] , { "y" : "z" } ] } \n',
];

/** What JSON.parse gives, or undefined where it throws, where the top is no object, and for text that is not UTF-8. */
function reference(bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

describe("JSON as the engine reads it", () => {
  test("texts", () => {
    for (const text of SEEDS) {
      const parsed = parseJsonObject(bytesOf(text));
      assert.ok("value" in parsed, JSON.stringify(parsed));
      assert.deepEqual(parsed.value, JSON.parse(text));
    }
  });

  test("30,000 damaged texts: the same value, or both refuse, or a duplicate key", (t) => {
    const random = seededRandom(7),
      seeds = SEEDS.map(bytesOf),
      counts = { value: 0, syntax: 0, duplicate: 0, limit: 0 };
    for (let i = 0; i < 30_000; i++) {
      const bytes = mutate(seeds, random),
        wanted = reference(bytes),
        parsed = parseJsonObject(bytes);
      const what = `text ${i}: ${Buffer.from(bytes).toString("latin1")}`;
      if ("value" in parsed) assert.deepEqual(parsed.value, wanted, what);
      else if (parsed.problem.kind === "syntax") assert.equal(wanted, undefined, `${what}: ${parsed.problem.message}`);
      counts["value" in parsed ? "value" : parsed.problem.kind]++;
    }
    t.diagnostic(JSON.stringify(counts));
    assert.ok(counts.value > 500 && counts.syntax > 5000 && counts.duplicate > 10);
  });

  test("what is neither", () => {
    for (const text of [
      "{a:1}",
      "{'a':1}",
      '{"a":01}',
      '{"a":+1}',
      '{"a":.5}',
      '{"a":1.}',
      '{"a":1e}',
      '{"a":-}',
      '{"a":NaN}',
      '{"a":1,}',
      "[1,]",
      '{"a":"\u0001"}',
      '{"a":"\\x"}',
      '{"a":"\\u12"}',
      '{"a" 1}',
      '{"a":1 "b":2}',
      '{"a":1}x',
      '\ufeff{"a":1}',
      '{"a":tru}',
      '{"a":truE}',
      '{"a":nul',
    ]) {
      assert.equal(reference(bytesOf(text)), undefined, text);
      const parsed = parseJsonObject(bytesOf(text));
      assert.ok(
        "problem" in parsed &&
          parsed.problem.kind === "syntax" &&
          /^(not valid JSON|wanted a JSON object)/.test(parsed.problem.message),
        `${text}: ${JSON.stringify(parsed)}`,
      );
    }
    for (const bytes of [
      [0x7b, 0xff, 0x7d],
      [0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d],
      [0x7b, 0x22, 0xe2, 0x82, 0x22, 0x3a, 0x31, 0x7d],
    ]) {
      const parsed = parseJsonObject(Uint8Array.from(bytes));
      assert.ok("problem" in parsed && /not UTF-8/.test(parsed.problem.message));
    }
  });
});

describe("JSON that would take too much", () => {
  const kindOf = (text: string) => {
    const parsed = parseJsonObject(bytesOf(text));
    return "problem" in parsed ? parsed.problem.kind : "ok";
  };

  test("values of every kind count by the memory they take", () => {
    const repeated = (item: string, n: number) => `{"a":[${new Array(n).fill(item).join(",")}]}`;
    for (const item of ["{}", "[]", '{"a":1}', "1", "[[]]", '{"a":{}}']) {
      assert.equal(kindOf(repeated(item, 10_000)), "ok", item);
      assert.equal(kindOf(repeated(item, 6_000_000)), "limit", item);
    }
  });

  test("merges of two symbols are one text, as in older files", () => {
    const parsed = parseJsonObject(
      bytesOf(
        '{"merges":[["a","b"], [ "▁" , "x" ],["a b","c"],["\\n","c"],["","c"],["a"],["a",1],["a","b","c"],"d ' +
          'e",1],"x":[["a","b"]]}',
      ),
    );
    assert.deepEqual(parsed, {
      value: {
        merges: ["a b", "▁ x", ["a b", "c"], ["\n", "c"], ["", "c"], ["a"], ["a", 1], ["a", "b", "c"], "d e", 1],
        x: [["a", "b"]],
      },
    });
    const long = "y".repeat(300);
    assert.deepEqual(parseJsonObject(bytesOf(`{"merges":[["${long}","b"]]}`)), { value: { merges: [[long, "b"]] } });
    for (const text of [
      '{"merges":[["a","b"',
      '{"merges":[["a","b"]',
      '{"merges":[["a" "b"]]}',
      '{"merges":[["a","b"],]}',
      '{"merges":["a","b"]]}',
    ])
      assert.equal(kindOf(text), "syntax", text);
  });

  test("objects of ever new shapes", () => {
    assert.equal(kindOf(`{"a":[${Array.from({ length: 1_000_000 }, (_, i) => `{"k${i}":0}`).join(",")}]}`), "limit");
  });

  test("strings and numbers have a maximum length", () => {
    assert.equal(kindOf(`{"a":"${"x".repeat(16 * 1024 * 1024)}"}`), "ok");
    assert.equal(kindOf(`{"a":"${"x".repeat(16 * 1024 * 1024 + 1)}"}`), "limit");
    assert.equal(kindOf(`{"a":${"1".repeat(1024)}}`), "ok");
    assert.equal(kindOf(`{"a":${"1".repeat(1025)}}`), "limit");
  });

  test("a vocabulary as large as any published fits", () => {
    const vocab = Array.from({ length: 262_144 }, (_, i) => `"▁token${i}":${i}`).join(","),
      merges = Array.from({ length: 514_906 }, (_, i) => `["▁to","ken${i}"]`).join(",");
    assert.equal(kindOf(`{"model":{"vocab":{${vocab}},"merges":[${merges}]}}`), "ok");
  });
});
