/**
 * What a handler refuses before it computes: a table of hostile requests with the status of each. No answer is a 500,
 * names a path or shows a stack, and the next request is answered.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import type { Handler } from "../../src/server/handler.ts";
import { HELLO, answered, handlerOf, loadShakespeare, post } from "./ask.ts";

const CHAT = "/v1/chat/completions";
const BODY = { messages: HELLO, max_tokens: 1 };
const KEY = "a-key-of-this-test";
const MEBIBYTE = 1024 * 1024;
const TEXTS = { type: "array", items: { type: "string" } };

const url = (address: string, init: RequestInit = {}): Request => new Request(address, init);
const chat = (more: object): Request => post(CHAT, { ...BODY, ...more });
const raw = (body: BodyInit, headers: Record<string, string> = {}): Request =>
  new Request(`http://localhost${CHAT}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
    // Where the body is a stream.
    ...{ duplex: "half" },
  });

/** Sends `nBytes` of white space, then BODY, without saying how long it is. */
function longBody(nBytes: number): ReadableStream<Uint8Array> {
  let left = nBytes;
  return new ReadableStream({
    pull(controller) {
      const length = Math.min(left, 65_536);
      left -= length;
      if (length > 0) return controller.enqueue(new Uint8Array(length).fill(0x20));
      controller.enqueue(new TextEncoder().encode(JSON.stringify(BODY)));
      controller.close();
    },
  });
}

const nested = (depth: number, open = "[", close = "]"): string => open.repeat(depth) + close.repeat(depth);
const inMessages = (value: string): string => `{"messages":[{"role":"user","content":"x"}],"tools":${value}}`;

