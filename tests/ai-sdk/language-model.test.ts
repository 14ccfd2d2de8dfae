/**
 * Models for the AI SDK: prompts and options one way, content and streams the other. `ai` itself drives them in
 * tests/server/clients.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type {
  LanguageModelV3CallOptions,
  LanguageModelV3FunctionTool,
  LanguageModelV3Prompt,
  LanguageModelV3StreamPart,
} from "@ai-sdk/provider";
import { embeddingModel } from "../../src/ai-sdk/embedding-model.ts";
import { languageModel } from "../../src/ai-sdk/language-model.ts";
import { chatMessages } from "../../src/ai-sdk/messages.ts";
import { chatOptions } from "../../src/ai-sdk/call-options.ts";
import { load } from "../../src/load.ts";
import { templateShowing, toolModel } from "../generate/tools/tool-model.ts";

const HELLO: LanguageModelV3Prompt = [{ role: "user", content: [{ type: "text", text: "Hello" }] }];
const CITY: LanguageModelV3FunctionTool["inputSchema"] = {
  type: "object",
  properties: { city: { enum: ["Rome", "Bern"] } },
  required: ["city"],
  additionalProperties: false,
};
const WEATHER: LanguageModelV3FunctionTool = {
  type: "function",
  name: "weather",
  description: "The weather",
  inputSchema: CITY,
};
const HERMES = templateShowing("<tool_call>", "</tool_call>");
const THINKS = `${HERMES}{# <think> </think> #}`;

/** Blanks between the tokens of JSON fit too, and a random model loves them. */
const FEW_BLANKS = { " ": -20, "\n": -20, "\r": -20, "\t": -20 };

async function partsOf(stream: ReadableStream<LanguageModelV3StreamPart>): Promise<LanguageModelV3StreamPart[]> {
  const parts: LanguageModelV3StreamPart[] = [];
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return parts;
    parts.push(value);
  }
}

/** What a stream's parts say as a whole; each part between its start and its end. */
function joined(parts: readonly LanguageModelV3StreamPart[]) {
  const open = new Map<string, string>(),
    content: object[] = [];
  for (const part of parts) {
    if (part.type === "text-start" || part.type === "reasoning-start" || part.type === "tool-input-start") {
      assert.equal(open.size, 0, "one at a time");
      open.set(part.id, "");
    } else if (part.type === "text-delta" || part.type === "reasoning-delta" || part.type === "tool-input-delta") {
      assert.ok(open.has(part.id));
      open.set(part.id, open.get(part.id) + part.delta);
    } else if (part.type === "text-end" || part.type === "reasoning-end") {
      content.push({ type: part.type.slice(0, -"-end".length), text: open.get(part.id) });
      open.delete(part.id);
    } else if (part.type === "tool-input-end") {
      open.delete(part.id);
    } else if (part.type === "tool-call") content.push(part);
  }
  assert.equal(open.size, 0, "all are closed");
  return content;
}

