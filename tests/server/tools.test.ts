/**
 * Tools and thinking between a request and the library: options one way, pieces and results the other. The model is
 * written down; the library's own tests have real ones.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { AnyModel } from "../../src/any-model.ts";
import { finishReason } from "../../src/server/answer.ts";
import { type Handler, createHandler } from "../../src/server/handler.ts";
import { HELLO, type Json, answered, eventsOf, post } from "./ask.ts";

const PATH = "/v1/chat/completions";
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const TOOLS = ["weather", "time"].map((name) => ({
  type: "function",
  function: { name, description: `The ${name}`, parameters: CITY, strict: true },
}));

/** What a model that thinks and calls two tools gives. */
const PIECES = [
  { id: 1, text: "", reasoning: "Which" },
  { id: 2, text: "", reasoning: " city?" },
  { id: 3, text: "Let me" },
  { id: 4, text: " see." },
  { id: 5, text: "", toolCalls: [{ index: 0, id: "call_a", name: "weather", arguments: "" }] },
  { id: 6, text: "", toolCalls: [{ index: 0, id: "call_a", arguments: '{"city":' }] },
  {
    id: 7,
    text: "",
    toolCalls: [
      { index: 0, id: "call_a", arguments: '"Rome"}' },
      { index: 1, id: "call_b", name: "time", arguments: "{}" },
    ],
  },
];
const RESULT = {
  text: "Let me see.",
  reasoning: "Which city?",
  toolCalls: [
    { id: "call_a", name: "weather", arguments: '{"city":"Rome"}' },
    { id: "call_b", name: "time", arguments: "{}" },
  ],
  stopReason: "stop",
  timings: { promptTokens: 10, cachedTokens: 4, promptMs: 1, tokens: 7, generateMs: 1 },
};

interface Asked {
  readonly messages: readonly object[];
  readonly options: Readonly<Record<string, unknown>>;
}

function writtenModel(asked: Asked[]): AnyModel {
  const chat = (messages: readonly object[], options: Record<string, unknown>) => {
    asked.push({ messages, options });
    return {
      async *[Symbol.asyncIterator]() {
        yield* PIECES;
      },
      result: async () => RESULT,
    };
  };
  const model = { memory: { wasmBytes: 1 }, generate() {}, async close() {}, context: () => ({ chat, close() {} }) };
  return model as unknown as AnyModel;
}

test("a call that a stop text cuts is none to run", () => {
  const [first, second] = RESULT.toolCalls,
    stopReason = "stop-string";
  assert.equal(finishReason({ stopReason, toolCalls: [first, second] }), "tool_calls");
  const cut = { ...second, arguments: '{"city": "Ro' };
  assert.equal(finishReason({ stopReason, toolCalls: [first, cut] }), "stop");
});

