/** Requests that were once answered wrongly: errors under another field's name, fields without effect, a held loop. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import type { Handler } from "../../src/server/handler.ts";
import { HELLO, answered, handlerOf, loadShakespeare, post } from "./ask.ts";

describe("small faults", () => {
  let model: Model, handler: Handler;
  before(async () => {
    model = await loadShakespeare();
    handler = handlerOf(model);
  });
  after(async () => await model.close());

  test("errors of thinking name the field that was sent", async () => {
    const chats: readonly (readonly [object, string])[] = [
      [{ thinking_budget: 5 }, "thinking_budget"],
      [{ chat_template_kwargs: { enable_thinking: true } }, "chat_template_kwargs.enable_thinking"],
    ];
    for (const [more, field] of chats) {
      for (const [path, body] of [
        ["/v1/chat/completions", { messages: HELLO, max_tokens: 2, ...more }],
        ["/v1/responses", { input: "Hello", max_output_tokens: 2, ...more }],
      ] as const) {
        const { status, json } = await answered(handler, post(path, body));
        assert.deepEqual([status, json.error.param], [400, field], path);
        assert.ok(String(json.error.message).startsWith(field), String(json.error.message));
      }
    }
  });

  test("include alone gives log probabilities", async () => {
    const body = { input: "Hello", max_output_tokens: 3, include: ["message.output_text.logprobs"] },
      { json } = await answered(handler, post("/v1/responses", body));
    assert.equal((json.output[0].content[0].logprobs as unknown as unknown[]).length, 3);
    const { json: without } = await answered(handler, post("/v1/responses", { ...body, include: [] }));
    assert.equal((without.output[0].content[0].logprobs as unknown as unknown[]).length, 0);
    assert.equal((await answered(handler, post("/v1/responses", { ...body, include: "all" }))).status, 400);
  });

  test("a message of a user or tool that says nothing is refused; an assistant's may have called", async () => {
    for (const silent of [{ role: "user" }, { role: "user", content: null }, { role: "tool", tool_call_id: "1" }]) {
      const body = { messages: [...HELLO, silent], max_tokens: 2 },
        { status, json } = await answered(handler, post("/v1/chat/completions", body));
      assert.deepEqual([status, json.error.param], [400, "messages[1].content"]);
    }
    const empty = { messages: [{ role: "user", content: "" }, { role: "assistant" }, ...HELLO], max_tokens: 2 };
    assert.equal((await answered(handler, post("/v1/chat/completions", empty))).status, 200);
  });

  test("many texts to embed let others have their turn between", async () => {
    const input = Array.from({ length: 200 }, (_, i) => `text ${i}`);
    let nTurns = 0,
      isOver = false;
    const count = (): void => {
      nTurns++;
      if (!isOver) setTimeout(count, 0);
    };
    setTimeout(count, 0);
    const { json } = await answered(handler, post("/v1/embeddings", { input }));
    isOver = true;
    assert.ok(nTurns >= 200 / 32, `${nTurns} turns`);
    assert.equal((json.data as unknown as unknown[]).length, 200);
    const [alone] = await model.embed(["text 150"]);
    assert.deepEqual(json.data[150].embedding, [...alone]);
  });
});