describe("a language model of the AI SDK", () => {
  for (const [name, call] of Object.entries<Partial<LanguageModelV3CallOptions>>({
    text: {},
    "text and calls": { tools: [WEATHER] },
    "a call that must be": { tools: [WEATHER], toolChoice: { type: "required" } },
    "a call of one tool": { tools: [WEATHER], toolChoice: { type: "tool", toolName: "weather" } },
    "a value": { responseFormat: { type: "json", schema: CITY } },
    thinking: { providerOptions: { onebit: { thinking: { budget: 10 } } } },
  })) {
    test(`${name}: streamed and not, the same`, async () => {
      await using model = toolModel({ chatTemplate: THINKS, likely: { "<|im_end|>": 4, ...FEW_BLANKS } });
      const sdk = languageModel(model, { modelId: "tiny" });
      for (let seed = 0; seed < 5; seed++) {
        const options = { prompt: HELLO, seed, maxOutputTokens: 300, ...call };
        const whole = await sdk.doGenerate(options),
          parts = await partsOf((await sdk.doStream(options)).stream);
        assert.deepEqual(
          joined(parts).map((part) => ("toolCallId" in part ? { ...part, toolCallId: "" } : part)),
          whole.content.map((part) => ("toolCallId" in part ? { ...part, toolCallId: "" } : part)),
        );
        assert.deepEqual(parts[0], { type: "stream-start", warnings: [] });
        const last = parts.at(-1);
        assert.equal(last?.type, "finish");
        assert.deepEqual(last.type === "finish" && last.finishReason, whole.finishReason);
        const { total, noCache, cacheRead } = whole.usage.inputTokens;
        assert.equal(total, (noCache ?? 0) + (cacheRead ?? 0));
        if (name.includes("must") || name.includes("one tool")) {
          const calls = whole.content.filter((part) => part.type === "tool-call");
          assert.ok(calls.length > 0 && calls.every(({ input }) => ["Rome", "Bern"].includes(JSON.parse(input).city)));
        }
        if (name === "a value") {
          const [part] = whole.content.filter(({ type }) => type === "text");
          assert.ok(part.type === "text" && ["Rome", "Bern"].includes(JSON.parse(part.text).city));
        }
      }
    });
  }

  test("a call that is cut short is left out", async () => {
    await using model = toolModel({ chatTemplate: HERMES });
    const { content, finishReason } = await languageModel(model).doGenerate({
      prompt: HELLO,
      tools: [WEATHER],
      toolChoice: { type: "required" },
      maxOutputTokens: 25,
      seed: 1,
    });
    assert.equal(finishReason.unified, "length");
    assert.ok(content.every((part) => part.type !== "tool-call"));
  });

  test("an abort rejects with the signal's reason, in a stream as a part; a reader who leaves ends it", async () => {
    await using model = toolModel({ chatTemplate: HERMES });
    const sdk = languageModel(model),
      reason = new Error("enough"),
      // Without it a reply may be over before it is aborted.
      long = { prompt: HELLO, providerOptions: { onebit: { ignoreEnd: true } } };
    await assert.rejects(
      async () => await sdk.doGenerate({ prompt: HELLO, abortSignal: AbortSignal.abort(reason) }),
      (error) => error === reason || (error instanceof Error && error.cause === reason),
    );
    const controller = new AbortController(),
      reader = (await sdk.doStream({ ...long, abortSignal: controller.signal })).stream.getReader();
    for (let i = 0; i < 6; i++) await reader.read();
    controller.abort(reason);
    let last: LanguageModelV3StreamPart | undefined;
    for (let next = await reader.read(); !next.done; next = await reader.read()) last = next.value;
    assert.deepEqual(last, { type: "error", error: reason });
    const other = (await sdk.doStream(long)).stream.getReader();
    for (let i = 0; i < 6; i++) await other.read();
    await other.cancel();
    assert.ok((await sdk.doGenerate({ prompt: HELLO, maxOutputTokens: 2 })).usage.outputTokens.total === 2);
  });

  test("a mistake rejects, in a stream as a part", async () => {
    await using model = toolModel({ chatTemplate: HERMES });
    const sdk = languageModel(model),
      call = { prompt: HELLO, providerOptions: { onebit: { minPP: 1 } } };
    const expected = { code: "option/unknown", message: /minPP.*minP/ };
    await assert.rejects(async () => await sdk.doGenerate(call), expected);
    const picture = { type: "file", mediaType: "image/png", data: new Uint8Array() } as const,
      seeing: LanguageModelV3CallOptions = { prompt: [{ role: "user", content: [picture] }] };
    await assert.rejects(async () => await sdk.doStream(seeing), { code: "option/invalid", message: /image\/png/ });
    const parts = await partsOf((await sdk.doStream(call)).stream);
    const [last] = parts.slice(-1);
    assert.ok(last.type === "error");
    assert.throws(() => {
      throw last.error;
    }, expected);
  });
});

