/** `/v1/chat/completions` over the model in the box: the library's own answers, in OpenAI's shapes. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChatOptions, Model } from "../../src/index.ts";
import type { Handler } from "../../src/server/handler.ts";
import { HELLO, type Json, MODEL, answered, eventsOf, handlerOf, loadShakespeare, post } from "./ask.ts";

const PATH = "/v1/chat/completions";
const SAMPLING = { seed: 7, temperature: 0.9, top_p: 0.9, top_k: 20, repeat_penalty: 1.1 };
const OPTIONS = { seed: 7, temperature: 0.9, topP: 0.9, topK: 20, repetitionPenalty: 1.1, chatTemplate: "chatml" };

describe("chat completions", () => {
  let model: Model, handler: Handler;
  const ask = (body: object): Promise<{ status: number; json: Json }> => answered(handler, post(PATH, body));
  const chunksOf = async (body: object): Promise<Json[]> => {
    const response = await handler(post(PATH, { ...body, stream: true }));
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const events = await eventsOf(response);
    assert.equal(events.at(-1), "[DONE]");
    return events.slice(0, -1).map((event) => JSON.parse(event) as Json);
  };

  before(async () => {
    model = await loadShakespeare();
    handler = handlerOf(model);
  });
  after(async () => {
    await handler.close();
    await model.close();
  });

  test("give the library's answer, with its counts", async () => {
    const expected = await model.chat(HELLO, { ...OPTIONS, maxTokens: 12 }).result();
    const { status, json } = await ask({ model: MODEL, messages: HELLO, max_tokens: 12, ...SAMPLING });
    assert.equal(status, 200);
    assert.match(String(json["id"]), /^chatcmpl-[0-9a-f]{24}$/);
    assert.deepEqual([json["object"], json["model"]], ["chat.completion", MODEL]);
    assert.deepEqual(json["choices"], [
      {
        index: 0,
        message: { role: "assistant", content: expected.text, refusal: null },
        logprobs: null,
        finish_reason: "length",
      },
    ]);
    const { promptTokens, tokens } = expected.timings;
    assert.deepEqual(
      [json["usage"]["prompt_tokens"], json["usage"]["completion_tokens"], json["usage"]["total_tokens"]],
      [promptTokens, tokens, promptTokens + tokens],
    );
  });

  test("stream the same text: role first, then texts, the reason, and the counts", async () => {
    const { text } = await model.chat(HELLO, { ...OPTIONS, maxTokens: 12 }).result();
    const body = { messages: HELLO, max_completion_tokens: 12, ...SAMPLING };
    const chunks = await chunksOf({ ...body, stream_options: { include_usage: true } });
    const choices = chunks.map((chunk) => chunk["choices"][0]);
    assert.deepEqual(choices[0]["delta"], { role: "assistant", content: "" });
    assert.equal(
      choices
        .slice(1, -2)
        .map((choice) => choice["delta"]["content"])
        .join(""),
      text,
    );
    assert.deepEqual([choices.at(-2)?.["delta"], choices.at(-2)?.["finish_reason"]], [{}, "length"]);
    assert.deepEqual([chunks.at(-1)?.["choices"], chunks.at(-1)?.["usage"]["completion_tokens"]], [[], 12]);
    assert.ok(chunks.slice(0, -1).every((chunk) => chunk["usage"] === null && chunk["id"] === chunks[0]["id"]));
    assert.ok((await chunksOf(body)).every((chunk) => !("usage" in chunk)));
  });

  test("of n choices each has a seed of its own", async () => {
    const body = { messages: HELLO, max_tokens: 6, n: 3, ...SAMPLING };
    const { json } = await ask(body);
    const texts = await Promise.all(
      [7, 8, 9].map((seed) => model.chat(HELLO, { ...OPTIONS, maxTokens: 6, seed }).text()),
    );
    assert.deepEqual(
      [0, 1, 2].map((i) => json["choices"][i]["message"]["content"]),
      texts,
    );
    assert.equal(json["usage"]["completion_tokens"], 18);
    const streamed = ["", "", ""];
    for (const { choices } of await chunksOf(body))
      streamed[Number(choices[0]["index"])] += String(choices[0]["delta"]["content"] ?? "");
    assert.deepEqual(streamed, texts);
  });

  test("logprobs are the library's, with the bytes of tokens", async () => {
    const pieces = [];
    for await (const piece of model.chat(HELLO, { ...OPTIONS, maxTokens: 3, logprobs: 2 })) pieces.push(piece);
    const { json } = await ask({ messages: HELLO, max_tokens: 3, logprobs: true, top_logprobs: 2, ...SAMPLING });
    const content = json["choices"][0]["logprobs"]["content"] as unknown as Json[];
    assert.deepEqual(
      content.map(({ token, logprob, bytes, top_logprobs }) => [token, logprob, bytes, top_logprobs["length"]]),
      pieces.map(({ text, logprob }) => [text, logprob, [...new TextEncoder().encode(text)], 2]),
    );
  });

  test("llama.cpp's samplers are the library's", async () => {
    const sampling = {
      dryMultiplier: 0.8,
      dryBase: 1.5,
      dryAllowedLength: 1,
      dryLastN: 60,
      dryBreakers: ["."],
      topNSigma: 2,
      xtcProbability: 0.4,
      xtcThreshold: 0.05,
      temperatureRange: 0.3,
      temperatureExponent: 1.2,
      samplers: ["dry", "top-n-sigma", "typical-p", "xtc", "temperature"] as const,
      typicalP: 0.9,
      temperature: 1.2,
    };
    const fields = {
      dry_multiplier: 0.8,
      dry_base: 1.5,
      dry_allowed_length: 1,
      dry_penalty_last_n: 60,
      dry_sequence_breakers: ["."],
      top_n_sigma: 2,
      xtc_probability: 0.4,
      xtc_threshold: 0.05,
      dynatemp_range: 0.3,
      dynatemp_exponent: 1.2,
      samplers: ["dry", "top_n_sigma", "typ_p", "xtc", "temperature"],
      typical_p: 0.9,
      temperature: 1.2,
    };
    const mirostat = { mirostat: "v2", mirostatTau: 3, mirostatEta: 0.2 } as const;
    const cases: readonly (readonly [options: ChatOptions, body: object])[] = [
      [sampling, fields],
      [mirostat, { mirostat: 2, mirostat_tau: 3, mirostat_eta: 0.2 }],
    ];
    for (const [options, body] of cases) {
      const text = await model.chat(HELLO, { ...options, chatTemplate: "chatml", seed: 2, maxTokens: 30 }).text();
      const { json } = await ask({ messages: HELLO, seed: 2, max_tokens: 30, ...body });
      assert.equal(json["choices"][0]["message"]["content"], text, JSON.stringify(json));
    }
  });

  test("stop strings, biases and formats reach the library", async () => {
    const stopped = await ask({ messages: HELLO, max_tokens: 200, stop: ["\n", "e"], seed: 1 });
    assert.equal(stopped.json["choices"][0]["finish_reason"], "stop");
    assert.doesNotMatch(String(stopped.json["choices"][0]["message"]["content"]), /[\ne]/);
    const id = model.tokenizer.encode("x", { addSpecial: false })[0];
    const biased = await ask({ messages: HELLO, max_tokens: 5, logit_bias: { [id]: 100 } });
    assert.equal(biased.json["choices"][0]["message"]["content"], "xxxxx");
    const schema = {
      type: "object",
      properties: { a: { enum: [1, 2] } },
      required: ["a"],
      additionalProperties: false,
    };
    const formats = [
      [{ response_format: { type: "json_schema", json_schema: { name: "a", strict: true, schema } } }, /"a"/],
      [{ json_schema: schema }, /"a"/],
      [{ regex: "yes|no" }, /^(?:yes|no)$/],
      [{ grammar: 'root ::= "abc"' }, /^abc$/],
    ] as const;
    for (const [format, expected] of formats) {
      const { json } = await ask({ messages: HELLO, max_tokens: 100, ...format });
      assert.match(String(json["choices"][0]["message"]["content"]), expected);
    }
  });

  test("messages may be in parts, from developers, and have what clients echo", async () => {
    const plain = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hi" },
      { role: "user", content: "Again" },
    ];
    const echoed = [
      { role: "developer", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "Hello" }] },
      { role: "assistant", content: "Hi", refusal: null, annotations: [], audio: null, function_call: null },
      { role: "user", content: "Again", name: null },
    ];
    const texts = await Promise.all(
      [plain, echoed].map(async (messages) => {
        const { json } = await ask({ messages, max_tokens: 8, seed: 3, user: "me", store: true, stop: null });
        return json["choices"][0]["message"]["content"];
      }),
    );
    assert.equal(texts[0], texts[1]);
  });

  const refused: readonly (readonly [body: object, param: string | null, message: RegExp])[] = [
    [{ messages: HELLO, temprature: 1 }, "temprature", /did you mean temperature\?/],
    [{ messages: [{ role: "user", contnt: "x" }] }, "messages[0].contnt", /did you mean content\?/],
    [{}, "messages", /is missing/],
    [{ messages: [] }, "messages", /at least one/],
    [{ messages: [{ role: "robot", content: "" }] }, "messages[0].role", /"system" or/],
    [
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
      "messages[0].content[0].type",
      /text/,
    ],
    [{ messages: HELLO, temperature: 1e308 }, "temperature", /0 to 100/],
    [{ messages: HELLO, temperature: "hot" }, "temperature", /number/],
    [{ messages: HELLO, top_p: -1 }, "top_p", /above 0 to 1/],
    [{ messages: HELLO, seed: -1 }, "seed", /integer/],
    [{ messages: HELLO, max_tokens: 0 }, "max_tokens", /integer from 1/],
    [{ messages: HELLO, n: 1000 }, "n", /integer from 1/],
    [{ messages: HELLO, logit_bias: { a: 1 } }, "logit_bias", /token ids/],
    [{ messages: HELLO, logit_bias: { 99999999: 1 } }, "logit_bias", /wanted an id/],
    [{ messages: HELLO, top_logprobs: 2 }, "top_logprobs", /logprobs/],
    [{ messages: HELLO, stream_options: { include_usge: true } }, "stream_options.include_usge", /include_usage/],
    [{ messages: HELLO, response_format: { type: "xml" } }, "response_format.type", /json_schema/],
    [{ messages: HELLO, grammar: "root ::= (" }, "response_format", /./],
    [{ messages: HELLO, grammar: 'root ::= "a"', regex: "a" }, "response_format", /only one/],
    [{ messages: HELLO, functions: [] }, "functions", /tools/],
    [{ messages: [{ role: "user", content: "x".repeat(10_000) }] }, null, /context holds 256/],
  ];
  for (const [body, param, message] of refused)
    test(`refuse ${JSON.stringify(body).slice(0, 80)}`, async () => {
      for (const stream of [false, true]) {
        const { status, json } = await ask({ ...body, stream });
        assert.equal(status, 400);
        assert.deepEqual(
          [json["error"]["param"], json["error"]["type"]],
          [param, "invalid_request_error"],
          JSON.stringify(json),
        );
        assert.match(String(json["error"]["message"]), message);
      }
    });

  test("refuse stream_options where nothing is streamed", async () => {
    const { status, json } = await ask({ messages: HELLO, stream_options: { include_usage: true } });
    assert.deepEqual([status, json["error"]["param"]], [400, "stream_options"]);
  });

  test("of a model that is not there: 404 with the nearest name", async () => {
    const { status, json } = await ask({ model: "shakespear", messages: HELLO });
    assert.deepEqual([status, json["error"]["code"]], [404, "model_not_found"]);
    assert.match(String(json["error"]["message"]), /did you mean shakespeare\?/);
  });

  test("a context that is too short has OpenAI's code", async () => {
    const { json } = await ask({ messages: [{ role: "user", content: "x".repeat(1000) }] });
    assert.equal(json["error"]["code"], "context_length_exceeded");
  });
});
