/**
 * Examples for what is not installed here (React, Electron, LangChain, an extension): each is bundled with the package,
 * as its users do it, and what can run in Node runs.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import inTheBox from "../default-model/expected.json" with { type: "json" };

const NAMES = ["prompt-api", "worker", "worker-host", "shakespeare"];
/** The package by its name, from dist/. */
const PACKAGE: Readonly<Record<string, string>> = {
  ...Object.fromEntries(NAMES.map((name) => [`onebit/${name}`, resolve(`dist/${name}.js`)])),
  onebit: resolve("dist/index.js"),
};

for (const [entries, external] of [
  [["chat-element/onebit-chat.ts"], []],
  [["react/use-chat.js"], ["react"]],
  [["langchain.mjs"], ["@langchain/openai"]],
  [["extension/background.js", "extension/offscreen.js", "extension/model-worker.js"], []],
  [["electron/main.mjs", "electron/model.mjs"], ["electron"]],
] as const)
  test(`examples/${entries[0]} bundles`, async () => {
    const { outputFiles } = await build({
      entryPoints: entries.map((path) => `examples/${path}`),
      bundle: true,
      format: "esm",
      splitting: true,
      outdir: "build/example",
      write: false,
      alias: PACKAGE,
      external: [...external, "node:*"],
      logLevel: "silent",
    });
    assert.ok(outputFiles.length >= entries.length);
    // Strict policies allow neither.
    for (const { text } of outputFiles) assert.doesNotMatch(text, /\beval\(|new Function\(/);
  });

test("the extension's policy allows WebAssembly and its own files alone, and names files that are there", () => {
  const manifest = JSON.parse(readFileSync("examples/extension/manifest.json", "utf8")) as {
    background: { service_worker: string };
    content_security_policy: { extension_pages: string };
  };
  assert.match(manifest.content_security_policy.extension_pages, /^script-src 'self' 'wasm-unsafe-eval'; worker-src/);
  const page = readFileSync("examples/extension/offscreen.html", "utf8"),
    script = /src="(.*?)"/.exec(page)![1];
  for (const file of [manifest.background.service_worker, script]) readFileSync(`examples/extension/${file}`);
});

test("Electron's utility process answers, here with a port of its kind", async () => {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/electron-"));
  try {
    // What a utility process has in Electron, over the channel that a child of Node has.
    const port = `process.parentPort = {
        on: (_, listener) => process.on("message", (data) => listener({ data })),
        postMessage: (data) => process.send(data),
      };`;
    writeFileSync(join(folder, "port.mjs"), port);
    const source = readFileSync("examples/electron/model.mjs", "utf8");
    writeFileSync(join(folder, "model.mjs"), source.replace('"onebit"', JSON.stringify(PACKAGE["onebit"])));
    const child = spawn(process.execPath, ["--import", join(folder, "port.mjs"), join(folder, "model.mjs")], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    let text = "";
    const ended = new Promise<void>((done, failed) => {
      child.on("message", (message: { text?: string; end?: true; error?: string }) => {
        text += message.text ?? "";
        if (message.end) done();
        if (message.error !== undefined) failed(new Error(message.error));
      });
      child.on("exit", (code) => failed(new Error(`ended with ${code}`)));
    });
    child.send({ prompt: inTheBox.generation.prompt });
    await ended;
    child.kill();
    assert.ok(text.length > 50, text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
