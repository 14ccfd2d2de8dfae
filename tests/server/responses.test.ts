/** `/v1/responses` over the model in the box: the same texts as chats, as items and as events. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import type { Handler } from "../../src/server/handler.ts";
import { ResponseOutput } from "../../src/server/responses/output.ts";
import { HELLO, type Json, MODEL, answered, eventsOf, handlerOf, loadShakespeare, post } from "./ask.ts";

const PATH = "/v1/responses";

describe("responses", () => {
  let model: Model, handler: Handler;
  const ask = (body: object): Promise<{ status: number; json: Json }> => answered(handler, post(PATH, body));
  const chatText = async (messages: object[], more: object = {}): Promise<unknown> => {
    const { json } = await answered(
      handler,
      post("/v1/chat/completions", { messages, seed: 1, max_tokens: 8, ...more }),
    );
    return json["choices"][0]["message"]["content"];
  };

  before(async () => {
    model = await loadShakespeare();
    handler = handlerOf(model);
  });
  after(async () => {
    await handler.close();
    await model.close();
  });

  test("answer a text as a chat does, and say why they end", async () => {
    const { status, json } = await ask({ model: MODEL, input: "Hello", seed: 1, max_output_tokens: 8 });
    assert.equal(status, 200);
    assert.deepEqual(
      [json["object"], json["status"], json["incomplete_details"]],
      ["response", "incomplete", { reason: "max_output_tokens" }],
    );
    const [item] = json["output"] as unknown as Json[];
    assert.deepEqual(item["content"][0]["text"], await chatText(HELLO));
    assert.deepEqual([item["type"], item["role"], item["status"]], ["message", "assistant", "incomplete"]);
    assert.equal(json["usage"]["output_tokens"], 8);
    const short = await ask({
      input: "Hello",
      text: { format: { type: "json_schema", name: "a", schema: { const: 1 } } },
    });
    assert.deepEqual([short.json["status"], short.json["output"][0]["content"][0]["text"]], ["completed", "1"]);
  });

  test("items are messages: instructions, parts, calls and what they gave", async () => {
    const call = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Yes", tool_calls: [call] },
      { role: "tool", tool_call_id: "c1", content: "5" },
      { role: "user", content: "Go on" },
    ];
    const input = [
      { role: "user", content: [{ type: "input_text", text: "Hi" }] },
      { type: "reasoning", id: "rs_1", summary: [] },
      {
        type: "message",
        id: "msg_1",
        status: "completed",
        role: "assistant",
        content: [{ type: "output_text", text: "Yes", annotations: [], logprobs: [] }],
      },
      { type: "function_call", id: "fc_1", call_id: "c1", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "c1", output: "5" },
      { role: "user", content: "Go on" },
    ];
    const { json } = await ask({ instructions: "Be brief.", input, seed: 1, max_output_tokens: 8 });
    assert.equal(json["output"][0]["content"][0]["text"], await chatText(messages));
  });

  test("events tell the same, numbered and in order", async () => {
    const body = { input: "Hello", seed: 1, max_output_tokens: 8 },
      whole = await ask(body);
    const events = (await eventsOf(await handler(post(PATH, { ...body, stream: true })))).map(
      (event) => JSON.parse(event) as Json,
    );
    assert.deepEqual(
      events.map((event) => event["sequence_number"]),
      events.map((_, i) => i),
    );
    const deltas = events.filter((event) => String(event["type"]) === "response.output_text.delta");
    assert.deepEqual(
      events.filter((event) => !deltas.includes(event)).map((event) => event["type"]),
      [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
      ],
    );
    const text = whole.json["output"][0]["content"][0]["text"];
    assert.equal(deltas.map((event) => event["delta"]).join(""), text);
    const last = events.at(-1)!["response"];
    assert.deepEqual([last["output"][0]["content"][0]["text"], last["usage"]["output_tokens"]], [text, 8]);
  });

  test("thoughts, texts and calls are items of their own", () => {
    const output = new ResponseOutput(),
      none = { id: 0, text: "" };
    const events = [
      { ...none, reasoning: "Hm" },
      { ...none, reasoning: "." },
      { ...none, text: "Wait" },
      { ...none, toolCalls: [{ index: 0, id: "c1", name: "f", arguments: "" }] },
      { ...none, toolCalls: [{ index: 0, id: "c1", arguments: '{"a"' }] },
      {
        ...none,
        toolCalls: [
          { index: 0, id: "c1", arguments: ":1}" },
          { index: 1, id: "c2", name: "g", arguments: "{}" },
        ],
      },
    ].flatMap((piece) => output.push(piece, undefined));
    events.push(...output.end(false));
    const items = output.items as unknown as Json[];
    assert.deepEqual(
      items.map(({ type, status }) => [type, status]),
      [
        ["reasoning", "completed"],
        ["message", "completed"],
        ["function_call", "completed"],
        ["function_call", "completed"],
      ],
    );
    assert.deepEqual(items[0]["content"], [{ type: "reasoning_text", text: "Hm." }]);
    assert.deepEqual([items[2]["call_id"], items[2]["name"], items[2]["arguments"]], ["c1", "f", '{"a":1}']);
    assert.equal(output.nReasoning, 2);
    const done = events.filter(({ type }) => type === "response.output_item.done");
    assert.deepEqual(
      done.map(({ item }) => item),
      items,
    );
  });

  test("a call that is cut short is incomplete, and text behind it is no part of it", () => {
    const output = new ResponseOutput(),
      call = { index: 0, id: "c1" };
    const events = [
      { id: 0, text: "", toolCalls: [{ ...call, name: "f", arguments: '{"a"' }] },
      { id: 0, text: "}\n</tool", toolCalls: [{ ...call, arguments: ":1}" }] },
      { id: 0, text: " so", toolCalls: [{ index: 1, id: "c2", name: "g", arguments: '{"b' }] },
    ].flatMap((piece) => output.push(piece, undefined));
    events.push(...output.end(true));
    const items = output.items as unknown as Json[];
    assert.deepEqual(
      items.map(({ type, status, arguments: args }) => [type, status, args]),
      [
        ["function_call", "completed", '{"a":1}'],
        ["message", "completed", undefined],
        ["function_call", "incomplete", '{"b'],
      ],
    );
    assert.equal(items[1]["content"][0]["text"], "}\n</tool so");
    const deltas = events.filter(({ type }) => type === "response.function_call_arguments.delta");
    assert.deepEqual(
      deltas.map(({ output_index }) => output_index),
      [0, 0, 2],
    );
  });

  const refused: readonly (readonly [body: object, param: string])[] = [
    [{ input: [] }, "input"],
    [{ input: "x", previous_response_id: "resp_1" }, "previous_response_id"],
    [{ input: "x", background: true }, "background"],
    [{ input: "x", tools: [{ type: "web_search" }] }, "tools[0].type"],
    [{ input: "x", max_tokens: 5 }, "max_tokens"],
    [{ input: [{ type: "item_reference", id: "a" }] }, "input[0].type"],
    [{ input: [{ role: "user", content: [{ type: "input_image", image_url: "x" }] }] }, "input[0].content[0].type"],
  ];
  for (const [body, param] of refused)
    test(`refuse ${JSON.stringify(body)}`, async () => {
      const { status, json } = await ask(body);
      assert.deepEqual([status, json["error"]["param"]], [400, param], JSON.stringify(json));
    });
});