/** Sent to a handler with no options but its models. */
const REQUESTS: readonly (readonly [name: string, status: number, request: () => Request])[] = [
  // DNS rebinding.
  ["another host in the URL", 403, () => url("http://evil.example/v1/models")],
  ["another host with our port", 403, () => url("http://evil.example:8080/v1/models")],
  ["another host in the header", 403, () => url("http://localhost/v1/models", { headers: { host: "evil.example" } })],
  ["a name that begins like ours", 403, () => url("http://localhost.evil.example/v1/models")],
  ["an address that looks like ours", 403, () => url("http://127.0.0.1.evil.example/v1/models")],
  ["another address", 403, () => url("http://192.168.1.5/v1/models")],
  ["the unspecified address", 403, () => url("http://0.0.0.0/v1/models")],
  ["another host, for /health", 403, () => url("http://evil.example/health")],
  ["another host, for a preflight", 403, () => url("http://evil.example/v1/models", { method: "OPTIONS" })],
  ["this machine, by name", 200, () => url("http://localhost:8080/v1/models")],
  ["this machine, in capitals", 200, () => url("http://LOCALHOST:8080/v1/models")],
  ["this machine, by address", 200, () => url("http://127.0.0.1/v1/models")],
  ["this machine, by its other address", 200, () => url("http://[::1]:8080/v1/models")],
  // Other sites' pages.
  ["another origin", 403, () => post(CHAT, BODY, { headers: { origin: "https://evil.example" } })],
  ["no origin worth a name", 403, () => post(CHAT, BODY, { headers: { origin: "null" } })],
  ["an origin on another port", 403, () => post(CHAT, BODY, { headers: { origin: "http://localhost:81" } })],
  ["its own origin", 200, () => post(CHAT, BODY, { headers: { origin: "http://localhost" } })],
  ["a preflight of another origin", 403, () => url("http://localhost/v1/models", preflight("https://evil.example"))],
  // Requests that a form can send.
  ["a form's text", 415, () => post(CHAT, BODY, { headers: { "content-type": "text/plain" } })],
  ["a form", 415, () => post(CHAT, "a=b", { headers: { "content-type": "application/x-www-form-urlencoded" } })],
  ["a form's parts", 415, () => post(CHAT, "a=b", { headers: { "content-type": "multipart/form-data; boundary=a" } })],
  ["JSON by another name", 415, () => post(CHAT, BODY, { headers: { "content-type": "application/jsonp" } })],
  ["no content type", 415, () => url(`http://localhost${CHAT}`, { method: "POST", body: new Uint8Array(4) })],
  ["JSON that is packed", 415, () => post(CHAT, BODY, { headers: { "content-encoding": "gzip" } })],
  [
    "JSON with a charset",
    200,
    () => post(CHAT, BODY, { headers: { "content-type": "application/json; charset=utf-8" } }),
  ],
  // Bodies.
  ["a body of two mebibytes", 413, () => raw(" ".repeat(2 * MEBIBYTE))],
  ["an endless body without a length", 413, () => raw(longBody(1e12))],
  ["a body within the limit", 200, () => raw(longBody(MEBIBYTE / 2))],
  ["a body that breaks off", 400, () => raw(new ReadableStream({ start: (c) => c.error(new Error("gone")) }))],
  ["no body", 400, () => post(CHAT, undefined, { body: undefined })],
  ["an empty body", 400, () => post(CHAT, "")],
  ["half a body", 400, () => post(CHAT, '{"messages":[{"role"')],
  ["bytes that are no UTF-8", 400, () => raw(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]))],
  ["UTF-16", 400, () => raw(new Uint8Array(Buffer.from(JSON.stringify(BODY), "utf16le")))],
  ["a lone surrogate", 200, () => raw('{"messages":[{"role":"user","content":"\\ud800"}],"max_tokens":1}')],
  ["the character 0", 200, () => chat({ messages: [{ role: "user", content: "a\0b" }] })],
  ["names of control tokens", 200, () => chat({ messages: [{ role: "user", content: "<|im_end|><s>" }] })],
  ["60,000 lists in lists", 400, () => raw(inMessages(nested(60_000)))],
  ["500,000 lists in lists", 400, () => raw(nested(500_000))],
  ["60,000 objects in objects", 400, () => raw(inMessages(nested(60_000, '{"a":', "}").replace('{"a":}', "{}")))],
  ["brackets in a text", 400, () => chat({ messages: [{ role: "user", content: "[".repeat(100_000) }] })],
  ["a body that is a list", 400, () => post(CHAT, [])],
  ["a body that is null", 400, () => post(CHAT, "null")],
  ["a body that is a number", 400, () => post(CHAT, "1e999")],
  ["a member __proto__", 400, () => raw(`{"__proto__":{"model":"x"},${JSON.stringify(BODY).slice(1)}`)],
  ["a member constructor", 400, () => chat({ constructor: { prototype: {} } })],
  ["a member __proto__ of a message", 400, () => raw('{"messages":[{"role":"user","__proto__":{"content":"x"}}]}')],
  ["biases of __proto__", 400, () => raw(`{"logit_bias":{"__proto__":1},${JSON.stringify(BODY).slice(1)}`)],
  ["a very long name", 400, () => chat({ ["x".repeat(100_000)]: 1 })],
  // Numbers.
  ["NaN", 400, () => raw('{"messages":[{"role":"user","content":"x"}],"temperature":NaN}')],
  ["a number that overflows", 400, () => raw('{"messages":[{"role":"user","content":"x"}],"temperature":1e999}')],
  ["1e308", 400, () => chat({ temperature: 1e308 })],
  ["a negative number of tokens", 400, () => chat({ max_tokens: -1 })],
  ["half a token", 400, () => chat({ max_tokens: 0.5 })],
  ["2^53 tokens", 400, () => chat({ max_tokens: 2 ** 53 })],
  ["a million choices", 400, () => chat({ n: 1e6 })],
  ["a negative seed", 400, () => chat({ seed: -5 })],
  ["a negative top_k", 400, () => chat({ top_k: -40 })],
  ["a huge penalty", 400, () => chat({ frequency_penalty: 1e9 })],
  ["a bias that overflows", 400, () => chat({ logit_bias: { 5: 1e300 } })],
  ["too many logprobs", 400, () => chat({ logprobs: true, top_logprobs: 1e6 })],
  ["a number as a text", 400, () => chat({ max_tokens: "1" })],
  ["a text as messages", 400, () => chat({ messages: "hello" })],
  ["a stop string of a megabyte", 400, () => chat({ stop: "x".repeat(900_000) })],
  ["ten thousand stop strings", 400, () => chat({ stop: Array.from({ length: 10_000 }, () => "a") })],
  ["ten thousand messages", 400, () => chat({ messages: Array.from({ length: 10_000 }, () => HELLO[0]) })],
  // Formats.
  [
    "a grammar of 60,000 groups",
    400,
    () => chat({ grammar: `root ::= ${"(".repeat(60_000)}"a"${")".repeat(60_000)}` }),
  ],
  ["a grammar that calls itself", 400, () => chat({ grammar: "root ::= root" })],
  ["a pattern that explodes", 200, () => chat({ regex: "(a|aa|aaa)*b" })],
  ["a pattern of 60,000 groups", 400, () => chat({ regex: "(".repeat(60_000) + ")".repeat(60_000) })],
  ["a schema that nothing fits", 400, () => chat({ json_schema: { allOf: [{ type: "null" }, { type: "string" }] } })],
  ["a schema that names a site", 400, () => chat({ json_schema: { $ref: "https://evil.example/schema" } })],
  ["a schema with a billion items", 200, () => chat({ json_schema: { ...TEXTS, maxItems: 1e9 } })],
  // What would reach for files, sites or the past.
  [
    "an image by its address",
    400,
    () => chat({ messages: [{ role: "user", content: [image("file:///etc/passwd")] }] }),
  ],
  ["a model that is a path", 404, () => chat({ model: "../../etc/passwd" })],
  ["a template in the request", 400, () => chat({ chat_template: "{{ 1 }}" })],
  ["a path above the root", 404, () => url("http://localhost/v1/models/..%2f..%2fetc%2fpasswd")],
  ["a path with a bad escape", 404, () => url("http://localhost/v1/models/%E0%A4%A")],
  ["a very long path", 404, () => url(`http://localhost/${"x".repeat(100_000)}`)],
  ["a method of its own", 404, () => url("http://localhost/", { method: "PROPFIND" })],
  ["DELETE of a model", 404, () => url("http://localhost/v1/models/shakespeare", { method: "DELETE" })],
  ["GET of a chat", 405, () => url(`http://localhost${CHAT}`)],
  ["a key that nobody asks for", 200, () => post(CHAT, BODY, { headers: { authorization: "Bearer x" } })],
];

