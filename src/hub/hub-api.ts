/**
 * A hub's listing of a repository: its commit and its files, with sizes and hashes.
 *
 * Source: `GET /api/models/OWNER/REPO/revision/REVISION?blobs=true`, as the huggingface_hub library sends it.
 *
 * @module
 */
import { concatenated } from "../core/byte-source.ts";
import { OnebitError, fail, quoted, shown } from "../core/errors.ts";
import { HUB_FILE_BYTES_MAX, HUB_LIST_BYTES_MAX } from "../core/limits.ts";
import { isJsonObject, parseJsonObject } from "../files/json.ts";
import type { JsonObject } from "../files/json.ts";
import type { FileEntry } from "./choose-file.ts";
import type { ExpectedHash } from "./hashes.ts";
import { refuse, send } from "./http.ts";
import type { Http } from "./http.ts";
import { announcedBytes } from "./ranges.ts";
import { PassingFailure, withRetries } from "./retry.ts";
import { COMMIT, isSafePath } from "./source.ts";

export interface RepoFile extends FileEntry {
  /** Undefined if the hub's list has no hashes: mirrors leave them out. */
  readonly hash: ExpectedHash | undefined;
}

export interface RepoListing {
  readonly commit: string;
  readonly files: readonly RepoFile[];
}

/** @throws OnebitError `hub/…`, `aborted` */
export async function listRepo(http: Http, hubUrl: string, repo: string, revision: string): Promise<RepoListing> {
  const url = `${hubUrl}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const body = await withRetries(http.retry, http.signal, () => fetchSmall(http, url));
  const parsed = parseJsonObject(body);
  const bad = (what: string): never => fail("hub/bad-response", `${url}: ${what}`);
  if ("problem" in parsed) return bad(parsed.problem.message);
  const { sha, siblings } = parsed.value;
  if (typeof sha !== "string" || !COMMIT.test(sha))
    return bad(`wanted a commit of 40 hexadecimal digits in "sha", got ${shown(sha)}`);
  if (!Array.isArray(siblings)) return bad(`wanted a list of files in "siblings"`);
  // A name that would leave its folder is no file we could keep; the rest of the repository is still usable.
  return {
    commit: sha,
    files: siblings
      .filter(isJsonObject)
      .map(readFile)
      .filter((file) => file !== undefined),
  };
}

function readFile(sibling: JsonObject): RepoFile | undefined {
  const { rfilename: path, size, blobId, lfs } = sibling;
  if (typeof path !== "string" || !isSafePath(path)) return undefined;
  const sha256 = isJsonObject(lfs) ? (lfs["sha256"] ?? lfs["oid"]) : undefined;
  const sizeBytes = isSize(size) ? size : isJsonObject(lfs) && isSize(lfs["size"]) ? lfs["size"] : undefined;
  if (typeof sha256 === "string") return { path, sizeBytes, hash: hashOfName(sha256) };
  return { path, sizeBytes, hash: lfs === undefined && typeof blobId === "string" ? hashOfName(blobId) : undefined };
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= HUB_FILE_BYTES_MAX;
}

/** A file's name among a cache's blobs is its hash: SHA-256 for large files, Git's for small ones. */
export function hashOfName(name: string): ExpectedHash | undefined {
  if (/^[0-9a-f]{64}$/.test(name)) return { algorithm: "sha256", hex: name };
  return /^[0-9a-f]{40}$/.test(name) ? { algorithm: "git-sha1", hex: name } : undefined;
}

/** Asks for a file's own headers if the list lacks what we need. @throws OnebitError `hub/…`, `aborted` */
export async function describeFile(
  http: Http,
  url: string,
  file: RepoFile,
): Promise<RepoFile & { readonly hash: ExpectedHash }> {
  const answer = await withRetries(http.retry, http.signal, async () => {
    const head = await send(http, url, { method: "HEAD", headers: { "accept-encoding": "identity" } });
    return head.status === 200 ? head : refuse(head, url);
  });
  answer.drop();
  const etag = answer.linked("x-linked-etag") ?? answer.headers.get("etag"),
    size = answer.linked("x-linked-size");
  const hash = hashOfName((etag ?? "").replace(/^(?:W\/)?"(.*)"$/, "$1"));
  if (hash === undefined)
    return fail(
      "hub/bad-response",
      `${url}: neither the hub's list nor its headers give the file's hash; found ` +
        `ETag ${etag === null ? "none" : quoted(etag)}`,
    );
  const sizeBytes = size !== undefined && /^\d{1,15}$/.test(size) ? Number(size) : announcedBytes(answer);
  return { ...file, sizeBytes: file.sizeBytes ?? sizeBytes, hash };
}

async function fetchSmall(http: Http, url: string): Promise<Uint8Array> {
  const answer = await send(http, url);
  try {
    if (answer.status !== 200) return refuse(answer, url);
    const pieces: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const piece of answer.pieces()) {
      sizeBytes += piece.length;
      if (sizeBytes > HUB_LIST_BYTES_MAX)
        fail("hub/bad-response", `${url}: answered with more than ${HUB_LIST_BYTES_MAX} bytes`);
      pieces.push(piece);
    }
    return concatenated(pieces);
  } finally {
    answer.drop();
  }
}

/** Whether an error means that the hub could not be reached, as opposed to an answer of no. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof PassingFailure) return true;
  return error instanceof OnebitError && ["hub/network", "hub/timeout", "hub/server"].includes(error.code);
}
