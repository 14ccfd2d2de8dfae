/** Calls and results in messages, as templates want them; tools where templates know none. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, test } from "node:test";
import type { ChatMessage, ChatPromptOptions } from "../../../src/generate/chat-options.ts";
import { renderChat } from "../../../src/generate/chat.ts";
import { toolFormatOf } from "../../../src/generate/tools/tool-formats.ts";
import { thinkingMarks } from "../../../src/generate/thinking.ts";
import type { ModelConfig } from "../../../src/model/config.ts";
import { llamaCppModels } from "../../conformance/llama-cpp-sources.ts";
import { toolTokenizer } from "./tool-model.ts";

const config = { architecture: "llama", name: "fake" } as ModelConfig;

function rendered(messages: readonly ChatMessage[], chatTemplate: string, options: ChatPromptOptions = {}): string {
  const { parts } = renderChat(messages, options, toolTokenizer(chatTemplate), config, {
    contextLength: 1e6,
    maxTokens: 10,
  });
  return parts.map(({ text }) => text).join("");
}

const call = (args: unknown, content: string | null = null): ChatMessage => ({
  role: "assistant",
  content,
  tool_calls: [{ id: "abcdefghi", type: "function", function: { name: "f", arguments: args } }],
});
const ARGS = { city: "Zürich", days: 2 };
const TEXT = JSON.stringify(ARGS);

describe("earlier calls", () => {
  test("reach templates that take objects as objects, whatever the client sent", () => {
    const template =
      "{% for m in messages %}{% for k, v in m.tool_calls[0].function.arguments|items %}" +
      "{{ k }}={{ v }};{% endfor %}{% endfor %}";
    for (const args of [ARGS, TEXT]) assert.equal(rendered([call(args)], template), "city=Zürich;days=2;");
    assert.equal(rendered([call("")], template), "");
  });

  test("reach templates that print them as texts", () => {
    const template = "{% for m in messages %}{{ 'call ' + m.tool_calls[0].function.arguments }}{% endfor %}";
    for (const args of [ARGS, TEXT]) assert.equal(rendered([call(args)], template), `call ${TEXT}`);
    // One that prints tools as JSON, and arguments as they are.
    const both = `{{ tools|tojson }}${template}`;
    assert.equal(rendered([call(ARGS)], both), `null${`call ${TEXT}`}`);
  });

  test("are text where a template prints none, tools given or not", () => {
    const template = "{% for m in messages %}{{ m.role }}: {{ m.content }}|{% endfor %}",
      told = `{"name":"f","arguments":${TEXT}}`;
    for (const args of [ARGS, TEXT]) assert.equal(rendered([call(args)], template), `assistant: ${told}|`);
    assert.equal(rendered([call(ARGS, "Wait")], template), `assistant: Wait\n${told}|`);
  });

  test("have an empty content where a template looks into it", () => {
    const template =
      "{% for m in messages if m.tool_calls or true %}{{ '</think>' in m.content }} {{ m.content }}|{% endfor %}";
    assert.equal(rendered([call(ARGS)], template), "False |");
    assert.throws(() => rendered([{ role: "assistant", content: null }], template), { code: "template/raised" });
  });

  test("with arguments that are no JSON stay as they are; the first complaint is the one that is told", () => {
    const template = "{{ messages[0].tool_calls[0].function.arguments }}";
    for (const args of ["{oops", "5", "null"]) assert.equal(rendered([call(args)], template), args);
    const raising = "{{ raise_exception('no ' + messages[0].content|string) }}{{ messages[0].tool_calls|tojson }}";
    assert.throws(() => rendered([call(ARGS)], raising), /no None/);
  });
});

describe("tools where the template knows none", () => {
  const template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
  const tools = [{ type: "function", function: { name: "f", description: "Does f." } }];

  test("are told in a system message, and earlier calls and results stand in the contents", () => {
    const messages = [{ role: "user", content: "Hi" }, call(TEXT, "So:"), { role: "tool", content: "7" }];
    const text = rendered(messages, template, { tools });
    assert.match(text, /^system: You can call functions\..*"Does f\."/s);
    assert.ok(text.endsWith(`user: Hi\nassistant: So:\n{"name":"f","arguments":${TEXT}}\ntool: 7\n`), text);
    const own = rendered([{ role: "system", content: "Be brief." }, ...messages], template, { tools });
    assert.match(own, /^system: Be brief\.\n\nYou can call functions\./);
    assert.equal(own.match(/system:/g)?.length, 1);
  });

  test("are not, without tools, and where the template tells of them", () => {
    const messages = [{ role: "user", content: "Hi" }];
    assert.equal(rendered(messages, template), "user: Hi\n");
    assert.equal(rendered(messages, `{{ tools|length }}${template}`, { tools }), "1user: Hi\n");
  });
});

const folder = llamaCppModels();
const skip = folder === undefined ? "npm ci --prefix tests/conformance" : false;
const published = (folder === undefined ? [] : readdirSync(`${folder}/templates`))
  .filter((name) => name.endsWith(".jinja"))
  .map((name) => ({ name, source: readFileSync(`${folder}/templates/${name}`, "utf8") }));

describe("published templates", { skip }, () => {
  const tools = [
    {
      type: "function",
      function: {
        name: "f",
        description: "F",
        parameters: { type: "object", properties: { city: { type: "string" }, days: { type: "integer" } } },
      },
    },
  ];
  const asked = { role: "user", content: "How is it in Zürich?" };
  const result = { role: "tool", tool_call_id: "abcdefghi", name: "f", content: "22 degrees" };

  const FORMATS: Readonly<Record<string, string>> = {
    "Qwen-Qwen3-0.6B.jinja": "hermes",
    "Qwen-Qwen2.5-7B-Instruct.jinja": "hermes",
    "Qwen-QwQ-32B.jinja": "hermes",
    "Qwen3.5-4B.jinja": "qwen3-coder",
    "Qwen3-Coder.jinja": "qwen3-coder",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16.jinja": "qwen3-coder",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use.jinja": "hermes",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use.jinja": "hermes",
    "ibm-granite-granite-4.0.jinja": "hermes",
    "meta-llama-Llama-3.1-8B-Instruct.jinja": "llama3",
    "meta-llama-Llama-3.2-3B-Instruct.jinja": "llama3",
    "meta-llama-Llama-3.3-70B-Instruct.jinja": "llama3",
    "openbmb-MiniCPM5-1B.jinja": "minicpm5",
    "mistralai-Mistral-Nemo-Instruct-2407.jinja": "mistral-nemo",
    "Mistral-Small-3.2-24B-Instruct-2506.jinja": "mistral-small",
    "unsloth-mistral-Devstral-Small-2507.jinja": "mistral",
    "mistralai-Ministral-3-14B-Reasoning-2512.jinja": "mistral",
    "deepseek-ai-DeepSeek-V3.1.jinja": "deepseek",
    "llama-cpp-deepseek-r1.jinja": "deepseek-r1",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja": "deepseek-r1",
    "GLM-4.6.jinja": "",
    "meetkai-functionary-medium-v3.1.jinja": "",
    "google-gemma-2-2b-it.jinja": "json",
    "microsoft-Phi-3.5-mini-instruct.jinja": "json",
  };

  test("are told apart", () => {
    const found = published.filter(({ name }) => Object.hasOwn(FORMATS, name));
    assert.ok(found.length > 15);
    assert.deepEqual(
      found.map(({ name, source }) => [name, toolFormatOf(source) ?? ""]),
      found.map(({ name }) => [name, FORMATS[name]]),
    );
  });

  test("print calls the same from objects and texts, with what they were called with", (t) => {
    let nTold = 0;
    for (const { name, source } of published) {
      const format = toolFormatOf(source);
      if (format === undefined || format === "json") continue;
      let text = "";
      try {
        text = rendered([asked, call(ARGS), result], source, { tools });
      } catch (error) {
        t.diagnostic(`${name} refuses the conversation: ${String(error)}`);
        continue;
      }
      assert.equal(rendered([asked, call(TEXT), result], source, { tools }), text, name);
      assert.ok(text.includes("22 degrees"), name);
      const begun = text.indexOf("22 degrees");
      assert.match(
        text.slice(0, begun),
        /"city": ?"Zürich"|city>?\W+Zürich|"city": ?"Z\\u00fcrich"/,
        `${name}: ${text}`,
      );
      assert.ok(!text.slice(text.indexOf("How is it")).includes("'city'"), `${name}: ${text}`);
      nTold++;
    }
    assert.ok(nTold > 15, `${nTold}`);
  });

  test("that think are known, by what they print", () => {
    const thinking = published.filter(({ source }) => thinkingMarks(source) !== undefined).map(({ name }) => name);
    for (const name of [
      "Qwen-Qwen3-0.6B.jinja",
      "Qwen3.5-4B.jinja",
      "openbmb-MiniCPM5-1B.jinja",
      "llama-cpp-deepseek-r1.jinja",
    ])
      assert.ok(thinking.includes(name), name);
    for (const name of [
      "Qwen-Qwen2.5-7B-Instruct.jinja",
      "meta-llama-Llama-3.1-8B-Instruct.jinja",
      "google-gemma-2-2b-it.jinja",
    ])
      assert.ok(!thinking.includes(name), name);
    const ends: readonly (readonly [string, "on" | "off", RegExp])[] = [
      ["Qwen-Qwen3-0.6B.jinja", "off", /assistant\n<think>\n\n<\/think>\n\n$/],
      ["Qwen-Qwen3-0.6B.jinja", "on", /assistant\n<think>\n$/],
      ["Qwen3.5-4B.jinja", "off", /assistant\n<think>\n\n<\/think>\n\n$/],
      ["Qwen3.5-4B.jinja", "on", /assistant\n<think>\n$/],
      ["openbmb-MiniCPM5-1B.jinja", "off", /assistant\n<think>\n\n<\/think>\n\n$/],
      ["openbmb-MiniCPM5-1B.jinja", "on", /assistant\n<think>\n$/],
      ["llama-cpp-deepseek-r1.jinja", "off", /<think>\n\n<\/think>\n\n$/],
      ["deepseek-ai-DeepSeek-V3.1.jinja", "on", /<think>$/],
      ["deepseek-ai-DeepSeek-V3.1.jinja", "off", /<\/think>$/],
      ["HuggingFaceTB-SmolLM3-3B.jinja", "off", /<think>\n\n<\/think>\n$/],
    ];
    for (const [name, option, end] of ends) {
      const { source } = published.find((template) => template.name === name)!;
      assert.match(rendered([asked], source, { thinking: option }), end, `${name} ${option}`);
    }
  });
});