describe("tools and thinking", () => {
  const asked: Asked[] = [];
  let handler: Handler;
  before(() => void (handler = createHandler({ models: { m: writtenModel(asked) } })));
  const optionsOf = async (path: string, body: object): Promise<Asked["options"]> => {
    const { status, json } = await answered(handler, post(path, body));
    assert.equal(status, 200, JSON.stringify(json));
    const { signal, maxTokens, ...options } = asked.at(-1)!.options;
    assert.ok(signal instanceof AbortSignal && Number.isInteger(maxTokens));
    return options;
  };

  test("requests for chats become options", async () => {
    for (const [body, options] of [
      [{ tools: TOOLS }, { tools: TOOLS }],
      [
        { tools: TOOLS, tool_choice: "required" },
        { tools: TOOLS, toolChoice: "required" },
      ],
      [
        { tools: TOOLS, tool_choice: { type: "function", function: { name: "time" } }, parallel_tool_calls: false },
        { tools: TOOLS, toolChoice: { name: "time" }, parallelToolCalls: false },
      ],
      [{ tools: [], tool_choice: "auto" }, {}],
      [{ reasoning_effort: "none" }, { thinking: "off" }],
      [{ reasoning_effort: "low" }, { templateVariables: { reasoning_effort: "low" } }],
      [{ chat_template_kwargs: { enable_thinking: false } }, { thinking: "off" }],
      [{ chat_template_kwargs: { enable_thinking: true, x: 1 } }, { thinking: "on", templateVariables: { x: 1 } }],
      [{ thinking_budget: 50 }, { thinking: { budget: 50 } }],
    ] as const)
      assert.deepEqual(await optionsOf(PATH, { messages: HELLO, ...body }), options);
  });

  test("requests for responses become the same options", async () => {
    const tools = TOOLS.map((tool) => ({ type: "function", ...tool.function }));
    for (const [body, options] of [
      [
        { tools, tool_choice: "required" },
        { tools: TOOLS, toolChoice: "required" },
      ],
      [
        { tools, tool_choice: { type: "function", name: "time" } },
        { tools: TOOLS, toolChoice: { name: "time" } },
      ],
      [{ reasoning: { effort: "none" } }, { thinking: "off" }],
      [{ truncation: "auto" }, { onFull: "drop-oldest" }],
    ] as const)
      assert.deepEqual(await optionsOf("/v1/responses", { input: "Hi", ...body }), options);
  });

  test("calls and what they gave go back as messages", async () => {
    const messages = [
      { role: "user", content: "Weather?" },
      {
        role: "assistant",
        content: null,
        reasoning_content: "Hm",
        tool_calls: [{ id: "c", type: "function", function: { name: "weather", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "c", content: "Rain" },
    ];
    await optionsOf(PATH, { messages, tools: TOOLS });
    assert.deepEqual(asked.at(-1)!.messages, messages);
  });

  test("an answer has thoughts, text and calls apart", async () => {
    const { json } = await answered(handler, post(PATH, { messages: HELLO, tools: TOOLS }));
    assert.deepEqual(json["choices"][0], {
      index: 0,
      message: {
        role: "assistant",
        content: "Let me see.",
        refusal: null,
        reasoning_content: "Which city?",
        tool_calls: [
          { id: "call_a", type: "function", function: { name: "weather", arguments: '{"city":"Rome"}' } },
          { id: "call_b", type: "function", function: { name: "time", arguments: "{}" } },
        ],
      },
      logprobs: null,
      finish_reason: "tool_calls",
    });
  });

  test("a stream has each as it comes", async () => {
    const events = await eventsOf(await handler(post(PATH, { messages: HELLO, tools: TOOLS, stream: true })));
    const choices = events.slice(0, -1).map((event) => (JSON.parse(event) as Json)["choices"][0]);
    assert.deepEqual(
      choices.map(({ delta }) => delta),
      [
        { role: "assistant", content: "" },
        { reasoning_content: "Which" },
        { reasoning_content: " city?" },
        { content: "Let me" },
        { content: " see." },
        { tool_calls: [{ index: 0, id: "call_a", type: "function", function: { name: "weather", arguments: "" } }] },
        { tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] },
        {
          tool_calls: [
            { index: 0, function: { arguments: '"Rome"}' } },
            { index: 1, id: "call_b", type: "function", function: { name: "time", arguments: "{}" } },
          ],
        },
        {},
      ],
    );
    assert.equal(choices.at(-1)?.["finish_reason"], "tool_calls");
  });

  test("a response has items", async () => {
    const { json } = await answered(handler, post("/v1/responses", { input: "Hi" }));
    assert.deepEqual(
      (json["output"] as unknown as Json[]).map(({ type, arguments: args }) => [type, args]),
      [
        ["reasoning", undefined],
        ["message", undefined],
        ["function_call", '{"city":"Rome"}'],
        ["function_call", "{}"],
      ],
    );
    assert.equal(json["usage"]["output_tokens_details"]["reasoning_tokens"], 2);
  });

  const refused: readonly (readonly [body: object, param: string])[] = [
    [{ tool_choice: "required" }, "tool_choice"],
    [{ tools: TOOLS, tool_choice: "sometimes" }, "tool_choice"],
    [{ tools: [{ type: "web_search" }] }, "tools[0].type"],
    [{ tools: [{ type: "function", function: { name: "a b" } }] }, "tools[0].function.name"],
    [{ tools: Array.from({ length: 200 }, () => TOOLS[0]) }, "tools"],
    [{ chat_template_kwargs: { enable_thinking: "yes" } }, "chat_template_kwargs.enable_thinking"],
    [
      { reasoning_effort: "none", chat_template_kwargs: { enable_thinking: true } },
      "chat_template_kwargs.enable_thinking",
    ],
    [{ reasoning_effort: "none", thinking_budget: 5 }, "thinking_budget"],
    [{ reasoning_effort: "huge" }, "reasoning_effort"],
  ];
  for (const [body, param] of refused)
    test(`refuse ${JSON.stringify(body).slice(0, 70)}`, async () => {
      const { status, json } = await answered(handler, post(PATH, { messages: HELLO, ...body }));
      assert.deepEqual([status, json["error"]["param"]], [400, param]);
    });
});
