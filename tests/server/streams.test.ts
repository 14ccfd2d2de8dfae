/**
 * Streams that end early: readers who leave, readers who do not read, and what is said while there is nothing to say.
 */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import type { AnyGeneration, Context, ContextOptions, Model, Piece } from "../../src/index.ts";
import type { Handler } from "../../src/server/handler.ts";
import { HELLO, answered, eventsOf, handlerOf, loadShakespeare, post } from "./ask.ts";

const CHAT = "/v1/chat/completions";
const LONG = { messages: HELLO, max_tokens: 180, stream: true };
const DEADLINE_MS = 10_000;

const metric = async (handler: Handler, name: string): Promise<number> => {
  const text = await (await handler(new Request("http://localhost/metrics"))).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
};

/** Waits until no request is running. */
async function isIdle(handler: Handler): Promise<void> {
  for (const end = Date.now() + DEADLINE_MS; (await metric(handler, "onebit_requests_running")) > 0; await pause(5))
    assert.ok(Date.now() < end, "a slot was not given back");
}

/** The model, with the pieces of its contexts' chats counted. */
function counted(model: Model, counts: { pieces: number }): Model {
  const bound = (target: object, name: string | symbol): unknown => {
    const value: unknown = Reflect.get(target, name, target);
    return typeof value === "function" ? (value.bind(target) as unknown) : value;
  };
  const chatOf =
    (context: Context) =>
    (...args: Parameters<Context["chat"]>): AnyGeneration => {
      const generation = context.chat(...args);
      async function* pieces(): AsyncGenerator<Piece> {
        for await (const piece of generation) {
          counts.pieces++;
          yield piece;
        }
      }
      return {
        [Symbol.asyncIterator]: pieces,
        result: () => generation.result(),
        text: () => generation.text(),
      };
    };
  const contextOf = (options: ContextOptions): Context => {
    const context = model.context(options);
    return new Proxy(context, { get: (target, name) => (name === "chat" ? chatOf(context) : bound(target, name)) });
  };
  return new Proxy(model, { get: (target, name) => (name === "context" ? contextOf : bound(target, name)) });
}

