/**
 * Runs pages in a browser, one after another: a server that hands them out with their headers and takes their reports,
 * and a browser without a window that walks from page to page.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { extname, join } from "node:path";
import type { Browser } from "./browser-kinds.ts";
import { type BrowserProcess, nameOf, startBrowser } from "./browser-process.ts";

export interface Page {
  readonly name: string;
  /**
   * Sets `globalThis.runPage`, which is called; what that resolves to is the page's report. A path below the folder.
   */
  readonly script: string;
  /**
   * The document, where it is not one with the script alone: a path below the folder; the script is added at its end.
   */
  readonly html?: string;
  /** Not a module: what some bundlers write. */
  readonly isClassic?: boolean;
  /** What it may take beyond a minute. */
  readonly extraMs?: number;
  /** Of every response while this is the page. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a page sent: its report, or how it failed. */
export type PageResult = { readonly report: unknown } | { readonly error: string };

export interface PageResults {
  /** Of the browser. */
  readonly version: string;
  readonly results: Map<string, PageResult>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".gguf": "application/octet-stream",
  ".wasm": "application/wasm",
};

/** All pages in one start of the browser; fails with the name of the page that was open when the time ended. */
export async function runPages(
  browser: Browser,
  folder: string,
  pages: readonly Page[],
  timeoutMs: number,
): Promise<PageResults> {
  const results = new Map<string, PageResult>(),
    profile = mkdtempSync(join(folder, "profile-"));
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const server = createServer(
    (request, response) => void answer(request, response, { browser, folder, pages, results, finish }),
  );
  let process: BrowserProcess | undefined;
  try {
    process = await startBrowser(browser, profile, `http://localhost:${await listen(server)}/page`);
    await within(
      timeoutMs,
      Promise.race([finished, process.failed]),
      () => `${nameOf(browser)}: no report from the page "${pages[results.size]?.name}"`,
    );
    return { version: process.version, results };
  } finally {
    await process?.end();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

interface Visit {
  readonly browser: Browser;
  readonly folder: string;
  readonly pages: readonly Page[];
  readonly results: Map<string, PageResult>;
  readonly finish: () => void;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { browser, folder, pages, results, finish }: Visit,
): Promise<void> {
  const page = pages[results.size],
    { pathname } = new URL(request.url ?? "/", "http://localhost");
  if (page === undefined) return void response.writeHead(404).end();
  const send = (status: number, type: string, body: string | Uint8Array): void =>
    void response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...page.headers }).end(body);
  if (request.method === "POST") {
    results.set(page.name, JSON.parse(await bodyOf(request)) as PageResult);
    send(200, "text/plain", results.size === pages.length ? "end" : "next");
    if (results.size === pages.length) finish();
  } else if (pathname === "/page") {
    const document =
      page.html === undefined
        ? `<!doctype html><meta charset="utf-8"><title>${page.name}</title>`
        : readFileSync(join(folder, page.html), "utf8");
    send(
      200,
      "text/html",
      `${document}<script ${page.isClassic ? "defer" : 'type="module"'} src="/${page.script}"></script><script ` +
        `type="module" src="/run.js"></script>`,
    );
  } else if (pathname === "/run.js") {
    send(
      200,
      "text/javascript",
      `globalThis.suiteThreads = ${browser.threads}; const endMs = ${60_000 + (page.extraMs ?? 0)};${RUN}`,
    );
  } else {
    try {
      send(200, TYPES[extname(pathname)] ?? "text/plain", readFileSync(join(folder, decodeURIComponent(pathname))));
    } catch {
      send(404, "text/plain", "not found");
    }
  }
}

/** Runs what the page's script has set, reports, and goes on to the next page. */
const RUN = `
const report = async (result) => {
  const answer = await fetch("/result", { method: "POST", body: JSON.stringify(result) });
  if (await answer.text() === "next") location.href = "/page?" + Math.random();
};
const late = new Promise((_, reject) => {
  const say = () => reject(new Error("no end within " + endMs / 1000 + " s; it was at: " + globalThis.suiteStep));
  setTimeout(say, endMs);
});
Promise.race([Promise.resolve().then(() => globalThis.runPage()), late])
  .then((report) => ({ report }), (error) => ({ error: String(error?.stack ?? error) + String(error) }))
  .then(report);
`;

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, "localhost", () => resolve((server.address() as { port: number }).port)),
  );
}

async function within<T>(timeoutMs: number, work: Promise<T>, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()} within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
