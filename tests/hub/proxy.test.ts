/**
 * Through a proxy that the environment names, in processes of their own: on Node 20 with undici, which tests/hub/proxy
 * brings (`npm ci --prefix tests/hub/proxy`), on newer ones by themselves; and what is said where neither is there.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { build } from "esbuild";
import { proxyFor } from "../../src/platform/node/proxy.ts";
import { FakeHub, modelBytes, sha256 } from "./fake-hub.ts";

const model = modelBytes(3_000_000, 1),
  PEER = resolve("tests/hub/proxy");
const [major, minor] = process.versions.node.split(".").map(Number),
  hasOwn = major >= 24 || (major === 22 && minor >= 21);

let server: FakeHub,
  folder = "",
  program = "";
const proxied: string[] = [];
/** Sends on what it is asked for, whole requests and tunnels. */
const proxy = createServer((incoming, outgoing) => {
  proxied.push(incoming.url ?? "");
  incoming.pipe(
    request(incoming.url ?? "", { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    }),
  );
}).on("connect", ({ url = "" }, socket) => {
  proxied.push(url);
  const [host, port] = url.split(":"),
    there = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      there.pipe(socket).pipe(there);
    });
  for (const end of [there, socket]) end.on("error", () => (there.destroy(), socket.destroy()));
});

before(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/hub-proxy-"));
  program = join(folder, "pull-child.mjs");
  await build({
    entryPoints: ["tests/hub/pull-child.ts"],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "error",
  });
  server = await FakeHub.start();
  server.plain.set("/m.gguf", { bytes: model, etag: '"one"' });
  await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", listening));
});
after(async () => {
  await server.stop();
  proxy.closeAllConnections();
  proxy.close();
  rmSync(folder, { recursive: true, force: true });
});

async function pullWith(
  environment: Readonly<Record<string, string>>,
  cwd = folder,
): Promise<{ sha256?: string; code?: string; message?: string }> {
  proxied.length = 0;
  const cleared = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/proxy/i.test(name))),
    cache = mkdtempSync(join(folder, "cache-"));
  const env = { ...cleared, ONEBIT_CACHE: cache, HF_HOME: cache, ...environment };
  const child = spawn(process.execPath, [program, `${server.url}/m.gguf`, JSON.stringify({ attempts: 1 })], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await new Promise((closed) => child.on("close", closed));
  return JSON.parse(text) as { sha256?: string; code?: string };
}

const address = (): string => `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;

describe("a proxy of the environment", () => {
  test("is used with undici", {
    skip: !existsSync(join(PEER, "node_modules")) && "wants npm ci --prefix tests/hub/proxy",
  }, async () => {
    const environments: readonly Record<string, string>[] = [
      { HTTP_PROXY: address() },
      { http_proxy: address() },
      { http_proxy: address().slice("http://".length) },
      { HTTP_PROXY: address(), NO_PROXY: "example.com,.local 10.0.0.1" },
    ];
    for (const environment of environments) {
      assert.equal((await pullWith(environment, PEER)).sha256, sha256(model));
      assert.ok(
        proxied.length > 0 && proxied.every((url) => url.includes(new URL(server.url).host)),
        JSON.stringify(proxied),
      );
    }
  });

  test("is used by Node itself where it can", { skip: !hasOwn && "Node 22.21 or 24" }, async () => {
    assert.equal((await pullWith({ HTTP_PROXY: address(), NODE_USE_ENV_PROXY: "1" })).sha256, sha256(model));
    assert.ok(proxied.length > 0);
  });

  test("that nothing here supports: the error says what to do, and no request bypasses it", async () => {
    server.requests.length = 0;
    const { code, message } = await pullWith({ HTTP_PROXY: address() });
    assert.equal(code, "hub/network");
    assert.match(
      message ?? "",
      /HTTP_PROXY is set.*npm install undici.*NODE_USE_ENV_PROXY=1.*127\.0\.0\.1 in NO_PROXY/,
    );
    assert.equal(server.requests.length, 0);
  });

  test("is bypassed for hosts in NO_PROXY, and for the other scheme", async () => {
    const environments: readonly Record<string, string>[] = [
      { HTTP_PROXY: address(), NO_PROXY: "127.0.0.1" },
      { HTTP_PROXY: address(), no_proxy: "*" },
      { HTTPS_PROXY: address() },
      { HTTP_PROXY: "" },
    ];
    for (const environment of environments) {
      assert.equal((await pullWith(environment)).sha256, sha256(model));
      assert.deepEqual(proxied, []);
    }
  });

  test("NO_PROXY: names, what is below them, ports", () => {
    const uses = (url: string, list: string): boolean =>
      proxyFor(new URL(url), (name) => ({ HTTPS_PROXY: "http://p:1", NO_PROXY: list })[name]) !== undefined;
    for (const list of [
      "huggingface.co",
      "HuggingFace.co",
      ".huggingface.co",
      "*.huggingface.co",
      "a, huggingface.co:443",
      "co",
      "*",
    ])
      assert.ok(!uses("https://cdn.huggingface.co/x", list), list);
    for (const list of ["", "face.co", "huggingface.co:8443", "cdn", ".", ":443", "xn--", "huggingface.com"])
      assert.ok(uses("https://cdn.huggingface.co/x", list), list);
    assert.throws(
      () => proxyFor(new URL("https://x"), (name) => ({ HTTPS_PROXY: "socks5://user:secret@p" })[name]),
      (error: Error) => /HTTPS_PROXY: wanted http/.test(error.message) && !error.message.includes("secret"),
    );
  });
});