describe("prompts of the AI SDK", () => {
  test("become messages: texts joined, calls and their results by id", () => {
    assert.deepEqual(
      chatMessages([
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "One" },
            { type: "text", text: "two" },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "Hm." },
            { type: "text", text: "Let me see." },
            { type: "tool-call", toolCallId: "a", toolName: "weather", input: { city: "Rome" } },
          ],
        },
        {
          role: "tool",
          content: [
            { type: "tool-result", toolCallId: "a", toolName: "weather", output: { type: "json", value: [22] } },
            { type: "tool-approval-response", approvalId: "x", approved: true },
            { type: "tool-result", toolCallId: "b", toolName: "time", output: { type: "execution-denied" } },
          ],
        },
      ]),
      [
        { role: "system", content: "Be brief." },
        { role: "user", content: "One\ntwo" },
        {
          role: "assistant",
          content: "Let me see.",
          reasoning_content: "Hm.",
          tool_calls: [{ id: "a", type: "function", function: { name: "weather", arguments: { city: "Rome" } } }],
        },
        { role: "tool", tool_call_id: "a", name: "weather", content: "[22]" },
        { role: "tool", tool_call_id: "b", name: "time", content: "The user did not allow this call." },
      ],
    );
  });

  test("with pictures, or tools that a provider runs, are refused by place", () => {
    const picture = { type: "file", mediaType: "image/png", data: new Uint8Array() } as const;
    const call = { type: "tool-call", toolCallId: "a", toolName: "search", input: {}, providerExecuted: true } as const;
    for (const [prompt, message] of [
      [[{ role: "user", content: [picture] }], /prompt\[0\]: wanted text, got image\/png/],
      [[...HELLO, { role: "assistant", content: [picture] }], /prompt\[1\].*image\/png/],
      [[...HELLO, { role: "assistant", content: [call] }], /prompt\[1\]: search: this provider runs no tools/],
    ] as [LanguageModelV3Prompt, RegExp][])
      assert.throws(() => chatMessages(prompt), { code: "option/invalid", message });
  });

  test("options: a call's own go before defaults, and a provider's tools are warned of", () => {
    const { options, warnings } = chatOptions(
      {
        prompt: HELLO,
        temperature: 0.5,
        responseFormat: { type: "json" },
        stopSequences: ["x"],
        providerOptions: { onebit: { minP: 0.1 }, other: { minP: 0.9 } },
        tools: [WEATHER, { type: "provider", id: "openai.search", name: "search", args: {} }],
        toolChoice: { type: "none" },
      },
      { temperature: 1, topK: 5, minP: 0.2 },
    );
    const { signal: _, ...found } = options;
    assert.deepEqual(found, {
      temperature: 0.5,
      topK: 5,
      minP: 0.1,
      format: "json",
      stop: ["x"],
      tools: [{ type: "function", function: { name: "weather", description: "The weather", parameters: CITY } }],
      toolChoice: "none",
    });
    assert.deepEqual(warnings, [{ type: "unsupported", feature: "the provider's tool openai.search" }]);
  });
});

test("an embedding model of the AI SDK gives the library's vectors", async () => {
  await using model = await load(undefined, { contextLength: 64 });
  const { embeddings, warnings } = await embeddingModel(model).doEmbed({
    values: ["To be", "or not"],
    providerOptions: { onebit: { pooling: "mean" } },
  });
  const wanted = await model.embed(["To be", "or not"], { pooling: "mean" });
  assert.deepEqual(
    embeddings,
    wanted.map((vector) => [...vector]),
  );
  assert.deepEqual(warnings, []);
  await assert.rejects(
    async () => await embeddingModel(model, { defaults: { pooling: "max" as never } }).doEmbed({ values: ["a"] }),
    {
      code: "option/invalid",
    },
  );
});
