/** The chat page as it was built, in dist/web and as one file: its weight, its policy, its parts. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { writeSinglePage } from "./single-page.ts";

/**
 * What a browser fetches before it can run a model, the model left out: 276 kB, of it 98 the kernels and 146 the worker
 * with its tokenizers and their tables of Unicode.
 */
const PAGE_GZIP_BYTES_MAX = 296_000;
const ONE_FILE_BYTES_MAX = 2_500_000;

const names = readdirSync("dist/web");
const read = (name: string): Buffer => readFileSync(`dist/web/${name}`);
const index = read("index.html").toString();

test("without the model all of it, kernels of every variant included, is light", (t) => {
  const sizes = names
    .filter((name) => !name.endsWith(".gguf"))
    .map((name) => [name, gzipSync(read(name), { level: 9 }).length] as const);
  const totalBytes = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  t.diagnostic(`${totalBytes} bytes gzip: ${sizes.map(([name, bytes]) => `${name} ${bytes}`).join(", ")}`);
  assert.ok(totalBytes <= PAGE_GZIP_BYTES_MAX, `${totalBytes} bytes`);
});

test("every file the page names is there", () => {
  const named = [...index.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, name]) => name);
  const { icons } = JSON.parse(read("manifest.webmanifest").toString()) as { icons: { src: string }[] };
  for (const name of [
    ...named,
    ...icons.map(({ src }) => src),
    "worker.js",
    "service-worker.js",
    "shakespeare.gguf",
    "kernels.simd.wasm",
    "kernels.relaxed-threads.wasm",
  ]) {
    assert.ok(names.includes(name), name);
  }
});

test("the service worker keeps every file but itself", () => {
  const script = read("service-worker.js").toString();
  for (const name of names.filter((one) => one !== "service-worker.js")) assert.ok(script.includes(`"${name}"`), name);
});

test("can be installed: name, start, display, icons of 192 and 512", () => {
  const manifest = JSON.parse(read("manifest.webmanifest").toString()) as {
    name: string;
    start_url: string;
    display: string;
    icons: { src: string; sizes: string; purpose?: string }[];
  };
  assert.deepEqual([manifest.name, manifest.start_url, manifest.display], ["onebit", "./", "standalone"]);
  for (const { src, sizes } of manifest.icons.filter(({ src }) => src.endsWith(".png"))) {
    const png = read(src);
    assert.equal(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`, sizes, src);
  }
  assert.ok(manifest.icons.some(({ purpose }) => purpose === "maskable"));
});

test("the policy allows nothing but what is needed; no script or style is inline", () => {
  const policy = policyOf(index);
  assert.match(policy, /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:;/);
  assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|\*(?!(?:;| |$))/);
  assert.doesNotMatch(index, /<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/);
});

test("in one file: nothing is fetched, and the policy allows exactly what is inside", () => {
  const page = readFileSync(writeSinglePage(), "utf8"),
    policy = policyOf(page);
  assert.ok(page.length < ONE_FILE_BYTES_MAX, `${page.length} bytes`);
  assert.ok(
    page.includes(`id="default-model">${readFileSync("models/shakespeare.gguf").toString("base64")}</script>`),
    "the model",
  );
  assert.doesNotMatch(page.replace(/<script[\s\S]*?<\/script>/g, ""), /(?:href|src)="(?!data:)/);
  const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)],
    styles = [...page.matchAll(/<style>([\s\S]*?)<\/style>/g)];
  assert.deepEqual([scripts.length, styles.length], [1, 1]);
  for (const [, text] of [...scripts, ...styles])
    assert.ok(policy.includes(`'sha256-${createHash("sha256").update(text).digest("base64")}'`));
  assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'/);
});

test("no text of a person or a model is ever read as HTML", () => {
  const sources = readdirSync("src/web/page")
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(`src/web/page/${name}`, "utf8"));
  for (const source of sources)
    assert.doesNotMatch(
      source,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc/,
    );
});

function policyOf(page: string): string {
  return /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? assert.fail("no policy");
}
