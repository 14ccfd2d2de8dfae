/** The server of the chat page: its headers, its types, and that nothing outside its folder is ever given. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { type StaticServer, startStaticServer } from "../../src/server/static-server.ts";

describe("static server", () => {
  let folder = "",
    server: StaticServer;

  before(async () => {
    mkdirSync("build", { recursive: true });
    folder = mkdtempSync(resolve("build/static-"));
    mkdirSync(join(folder, "web", "sub"), { recursive: true });
    for (const [name, text] of [
      ["web/index.html", "<p>page"],
      ["web/a.js", "1"],
      ["web/k.wasm", "w"],
      ["web/.hidden", "h"],
      ["web/sub/index.html", "<p>sub"],
      ["secret.txt", "s"],
    ])
      writeFileSync(join(folder, name), text);
    symlinkSync(join(folder, "secret.txt"), join(folder, "web", "link.txt"));
    server = await startStaticServer({ folder: join(folder, "web"), host: "127.0.0.1", port: 0 });
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("serves files with their types and isolation headers", async () => {
    for (const [path, type, body] of [
      ["", "text/html; charset=utf-8", "<p>page"],
      ["a.js?x", "text/javascript; charset=utf-8", "1"],
      ["k.wasm", "application/wasm", "w"],
      ["sub/", "text/html; charset=utf-8", "<p>sub"],
    ]) {
      const answer = await fetch(server.url + path);
      assert.deepEqual(
        [answer.status, answer.headers.get("content-type"), await answer.text()],
        [200, type, body],
        path,
      );
      assert.deepEqual(
        ["cross-origin-opener-policy", "cross-origin-embedder-policy", "x-content-type-options"].map((name) =>
          answer.headers.get(name),
        ),
        ["same-origin", "require-corp", "nosniff"],
      );
    }
  });

  test("does not resend unchanged files", async () => {
    const etag = (await fetch(`${server.url}a.js`)).headers.get("etag") ?? "";
    assert.equal((await fetch(`${server.url}a.js`, { headers: { "if-none-match": etag } })).status, 304);
  });

  test("HEAD has no body; other methods are refused", async () => {
    const head = await fetch(`${server.url}a.js`, { method: "HEAD" });
    assert.deepEqual([head.status, head.headers.get("content-length"), await head.text()], [200, "1", ""]);
    const post = await fetch(server.url, { method: "POST", body: "x" });
    assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
  });

  const paths = [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/sub/..%2f..%2fsecret.txt",
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "//etc/passwd",
    "/%00",
    "/%",
    "/.hidden",
    "/link.txt",
    "/sub",
    "/absent",
    "/a.js/",
    "http://other/../secret.txt",
  ];
  for (const path of paths) {
    test(`nothing for ${path}`, async () => {
      const answer = await rawAnswer(
        server.url,
        `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 404 /);
    });
  }

  describe("only this machine's names", () => {
    for (const [host, status] of [
      ["localhost", 404],
      ["LOCALHOST:8321", 404],
      ["127.0.0.1:1", 404],
      ["[::1]:8321", 404],
      ["evil.example", 403],
      ["127.0.0.1.evil.example", 403],
      ["localhost.evil.example:80", 403],
      ["", 403],
    ] as const) {
      test(`${host || "none"}: ${status}`, async () => {
        assert.match(
          await rawAnswer(server.url, `GET /absent HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`),
          new RegExp(`^HTTP/1\\.1 ${status} `),
        );
      });
    }

    test("accepts any name when it listens on the network", async () => {
      const open = await startStaticServer({ folder: join(folder, "web"), host: "0.0.0.0", port: 0 });
      try {
        assert.match(
          await rawAnswer(open.url, "GET /a.js HTTP/1.1\r\nhost: my-computer.local\r\nconnection: close\r\n\r\n"),
          /^HTTP\/1\.1 200 /,
        );
      } finally {
        await open.close();
      }
    });
  });

  describe("a file that changes while it is sent", () => {
    const sizeBytes = 8 * 1024 * 1024,
      path = (): string => join(folder, "web", "big.gguf");
    /** The first bytes have come; the rest waits until it is asked for. */
    const begin = (url: string): Promise<IncomingMessage> =>
      new Promise((resolve, reject) =>
        httpRequest(`${url}big.gguf`, (answer) => answer.once("readable", () => resolve(answer)))
          .on("error", reject)
          .end(),
      );

    test("and grows: sends as many bytes as promised", async () => {
      writeFileSync(path(), new Uint8Array(sizeBytes));
      const answer = await begin(server.url);
      appendFileSync(path(), new Uint8Array(sizeBytes));
      let bytes = 0;
      for await (const chunk of answer) bytes += (chunk as Buffer).length;
      assert.deepEqual([bytes, answer.headers["content-length"]], [sizeBytes, String(sizeBytes)]);
    });

    test("and shrinks: the reader sees a cut body, and the server lives on", async () => {
      writeFileSync(path(), new Uint8Array(sizeBytes));
      const answer = await begin(server.url);
      truncateSync(path(), 1000);
      await assert.rejects(async () => {
        for await (const chunk of answer) void chunk;
      }, /aborted|ECONNRESET/);
      assert.equal((await fetch(`${server.url}a.js`)).status, 200);
    });

    test("an empty one has no bytes", async () => {
      writeFileSync(join(folder, "web", "empty.js"), "");
      const answer = await fetch(`${server.url}empty.js`);
      assert.deepEqual([answer.headers.get("content-length"), await answer.text()], ["0", ""]);
    });
  });

  test("ends connections that stay silent, stop in their headers or read nothing; serves others", async () => {
    writeFileSync(join(folder, "web", "long.gguf"), new Uint8Array(64 * 1024 * 1024));
    const strict = await startStaticServer(
      { folder: join(folder, "web"), host: "127.0.0.1", port: 0 },
      { headersTimeoutMs: 200, requestTimeoutMs: 300, idleTimeoutMs: 400, connectionsMax: 8 },
    );
    try {
      const port = Number(new URL(strict.url).port);
      const sockets = [
        "",
        "GET / HTTP/1.1\r\nhost: loc",
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nx",
        "GET /long.gguf HTTP/1.1\r\nhost: localhost\r\n\r\n",
      ].map((text) => {
        const socket = connect(port, "127.0.0.1").pause();
        socket.write(text);
        return socket;
      });
      assert.equal((await fetch(`${strict.url}a.js`)).status, 200);
      // Reading again shows whether the other side is still there.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      await Promise.all(sockets.map((socket) => (socket.on("error", () => {}).resume(), once(socket, "close"))));
    } finally {
      await strict.close();
    }
  });

  test("ends clients that send headers or a body byte by byte; serves others", async () => {
    const strict = await startStaticServer(
        { folder: join(folder, "web"), host: "127.0.0.1", port: 0 },
        { headersTimeoutMs: 400, requestTimeoutMs: 600, idleTimeoutMs: 60_000, connectionsMax: 64 },
      ),
      port = Number(new URL(strict.url).port);
    // Never silent for the idle timeout: only the limits on a whole request can end them.
    const slow = Array.from({ length: 40 }, (_, i) => {
      const socket = connect(port, "127.0.0.1").on("error", () => {}),
        inBody = i % 2 === 1;
      socket.write(`${inBody ? "POST" : "GET"} / HTTP/1.1\r\nhost: localhost\r\n`);
      socket.write(inBody ? "content-length: 100000\r\n\r\n" : "x-a: ");
      const timer = setInterval(() => socket.write("a"), 20);
      return once(socket.resume(), "close").finally(() => clearInterval(timer));
    });
    try {
      assert.equal((await fetch(`${strict.url}a.js`)).status, 200);
      await Promise.all(slow);
    } finally {
      await strict.close();
    }
  });

  test("refuses connections beyond the limit, until others end", async () => {
    const strict = await startStaticServer(
      { folder: join(folder, "web"), host: "127.0.0.1", port: 0 },
      { headersTimeoutMs: 5_000, requestTimeoutMs: 5_000, idleTimeoutMs: 5_000, connectionsMax: 4 },
    );
    const port = Number(new URL(strict.url).port),
      held = Array.from({ length: 4 }, () => connect(port, "127.0.0.1").on("error", () => {}));
    try {
      await Promise.all(held.map((socket) => once(socket, "connect")));
      await assert.rejects(
        rawAnswer(strict.url, "GET /a.js HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").then((text) =>
          assert.match(text, /200/),
        ),
      );
      held.forEach((socket) => socket.destroy());
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal((await fetch(`${strict.url}a.js`)).status, 200);
    } finally {
      held.forEach((socket) => socket.destroy());
      await strict.close();
    }
  });

  test("reports a taken port and a missing folder", async () => {
    const port = Number(new URL(server.url).port);
    await assert.rejects(
      startStaticServer({ folder: join(folder, "web"), host: "127.0.0.1", port }),
      (error) => error instanceof OnebitError && /is in use.*--port/.test(error.message),
    );
    await assert.rejects(
      startStaticServer({ folder: join(folder, "none"), host: "127.0.0.1", port: 0 }),
      (error) => error instanceof OnebitError && error.code === "file/not-found",
    );
    await assert.rejects(
      startStaticServer({ folder, host: "127.0.0.1", port: 0 }),
      (error) => error instanceof OnebitError && /npm run build/.test(error.message),
    );
  });
});

test("onebit web serves dist/web until Ctrl-C", async () => {
  const program = spawn(process.execPath, ["dist/cli.js", "web", "--port", "0"], { stdio: ["ignore", "pipe", "pipe"] });
  try {
    const [line] = (await once(program.stdout, "data")) as [Buffer];
    const answer = await fetch(String(line).trim());
    assert.match(await answer.text(), /<title>onebit<\/title>/);
    const ended = once(program, "exit");
    program.kill("SIGINT");
    assert.deepEqual(await ended, [130, null]);
  } finally {
    program.kill("SIGKILL");
  }
});

/** `fetch` would tidy the path before it is sent. */
async function rawAnswer(url: string, request: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(request);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}
