/**
 * Builds the chat page: dist/web/, a folder for any static server, and dist/single-page.html, the same in one file
 * without kernels and model, which `onebit web --out` adds from dist/web.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const SOURCE = "src/web/page";
/** Copied to dist/web unchanged. */
const COPIED = ["style.css", "manifest.webmanifest", "icon.svg", "icon-192.png", "icon-512.png"];
const DEFAULT_MODEL = "models/shakespeare.gguf";
/** What the page never asks for: models of the package by name, formats, whose compiler is 34 kB compressed, tools. */
const LEFT_OUT = ["#models/*", "../grammar/formats.ts", "./tools/tools.ts"];

/**
 * The files of both forms of the page, as `{ path, contents }`.
 * @param options of esbuild, shared with the other bundles; `variants`: the builds of the kernels
 */
export async function pageFiles(options, variants) {
  const script = (entry, more) => bundle(join(SOURCE, entry), { ...options, ...more });
  const files = new Map([
    ["index.html", read("index.html")],
    ["page.js", await script("main.ts", { format: "esm" })],
    ["worker.js", await script("page-worker.ts", { format: "iife", external: LEFT_OUT })],
    ["shakespeare.gguf", readFileSync(DEFAULT_MODEL)],
    ...COPIED.map((name) => [name, read(name)]),
    ...variants.map((variant) => [`kernels.${variant}.wasm`, readFileSync(`build/kernels.${variant}.wasm`)]),
  ]);
  const define = {
    ONEBIT_PAGE_BUILD: JSON.stringify(hashOf(files)),
    ONEBIT_PAGE_FILES: JSON.stringify([...files.keys()]),
  };
  files.set("service-worker.js", await script("service-worker.ts", { format: "iife", define }));
  return [
    ...[...files].map(([name, contents]) => ({ path: join("dist", "web", name), contents })),
    { path: join("dist", "single-page.html"), contents: await singleFile(script, variants) },
  ];
}

async function bundle(entry, options) {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    ...options,
    entryPoints: [entry],
    bundle: true,
    platform: "browser",
    target: "es2022",
    minify: true,
    sourcemap: false,
    write: false,
  });
  return outputFiles[0].text;
}

function read(name) {
  return readFileSync(join(SOURCE, name));
}

function hashOf(files) {
  const hash = createHash("sha256");
  for (const [name, contents] of files) hash.update(`${name}\0`).update(contents).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/**
 * The page in one file, with an empty element for each file that goes in later. Its policy allows only its own script
 * and style, by their hashes.
 */
async function singleFile(script, variants) {
  const code = (await script("single-file.ts", { format: "iife", external: LEFT_OUT })).trim(),
    style = read("style.css").toString().trim();
  const places = ["default-model", ...variants.map((variant) => `kernels.${variant}`)].map(
    (id) => `<script type="text/plain" id="${id}"></script>`,
  );
  const icon = `data:image/svg+xml;base64,${read("icon.svg").toString("base64")}`;
  const policy =
    `default-src 'none'; script-src ${source(code)} 'wasm-unsafe-eval'; worker-src blob:; connect-src https: ` +
    `http://localhost:* http://127.0.0.1:*; style-src ${source(style)}; img-src data:; base-uri 'none'; ` +
    "form-action 'none'";
  return replaceEach(read("index.html").toString(), [
    [/(?<=http-equiv="Content-Security-Policy" content=")[^"]*/, policy],
    [/<link rel="manifest"[^>]*>\n/, ""],
    [/<link rel="apple-touch-icon"[^>]*>\n/, ""],
    [/<link rel="icon"[^>]*>/, `<link rel="icon" href="${icon}">`],
    [/<link rel="stylesheet"[^>]*>/, `<style>${style}</style>`],
    [/<script type="module"[^>]*><\/script>\n/, ""],
    // Last in the body, after all elements it uses.
    [/(?=<\/body>)/, `${places.join("\n")}\n<script>${code}</script>\n`],
  ]);
}

function source(text) {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

function replaceEach(text, replacements) {
  return replacements.reduce((result, [pattern, replacement]) => {
    if (!pattern.test(result)) throw new Error(`${SOURCE}/index.html: nothing matches ${pattern}`);
    return result.replace(pattern, () => replacement);
  }, text);
}
