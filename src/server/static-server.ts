/**
 * A server for one folder of files that only ever reads: with the headers that isolate a page, so that its models may
 * use threads.
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
  /** The folder whose files are served, and nothing else. */
  readonly folder: string;
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

export interface StaticServer {
  /** Ends in a slash. */
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
  // A new build is seen at once; what has not changed is not sent again.
  "cache-control": "no-cache",
};

/**
 * Connections that say nothing, or read nothing of a long file, end; a browser needs 6, and tabs share them. Node's own
 * limits are 60 s for the headers, 300 s for a request, and none for the rest.
 */
const LIMITS = { headersTimeoutMs: 10_000, requestTimeoutMs: 30_000, idleTimeoutMs: 60_000, connectionsMax: 128 };
const CHECK_MS = 1_000;

/**
 * @throws OnebitError `file/not-found` when the folder has no index.html, `option/invalid` when the port or host cannot
 * be had @param limits tests take shorter ones
 */
export async function startStaticServer(
  { folder, host, port }: StaticServerOptions,
  limits = LIMITS,
): Promise<StaticServer> {
  const root = await realpath(folder).catch((cause: unknown) =>
    fail("file/not-found", `${folder}: no such folder`, cause),
  );
  await stat(join(root, "index.html")).catch((cause: unknown) =>
    fail("file/not-found", `${folder}: has no index.html; build the page first (npm run build)`, cause),
  );
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
      isPrivate && !isLocalName(request.headers.host, host) ? refuse(response) : answer(root, request, response);
    // A file that cannot be read, or shrank: what was promised cannot be sent, and the reader must see that it was not.
    answered.catch(() => response.destroy());
  });
  const shownHost = address.family === "IPv6" ? `[${address.address}]` : address.address;
  // Browsers treat localhost as secure by its name too, and people read it more easily.
  const name = shownHost === "127.0.0.1" || shownHost === "[::1]" ? "localhost" : shownHost;
  return {
    url: `http://${name}:${address.port}/`,
    close: () => new Promise((resolve) => (server.close(() => resolve()), server.closeAllConnections())),
  };
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD")
    return endWith(request, response, 405, { allow: "GET, HEAD" }, "Only GET and HEAD.\n");
  const file = await openFile(root, request.url ?? "/");
  if (file === undefined) return endWith(request, response, 404, {}, "There is no such file.\n");
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

/** Sites whose name leads to this machine (DNS rebinding) are none of a server that only this machine should reach. */
async function refuse(response: ServerResponse): Promise<void> {
  response
    .writeHead(403, { ...HEADERS, "content-type": "text/plain; charset=utf-8", connection: "close" })
    .end("This server answers to localhost. To let others in, start it with --host 0.0.0.0.\n");
}

/** @param header `localhost:8321` @param host what the server was told to listen on */
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

/** As many bytes as were promised, of a file that may grow meanwhile. @throws when it has become shorter */
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

/** The file a URL names; undefined for what is none, is hidden, or lies outside, also by a link. */
async function openFile(root: string, url: string): Promise<OpenedFile | undefined> {
  let handle: FileHandle | undefined;
  try {
    const { pathname } = new URL(url, "http://localhost"),
      name = decodeURIComponent(pathname);
    const parts = name.split("/").filter((part) => part !== "");
    if (/[\\\0]/.test(name) || parts.some((part) => part.startsWith("."))) return undefined;
    const path = await realpath(join(root, ...parts, ...(name.endsWith("/") ? ["index.html"] : [])));
    if (!path.startsWith(root + sep)) return undefined;
    // Not by a link that took the file's place since; and without waiting for the writer of a pipe. Windows has
    // neither.
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    // What is sent is what was looked at, though another file may take the name meanwhile.
    const found = await handle.stat(),
      { size: sizeBytes, mtimeMs } = found;
    if (found.isFile())
      return { path, handle, sizeBytes, etag: `"${sizeBytes.toString(36)}-${Math.trunc(mtimeMs).toString(36)}"` };
  } catch {
    // As for what does not exist: an answer says nothing of what else is there.
  }
  await handle?.close();
  return undefined;
}

function listen(
  server: Server,
  host: string,
  port: number,
): Promise<{ address: string; family: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE"
          ? "is in use: choose another with --port, or 0 for one that is free"
          : `cannot be had: ${cause.message}`;
      reject(new OnebitError("option/invalid", `port ${port} of ${host}: ${why}`, { cause }));
    });
    server.listen(port, host, () => resolve(server.address() as { address: string; family: string; port: number }));
  });
}
