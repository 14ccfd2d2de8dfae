/**
 * A server for one folder of files that only ever reads: with the headers that isolate a page, so that its models may use
 * threads.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream";
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
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml", ".png": "image/png", ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json", ".gguf": "application/octet-stream",
};

const HEADERS: Readonly<Record<string, string>> = {
  "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp", "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY",
  // A new build is seen at once; what has not changed is not sent again.
  "cache-control": "no-cache",
};

/** @throws OnebitError `file/not-found` when the folder has no index.html, `option/invalid` when the port or host cannot be had */
export async function startStaticServer({ folder, host, port }: StaticServerOptions): Promise<StaticServer> {
  const root = await realpath(folder).catch((cause: unknown) => fail("file/not-found", `${folder}: no such folder`, cause));
  await stat(join(root, "index.html")).catch((cause: unknown) => fail("file/not-found", `${folder}: has no index.html; build the page first (npm run build)`, cause));
  const server = createServer((request, response) => void answer(root, request, response));
  const address = await listen(server, host, port), shownHost = address.family === "IPv6" ? `[${address.address}]` : address.address;
  // Browsers treat localhost as secure by its name too, and people read it more easily.
  const name = shownHost === "127.0.0.1" || shownHost === "[::1]" ? "localhost" : shownHost;
  return {
    url: `http://${name}:${address.port}/`,
    close: () => new Promise((resolve) => (server.close(() => resolve()), server.closeAllConnections())),
  };
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const end = (status: number, headers: Readonly<Record<string, string>>, text = ""): void =>
    void response.writeHead(status, { ...HEADERS, "content-type": "text/plain; charset=utf-8", ...headers }).end(request.method === "HEAD" ? undefined : text);
  if (request.method !== "GET" && request.method !== "HEAD") return end(405, { allow: "GET, HEAD" }, "Only GET and HEAD.\n");
  const file = await findFile(root, request.url ?? "/");
  if (file === undefined) return end(404, {}, "There is no such file.\n");
  const headers = { ...HEADERS, "content-type": TYPES[extname(file.path)] ?? "application/octet-stream", etag: file.etag };
  if (request.headers["if-none-match"] === file.etag) return void response.writeHead(304, headers).end();
  response.writeHead(200, { ...headers, "content-length": file.sizeBytes });
  if (request.method === "HEAD") return void response.end();
  // A reader that leaves, or a file that vanishes, ends the connection; there is nobody left to tell.
  pipeline(createReadStream(file.path), response, () => {});
}

interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly etag: string;
}

/** The file a URL names; undefined for what is none, is hidden, or lies outside, also by a link. */
async function findFile(root: string, url: string): Promise<FoundFile | undefined> {
  try {
    const { pathname } = new URL(url, "http://localhost"), name = decodeURIComponent(pathname);
    const parts = name.split("/").filter((part) => part !== "");
    if (/[\\\0]/.test(name) || parts.some((part) => part.startsWith("."))) return undefined;
    const path = await realpath(join(root, ...parts, ...(name.endsWith("/") ? ["index.html"] : [])));
    if (!path.startsWith(root + sep)) return undefined;
    const found = await stat(path);
    return found.isFile() ? { path, sizeBytes: found.size, etag: `"${found.size.toString(36)}-${Math.trunc(found.mtimeMs).toString(36)}"` } : undefined;
  } catch {
    return undefined;
  }
}

function listen(server: Server, host: string, port: number): Promise<{ address: string; family: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "is in use: choose another with --port, or 0 for one that is free" : `cannot be had: ${cause.message}`;
      reject(new OnebitError("option/invalid", `port ${port} of ${host}: ${why}`, { cause }));
    });
    server.listen(port, host, () => resolve(server.address() as { address: string; family: string; port: number }));
  });
}