function preflight(origin: string): RequestInit {
  return { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } };
}

function image(address: string): object {
  return { type: "image_url", image_url: { url: address } };
}

describe("hostile requests", () => {
  let model: Model, handler: Handler;
  const failures: unknown[] = [];
  before(async () => {
    model = await loadShakespeare();
    handler = handlerOf(model, { onError: (error) => failures.push(error) });
  });
  after(async () => {
    await handler.close();
    await model.close();
  });

  for (const [name, status, request] of REQUESTS)
    test(`${name}: ${status}`, async () => {
      const response = await handler(request()),
        text = await response.text();
      assert.equal(response.status, status, text);
      if (status >= 400) {
        const { error } = JSON.parse(text) as { error: Record<string, unknown> };
        assert.deepEqual(Object.keys(error), ["message", "type", "param", "code"]);
        assert.ok(text.length < 5000, "an answer repeats little of a request");
      }
      assert.doesNotMatch(text, /\/(?:src|dist|build|node_modules)\/|\.ts:\d+|\bat .+:\d+:\d+/);
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.equal((await handler(url("http://localhost/health"))).status, 200);
    });

  test("none was a failure of ours", () => assert.deepEqual(failures, []));
});

describe("keys, hosts and origins", () => {
  let model: Model;
  before(async () => void (model = await loadShakespeare()));
  after(async () => await model.close());

  test("a key, when one is set, opens all but /health", async () => {
    const handler = handlerOf(model, { apiKeys: ["another-key", KEY] });
    const status = async (path: string, authorization?: string): Promise<number> =>
      (await handler(url(`http://localhost${path}`, { headers: authorization === undefined ? {} : { authorization } })))
        .status;
    const wrong = [undefined, "", "Bearer", `Basic ${KEY}`, `Bearer ${KEY}x`, `Bearer ${KEY.slice(1)}`, KEY];
    for (const given of wrong) {
      assert.equal(await status("/v1/models", given), 401, given);
      assert.equal(await status("/metrics", given), 401);
      assert.equal(await status("/health", given), 200);
    }
    assert.equal(await status("/v1/models", `Bearer ${KEY}`), 200);
    const { json } = await answered(handler, post(CHAT, BODY));
    assert.equal(json["error"]["code"], "invalid_api_key");
  });

  test("hosts and origins that are allowed", async () => {
    const handler = handlerOf(model, { allowedHosts: ["models.example"], allowedOrigins: ["https://app.example"] });
    assert.equal((await handler(url("http://models.example:8080/v1/models"))).status, 200);
    assert.equal((await handler(url("http://other.example/v1/models"))).status, 403);
    const asked = await handler(url("http://localhost/v1/models", preflight("https://app.example")));
    assert.equal(asked.status, 204);
    const ofClient = preflight("https://app.example");
    for (const [wanted, given] of [
      ["authorization, content-type, x-stainless-os", "authorization, content-type, x-stainless-os"],
      ["x: y", "authorization, content-type"],
    ]) {
      const headers = { ...ofClient.headers, "access-control-request-headers": wanted };
      const { headers: found } = await handler(url("http://localhost/v1/models", { ...ofClient, headers }));
      assert.equal(found.get("access-control-allow-headers"), given);
    }
    const { headers } = await handler(post(CHAT, BODY, { headers: { origin: "https://app.example" } }));
    assert.equal(headers.get("access-control-allow-origin"), "https://app.example");
    assert.equal(headers.get("access-control-allow-credentials"), null);
    const own = await handler(url("http://localhost/v1/models"));
    assert.equal(own.headers.get("access-control-allow-origin"), null);
    const any = handlerOf(model, { allowedHosts: "any" });
    assert.equal((await any(url("https://name.workers.dev/v1/models"))).status, 200);
  });
});
