/**
 * Fetches ranges of a file: checks each answer against the request, and resumes where it breaks off.
 *
 * @module
 */
import { OnebitError, fail, quoted } from "../core/errors.ts";
import { HUB_FILE_BYTES_MAX } from "../core/limits.ts";
import { refuse, send } from "./http.ts";
import type { Answer, Http } from "./http.ts";
import { PassingFailure, withRetries } from "./retry.ts";
import { shown } from "./source.ts";

/**
 * Where a file is, and where its last request was redirected to: ask that address first, because hubs count requests.
 */
export class Location {
  readonly url: string;
  #current: string | undefined;

  constructor(url: string) {
    this.url = url;
  }

  get current(): string {
    return this.#current ?? this.url;
  }

  remember(url: string): void {
    this.#current = url;
  }

  /** Signed addresses expire, so forget one. True if there was another than the original. */
  forget(): boolean {
    const had = this.#current !== undefined && this.#current !== this.url;
    this.#current = undefined;
    return had;
  }
}

/** The file behind the URL has changed since the download began, or another server answers for it. */
export class FileChanged extends Error {}

/** The parts here are useless now. */
export class PartsSpoiled extends FileChanged {}

/** What a server said about a file along with its bytes. */
export interface RemoteFile {
  /** Undefined if the server does not say beforehand. */
  readonly sizeBytes: number | undefined;
  readonly etag: string | undefined;
  /** SHA-256, if the first host gave it in `X-Linked-ETag`. */
  readonly sha256: string | undefined;
}

/** Asks for `[begin, end)`. The answer is 206, 200 (the server has no ranges) or 416; anything else is thrown. */
export async function askRange(http: Http, location: Location, begin: number, end: number): Promise<Answer> {
  const answer = await send(http, location.current, {
    headers: { range: `bytes=${begin}-${end - 1}`, "accept-encoding": "identity" },
  });
  if (answer.status === 206 || answer.status === 200 || answer.status === 416) {
    location.remember(answer.url);
    return answer;
  }
  if ([401, 403, 404, 410].includes(answer.status) && location.forget()) {
    answer.drop();
    throw new PassingFailure(
      new OnebitError("hub/network", `${shown(location.url)}: the address it redirected to is no longer valid`),
      { waitMs: 0 },
    );
  }
  return refuse(answer, location.url);
}

export interface ContentRange {
  readonly begin: number;
  /** Exclusive. */
  readonly end: number;
  readonly totalBytes: number;
}

/** @throws OnebitError `hub/bad-response` */
export function contentRange(answer: Answer): ContentRange {
  if (!isPlain(answer)) {
    answer.drop();
    fail(
      "hub/bad-response",
      `${shown(answer.url)}: sent a range compressed ` +
        `(Content-Encoding ${quoted(answer.headers.get("content-encoding") ?? "")}), wanted it uncompressed`,
    );
  }
  const header = answer.headers.get("content-range"),
    match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header ?? "");
  const range =
    match === null ? undefined : { begin: Number(match[1]), end: Number(match[2]) + 1, totalBytes: Number(match[3]) };
  if (
    range !== undefined &&
    range.begin < range.end &&
    range.end <= range.totalBytes &&
    range.totalBytes <= HUB_FILE_BYTES_MAX
  )
    return range;
  answer.drop();
  return fail(
    "hub/bad-response",
    `${shown(answer.url)}: answered a range with ` +
      `Content-Range ${header === null ? "missing (a server for browsers must expose it)" : quoted(header)}`,
  );
}

/** `bytes *\/N` of a 416 answer. */
export function sizeOfUnsatisfied(answer: Answer): number | undefined {
  const match = /^bytes \*\/(\d{1,15})$/.exec(answer.headers.get("content-range") ?? "");
  return match === null ? undefined : Number(match[1]);
}

/** @param sizeBytes from Content-Range or Content-Length */
export function remoteFile(answer: Answer, sizeBytes: number | undefined): RemoteFile {
  const linked = answer.linked("x-linked-etag")?.replace(/^(?:W\/)?"(.*)"$/, "$1");
  const sha256 = linked !== undefined && /^[0-9a-f]{64}$/.test(linked) ? linked : undefined;
  return { sizeBytes, etag: answer.headers.get("etag") ?? answer.headers.get("last-modified") ?? undefined, sha256 };
}

