/**
 * Mutated requests: every one is answered or refused, with no status of 500, no trace, and no promise that nobody
 * awaits. `ONEBIT_HTTP_FUZZ` says how many.
 */
import assert from "node:assert/strict";
import { type TestContext, after, before, describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import { load } from "../../src/load.ts";
import type { Handler } from "../../src/server/handler.ts";
import { handlerOf, post } from "./ask.ts";
import { type Random, seededRandom } from "../synthetic/random.ts";

const N_REQUESTS = Number(process.env.ONEBIT_HTTP_FUZZ ?? 600);
/** Of one test, whose time is limited. */
const N_PER_TEST = 10_000;
const N_AT_ONCE = 8;
/** Of processor time, neighbours included: a busy machine is no hang. Those alone stay below half a second. */
const HANG_MS = 10_000;

const TOOLS = [
  { type: "function", function: { name: "f", parameters: { type: "object", properties: { a: { type: "string" } } } } },
];
const CALL = { id: "c1", type: "function", function: { name: "f", arguments: '{"a":"b"}' } };
const MESSAGES = [
  { role: "system", content: "Be brief." },
  { role: "user", content: [{ type: "text", text: "Hi" }] },
];

/** Requests that are right. */
const SEEDS: readonly (readonly [path: string, body: object])[] = [
  ["/v1/chat/completions", { messages: MESSAGES, max_tokens: 3, temperature: 1, top_p: 0.9, top_k: 5, seed: 1 }],
  [
    "/v1/chat/completions",
    { messages: MESSAGES, max_tokens: 3, stream: true, stream_options: { include_usage: true } },
  ],
  ["/v1/chat/completions", { messages: MESSAGES, max_tokens: 3, n: 2, logprobs: true, top_logprobs: 2, stop: ["a"] }],
  ["/v1/chat/completions", { messages: MESSAGES, max_tokens: 3, response_format: { type: "json_object" } }],
  [
    "/v1/chat/completions",
    {
      messages: MESSAGES,
      max_tokens: 3,
      response_format: { type: "json_schema", json_schema: { name: "a", schema: { type: "object", required: ["a"] } } },
    },
  ],
  ["/v1/chat/completions", { messages: MESSAGES, max_tokens: 3, grammar: 'root ::= ("a" | "b"){2,5}' }],
  ["/v1/chat/completions", { messages: MESSAGES, max_tokens: 3, regex: "(a|b)+[^c-f]\\d{2,5}" }],
  ["/v1/chat/completions", { messages: MESSAGES, max_tokens: 3, logit_bias: { 5: 1, 7: -100 }, min_p: 0.1 }],
  ["/v1/chat/completions", { messages: MESSAGES, max_tokens: 3, tools: TOOLS, tool_choice: "auto" }],
  [
    "/v1/chat/completions",
    {
      messages: [
        ...MESSAGES,
        { role: "assistant", content: null, tool_calls: [CALL] },
        { role: "tool", tool_call_id: "c1", content: "b" },
      ],
      max_tokens: 3,
      tools: TOOLS,
    },
  ],
  ["/v1/completions", { prompt: "ROMEO:", max_tokens: 3, logprobs: 2, n: 2 }],
  ["/v1/completions", { prompt: [[5, 6], [7]], max_tokens: 3, stream: true }],
  ["/v1/responses", { input: "Hi", max_output_tokens: 3, instructions: "Be brief.", truncation: "auto" }],
  [
    "/v1/responses",
    {
      input: [
        { role: "user", content: [{ type: "input_text", text: "Hi" }] },
        { type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
        { type: "function_call_output", call_id: "c1", output: "5" },
      ],
      max_output_tokens: 3,
      stream: true,
      tools: [{ type: "function", name: "f", parameters: { type: "object" } }],
    },
  ],
  ["/v1/embeddings", { input: ["a", "b"], dimensions: 4, encoding_format: "base64" }],
  ["/tokenize", { content: "Hello", with_pieces: true }],
  ["/detokenize", { tokens: [1, 2, 3] }],
];

const ODD: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  -1e308,
  2 ** 53,
  "",
  "x",
  "\0",
  "\ud800",
  "x".repeat(5000),
  "{{ messages }}",
  "(".repeat(3000),
  [],
  [[]],
  [null],
  {},
  { type: "function" },
  { a: { a: { a: {} } } },
  JSON.parse('{"__proto__":{"a":1}}'),
  Array.from({ length: 2000 }, (_, i) => i),
];
const NAMES = ["__proto__", "constructor", "messages", "prompt", "stream", "tool", "x", "format", "max_token"];
const HEADERS: readonly Readonly<Record<string, string>>[] = [
  { authorization: "Bearer \t" },
  { "content-type": "application/json;charset=utf-16" },
  { "content-type": "text/plain" },
  { "content-length": "-1" },
  { origin: "null" },
  { accept: "*".repeat(5000) },
  { "x-forwarded-host": "evil.example" },
];

const pick = <T>(random: Random, list: readonly T[]): T => list[random.u32() % list.length];

/** Changes one value somewhere within `value`. */
function changed(random: Random, value: unknown): unknown {
  if (typeof value !== "object" || value === null || random.u32() % 4 === 0) return structuredClone(pick(random, ODD));
  if (Array.isArray(value)) {
    const i = random.u32() % Math.max(1, value.length);
    return random.u32() % 3 === 0
      ? [...value, ...value]
      : value.map((one, at) => (at === i ? changed(random, one) : one));
  }
  const entries = Object.entries(value),
    i = random.u32() % Math.max(1, entries.length);
  if (random.u32() % 5 === 0) entries.splice(i, 1);
  else if (random.u32() % 5 === 0) entries.push([pick(random, NAMES), pick(random, ODD)]);
  else if (entries.length > 0) entries[i] = [entries[i][0], changed(random, entries[i][1])];
  return Object.fromEntries(entries);
}

/** Changes some characters. */
function damaged(random: Random, text: string): string {
  let damagedText = text;
  for (let n = 1 + (random.u32() % 3); n > 0; n--) {
    const at = random.u32() % (damagedText.length + 1),
      piece = pick(random, ["", "{", "}", '"', ",", "[", "\\", "1e999", "\u2028", "\x7f", "null", "-"]);
    damagedText = damagedText.slice(0, at) + piece + damagedText.slice(at + (random.u32() % 4));
  }
  return damagedText;
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function requestOf(seed: number): Request {
  const random = seededRandom(seed),
    [path, body] = pick(random, SEEDS);
  let mutated: unknown = body;
  for (let n = random.u32() % 3; n > 0; n--) mutated = changed(random, mutated);
  const text = JSON.stringify(mutated) ?? "";
  const headers = random.u32() % 8 === 0 ? pick(random, HEADERS) : {};
  return post(path, random.u32() % 4 === 0 ? damaged(random, text) : text, { headers });
}

describe("mutated requests", () => {
  let model: Model, handler: Handler;
  const failures: unknown[] = [];
  before(async () => {
    model = await load(undefined, { contextLength: 128, kvPositions: 1024 });
    handler = handlerOf(model, { parallel: N_AT_ONCE, onError: (error) => failures.push(error) });
  });
  after(async () => {
    await handler.close();
    await model.close();
  });

  const tryFrom = async (t: TestContext, first: number, end: number): Promise<void> => {
    const statuses = new Map<number, number>();
    let next = first,
      slowestMs = 0,
      slowest = 0;
    const worker = async (): Promise<void> => {
      while (next < end) {
        const seed = next++,
          begin = processorMs(),
          response = await handler(requestOf(seed)),
          text = await response.text(),
          tookMs = processorMs() - begin;
        if (tookMs > slowestMs) [slowestMs, slowest] = [tookMs, seed];
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        const detail = `request ${seed}: ${response.status} ${text.slice(0, 300)} ${String(failures.at(-1))}`;
        assert.ok([200, 400, 403, 404, 413, 415].includes(response.status), detail);
        assert.deepEqual(failures, [], detail);
        assert.doesNotMatch(text, /\.ts:\d+|"code":"internal_error"/, detail);
      }
    };
    await Promise.all(Array.from({ length: N_AT_ONCE }, worker));
    t.diagnostic(
      `${JSON.stringify(Object.fromEntries(statuses))}; the slowest took ${Math.round(slowestMs)} ms of the processor`,
    );
    assert.ok(slowestMs < HANG_MS, `request ${slowest} took ${slowestMs} ms of the processor`);
    // Neither all right nor all wrong.
    const [nRight, nWrong] = [200, 400].map((status) => statuses.get(status) ?? 0);
    assert.ok(nRight > (end - first) / 20 && nWrong > (end - first) / 4);
  };

  for (let first = 1; first <= N_REQUESTS; first += N_PER_TEST) {
    const end = Math.min(first + N_PER_TEST, N_REQUESTS + 1);
    test(`${first} to ${end - 1} are answered or refused`, async (t) => await tryFrom(t, first, end));
  }
});
