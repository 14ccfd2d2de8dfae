/** A handler on a port: streams over a socket, clients that vanish, the page beside it, and the end. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import { type NodeServer, startNodeServer } from "../../src/server/node-server.ts";
import { HELLO, eventsOf, handlerOf, loadShakespeare } from "./ask.ts";

const DEADLINE_MS = 10_000;

describe("a handler on a port", () => {
  let model: Model, server: NodeServer, folder: string;
  const ask = (body: object, init: RequestInit = {}): Promise<Response> =>
    fetch(`${server.url}v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...init,
    });
  const running = async (): Promise<number> => {
    const text = await (await fetch(`${server.url}metrics`)).text();
    return Number(/^onebit_requests_running (\d+)$/m.exec(text)?.[1]);
  };
  const isIdle = async (): Promise<void> => {
    for (const end = Date.now() + DEADLINE_MS; (await running()) > 0; await pause(10))
      assert.ok(Date.now() < end, "a slot was not given back");
  };

  before(async () => {
    mkdirSync("build", { recursive: true });
    folder = mkdtempSync(resolve("build/server-"));
    writeFileSync(join(folder, "index.html"), "<p>page");
    model = await loadShakespeare();
    server = await startNodeServer(handlerOf(model), {
      host: "127.0.0.1",
      port: 0,
      allowedHosts: [],
      pageFolder: folder,
      timeoutMs: 60_000,
    });
  });
  after(async () => {
    await server.close(1000);
    await model.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("answers and streams", async () => {
    const body = { messages: HELLO, max_tokens: 5, seed: 1 };
    const whole = (await (await ask(body)).json()) as { choices: { message: { content: string } }[] };
    const events = await eventsOf(await ask({ ...body, stream: true }));
    const texts = events.slice(1, -2).map((event) => {
      return (JSON.parse(event) as { choices: { delta: { content: string } }[] }).choices[0].delta.content;
    });
    assert.equal(texts.join(""), whole.choices[0].message.content);
    assert.equal(events.at(-1), "[DONE]");
  });

  test("clients that vanish free their slots, streaming or not", async () => {
    for (const stream of [true, false]) {
      const clients = Array.from({ length: 8 }, () => new AbortController());
      const asked = clients.map(({ signal }) =>
        ask({ messages: HELLO, max_tokens: 190, stream }, { signal }).then((response) => response.text()),
      );
      await pause(50);
      for (const client of clients) client.abort();
      await Promise.allSettled(asked);
      await isIdle();
    }
  });

  test("the page is at the root, under this machine's names alone", async () => {
    const page = await fetch(server.url);
    assert.deepEqual([page.status, await page.text()], [200, "<p>page"]);
    assert.equal((await fetch(`${server.url}nothing.js`)).status, 404);
    assert.equal((await fetch(`${server.url}v1/nothing`)).status, 404);
    for (const path of ["/", "/v1/models"]) {
      const status = await new Promise((done) =>
        httpRequest(new URL(path, server.url), { headers: { host: "evil.example" } }, ({ statusCode }) =>
          done(statusCode),
        ).end(),
      );
      assert.equal(status, 403, path);
    }
  });

  const odd: readonly (readonly [name: string, text: string, status: RegExp])[] = [
    ["no host", "GET /v1/models HTTP/1.1\r\n\r\n", /^HTTP\/1.1 400/],
    ["two hosts", "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", /^HTTP\/1.1 [24]/],
    ["a host with a path", "GET /v1/models HTTP/1.1\r\nHost: localhost/evil.example\r\n\r\n", /^HTTP\/1.1 40[03]/],
    ["a host with a user", "GET /v1/models HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n", /^HTTP\/1.1 40[03]/],
    ["an absolute target", "GET http://evil.example/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", /^HTTP\/1.1 403/],
    [
      "two lengths",
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
      /^HTTP\/1.1 400/,
    ],
    [
      "a length and chunks",
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      /^HTTP\/1.1 400/,
    ],
    ["headers without end", `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(100_000)}`, /^HTTP\/1.1 431/],
    ["no HTTP", "\x16\x03\x01\x02\0\x01", /^HTTP\/1.1 400/],
    ["a method that is none", "OBEY / HTTP/1.1\r\nHost: localhost\r\n\r\n", /^HTTP\/1.1 400/],
  ];
  for (const [name, text, status] of odd)
    test(`bytes of a hostile client: ${name}`, async () => {
      assert.match(await sent(server.url, text), status);
      assert.equal((await fetch(`${server.url}health`)).status, 200);
    });

  test("a body that is too long is refused while it comes", async () => {
    const response = await ask({ messages: [{ role: "user", content: "x".repeat(3_000_000) }] });
    assert.equal(response.status, 413);
  });

  test("clients that send their request a byte at a time are cut off, and do not keep others out", async () => {
    const limits = { headersTimeoutMs: 200, requestTimeoutMs: 400, connectionsMax: 40, requestsPerSocket: 10 };
    const options = { host: "127.0.0.1", port: 0, allowedHosts: [], pageFolder: undefined, timeoutMs: 60_000 },
      other = await startNodeServer(handlerOf(model), options, limits),
      port = Number(new URL(other.url).port);
    const slow = Array.from({ length: 30 }, (_, i) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      const head = "POST /tokenize HTTP/1.1\r\nHost: localhost\r\n";
      socket.write(i % 2 === 0 ? head : `${head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`);
      socket.resume();
      return new Promise<void>((done) => socket.once("close", () => done()));
    });
    assert.equal((await fetch(`${other.url}health`)).status, 200);
    await Promise.all(slow);
    assert.equal((await fetch(`${other.url}health`)).status, 200);
    await other.close(0);
  });

  test("an end waits for what runs", async () => {
    const other = await startNodeServer(handlerOf(model), {
      host: "127.0.0.1",
      port: 0,
      allowedHosts: [],
      pageFolder: undefined,
      timeoutMs: 60_000,
    });
    const response = await fetch(`${other.url}v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "ROMEO:", max_tokens: 50, stream: true }),
    });
    const closed = other.close(DEADLINE_MS);
    assert.equal((await eventsOf(response)).at(-1), "[DONE]");
    await closed;
    await assert.rejects(fetch(`${other.url}health`));
  });
});

/** The first bytes that a server answers to some. */
function sent(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((done, failed) => {
    const socket = connect(Number(port), hostname === "localhost" ? "127.0.0.1" : hostname);
    socket.setTimeout(DEADLINE_MS, () => failed(new Error("no answer")));
    socket.once("data", (data: Buffer) => (done(data.toString()), socket.destroy()));
    socket.on("error", failed);
    socket.write(text, "latin1");
  });
}
