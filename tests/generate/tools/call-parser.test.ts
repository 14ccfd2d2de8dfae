/** Calls in replies of every family, however they are cut. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ReplyDelta } from "../../../src/generate/reply.ts";
import { CallParser, parsedTool } from "../../../src/generate/tools/call-parser.ts";
import { TOOL_FORMATS, type ToolFormatName } from "../../../src/generate/tools/tool-formats.ts";
import { seededRandom } from "../../synthetic/random.ts";
import { FAMILY_REPLIES, MALFORMED } from "./family-replies.ts";

const string = { type: "string" };
const TOOLS = [
  parsedTool({ name: "add", schema: { type: "object", properties: { a: { type: "number" } } } }),
  parsedTool({ name: "say", schema: { type: "object", properties: { text: string, to: { enum: ["5", "me"] } } } }),
  parsedTool({ name: "mix", schema: { type: "object" } }),
];

interface Whole {
  text: string;
  calls: { id: string; name: string; args: string }[];
}

function parse(format: ToolFormatName, pieces: readonly string[]): Whole {
  let nIds = 0;
  const parser = new CallParser(TOOL_FORMATS[format], TOOLS, () => `id${nIds++}`);
  const whole: Whole = { text: "", calls: [] };
  const add = ({ text, toolCalls }: ReplyDelta): void => {
    whole.text += text;
    for (const { index, id, name, arguments: more } of toolCalls) {
      // The name comes with a call's first delta, and never again.
      assert.equal(name !== undefined, index === whole.calls.length);
      const call = (whole.calls[index] ??= { id, name: name ?? "", args: "" });
      assert.equal(call.id, id);
      call.args += more;
    }
  };
  for (const piece of pieces) add(parser.push(piece));
  add(parser.end());
  return whole;
}

const replies = Object.entries(FAMILY_REPLIES) as [ToolFormatName, (typeof FAMILY_REPLIES)[ToolFormatName]][];

describe("calls of every family", () => {
  for (const [format, all] of replies) {
    for (const { what, reply, text, calls } of all) {
      test(`${format}: ${what}`, () => {
        const whole = parse(format, [reply]);
        assert.deepEqual(
          whole.calls.map(({ name, args }) => [name, JSON.parse(args) as unknown]),
          calls,
        );
        assert.equal(whole.text, text);
        for (let at = 1; at < reply.length; at++)
          assert.deepEqual(parse(format, [reply.slice(0, at), reply.slice(at)]), whole, `cut at ${at}`);
        assert.deepEqual(parse(format, reply.split("")), whole);
        assert.deepEqual(parse(format, [...reply]), whole);
      });

      test(`${format}: ${what}, ended anywhere: nothing throws, and the text of a call that is not begun stays`, () => {
        for (let at = 0; at < reply.length; at++) {
          const { text: found, calls: begun } = parse(format, [reply.slice(0, at)]);
          if (begun.length === 0) assert.equal(found.replace(/\s/g, ""), reply.slice(0, at).replace(/\s/g, ""));
        }
      });
    }
  }
});

describe("what is no call", () => {
  for (const [format, reply] of MALFORMED) {
    test(`${format}: ${JSON.stringify(reply)}`, () => {
      for (const pieces of [[reply], reply.split("")])
        assert.deepEqual(parse(format, pieces), { text: reply, calls: [] });
    });
  }

  test("does not keep the next one from being one", () => {
    const call = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';
    for (const before of ["<tool_call>", "<tool_call>{", '<tool_call>\n{"name": "nobody"', "<tool_call>x"]) {
      const { text, calls } = parse("hermes", [...`${before}${call}`]);
      assert.deepEqual([text, calls.map(({ args }) => args)], [before, ['{"a": 1}']]);
    }
  });

  test("breaks off where it is wrong: what was given out stays, the rest is text", () => {
    const { text, calls } = parse("hermes", ['<tool_call>\n{"name": "add", "arguments": {"a": 01}} and']);
    assert.deepEqual([calls[0]?.args, text], ['{"a": 01', "}} and"]);
  });

  test("is found in time that grows with the text, not faster", () => {
    const hostile = [
      "<tool_call>".repeat(100_000),
      `<tool_call>${" ".repeat(1_000_000)}x`,
      `<tool_call>{"name": "mix", "arguments": ${'{"a":'.repeat(200_000)}`,
      `<tool_call>\n<function=mix>\n<parameter=x>\n[${"</parameter>".repeat(100_000)}`,
      "<tool_call".repeat(100_000),
    ];
    for (const reply of hostile) {
      for (const format of ["hermes", "qwen3-coder"] as const) parse(format, [reply]);
    }
  });

  test("is whatever it is, without a throw", () => {
    const random = seededRandom(7);
    for (const [format, all] of replies) {
      const alphabet = all.flatMap(({ reply }) => reply.split(/(?<=[<>"{}[\]\s])/));
      for (let n = 0; n < 300; n++) {
        const reply = Array.from(
          { length: 20 },
          () => alphabet[Math.floor((random.u32() / 2 ** 32) * alphabet.length)],
        ).join("");
        const whole = parse(format, [reply]);
        assert.deepEqual(parse(format, reply.split("")), whole);
      }
    }
  });
});
