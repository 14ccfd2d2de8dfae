/**
 * A server that behaves like the hub, and misbehaves on demand: repositories behind redirects to a second origin,
 * ranges, ETags, and for any file of any request a fault.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What to do to one request instead of answering it well. */
export interface Fault {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Cut the connection after this many bytes of the body. */
  readonly cutAfterBytes?: number;
  /** Send this many and then nothing more, with the connection open. */
  readonly stallAfterBytes?: number;
  /** Never answer. */
  readonly silent?: boolean;
  /** Announce so many bytes more than there are, and close. */
  readonly announceMoreBytes?: number;
  /** Flip one bit of the body. */
  readonly flipBit?: number;
  /** Pretend to know no ranges. */
  readonly noRanges?: boolean;
  /** Neither ranges nor a length: chunks until the end. */
  readonly noLength?: boolean;
}

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly origin: "hub" | "cdn";
}

export interface FakeRepo {
  readonly commit: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly token?: string;
  /** The list tells no hashes, as mirrors do. */
  readonly withoutHashes?: boolean;
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const gitSha1 = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
/** As .gitattributes of the hub have it. */
const isLarge = (path: string): boolean => /\.(?:gguf|safetensors)$/.test(path);
export const blobName = (path: string, bytes: Uint8Array): string => (isLarge(path) ? sha256(bytes) : gitSha1(bytes));

export class FakeHub {
  readonly repos = new Map<string, FakeRepo>();
  /** Plain files by path, each with its ETag. */
  readonly plain = new Map<string, { bytes: Uint8Array; etag?: string }>();
  readonly requests: Request[] = [];
  /** Asked for each request, in order; undefined answers well. */
  fault: (request: Request, index: number) => Fault | undefined = () => undefined;
  /** Bytes of files that went out, and how fast they may, each answer for itself. */
  sentBytes = 0;
  bytesPerSecond = Infinity;
  readonly #hashes = new WeakMap<Uint8Array, string>();
  readonly #hub: Server;
  readonly #cdn: Server;

  private constructor() {
    this.#hub = createServer((request, response) => this.#serve("hub", request, response));
    this.#cdn = createServer((request, response) => this.#serve("cdn", request, response));
  }

