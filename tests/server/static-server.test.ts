/** The server of the chat page: its headers, its types, and that nothing outside its folder is ever given. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { type StaticServer, startStaticServer } from "../../src/server/static-server.ts";

describe("static server", () => {
  let folder = "", server: StaticServer;

  before(async () => {
    mkdirSync("build", { recursive: true });
    folder = mkdtempSync(resolve("build/static-"));
    mkdirSync(join(folder, "web", "sub"), { recursive: true });
    for (const [name, text] of [["web/index.html", "<p>page"], ["web/a.js", "1"], ["web/k.wasm", "w"], ["web/.hidden", "h"], ["web/sub/index.html", "<p>sub"], ["secret.txt", "s"]]) writeFileSync(join(folder, name), text);
    symlinkSync(join(folder, "secret.txt"), join(folder, "web", "link.txt"));
    server = await startStaticServer({ folder: join(folder, "web"), host: "127.0.0.1", port: 0 });
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("gives files with their types, isolated", async () => {
    for (const [path, type, body] of [["", "text/html; charset=utf-8", "<p>page"], ["a.js?x", "text/javascript; charset=utf-8", "1"], ["k.wasm", "application/wasm", "w"], ["sub/", "text/html; charset=utf-8", "<p>sub"]]) {
      const answer = await fetch(server.url + path);
      assert.deepEqual([answer.status, answer.headers.get("content-type"), await answer.text()], [200, type, body], path);
      assert.deepEqual(
        ["cross-origin-opener-policy", "cross-origin-embedder-policy", "x-content-type-options"].map((name) => answer.headers.get(name)),
        ["same-origin", "require-corp", "nosniff"],
      );
    }
  });

  test("does not send again what has not changed", async () => {
    const etag = (await fetch(`${server.url}a.js`)).headers.get("etag") ?? "";
    assert.equal((await fetch(`${server.url}a.js`, { headers: { "if-none-match": etag } })).status, 304);
  });

  test("HEAD has no body; other methods are refused", async () => {
    const head = await fetch(`${server.url}a.js`, { method: "HEAD" });
    assert.deepEqual([head.status, head.headers.get("content-length"), await head.text()], [200, "1", ""]);
    const post = await fetch(server.url, { method: "POST", body: "x" });
    assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
  });

  const paths = ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/sub/..%2f..%2fsecret.txt", "/..\\secret.txt", "/..%5csecret.txt", "//etc/passwd", "/%00", "/%", "/.hidden", "/link.txt", "/sub", "/absent", "/a.js/", "http://other/../secret.txt"];
  for (const path of paths) {
    test(`nothing for ${path}`, async () => {
      const answer = await rawAnswer(server.url, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 404 /);
    });
  }

  test("a port that is taken, a folder that is none: said", async () => {
    const port = Number(new URL(server.url).port);
    await assert.rejects(startStaticServer({ folder: join(folder, "web"), host: "127.0.0.1", port }), (error) => error instanceof OnebitError && /is in use.*--port/.test(error.message));
    await assert.rejects(startStaticServer({ folder: join(folder, "none"), host: "127.0.0.1", port: 0 }), (error) => error instanceof OnebitError && error.code === "file/not-found");
    await assert.rejects(startStaticServer({ folder, host: "127.0.0.1", port: 0 }), (error) => error instanceof OnebitError && /npm run build/.test(error.message));
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