/** The size announced for a whole answer; a compressed answer announces another. */
export function announcedBytes(answer: Answer): number | undefined {
  const length = answer.headers.get("content-length");
  return isPlain(answer) && length !== null && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

function isPlain({ headers }: Answer): boolean {
  return ["", "identity"].includes(headers.get("content-encoding") ?? "");
}

export interface RangeRequest {
  readonly location: Location;
  readonly begin: number;
  /** Filled from its beginning. */
  readonly into: Uint8Array;
  /** The file as it was when the download began. */
  readonly file: { readonly sizeBytes: number; readonly etag: string | undefined };
  /** The answer that began the download, with some of these bytes. */
  readonly first?: Answer;
  readonly onBytes: (count: number) => void;
}

/**
 * Fills `into` with the bytes from `begin` on; resumes where an answer breaks off.
 * @throws FileChanged, OnebitError `hub/…`, `aborted`
 */
export async function fetchRange(
  http: Http,
  { location, begin, into, file, first, onBytes }: RangeRequest,
): Promise<void> {
  let filledBytes = 0,
    next = first;
  await withRetries(
    http.retry,
    http.signal,
    async (progressed) => {
      while (filledBytes < into.length) {
        const answer = next ?? (await askRange(http, location, begin + filledBytes, begin + into.length));
        next = undefined;
        try {
          const range = checkRange(answer, begin + filledBytes, begin + into.length, file);
          const wantedBytes = range.end - range.begin;
          for await (const piece of exactly(answer, wantedBytes, location.url)) {
            into.set(piece, filledBytes);
            filledBytes += piece.length;
            onBytes(piece.length);
            progressed();
          }
        } finally {
          answer.drop();
        }
      }
    },
    true,
  );
}

/**
 * The pieces of an answer that announced its length.
 * @throws PassingFailure with `hub/length` if it is shorter, OnebitError `hub/length` if longer
 */
export async function* exactly(answer: Answer, wantedBytes: number, url: string): AsyncGenerator<Uint8Array, void> {
  let cameBytes = 0;
  const tooFew = (cause?: unknown): PassingFailure =>
    new PassingFailure(
      new OnebitError("hub/length", `${shown(url)}: announced ${wantedBytes} bytes, ended after ${cameBytes}`, {
        cause,
      }),
    );
  try {
    for await (const piece of answer.pieces()) {
      if (cameBytes + piece.length > wantedBytes)
        fail("hub/length", `${shown(url)}: announced ${wantedBytes} bytes, sent more`);
      cameBytes += piece.length;
      yield piece;
    }
  } catch (error) {
    // A cut becomes `hub/length` with the bytes so far; a stall and the caller's stop stay what they are.
    throw error instanceof PassingFailure && error.error.code === "hub/network" ? tooFew(error.error) : error;
  }
  if (cameBytes < wantedBytes) throw tooFew();
}

function checkRange(answer: Answer, begin: number, end: number, file: RangeRequest["file"]): ContentRange {
  const url = shown(answer.url),
    etag = remoteFile(answer, undefined).etag;
  if (etag !== undefined && file.etag !== undefined && etag !== file.etag)
    throw new FileChanged(`${url}: its ETag was ${quoted(file.etag)}, is ${quoted(etag)}`);
  if (answer.status === 416) {
    const sizeBytes = sizeOfUnsatisfied(answer);
    if (sizeBytes !== undefined && sizeBytes !== file.sizeBytes)
      throw new FileChanged(`${url}: had ${file.sizeBytes} bytes, has ${sizeBytes}`);
    return refuse(answer, answer.url);
  }
  if (answer.status === 200) throw new FileChanged(`${url}: answered ranges, now sends the whole file`);
  const range = contentRange(answer);
  if (range.totalBytes !== file.sizeBytes)
    throw new FileChanged(`${url}: had ${file.sizeBytes} bytes, has ${range.totalBytes}`);
  if (range.begin !== begin || range.end > end) {
    fail("hub/bad-response", `${url}: asked for bytes ${begin} to ${end - 1}, got ${range.begin} to ${range.end - 1}`);
  }
  return range;
}