  static async start(): Promise<FakeHub> {
    const hub = new FakeHub();
    for (const server of [hub.#hub, hub.#cdn])
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return hub;
  }

  get url(): string {
    return addressOf(this.#hub);
  }

  get cdnUrl(): string {
    return addressOf(this.#cdn);
  }

  reset(): void {
    this.repos.clear();
    this.plain.clear();
    this.requests.length = 0;
    this.fault = () => undefined;
    this.sentBytes = 0;
    this.bytesPerSecond = Infinity;
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#cdn]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #serve(
    origin: "hub" | "cdn",
    { method = "GET", url = "/", headers }: IncomingMessage,
    response: ServerResponse,
  ): void {
    const request: Request = { method, path: url, range: headers.range, authorization: headers.authorization, origin };
    const fault = this.fault(request, this.requests.push(request) - 1) ?? {};
    response.on("error", () => {});
    if (fault.silent) return;
    if (fault.status !== undefined) {
      response.writeHead(fault.status, fault.headers).end(fault.status === 429 ? "slow down" : "no");
      return;
    }
    const path = decodeURIComponent(new URL(url, "http://x").pathname);
    const plain = this.plain.get(path),
      cdn = origin === "cdn" ? this.#blob(path) : undefined;
    if (plain !== undefined)
      void this.#sendFile(response, request, plain.bytes, plain.etag === undefined ? {} : { etag: plain.etag }, fault);
    else if (cdn !== undefined) void this.#sendFile(response, request, cdn, { etag: `"${this.#hashOf(cdn)}"` }, fault);
    else if (path.startsWith("/api/models/")) this.#sendList(response, path, request);
    else this.#resolve(response, path, request, fault);
  }

  #blob(path: string): Uint8Array | undefined {
    for (const { files } of this.repos.values()) {
      for (const bytes of Object.values(files)) if (path === `/blob/${this.#hashOf(bytes)}`) return bytes;
    }
    return undefined;
  }

  /** Of a file of a repository, which no test changes in place. */
  #hashOf(bytes: Uint8Array): string {
    const hash = this.#hashes.get(bytes) ?? sha256(bytes);
    this.#hashes.set(bytes, hash);
    return hash;
  }

  #repoFor(response: ServerResponse, name: string, revision: string, { authorization }: Request): FakeRepo | undefined {
    const repo = this.repos.get(name);
    const status =
      repo === undefined
        ? 401
        : repo.token === undefined || authorization === `Bearer ${repo.token}`
          ? undefined
          : authorization === undefined
            ? 401
            : 403;
    if (status !== undefined) response.writeHead(status, { "x-error-message": "Repository not found or gated" }).end();
    else if (revision !== "main" && revision !== repo?.commit)
      response.writeHead(404, { "x-error-code": "RevisionNotFound" }).end();
    else return repo;
    return undefined;
  }

  #sendList(response: ServerResponse, path: string, request: Request): void {
    const [, name = "", revision = ""] = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(path) ?? [];
    const repo = this.#repoFor(response, name, revision, request);
    if (repo === undefined) return;
    const siblings = Object.entries(repo.files).map(([rfilename, bytes]) => {
      if (repo.withoutHashes) return { rfilename };
      const lfs = isLarge(rfilename)
        ? { lfs: { sha256: this.#hashOf(bytes), size: bytes.length, pointerSize: 130 } }
        : {};
      return { rfilename, size: bytes.length, blobId: isLarge(rfilename) ? "0".repeat(40) : gitSha1(bytes), ...lfs };
    });
    const body = JSON.stringify({ id: name, sha: repo.commit, siblings });
    response.writeHead(200, { "content-type": "application/json" }).end(body);
  }

  /** Large files are elsewhere, small ones here. */
  #resolve(response: ServerResponse, path: string, request: Request, fault: Fault): void {
    const [, name = "", revision = "", file = ""] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? [];
    const repo = this.#repoFor(response, name, revision, request),
      bytes = repo?.files[file];
    if (repo === undefined) return;
    if (bytes === undefined) {
      response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
      return;
    }
    const headers = { "x-repo-commit": repo.commit, "accept-ranges": "bytes" };
    if (!isLarge(file)) {
      void this.#sendFile(response, request, bytes, { ...headers, etag: `"${gitSha1(bytes)}"` }, fault);
      return;
    }
    const linked = { "x-linked-etag": `"${this.#hashOf(bytes)}"`, "x-linked-size": String(bytes.length) };
    response
      .writeHead(302, {
        ...headers,
        ...linked,
        location: `${this.cdnUrl}/blob/${this.#hashOf(bytes)}?signature=s3cret`,
      })
      .end();
  }

  async #sendFile(
    response: ServerResponse,
    { method, range }: Request,
    whole: Uint8Array,
    headers: Record<string, string>,
    fault: Fault,
  ): Promise<void> {
    const match = fault.noRanges || fault.noLength ? null : /^bytes=(\d+)-(\d+)$/.exec(range ?? "");
    const begin = Number(match?.[1] ?? 0),
      end = Math.min(whole.length, Number(match?.[2] ?? whole.length - 1) + 1);
    if (match !== null && begin >= whole.length) {
      response.writeHead(416, { ...headers, "content-range": `bytes */${whole.length}` }).end();
      return;
    }
    const body = Uint8Array.from(whole.subarray(begin, end));
    if (fault.flipBit !== undefined && body.length > 0)
      body[(fault.flipBit >> 3) % body.length] ^= 1 << (fault.flipBit & 7);
    const length = fault.noLength ? {} : { "content-length": String(body.length + (fault.announceMoreBytes ?? 0)) };
    const ranged = match === null ? {} : { "content-range": `bytes ${begin}-${end - 1}/${whole.length}` };
    response.writeHead(match === null ? 200 : 206, { ...headers, ...length, ...ranged, ...fault.headers });
    if (method === "HEAD") {
      response.end();
      return;
    }
    const limit = fault.cutAfterBytes ?? fault.stallAfterBytes ?? body.length;
    await this.#sendPieces(response, body.subarray(0, limit));
    if (fault.stallAfterBytes !== undefined) return;
    if (fault.cutAfterBytes !== undefined || fault.announceMoreBytes !== undefined) response.destroy();
    else response.end();
  }

  async #sendPieces(response: ServerResponse, body: Uint8Array): Promise<void> {
    const pieceBytes = 64 * 1024;
    response.flushHeaders();
    for (let at = 0; at < body.length && !response.destroyed; at += pieceBytes) {
      const piece = body.subarray(at, at + pieceBytes);
      this.sentBytes += piece.length;
      const isTaken = response.write(piece);
      if (!isTaken) await drained(response);
      if (this.bytesPerSecond < Infinity)
        await new Promise((resolve) => setTimeout(resolve, (1000 * piece.length) / this.bytesPerSecond));
    }
    // What is handed to the system, goes out before a cut.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Resolves when more may be written, or nothing ever will. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      response.off("drain", end);
      response.off("close", end);
      resolve();
    };
    response.on("drain", end);
    response.on("close", end);
  });
}

/** A port where nobody listens. */
export async function closedUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = addressOf(server);
  await new Promise((resolve) => server.close(resolve));
  return url;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Bytes that look like nothing else: xorshift from a seed. */
export function randomBytes(count: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(count / 4));
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, count);
}

/** As {@link randomBytes}, but a model by its first bytes: a GGUF header without keys and tensors. */
export function modelBytes(count: number, seed: number): Uint8Array {
  const bytes = randomBytes(count, seed),
    header = new DataView(bytes.buffer, 0, 24);
  bytes.set(new TextEncoder().encode("GGUF"));
  header.setUint32(4, 3, true);
  for (const at of [8, 16]) header.setBigUint64(at, 0n, true);
  return bytes;
}
