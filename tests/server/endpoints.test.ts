/** Completions, embeddings, tokens, models, health and metrics over the model in the box. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import type { Handler } from "../../src/server/handler.ts";
import { HELLO, type Json, MODEL, answered, eventsOf, handlerOf, loadShakespeare, post } from "./ask.ts";

describe("endpoints", () => {
  let model: Model, handler: Handler;
  const ask = (path: string, body: object): Promise<{ status: number; json: Json }> =>
    answered(handler, post(path, body));
  const get = (path: string): Promise<{ status: number; json: Json }> =>
    answered(handler, new Request(`http://localhost${path}`));

  before(async () => {
    model = await loadShakespeare();
    handler = handlerOf(model);
  });
  after(async () => {
    await handler.close();
    await model.close();
  });

  test("completions of several prompts, texts and ids, with choices", async () => {
    const texts = await Promise.all(
      ["ROMEO:", "JULIET:"].flatMap((prompt) =>
        [5, 6].map((seed) => model.generate(prompt, { seed, maxTokens: 6 }).text()),
      ),
    );
    const prompts = [["ROMEO:", "JULIET:"], ["ROMEO:", "JULIET:"].map((text) => model.tokenizer.encode(text))];
    for (const prompt of prompts) {
      const body = { prompt, n: 2, seed: 5, max_tokens: 6 };
      const { json } = await ask("/v1/completions", body);
      assert.equal(json["object"], "text_completion");
      assert.deepEqual(
        (json["choices"] as unknown as Json[]).map(({ text, index, finish_reason }) => [text, index, finish_reason]),
        texts.map((text, i) => [text, i, "length"]),
      );
      assert.deepEqual([json["usage"]["prompt_tokens"], json["usage"]["completion_tokens"]], [13, 24]);
      const streamed = ["", "", "", ""];
      const events = await eventsOf(await handler(post("/v1/completions", { ...body, stream: true })));
      for (const event of events.slice(0, -1)) {
        const { index, text } = (JSON.parse(event) as Json)["choices"][0];
        streamed[Number(index)] += String(text);
      }
      assert.deepEqual(streamed, texts);
      assert.equal(events.at(-1), "[DONE]");
    }
  });

  test("completions have logprobs as lists", async () => {
    const { json } = await ask("/v1/completions", { prompt: "ROMEO:", max_tokens: 4, logprobs: 2, seed: 1 });
    const { tokens, token_logprobs, top_logprobs, text_offset } = json["choices"][0]["logprobs"];
    assert.equal((tokens as unknown as string[]).join(""), json["choices"][0]["text"]);
    assert.deepEqual([token_logprobs["length"], top_logprobs["length"]], [4, 4]);
    assert.deepEqual(text_offset, [0, 1, 2, 3]);
  });

  test("embeddings are the library's, as numbers or as base64, and shortened", async () => {
    const [cat, dog] = await model.embed(["a cat", "a dog"]);
    const { json } = await ask("/v1/embeddings", { input: ["a cat", "a dog"] });
    assert.deepEqual(
      (json["data"] as unknown as Json[]).map(({ embedding }) => embedding),
      [[...cat], [...dog]],
    );
    assert.deepEqual(json["usage"], { prompt_tokens: 10, total_tokens: 10 });
    const packed = await ask("/v1/embeddings", { input: "a cat", encoding_format: "base64" });
    const bytes = Buffer.from(String(packed.json["data"][0]["embedding"]), "base64");
    assert.deepEqual(new Float32Array(new Uint8Array(bytes).buffer), cat);
    const short = await ask("/v1/embeddings", { input: "a cat", dimensions: 8 });
    const vector = short.json["data"][0]["embedding"] as unknown as number[],
      norm = Math.hypot(...cat.subarray(0, 8));
    vector.forEach((x, i) => assert.ok(Math.abs(x - cat[i] / norm) < 1e-6));
    assert.equal((await ask("/v1/embeddings", { input: "a", dimensions: 1e6 })).status, 400);
    assert.equal((await ask("/v1/embeddings", { input: [] })).status, 400);
  });

  test("tokens and back", async () => {
    const { json } = await ask("/tokenize", { content: "Hello, world" });
    assert.deepEqual(json, { tokens: model.tokenizer.encode("Hello, world", { addSpecial: false }) });
    assert.deepEqual((await ask("/detokenize", json)).json, { content: "Hello, world" });
    const pieces = await ask("/tokenize", { content: "Hi", with_pieces: true });
    assert.equal(pieces.json["tokens"][1]["piece"], "i");
    assert.equal((await ask("/detokenize", { tokens: [1e6] })).status, 400);
  });

  test("pieces of a long text are asked for once each", async (t) => {
    const asked = t.mock.method(model.tokenizer, "tokenText");
    const { json } = await ask("/tokenize", { content: "ab ".repeat(1000), with_pieces: true });
    const tokens = json["tokens"] as unknown as { id: number; piece: string }[];
    assert.deepEqual(tokens.slice(-3), tokens.slice(0, 3));
    assert.deepEqual([tokens.length, asked.mock.callCount()], [3000, 3]);
  });

  test("models by name, with slashes too", async () => {
    const { json } = await get("/v1/models");
    assert.deepEqual([json["object"], json["data"][0]["id"]], ["list", MODEL]);
    assert.equal((await get(`/v1/models/${MODEL}`)).json["object"], "model");
    assert.equal((await get("/v1/models/owner/repo")).status, 404);
    const other = handlerOf(model, { models: { "owner/repo": model } });
    assert.equal((await answered(other, new Request("http://localhost/v1/models/owner/repo"))).status, 200);
  });

  test("health, and metrics that count", async () => {
    assert.deepEqual((await get("/health")).json, { status: "ok" });
    const counts = handlerOf(model),
      metric = async (name: string): Promise<number> => {
        const text = await (await counts(new Request("http://localhost/metrics"))).text();
        return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "m").exec(text)?.[1]);
      };
    await answered(counts, post("/v1/chat/completions", { messages: HELLO, max_tokens: 5 }));
    assert.equal(await metric("onebit_generated_tokens_total"), 5);
    assert.equal(await metric("onebit_requests_running"), 0);
    assert.equal(await metric("onebit_model_memory_bytes"), model.memory.wasmBytes);
  });

  test("unknown paths and methods", async () => {
    assert.equal((await get("/v1/nothing")).status, 404);
    const wrong = await handler(new Request("http://localhost/v1/chat/completions"));
    assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "POST"]);
    assert.equal((await answered(handler, post("/v1/models", {}))).status, 405);
  });
});
