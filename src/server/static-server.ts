/**
 * A read-only server for one folder. Its headers isolate the page, so that models may use threads.
 *
 * @module
 */
import { constants } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { OnebitError, fail } from "../core/errors.ts";

export interface StaticServerOptions {
  /** The only folder served. */
  readonly folder: string;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

export interface StaticServer {
  /** With a final slash. */
  readonly url: string;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".gguf": "application/octet-stream",
};

const HEADERS: Readonly<Record<string, string>> = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  // New builds show at once; unchanged files are not sent again.
  "cache-control": "no-cache",
};

/**
 * Ends connections that stay silent or stop reading; a browser needs 6, shared by its tabs. Node's own limits are 60 s
 * for the headers, 300 s for a request, and none for the rest.
 */
const LIMITS = { headersTimeoutMs: 10_000, requestTimeoutMs: 30_000, idleTimeoutMs: 60_000, connectionsMax: 128 };
const CHECK_MS = 1_000;

/**
 * @throws OnebitError `file/not-found` when the folder has no index.html, `option/invalid` when the port or host is
 * unavailable @param limits tests take shorter ones
 */
export async function startStaticServer(
  { folder, host, port }: StaticServerOptions,
  limits = LIMITS,
): Promise<StaticServer> {
  const answer = await folderAnswers(folder);
  const { headersTimeoutMs: headersTimeout, requestTimeoutMs: requestTimeout } = limits;
  const server = createServer({
    headersTimeout,
    requestTimeout,
    connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeout),
  });
  server.maxConnections = limits.connectionsMax;
  server.timeout = limits.idleTimeoutMs;
  const address = await listen(server, host, port),
    isPrivate = isLoopback(address.address);
  server.on("request", (request, response) => {
    const answered =
      isPrivate && !isLocalName(request.headers.host, host) ? refuse(response) : answer(request, response);
    // The file is unreadable or shrank: cut the connection, so that the reader sees an incomplete body.
    answered.catch(() => response.destroy());
  });
  return {
    url: urlOf(address),
    close: () => new Promise((resolve) => (server.close(() => resolve()), server.closeAllConnections())),
  };
}

/**
 * Answers requests for the files of a folder.
 * @throws OnebitError `file/not-found` when it has no index.html
 */
export async function folderAnswers(
  folder: string,
): Promise<(request: IncomingMessage, response: ServerResponse) => Promise<void>> {
  const root = await realpath(folder).catch((cause: unknown) =>
    fail("file/not-found", `${folder}: no such folder`, cause),
  );
  await stat(join(root, "index.html")).catch((cause: unknown) =>
    fail("file/not-found", `${folder}: wanted an index.html; build the page first (npm run build)`, cause),
  );
  return (request, response) => answer(root, request, response);
}

/** With a final slash. */
export function urlOf({ address, family, port }: ListeningAddress): string {
  const shown = family === "IPv6" ? `[${address}]` : address;
  // Browsers treat the name localhost as secure too, and it reads better.
  return `http://${shown === "127.0.0.1" || shown === "[::1]" ? "localhost" : shown}:${port}/`;
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD")
    return endWith(request, response, 405, { allow: "GET, HEAD" }, "Only GET and HEAD.\n");
  const file = await openFile(root, request.url ?? "/");
  if (file === undefined) return endWith(request, response, 404, {}, "No such file.\n");
  try {
    const headers = {
      ...HEADERS,
      "content-type": TYPES[extname(file.path)] ?? "application/octet-stream",
      etag: file.etag,
    };
    if (request.headers["if-none-match"] === file.etag) return void response.writeHead(304, headers).end();
    response.writeHead(200, { ...headers, "content-length": file.sizeBytes });
    if (request.method === "HEAD") return void response.end();
    await pipeline(bytesOf(file), response);
  } finally {
    await file.handle.close();
  }
}

function endWith(
  { method }: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  text: string,
): void {
  response
    .writeHead(status, { ...HEADERS, "content-type": "text/plain; charset=utf-8", ...headers })
    .end(method === "HEAD" ? undefined : text);
}

/** Refuses names of other sites that resolve to this machine (DNS rebinding). */
async function refuse(response: ServerResponse): Promise<void> {
  response
    .writeHead(403, { ...HEADERS, "content-type": "text/plain; charset=utf-8", connection: "close" })
    .end("This server answers only to localhost. To let others in, start it with --host 0.0.0.0.\n");
}

/** @param header such as `localhost:8321` @param host the address the server listens on */
function isLocalName(header: string | undefined, host: string): boolean {
  const name = (header ?? "").toLowerCase().replace(/:\d*$/, "");
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === host.toLowerCase() ||
    isLoopback(name.replace(/^\[(.*)\]$/, "$1"))
  );
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(address);
}

interface OpenedFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  readonly etag: string;
}

/** Exactly the promised bytes of a file that may grow meanwhile. @throws if it shrank */
async function* bytesOf({ handle, path, sizeBytes }: OpenedFile): AsyncGenerator<Uint8Array, void> {
  let sentBytes = 0;
  if (sizeBytes === 0) return;
  for await (const chunk of handle.createReadStream({
    start: 0,
    end: sizeBytes - 1,
    autoClose: false,
  }) as AsyncIterable<Uint8Array>) {
    yield chunk;
    sentBytes += chunk.length;
  }
  if (sentBytes < sizeBytes) throw new Error(`${path}: ended after ${sentBytes} of ${sizeBytes} bytes`);
}

/** The file a URL names; undefined if there is none, it is hidden, or it lies outside the folder, also by a link. */
async function openFile(root: string, url: string): Promise<OpenedFile | undefined> {
  let handle: FileHandle | undefined;
  try {
    const { pathname } = new URL(url, "http://localhost"),
      name = decodeURIComponent(pathname);
    const parts = name.split("/").filter((part) => part !== "");
    if (/[\\\0]/.test(name) || parts.some((part) => part.startsWith("."))) return undefined;
    const path = await realpath(join(root, ...parts, ...(name.endsWith("/") ? ["index.html"] : [])));
    if (!path.startsWith(root + sep)) return undefined;
    // Follow no link that has replaced the file since, and do not wait for a pipe's writer. Windows has neither flag.
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    // Send the checked file even if another takes its name meanwhile.
    const found = await handle.stat(),
      { size: sizeBytes, mtimeMs } = found;
    if (found.isFile())
      return { path, handle, sizeBytes, etag: `"${sizeBytes.toString(36)}-${Math.trunc(mtimeMs).toString(36)}"` };
  } catch {
    // Answer as for a missing file, to reveal nothing about others.
  }
  await handle?.close();
  return undefined;
}

export interface ListeningAddress {
  readonly address: string;
  readonly family: string;
  readonly port: number;
}

/** @throws OnebitError `option/invalid` when the port or host is unavailable */
export function listen(server: Server, host: string, port: number): Promise<ListeningAddress> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE"
          ? "is in use: choose another with --port, or 0 for any free one"
          : `is unavailable: ${cause.message}`;
      reject(new OnebitError("option/invalid", `port ${port} of ${host}: ${why}`, { cause }));
    });
    server.listen(port, host, () => resolve(server.address() as ListeningAddress));
  });
}