describe("streams that end early", () => {
  let model: Model;
  before(async () => void (model = await loadShakespeare()));
  after(async () => await model.close());

  test("a reader who cancels frees its slot", async () => {
    const handler = handlerOf(model, { parallel: 1 }),
      response = await handler(post(CHAT, LONG)),
      reader = response.body!.getReader();
    await reader.read();
    assert.equal(await metric(handler, "onebit_requests_running"), 1);
    await reader.cancel();
    await isIdle(handler);
    assert.equal(await metric(handler, 'onebit_stopped_total\\{reason="left"\\}'), 1);
    assert.equal((await answered(handler, post(CHAT, { ...LONG, stream: false, max_tokens: 1 }))).status, 200);
  });

  test("a client whose signal fires frees its slot, streaming or not, running or waiting", async () => {
    const handler = handlerOf(model, { parallel: 1 });
    for (const stream of [true, false]) {
      const clients = [new AbortController(), new AbortController()],
        responses = clients.map(({ signal }) => handler(post(CHAT, { ...LONG, stream }, { signal })));
      await pause(30);
      for (const client of clients) client.abort();
      for (const response of await Promise.all(responses)) await response.text().catch(() => {});
      await isIdle(handler);
      assert.equal(await metric(handler, "onebit_requests_waiting"), 0);
    }
  });

  test("no more is computed than a reader takes, but for a bounded lead", async () => {
    const counts = { pieces: 0 },
      handler = handlerOf(counted(model, counts), { parallel: 1, slowReaderMs: DEADLINE_MS }),
      response = await handler(post(CHAT, { ...LONG, n: 4, logprobs: true, top_logprobs: 20 })),
      reader = response.body!.getReader();
    await reader.read();
    for (let before = -1; before !== counts.pieces; await pause(200)) before = counts.pieces;
    // Of 720: an event has 400 bytes and more, and 16 KiB may wait.
    assert.ok(counts.pieces < 60, `${counts.pieces} tokens are computed`);
    for (let i = 0; i < 80; i++) await reader.read();
    assert.ok(counts.pieces >= 70 && counts.pieces < 150, `${counts.pieces} tokens are computed`);
    await reader.cancel();
    await isIdle(handler);
  });

  test("a reader who takes nothing is cut off", async () => {
    const handler = handlerOf(model, { parallel: 1, slowReaderMs: 50 }),
      response = await handler(post(CHAT, { ...LONG, n: 4, logprobs: true, top_logprobs: 20 }));
    await isIdle(handler);
    const text = await response.text();
    assert.doesNotMatch(text, /\[DONE\]/);
    assert.ok(text.length < 32_768);
  });

  test("who waits hears comments, then its answer", async () => {
    const handler = handlerOf(model, { parallel: 1, heartbeatMs: 20 }),
      first = await handler(post(CHAT, LONG)),
      reader = first.body!.getReader();
    await reader.read();
    const second = await handler(post(CHAT, { ...LONG, max_tokens: 2 })),
      waiting = second.body!.getReader(),
      { value } = await waiting.read();
    assert.equal(new TextDecoder().decode(value), ": waiting\n\n");
    await reader.cancel();
    let rest = "";
    for (let next = await waiting.read(); !next.done; next = await waiting.read())
      rest += new TextDecoder().decode(next.value);
    assert.match(rest, /data: \[DONE\]\n\n$/);
  });

  test("too many who wait: 429, and when to come again", async () => {
    const handler = handlerOf(model, { parallel: 1, queue: 1 }),
      first = await handler(post(CHAT, LONG)),
      waiting = handler(post(CHAT, { ...LONG, max_tokens: 1 }));
    const refused = await handler(post(CHAT, LONG));
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
    await first.body!.cancel();
    assert.equal((await eventsOf(await waiting)).at(-1), "[DONE]");
  });

  test("a time that is over: what was written, or 504 where nothing was", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const timeoutMs = 60_000,
      handler = handlerOf(model, { parallel: 1, timeoutMs, queue: 5 }),
      writing = await handler(post(CHAT, LONG)),
      waiting = handler(post(CHAT, { ...LONG, stream: false }));
    while ((await metric(handler, "onebit_requests_waiting")) === 0) await new Promise(setImmediate);
    t.mock.timers.tick(timeoutMs);
    const events = await eventsOf(writing);
    assert.equal(events.at(-1), "[DONE]");
    assert.equal(events.filter((event) => event.includes('"finish_reason":"length"')).length, 1);
    assert.equal((await waiting).status, 504);
  });

  test("an end lets running answers finish, and refuses others", async () => {
    const handler = handlerOf(model, { parallel: 2 }),
      running = await handler(post(CHAT, { ...LONG, max_tokens: 40 })),
      text = eventsOf(running),
      closed = handler.close();
    const refused = await answered(handler, post(CHAT, LONG));
    assert.deepEqual([refused.status, refused.json["error"]["code"]], [503, "shutting_down"]);
    assert.equal((await handler(new Request("http://localhost/health"))).status, 503);
    assert.equal((await text).at(-1), "[DONE]");
    await closed;
  });

  test("an end with a deadline stops them, and tells their readers", async () => {
    const handler = handlerOf(model, { parallel: 1 }),
      running = await handler(post(CHAT, { ...LONG, n: 16 })),
      [events] = await Promise.all([eventsOf(running), handler.close({ deadlineMs: 1 })]);
    assert.match(events.at(-1)!, /shutting_down/);
  });
});

test("a context that is lost with its worker ends the answer, not the program", async () => {
  const failure = new OnebitError("engine/worker-lost", "the worker ended"),
    chat = () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }) });
  const context = { chat, close: () => Promise.reject(failure) },
    model = { memory: { wasmBytes: 1 }, generate() {}, async close() {}, context: () => context };
  const handler = handlerOf(model as unknown as Model);
  const unhandled: unknown[] = [];
  const listener = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", listener);
  try {
    const { status, json } = await answered(handler, post(CHAT, { messages: HELLO }));
    assert.deepEqual([status, json["error"]["code"]], [503, "engine/worker-lost"]);
    await pause(10);
    assert.deepEqual(unhandled, []);
  } finally {
    process.off("unhandledRejection", listener);
    await handler.close();
  }
});
