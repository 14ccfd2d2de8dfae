/**
 * Two origins that answer any page: one that sends on, and the one it sends to, which has the file and writes down
 * which headers reached it, or were asked for in advance.
 */
import { createHash } from "node:crypto";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { COMMIT, REPOSITORY, SECRETS, TOKEN } from "./secret-headers.ts";

const SHARED = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, HEAD",
  // A star allows all but Authorization.
  "access-control-allow-headers": "*, Authorization",
  "access-control-expose-headers": "*",
  "cross-origin-resource-policy": "cross-origin",
  "cache-control": "no-store",
};

/** A request, the names of its headers, and of those it asked leave for. */
interface Seen {
  readonly method: string;
  readonly url: string;
  readonly names: readonly string[];
  readonly asked: readonly string[];
}

export class RedirectingServers {
  /** Requests with the caller's secrets, to where they belong. */
  readonly trusted: Seen[] = [];
  readonly elsewhere: Seen[] = [];
  readonly #file: Uint8Array;
  readonly #servers: readonly [from: Server, to: Server];

  private constructor(file: Uint8Array) {
    this.#file = file;
    this.#servers = [
      createServer((request, response) => this.#sendOn(request, response)),
      createServer((request, response) => this.#handOut(request, response)),
    ];
  }

  static async start(file: Uint8Array): Promise<RedirectingServers> {
    const made = new RedirectingServers(file);
    for (const server of made.#servers) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return made;
  }

  get origin(): string {
    return originOf(this.#servers[0]);
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #sendOn(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "/", headers } = request;
    if (method === "OPTIONS") return void response.writeHead(204, SHARED).end();
    const hasKey = Object.entries(SECRETS).every(([name, value]) => headers[name.toLowerCase()] === value),
      hasToken = headers.authorization === `Bearer ${TOKEN}`;
    if (hasKey || hasToken) this.trusted.push(seen(request));
    if (url.startsWith("/api/")) return void response.writeHead(200, SHARED).end(this.#listing());
    const isGuarded = url.startsWith("/guarded/") || url.startsWith(`/${REPOSITORY}/`);
    if (isGuarded && !hasKey && !hasToken) return void response.writeHead(401, SHARED).end();
    response.writeHead(302, { ...SHARED, location: `${originOf(this.#servers[1])}${url}` }).end();
  }

  #listing(): string {
    const sha256 = createHash("sha256").update(this.#file).digest("hex");
    return JSON.stringify({
      sha: COMMIT,
      siblings: [{ rfilename: "m.gguf", lfs: { sha256, size: this.#file.length } }],
    });
  }

  #handOut(request: IncomingMessage, response: ServerResponse): void {
    this.elsewhere.push(seen(request));
    if (request.method === "OPTIONS") return void response.writeHead(204, SHARED).end();
    const file = this.#file,
      [, begin, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [],
      [first, last] = [Number(begin ?? 0), Math.min(Number(end ?? Infinity), file.length - 1)];
    const range = begin === undefined ? {} : { "content-range": `bytes ${first}-${last}/${file.length}` };
    response.writeHead(begin === undefined ? 200 : 206, {
      ...SHARED,
      ...range,
      etag: '"1"',
      "accept-ranges": "bytes",
      "content-length": String(last + 1 - first),
    });
    response.end(request.method === "HEAD" ? undefined : file.subarray(first, last + 1));
  }
}

function seen({ method = "", url = "/", headers }: IncomingMessage): Seen {
  const asked = String(headers["access-control-request-headers"] ?? "").split(",");
  return { method, url, names: Object.keys(headers), asked: asked.map((name) => name.trim().toLowerCase()) };
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
