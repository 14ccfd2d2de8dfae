/** Whatever the logits are, calls of every family name tools that there are, and arguments fit their schemas. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import type { ChatOptions } from "../../../src/generate/chat-options.ts";
import type { GenerationResult } from "../../../src/generate/generate.ts";
import { TOOL_FORMATS, type ToolFormatName } from "../../../src/generate/tools/tool-formats.ts";
import { templateShowing, toolModel } from "./tool-model.ts";

const TOOLS = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Weather",
      parameters: {
        type: "object",
        properties: {
          city: { type: "string", maxLength: 6 },
          days: { type: "integer", minimum: 1, maximum: 14 },
          unit: { enum: ["C", "F"] },
        },
        required: ["city", "unit"],
      },
    },
  },
  {
    type: "function",
    function: {
      name: "a.b*c+(d)|$",
      parameters: {
        type: "object",
        properties: {
          tags: { type: "array", items: { $ref: "#/$defs/tag" }, maxItems: 2 },
          code: { type: "string", pattern: "^[A-Z]{2}\\d$" },
          mixed: { anyOf: [{ type: "string", maxLength: 2 }, { type: "null" }] },
        },
        required: ["tags"],
        additionalProperties: false,
        $defs: {
          tag: {
            type: "object",
            properties: { k: { type: "string", maxLength: 3 } },
            required: ["k"],
            additionalProperties: false,
          },
        },
      },
    },
  },
  { name: "now" },
] as const;

type Validate = (value: unknown) => boolean;

/** Ajv, where it is installed. */
const ORACLE = "tests/grammar/schema/oracle/node_modules";
const oracle = existsSync(`${ORACLE}/ajv`)
  ? createRequire(resolve("tests/grammar/schema/oracle/package.json"))
  : undefined;

function validators(): Map<string, Validate> {
  const schemas = TOOLS.map((tool) => ("function" in tool ? tool.function : tool));
  const found = new Map<string, Validate>();
  for (const tool of schemas) {
    const schema = "parameters" in tool ? tool.parameters : { type: "object", maxProperties: 0 };
    if (oracle === undefined) found.set(tool.name, (value) => fitsByHand(tool.name, value));
    else {
      const { default: Ajv } = oracle("ajv/dist/2020") as {
        default: new (options: object) => { compile(schema: object): Validate };
      };
      found.set(tool.name, new Ajv({ strict: false }).compile(schema));
    }
  }
  return found;
}

/** The same, without Ajv. */
function fitsByHand(name: string, value: unknown): boolean {
  const args = value as Record<string, unknown>;
  const isShort = (text: unknown, most: number): boolean => typeof text === "string" && [...text].length <= most;
  if (name === "now") return Object.keys(args).length === 0;
  if (name === "get_weather") {
    const { city, days = 1, unit } = args;
    return (
      isShort(city, 6) &&
      Number.isInteger(days) &&
      Number(days) >= 1 &&
      Number(days) <= 14 &&
      (unit === "C" || unit === "F")
    );
  }
  const { tags, code = "AA1", mixed = null } = args;
  const areTags = Array.isArray(tags) && tags.length <= 2 && tags.every((tag: { k?: unknown }) => isShort(tag.k, 3));
  return areTags && /^[A-Z]{2}\d$/.test(String(code)) && (mixed === null || isShort(mixed, 2));
}

const validate = validators();

function checkCalls({ toolCalls }: GenerationResult): void {
  for (const { id, name, arguments: args } of toolCalls) {
    assert.match(id, /^[A-Za-z0-9]{9}$/);
    assert.ok(validate.get(name)?.(JSON.parse(args)), `${name} ${args}`);
  }
}

const FORMATS = Object.keys(TOOL_FORMATS) as ToolFormatName[];
const QUESTION = [{ role: "user", content: "?" }];
const plain = templateShowing("tools");

describe("calls under random logits", () => {
  for (const toolFormat of FORMATS) {
    test(`${toolFormat}: required, with any sampler`, async () => {
      await using model = toolModel({ chatTemplate: plain, likely: { '"': 4, "}": 3, "<": 2 } });
      const samplers: readonly ChatOptions[] = [
        {},
        { temperature: 0 },
        { temperature: 3, topK: 0, topP: 1 },
        { logprobs: 1 },
        { speculate: "lookup" },
        { parallelToolCalls: false },
        { toolChoice: { name: "a.b*c+(d)|$" } },
      ];
      let nCalls = 0;
      for (const [i, sampler] of samplers.entries()) {
        for (let seed = 0; seed < 4; seed++) {
          const result = await model
            .chat(QUESTION, {
              tools: TOOLS,
              toolFormat,
              toolChoice: "required",
              seed: 10 * i + seed,
              maxTokens: 900,
              ...sampler,
            })
            .result();
          if (result.stopReason !== "stop") continue;
          checkCalls(result);
          assert.equal(result.text, "");
          assert.ok(result.toolCalls.length > 0, model.tokenizer.decode(result.ids, { special: true }));
          if (sampler.parallelToolCalls === false) assert.equal(result.toolCalls.length, 1);
          if (typeof sampler.toolChoice === "object")
            assert.ok(result.toolCalls.every(({ name }) => name === "a.b*c+(d)|$"));
          nCalls += result.toolCalls.length;
        }
      }
      assert.ok(nCalls >= 15, `${nCalls} calls`);
    });

    test(`${toolFormat}: auto, text and calls`, async () => {
      const marker = TOOL_FORMATS[toolFormat].markers[0] ?? "<";
      await using model = toolModel({
        chatTemplate: plain,
        likely: { [marker]: 6, "{": 5, '"': 4, "}": 3, "<|im_end|>": 4 },
      });
      let [nCalls, nTexts] = [0, 0];
      for (let seed = 0; seed < 30; seed++) {
        const generation = model.chat(QUESTION, { tools: TOOLS, toolFormat, seed, maxTokens: 600, temperature: 1.5 });
        let [text, args] = ["", ""];
        for await (const piece of generation) {
          text += piece.text;
          args += (piece.toolCalls ?? []).map((delta) => delta.arguments).join("");
        }
        const result = await generation.result();
        assert.equal(text, result.text);
        assert.equal(args, result.toolCalls.map((call) => call.arguments).join(""));
        if (result.stopReason !== "stop") continue;
        checkCalls(result);
        const { trigger } = TOOL_FORMATS[toolFormat] as { trigger?: string };
        if (trigger !== undefined) assert.ok(!result.text.includes(trigger), result.text);
        if (result.toolCalls.length > 0) nCalls++;
        if (result.text !== "") nTexts++;
      }
      assert.ok(nTexts > 0, "no text");
      // Others begin with more than one likely token.
      if (TOOL_FORMATS[toolFormat].markers.length > 0 && toolFormat !== "llama3") assert.ok(nCalls > 0, "no calls");
    });
  }
});
