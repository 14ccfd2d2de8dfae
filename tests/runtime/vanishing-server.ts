/**
 * Hands out one file, whole or in ranges, below any path, to any origin; a path that was DELETEd is gone.
 */
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";

export class VanishingServer {
  readonly #server: Server;

  private constructor(file: Uint8Array) {
    const gone = new Set<string>();
    this.#server = createServer(({ method, url = "/", headers }, response) => {
      const all = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, HEAD, DELETE",
        "access-control-allow-headers": "*",
        "access-control-expose-headers": "*",
        "cross-origin-resource-policy": "cross-origin",
        "cache-control": "no-store",
        "accept-ranges": "bytes",
        etag: '"1"',
      };
      if (method === "DELETE") gone.add(url);
      if (method === "DELETE" || method === "OPTIONS") return void response.writeHead(204, all).end();
      if (gone.has(url)) return void response.writeHead(410, all).end();
      const [, begin, end] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [],
        first = Number(begin ?? 0),
        last = Math.min(Number(end ?? Infinity), file.length - 1);
      const range = begin === undefined ? {} : { "content-range": `bytes ${first}-${last}/${file.length}` };
      response.writeHead(begin === undefined ? 200 : 206, {
        ...all,
        ...range,
        "content-length": String(last + 1 - first),
      });
      response.end(method === "HEAD" ? undefined : file.subarray(first, last + 1));
    });
  }

  static async start(file: Uint8Array): Promise<VanishingServer> {
    const server = new VanishingServer(file);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
