/**
 * Serves one file in ranges, at a pace, and counts what it sends of it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { listen, stop } from "./page-driver.ts";

/** 2.5 MB a second and request: a download of some seconds, in which a test can act. */
const PIECE_BYTES = 128 * 1024,
  INTERVAL_MS = 50;

export interface CountingServer {
  readonly url: string;
  /** No more than this is sent until it is raised. Those who ask time out after 30 s without a byte. */
  heldAtBytes: number;
  /** Of bodies, handed to the network: a reader who leaves may have got less. */
  sentBytes: number;
  /** When a request came, by `performance.now()`, and its range; those that only ask for leave are left out. */
  readonly requests: { readonly atMs: number; readonly range: string | undefined }[];
  stop(): Promise<void>;
}

export async function serveCounting(file: Uint8Array): Promise<CountingServer> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const all = {
      "access-control-allow-origin": "*",
      "access-control-allow-headers": "*, range",
      "access-control-expose-headers": "*",
      // What a browser keeps by itself would not be counted.
      "cache-control": "no-store",
      "accept-ranges": "bytes",
      etag: '"1"',
    };
    if (request.method === "OPTIONS") return void response.writeHead(204, all).end();
    const { range } = request.headers,
      [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    const begin = Number(from ?? 0),
      end = Math.min(file.length, Number(to ?? Infinity) + 1);
    served.requests.push({ atMs: performance.now(), range });
    response.writeHead(from === undefined ? 200 : 206, {
      ...all,
      "content-length": end - begin,
      ...(from === undefined ? {} : { "content-range": `bytes ${begin}-${end - 1}/${file.length}` }),
    });
    let at = begin;
    const timer = setInterval(() => {
      const piece = file.subarray(at, Math.min(end, at + PIECE_BYTES));
      if (served.sentBytes + piece.length > served.heldAtBytes) return;
      served.sentBytes += piece.length;
      at += piece.length;
      response.write(piece);
      if (at >= end) clearInterval(timer), response.end();
    }, INTERVAL_MS);
    response.on("close", () => clearInterval(timer));
  };
  const { server, url } = await listen(answer);
  const served: CountingServer = {
    url: `${url}large.gguf`,
    heldAtBytes: Infinity,
    sentBytes: 0,
    requests: [],
    stop: () => stop(server),
  };
  return served;
}
