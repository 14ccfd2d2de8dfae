/** Headless Chromium on isolated pages, which may use threads, with this repository's files, packages and models. */
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** The part of puppeteer-core that is used. */
export interface DrivenPage {
  goto(url: string): Promise<unknown>;
  bringToFront(): Promise<void>;
  evaluate<Result, Args extends unknown[]>(run: (...args: Args) => Result, ...args: Args): Promise<Awaited<Result>>;
  close(): Promise<void>;
}

interface DrivenBrowser {
  version(): Promise<string>;
  newPage(): Promise<DrivenPage>;
  close(): Promise<void>;
}

/** A prompt of a slow engine takes a minute or two. */
const ANSWER_TIMEOUT_MS = 600_000;

const BINARIES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

export class Chromium {
  readonly version: string;
  readonly #browser: DrivenBrowser;
  readonly #server: Server;
  readonly #url: string;
  readonly #profile: string;

  private constructor(version: string, browser: DrivenBrowser, server: Server, url: string, profile: string) {
    this.version = version;
    this.#browser = browser;
    this.#server = server;
    this.#url = url;
    this.#profile = profile;
  }

  /** @throws Error that says what is missing */
  static async start(): Promise<Chromium> {
    const executablePath = [process.env.CHROMIUM, ...BINARIES].find((path) => path !== undefined && existsSync(path));
    if (executablePath === undefined) throw new Error("no Chromium (apt-get install chromium, or CHROMIUM=PATH)");
    if (!existsSync("benchmarks/node_modules/puppeteer-core"))
      throw new Error("puppeteer-core is not installed (npm ci --ignore-scripts --prefix benchmarks)");
    const path = createRequire(resolve("benchmarks/package.json")).resolve("puppeteer-core");
    const { default: puppeteer } = (await import(pathToFileURL(path).href)) as {
      default: { launch(options: unknown): Promise<DrivenBrowser> };
    };
    const profile = mkdtempSync(join(tmpdir(), "onebit-benchmark-"));
    // As root, as in containers, Chromium has no sandbox; their shared memory is small.
    const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
    const browser = await puppeteer.launch({
      executablePath,
      args,
      userDataDir: profile,
      headless: true,
      timeout: 120_000,
      protocolTimeout: ANSWER_TIMEOUT_MS,
    });
    const server = createServer(answer);
    await new Promise<void>((ready) => server.listen(0, "localhost", ready));
    return new Chromium(
      await browser.version(),
      browser,
      server,
      `http://localhost:${(server.address() as { port: number }).port}/`,
      profile,
    );
  }

  async newPage(): Promise<DrivenPage> {
    const page = await this.#browser.newPage();
    await page.goto(this.#url);
    return page;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** `/files/PATH` is a file below the repository; `/model?path=PATH` any file. */
function answer({ url = "/" }: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(url, "http://x"),
    isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
  if (pathname === "/")
    return void response
      .writeHead(200, { ...isolation, "content-type": "text/html" })
      .end("<!doctype html><title>Benchmark</title>");
  const path =
    pathname === "/model" ? (searchParams.get("path") ?? "") : decodeURIComponent(pathname).replace(/^\/files\//, "./");
  if (!existsSync(path)) return void response.writeHead(404, isolation).end();
  response.writeHead(200, {
    ...isolation,
    "content-type": TYPES[extname(path)] ?? "application/octet-stream",
    "content-length": statSync(path).size,
    "cache-control": "no-store",
  });
  createReadStream(path).pipe(response);
}
