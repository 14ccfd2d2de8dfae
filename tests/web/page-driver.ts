/**
 * Drives the chat page in a real browser: starts it, serves the page (and models, well or badly), waits for what a
 * person would wait for.
 *
 * puppeteer-core and axe-core have a package.json of their own beside this file; the types here are the part that is
 * used.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const DEPENDENCIES = resolve("tests/web/page-browsers/package.json");

export interface DrivenPage {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  /** Makes the other tabs of its window hidden. */
  bringToFront(): Promise<void>;
  setViewport(viewport: { width: number; height: number; deviceScaleFactor?: number }): Promise<void>;
  evaluate<Result>(run: string | ((...args: never[]) => Result), ...args: unknown[]): Promise<Awaited<Result>>;
  evaluateOnNewDocument(run: string): Promise<unknown>;
  waitForFunction(run: string, options: { timeout: number }): Promise<unknown>;
  type(selector: string, text: string): Promise<void>;
  click(selector: string): Promise<void>;
  focus(selector: string): Promise<void>;
  screenshot(options: { path: string }): Promise<unknown>;
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(
    event: "requestfailed",
    listener: (request: { url(): string; failure(): { errorText: string } | null }) => void,
  ): void;
  /** For every wait, and every way to another document. */
  setDefaultTimeout(timeoutMs: number): void;
  readonly keyboard: {
    press(key: string): Promise<void>;
    type(text: string): Promise<void>;
    down(key: string): Promise<void>;
    up(key: string): Promise<void>;
  };
  close(): Promise<void>;
}

export interface DrivenBrowser {
  /** Pages of one context share storage; those of two do not. */
  createBrowserContext(): Promise<{ newPage(): Promise<DrivenPage>; close(): Promise<void> }>;
  newPage(): Promise<DrivenPage>;
  close(): Promise<void>;
}

export const BROWSER_NAMES = ["Chromium", "Firefox"] as const;

/** As root, as CI runs, Chromium has no sandbox; shared memory of containers is small. */
const LAUNCHES = {
  Chromium: {
    browser: "chrome",
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  },
  Firefox: { browser: "firefox", executablePath: "/usr/bin/firefox-esr" },
} as const;

export async function launch(name: (typeof BROWSER_NAMES)[number]): Promise<DrivenBrowser> {
  assert.ok(existsSync(join(DEPENDENCIES, "../node_modules")), "puppeteer-core is not installed: run .ci/run browsers");
  const path = createRequire(DEPENDENCIES).resolve("puppeteer-core");
  const { default: puppeteer } = (await import(pathToFileURL(path).href)) as {
    default: { launch(options: unknown): Promise<DrivenBrowser> };
  };
  return await puppeteer.launch({ ...LAUNCHES[name], headless: true, timeout: 120_000, protocolTimeout: 120_000 });
}

