/**
 * A server in this process: what its `fetch` gives is made in memory, so that thousands of downloads take a minute.
 */
import type { Fetch } from "../../src/core/model-store.ts";
import { sha256 } from "./fake-hub.ts";

export const ORIGIN = "https://hub.test";

export class MemoryServer {
  /** Plain files by path. */
  readonly files = new Map<string, { readonly bytes: Uint8Array; readonly etag?: string }>();
  readonly repos = new Map<string, { readonly commit: string; readonly files: Readonly<Record<string, Uint8Array>> }>();
  hasRanges = true;
  sentBytes = 0;
  /** When it says so, there is nobody any more to send to. */
  isGone = (): boolean => false;
  readonly #hashes = new WeakMap<Uint8Array, string>();

  readonly fetch: Fetch = async (address, { method = "GET", headers }) => {
    if (this.isGone()) throw new Error("the process is gone");
    const { pathname } = new URL(address),
      list = /^\/api\/models\/([^/]+\/[^/]+)\//.exec(pathname)?.[1];
    if (list !== undefined) return this.#list(list);
    const [, name = "", file = ""] = /^\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(pathname) ?? [];
    const bytes = this.repos.get(name)?.files[decodeURIComponent(file)],
      found = bytes === undefined ? this.files.get(pathname) : { bytes, etag: `"${this.#hashOf(bytes)}"` };
    return found === undefined
      ? new Response("no", { status: 404 })
      : this.#answer(found.bytes, found.etag, method, new Headers(headers).get("range"));
  };

  #hashOf(bytes: Uint8Array): string {
    const hash = this.#hashes.get(bytes) ?? sha256(bytes);
    this.#hashes.set(bytes, hash);
    return hash;
  }

  #list(name: string): Response {
    const repo = this.repos.get(name);
    if (repo === undefined) return new Response("no", { status: 401 });
    const siblings = Object.entries(repo.files).map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      lfs: { sha256: this.#hashOf(bytes), size: bytes.length },
    }));
    return Response.json({ sha: repo.commit, siblings });
  }

  #answer(bytes: Uint8Array, etag: string | undefined, method: string, range: string | null): Response {
    const match = this.hasRanges ? /^bytes=(\d+)-(\d+)$/.exec(range ?? "") : null,
      headers: Record<string, string> = etag === undefined ? {} : { etag };
    const begin = Number(match?.[1] ?? 0),
      end = Math.min(bytes.length, Number(match?.[2] ?? bytes.length - 1) + 1);
    if (match !== null && begin >= bytes.length)
      return new Response(null, { status: 416, headers: { ...headers, "content-range": `bytes */${bytes.length}` } });
    const body = bytes.slice(begin, end);
    if (method === "GET") this.sentBytes += body.length;
    headers["content-length"] = String(body.length);
    if (match !== null) headers["content-range"] = `bytes ${begin}-${end - 1}/${bytes.length}`;
    return new Response(method === "HEAD" ? null : body, { status: match === null ? 200 : 206, headers });
  }
}
