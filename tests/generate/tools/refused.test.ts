/** Tools that are none, cannot be kept, or are too much: each is refused by name and place, within bounds. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ChatOptions } from "../../../src/generate/chat-options.ts";
import { templateShowing, toolModel } from "./tool-model.ts";

const QUESTION = [{ role: "user", content: "?" }];
const hermes = templateShowing("<tool_call></tool_call>");

async function fails(options: ChatOptions, code: string, message: RegExp, chatTemplate = hermes): Promise<void> {
  await using model = toolModel({ chatTemplate });
  const running = model.chat(QUESTION, { maxTokens: 4, ...options }).result();
  await assert.rejects(running, (error: { code?: string; message: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

const tool = (parameters: unknown, name = "f"): unknown => ({ type: "function", function: { name, parameters } });

describe("tools", () => {
  test("that are none are refused", async () => {
    for (const [given, message] of [
      [5, /tools\[0\].*got 5/],
      [[], /tools\[0\]/],
      [{}, /tools\[0\].*name/],
      [{ type: "retrieval", function: { name: "f" } }, /tools\[0\]\.type/],
      [{ name: "" }, /name/],
      [{ name: "two words" }, /"two words"/],
      [{ name: 'quote"' }, /name/],
      [{ name: "<f>" }, /name/],
      [{ name: "f\u0000" }, /name/],
      [{ name: "x".repeat(257) }, /256/],
      [{ name: "f", strict: "yes" }, /strict/],
      [{ name: "f", parameters: 5 }, /tools\[0\] \("f"\)\.parameters/],
      [{ name: "f", parameters: { type: "array" } }, /"f".*object/],
    ] as const)
      await fails({ tools: [given] }, "option/invalid", message);
    await fails({ tools: [{ name: "f" }, { name: "f" }] }, "option/invalid", /tools\[1\]: another/);
    await fails(
      { tools: [{ name: "look_up" }], toolChoice: { name: "lookup" } },
      "option/invalid",
      /did you mean look_up/,
    );
    await fails({ tools: [{ name: "f" }], toolFormat: "hermez" }, "option/invalid", /did you mean hermes/);
    await fails({ tools: [{ name: "f" }], toolChoice: "always" as "auto" }, "option/invalid", /"required"/);
    await fails({ tools: [{ name: "f" }] }, "option/invalid", /give toolFormat/, templateShowing("<arg_key> tools"));
  });

  test("with schemas that cannot be kept are refused, with the tool and the place", async () => {
    const unique = { type: "object", properties: { a: { type: "array", uniqueItems: true } } };
    await fails(
      { tools: [{ name: "g" }, tool(unique)] },
      "grammar/unsupported",
      /tools\[1\] \("f"\).*properties\/a.*unique/s,
    );
    await fails(
      { tools: [tool({ type: "object", properties: { a: false }, required: ["a"] })] },
      "grammar/unsupported",
      /"f"/,
    );
    const cycle: Record<string, unknown> = { type: "object" };
    cycle["properties"] = { a: cycle };
    await fails({ tools: [tool(cycle)] }, "option/invalid", /./);
    await fails(
      { tools: [{ name: "f", parameters: { type: "object", const: Number.NaN } }] },
      "grammar/syntax",
      /"f".*NaN/,
    );
    const xml = { toolFormat: "qwen3-coder" };
    const any = { type: "object", properties: { a: {} } };
    await fails({ ...xml, tools: [tool({ ...any, minProperties: 1 })] }, "grammar/unsupported", /"f".*minProperties/);
    await fails({ ...xml, tools: [tool({ ...any, required: ["b"] })] }, "grammar/unsupported", /"b" is no property/);
    await fails({ ...xml, tools: [tool({ properties: { "a b": {} } })] }, "grammar/unsupported", /"a b"/);
    const closing = { properties: { a: { const: "</parameter>" } }, required: ["a"] };
    await fails({ ...xml, tools: [tool(closing)], toolChoice: "required" }, "grammar/unsupported", /"f"/);
  });

  test("strict: false takes any object instead", async () => {
    const unique = { type: "object", properties: { a: { type: "array", uniqueItems: true } } };
    for (const toolFormat of ["hermes", "qwen3-coder", "minicpm5", "llama3"]) {
      await using model = toolModel({ chatTemplate: hermes, likely: { "}": 6, "<": 6, "/": 5 } });
      let nWhole = 0;
      for (let seed = 0; seed < 10; seed++) {
        const tools = [{ type: "function", function: { name: "f", strict: false, parameters: unique } }];
        const { toolCalls, stopReason } = await model
          .chat(QUESTION, { tools, toolFormat, toolChoice: "required", seed, maxTokens: 700 })
          .result();
        if (stopReason !== "stop") continue;
        nWhole++;
        const args: unknown = JSON.parse(toolCalls[0].arguments);
        assert.ok(typeof args === "object" && args !== null && !Array.isArray(args));
      }
      assert.ok(nWhole > 0, toolFormat);
    }
  });

  test("of hostile size end in an error or an answer", async () => {
    const silent = "{% for m in messages %}{{ m.content }}{% endfor %}<tool_call></tool_call>{#- tools -#}";
    const many = Array.from({ length: 10_000 }, (_, i) => ({ name: `f${i}` }));
    await fails({ tools: many }, "option/invalid", /at most 512/);
    const long = "x".repeat(2 ** 20);
    await fails(
      { tools: [tool({ type: "object", properties: { a: { description: long } } })] },
      "grammar/too-large",
      /./,
      silent,
    );
    const wide = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`p${i}`, { type: "string", maxLength: 9 }]));
    const heavy = Array.from({ length: 500 }, (_, i) => tool({ type: "object", properties: wide }, `f${i}`));
    await fails({ tools: heavy }, "grammar/too-large", /./, silent);
    await using model = toolModel({ chatTemplate: silent });
    const described = [{ type: "function", function: { name: "f", description: long } }];
    const options = { tools: described, toolFormat: "hermes", toolChoice: "required", maxTokens: 40 } as const;
    assert.equal((await model.chat(QUESTION, options).result()).toolCalls[0]?.name, "f");
    const names = ["(", "a|b", ".*", "[^x]", "$&", "\\d"]
      .filter((name) => !/[[\]\\]/.test(name))
      .map((name) => ({ name }));
    const { toolCalls } = await model.chat(QUESTION, { ...options, tools: names }).result();
    assert.ok(names.some(({ name }) => name === toolCalls[0]?.name));
  });

  test("none: no call can be written, and the template is still told of them", async () => {
    await using model = toolModel({ chatTemplate: hermes, likely: { "<tool_call>": 40, "<|im_end|>": 3 } });
    const options = { tools: [{ name: "f" }], toolChoice: "none", maxTokens: 60 } as const;
    for (let seed = 0; seed < 5; seed++) {
      const { text, toolCalls, promptIds } = await model.chat(QUESTION, { ...options, seed }).result();
      assert.ok(!text.includes("<tool_call>") && toolCalls.length === 0);
      assert.match(model.tokenizer.decode(promptIds), /"name": "f"/);
    }
  });

  test("beside a format: a call, or what fits it", async () => {
    await using model = toolModel({ chatTemplate: hermes, likely: { "<tool_call>": 2 } });
    const counts = { calls: 0, texts: 0 };
    for (let seed = 0; seed < 20; seed++) {
      const { text, toolCalls, stopReason } = await model
        .chat([{ role: "user", content: `${seed}` }], {
          tools: [{ name: "f" }],
          format: { regex: "yes|no" },
          seed,
          maxTokens: 300,
        })
        .result();
      if (stopReason !== "stop") continue;
      if (toolCalls.length > 0) counts.calls++;
      else assert.match(text, /^(yes|no)$/), counts.texts++;
    }
    assert.ok(counts.calls > 0 && counts.texts > 0, JSON.stringify(counts));
  });

  test("in a batch: each context has its own calls, the same as alone", async () => {
    await using model = toolModel({ chatTemplate: hermes, likely: { '"': 4, "}": 4 } });
    const options = {
      tools: [tool({ type: "object", properties: { a: { type: "integer" } } })],
      toolChoice: "required",
    } as const;
    const ask = async (seed: number): Promise<string[]> => {
      using context = model.context();
      const { toolCalls } = await context.chat(QUESTION, { ...options, seed, maxTokens: 200 }).result();
      return toolCalls.map(({ arguments: args }) => args);
    };
    const alone: string[][] = [];
    for (let seed = 0; seed < 4; seed++) alone.push(await ask(seed));
    assert.deepEqual(await Promise.all([0, 1, 2, 3].map(ask)), alone);
  });
});