/** The violations axe-core finds, each with the elements it found them at. */
export async function violations(page: DrivenPage): Promise<string[]> {
  const source = readFileSync(createRequire(DEPENDENCIES).resolve("axe-core/axe.min.js"), "utf8");
  // Not as a script element: the page's policy would refuse it.
  await page.evaluate(`${source}; undefined`);
  return await page.evaluate<string[]>(`axe.run({ resultTypes: ["violations"] }).then(({ violations }) =>
    violations.map(({ id, help, nodes }) =>
      id + " (" + help + "): " + nodes.map(({ html }) => html.slice(0, 160)).join(" | ")))`);
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

export interface PageServer {
  readonly url: string;
  /** Put before the worker's script: how tests make a browser refuse something. */
  workerPrelude: string;
  /** Whether answers isolate the page. A host of static files may not be able to. */
  isolates: boolean;
  stop(): Promise<void>;
}

/**
 * For the worker's script: every piece of an answer takes 10 ms more. An answer as long as the built-in model can give,
 * 0.5 s elsewhere, takes 5 s, in which a test does to it what it does.
 */
export const SLOW_DEVICE = `const post = MessagePort.prototype.postMessage;
MessagePort.prototype.postMessage = function (...message) {
  for (const endMs = performance.now() + 10; performance.now() < endMs; );
  post.apply(this, message);
};
`;

/** Serves dist/web; a folder of its own pages has it at chat/. */
export async function servePage(around?: string): Promise<PageServer> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const asked = new URL(request.url ?? "/", "http://x").pathname.slice(1).replace(/(^|\/)$/, "$1index.html");
    const isChat = around === undefined || asked.startsWith("chat/"),
      name = around === undefined ? asked : asked.replace("chat/", "");
    const path = join(isChat ? "dist/web" : around, name);
    if (!existsSync(path)) return void response.writeHead(404).end();
    const isolation = page.isolates
      ? { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" }
      : {};
    const prelude = name === "worker.js" ? page.workerPrelude : "";
    response.writeHead(200, {
      "content-type": TYPES[extname(name)] ?? "application/octet-stream",
      "cache-control": "no-store",
      ...isolation,
    });
    response.end(Buffer.concat([Buffer.from(prelude), readFileSync(path)]));
  };
  const { server, url } = await listen(answer);
  const page: PageServer = { url, workerPrelude: "", isolates: true, stop: () => stop(server) };
  return page;
}

export interface ModelServer {
  readonly url: string;
  /** False: pages of other origins may not read what it sends. */
  allowsPages: boolean;
  isSlow: boolean;
  stop(): Promise<void>;
}

/** A slow network: the model takes 13 seconds. */
const SLOW_BYTES = 20_000,
  SLOW_INTERVAL_MS = 300;

/**
 * Serves the model in the package as `/tiny.gguf`, and others by their names, from another origin, in ranges as hubs
 * do. `?sha256=HEX` announces that hash, right or wrong.
 */
export async function serveModel(others: Readonly<Record<string, Uint8Array>>): Promise<ModelServer> {
  const models: Readonly<Record<string, Uint8Array>> = {
    "tiny.gguf": readFileSync("models/shakespeare.gguf"),
    ...others,
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (model.allowsPages) {
      for (const [name, value] of [
        ["origin", "*"],
        ["headers", "*, range"],
        ["methods", "*"],
      ])
        response.setHeader(`access-control-allow-${name}`, value);
      response.setHeader("access-control-expose-headers", "*");
    }
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://x"),
      bytes = models[pathname.slice(1)],
      sha256 = searchParams.get("sha256");
    if (sha256 !== null) response.setHeader("x-linked-etag", `"${sha256}"`);
    if (bytes === undefined) return void response.writeHead(404).end();
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [],
      begin = Number(from ?? 0);
    const end = to === undefined || to === "" ? bytes.length : Math.min(bytes.length, Number(to) + 1);
    const headers = { etag: '"1"', "accept-ranges": "bytes", "content-length": end - begin };
    response.writeHead(
      from === undefined ? 200 : 206,
      from === undefined ? headers : { ...headers, "content-range": `bytes ${begin}-${end - 1}/${bytes.length}` },
    );
    if (request.method === "HEAD") return void response.end();
    if (!model.isSlow) return void response.end(bytes.subarray(begin, end));
    let at = begin;
    const timer = setInterval(() => {
      response.write(bytes.subarray(at, Math.min(end, (at += SLOW_BYTES))));
      if (at >= end) clearInterval(timer), response.end();
    }, SLOW_INTERVAL_MS);
    response.on("close", () => clearInterval(timer));
  };
  const { server, url } = await listen(answer);
  const model: ModelServer = { url: `${url}tiny.gguf`, allowsPages: true, isSlow: false, stop: () => stop(server) };
  return model;
}

export async function listen(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ server: Server; url: string }> {
  const server = createServer(answer);
  await new Promise<void>((ready) => server.listen(0, "localhost", ready));
  return { server, url: `http://localhost:${(server.address() as { port: number }).port}/` };
}

export function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
