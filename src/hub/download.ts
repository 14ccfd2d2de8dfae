/**
 * Downloads one file from a URL into a store. Fetches parts side by side and records each once stored, resumes where an
 * earlier download ended, hashes on the way, and moves the file into place in one step when all is right.
 *
 * @module
 */
import { concatenated } from "../core/byte-source.ts";
import { OnebitError, fail } from "../core/errors.ts";
import {
  HUB_FILE_BYTES_MAX,
  HUB_PARALLEL_REQUESTS,
  HUB_PART_BYTES,
  HUB_RESTARTS_MAX,
  HUB_UNANNOUNCED_BYTES_MAX,
} from "../core/limits.ts";
import type { HubPlatform, ModelStore, StoreLock } from "../core/model-store.ts";
import { SNIFF_BYTES, isWebPage } from "../files/model-format.ts";
import { FollowingHash, hashText, startHash } from "./hashes.ts";
import type { ExpectedHash } from "./hashes.ts";
import { refuse, send } from "./http.ts";
import type { Answer, Http } from "./http.ts";
import type { FileIdentity } from "./journal.ts";
import { checkModel, checkStart } from "./model-check.ts";
import { PartialFile, journalPath } from "./partial-file.ts";
import {
  FileChanged,
  Location,
  PartsSpoiled,
  announcedBytes,
  askRange,
  contentRange,
  exactly,
  fetchRange,
  remoteFile,
  sizeOfUnsatisfied,
} from "./ranges.ts";
import type { RemoteFile } from "./ranges.ts";
import { withRetries } from "./retry.ts";
import { shown } from "./source.ts";

export interface DownloadRequest {
  readonly url: string;
  readonly store: ModelStore;
  /** Where the whole file goes. */
  readonly path: string;
  /** Where it grows, in the same store. */
  readonly partialPath: string;
  /** What is known beforehand; a file that differs is refused. */
  readonly expectedBytes?: number;
  readonly expectedHash?: ExpectedHash;
  /** Its hash is unknown: keep it only if it is a whole model. */
  readonly mustBeModel: boolean;
  /** Called when the file is whole but not yet in place. */
  beforePlaced?(downloaded: Downloaded): Promise<void>;
  /** Held by the caller. */
  readonly lock: StoreLock;
  readonly http: Http;
  readonly platform: HubPlatform;
  readonly progress: DownloadProgress;
}

export interface DownloadProgress {
  /** Called at each start, also when a download restarts. */
  onBegin(file: { readonly doneBytes: number; readonly totalBytes: number | undefined }): void;
  onBytes(count: number): void;
}

export interface Downloaded {
  readonly sizeBytes: number;
  readonly etag: string | undefined;
  readonly hash: ExpectedHash;
  /** The hash was known beforehand and matched. */
  readonly isVerified: boolean;
}

/** @throws OnebitError `hub/…`, `file/…`, `aborted`; fetched parts stay for the next time, unless they are wrong */
export async function download(request: DownloadRequest): Promise<Downloaded> {
  const { store, path, partialPath, url } = request;
  for (let nStarts = 1; ; nStarts++) {
    const partial = await PartialFile.open(store, partialPath);
    let isOpen = true,
      isPlaced = false;
    try {
      const downloaded = await fetchAll(request, partial);
      if (request.mustBeModel) await checkWhole(partial, shown(url), downloaded);
      if (!(await request.lock.isHeld()))
        fail("hub/busy", `${shown(url)}: this process slept so long that another took over the download; try again`);
      await partial.flush();
      isOpen = false;
      await partial.close();
      await request.beforePlaced?.(downloaded);
      await store.rename(partialPath, path);
      isPlaced = true;
      await store.remove(journalPath(partialPath));
      return downloaded;
    } catch (error) {
      if (!(error instanceof FileChanged)) throw error;
      // The next start asks for the file's identity and drops parts of any other file.
      if (error instanceof PartsSpoiled) await partial.clear();
      if (nStarts > HUB_RESTARTS_MAX) fail("hub/changed", `${error.message}; begun ${nStarts} times`, error);
    } finally {
      if (isOpen) await partial.close();
      if (!isPlaced && partial.identity === undefined) await removeLeftovers(request);
    }
  }
}

/** A file that is no model, or half of one, is useless to the next download. */
async function checkWhole(partial: PartialFile, where: string, { sizeBytes }: Downloaded): Promise<void> {
  try {
    await checkModel(partial.source(where, sizeBytes), where);
  } catch (error) {
    // A failed read says nothing about the bytes, so they stay.
    if (error instanceof OnebitError && /^(?:file\/unknown-format$|gguf\/|safetensors\/)/.test(error.code))
      await partial.clear();
    throw error;
  }
}

/** Removes a download that cannot be resumed, unless another process has it now. */
async function removeLeftovers({ store, partialPath, lock }: DownloadRequest): Promise<void> {
  try {
    if (!(await lock.isHeld())) return;
    await store.remove(partialPath);
    await store.remove(journalPath(partialPath));
  } catch (error) {
    // Report the failure that came first.
    if (!(error instanceof OnebitError)) throw error;
  }
}

async function fetchAll(request: DownloadRequest, partial: PartialFile): Promise<Downloaded> {
  const { http, url, expectedBytes, expectedHash } = request,
    location = new Location(url);
  const isComplete = partial.identity !== undefined && partial.missing().length === 0;
  if (isComplete && expectedHash !== undefined && partial.identity?.hash === hashText(expectedHash)) {
    request.progress.onBegin({ doneBytes: partial.identity.sizeBytes, totalBytes: partial.identity.sizeBytes });
    return await finish(
      request,
      partial,
      followingHash(request, partial, partial.identity, expectedHash),
      partial.identity,
      expectedHash,
    );
  }
  // Asks for a part even if all are there: only the answer tells whether they still belong to the same file.
  const begin = (partial.missing()[0] ?? 0) * HUB_PART_BYTES;
  const first = await withRetries(http.retry, http.signal, () =>
    askRange(http, location, begin, begin + HUB_PART_BYTES),
  );
  try {
    if (first.status === 200) return await fetchInOnePiece(request, partial, first);
    const file = describeFile(first, begin);
    checkExpected(file, request);
    const hash = expectedHash ?? sha256Of(file);
    const identity: FileIdentity = { sizeBytes: file.sizeBytes, etag: file.etag, hash: hash && hashText(hash) };
    const isKept = await partial.begin(identity);
    await checkSpace(request, identity.sizeBytes - partial.doneBytes);
    request.progress.onBegin({ doneBytes: partial.doneBytes, totalBytes: identity.sizeBytes });
    const following = followingHash(request, partial, identity, hash);
    try {
      await fetchParts(request, partial, location, { index: begin / HUB_PART_BYTES, answer: first }, following);
      return await finish(request, partial, following, identity, hash, isKept && partial.foundBytes > 0);
    } finally {
      await following.settle();
    }
  } finally {
    first.drop();
  }

  function checkExpected(file: RemoteFile, { url }: DownloadRequest): void {
    if (expectedBytes !== undefined && file.sizeBytes !== undefined && file.sizeBytes !== expectedBytes) {
      fail(
        "hub/length",
        `${shown(url)}: wanted a file of ${expectedBytes} bytes, the server has one of ${file.sizeBytes}`,
      );
    }
    if (expectedHash?.algorithm === "sha256" && file.sha256 !== undefined && file.sha256 !== expectedHash.hex) {
      fail("hub/checksum", `${shown(url)}: wanted SHA-256 ${expectedHash.hex}, the hub lists ${file.sha256}`);
    }
  }
}

/** The file behind the answer to a range request. @throws FileChanged, OnebitError */
function describeFile(answer: Answer, begin: number): RemoteFile & { readonly sizeBytes: number } {
  if (answer.status !== 416) {
    const { totalBytes } = contentRange(answer);
    return { ...remoteFile(answer, totalBytes), sizeBytes: totalBytes };
  }
  const sizeBytes = sizeOfUnsatisfied(answer);
  if (sizeBytes === 0) return { ...remoteFile(answer, 0), sizeBytes };
  if (begin > 0) throw new PartsSpoiled(`${shown(answer.url)}: has no byte ${begin} any more`);
  return refuse(answer, answer.url);
}

function sha256Of(file: RemoteFile): ExpectedHash | undefined {
  return file.sha256 === undefined ? undefined : { algorithm: "sha256", hex: file.sha256 };
}

function followingHash(
  { platform }: DownloadRequest,
  partial: PartialFile,
  { sizeBytes }: FileIdentity,
  expected: ExpectedHash | undefined,
): FollowingHash {
  const hash = startHash(platform, expected?.algorithm ?? "sha256", sizeBytes);
  return new FollowingHash(
    hash,
    sizeBytes,
    (into, position) => partial.read(into, position),
    (index) => partial.isDone(index),
  );
}

async function checkSpace({ store, url }: DownloadRequest, neededBytes: number): Promise<void> {
  const freeBytes = await store.freeBytes();
  if (freeBytes !== undefined && freeBytes < neededBytes) {
    fail(
      "hub/no-space",
      `${shown(url)}: ${neededBytes} bytes are still to come, ${store.name} has room for ${freeBytes}`,
    );
  }
}

/** Fetches missing parts, a few at a time; one of them from the answer `first`, already there. */
async function fetchParts(
  { http, progress, mustBeModel }: DownloadRequest,
  partial: PartialFile,
  location: Location,
  first: { readonly index: number; readonly answer: Answer },
  following: FollowingHash,
): Promise<void> {
  const { identity } = partial,
    missing = partial.missing();
  if (identity === undefined) throw new Error("no download was begun");
  const queue = missing.includes(first.index)
    ? [first.index, ...missing.filter((index) => index !== first.index)]
    : missing;
  const group = new AbortController(),
    stop = (): void => group.abort(http.signal.reason);
  http.signal.addEventListener("abort", stop, { once: true });
  let firstError: unknown;
  const work = async (): Promise<void> => {
    for (let index = queue.shift(); index !== undefined && firstError === undefined; index = queue.shift()) {
      const begin = index * HUB_PART_BYTES,
        into = new Uint8Array(Math.min(HUB_PART_BYTES, identity.sizeBytes - begin));
      await fetchRange(
        { ...http, signal: group.signal },
        {
          location,
          begin,
          into,
          file: identity,
          first: index === first.index ? first.answer : undefined,
          onBytes: (count) => progress.onBytes(count),
        },
      );
      if (mustBeModel && index === 0)
        checkStart(into.subarray(0, SNIFF_BYTES), whereFrom(location.url, location.current));
      await partial.writePart(index, into);
      following.follow();
    }
  };
  const guarded = (): Promise<void> =>
    work().catch((error: unknown) => {
      firstError ??= error;
      group.abort();
    });
  following.follow();
  try {
    await Promise.all(Array.from({ length: HUB_PARALLEL_REQUESTS }, guarded));
  } finally {
    http.signal.removeEventListener("abort", stop);
  }
  if (firstError !== undefined) throw firstError;
}

async function finish(
  { url }: DownloadRequest,
  partial: PartialFile,
  following: FollowingHash,
  { sizeBytes, etag }: FileIdentity,
  expected: ExpectedHash | undefined,
  hasOldParts = partial.foundBytes > 0,
): Promise<Downloaded> {
  const found: ExpectedHash = { algorithm: expected?.algorithm ?? "sha256", hex: await following.digestHex() };
  if (expected !== undefined && found.hex !== expected.hex) {
    const { algorithm, hex } = expected;
    const message = `${shown(url)}: wanted ${algorithm} ${hex}, received ${found.hex}`;
    // Parts of an earlier download may have rotted on the disk: start over once.
    if (hasOldParts) throw new PartsSpoiled(message);
    await partial.clear();
    fail("hub/checksum", message);
  }
  return { sizeBytes, etag, hash: found, isVerified: expected !== undefined };
}

/** For servers without ranges. Parts of earlier downloads go once the first bytes prove to be a file's. */
async function fetchInOnePiece(request: DownloadRequest, partial: PartialFile, first: Answer): Promise<Downloaded> {
  const { http, url, expectedBytes, expectedHash, mustBeModel, progress } = request;
  let next: Answer | undefined = first;
  return await withRetries(
    http.retry,
    http.signal,
    async () => {
      const answer: Answer = next ?? (await send(http, url, { headers: { "accept-encoding": "identity" } }));
      next = undefined;
      try {
        if (answer.status !== 200) refuse(answer, url);
        const announced = announcedBytes(answer),
          totalBytes = announced ?? expectedBytes,
          file = remoteFile(answer, totalBytes),
          hash = expectedHash ?? sha256Of(file);
        if (expectedBytes !== undefined && totalBytes !== expectedBytes)
          fail(
            "hub/length",
            `${shown(url)}: wanted a file of ${expectedBytes} bytes, the server has one of ${totalBytes}`,
          );
        const onStart = async (start: Uint8Array): Promise<void> => {
          const where = whereFrom(url, answer.url);
          if (mustBeModel) checkStart(start, where);
          if (partial.doneBytes > 0 && isWebPage(start))
            fail(
              "hub/bad-response",
              `${where}: sent a web page instead of the rest of the file, perhaps a login; fetched parts stay`,
            );
          await partial.clear();
          await checkSpace(request, totalBytes ?? 0);
          progress.onBegin({ doneBytes: 0, totalBytes });
        };
        const pieces = fromStart(
          totalBytes === undefined ? answer.pieces() : exactly(answer, totalBytes, url),
          onStart,
        );
        const { sizeBytes, hex } = await storePieces(request, partial, pieces, hash, totalBytes);
        if (hash !== undefined && hash.hex !== hex)
          fail("hub/checksum", `${shown(url)}: wanted ${hash.algorithm} ${hash.hex}, received ${hex}`);
        return {
          sizeBytes,
          etag: file.etag,
          hash: { algorithm: hash?.algorithm ?? "sha256", hex },
          isVerified: hash !== undefined,
        };
      } finally {
        answer.drop();
      }
    },
    true,
  );
}

/** The pieces, the first long enough to tell the file's format; `onStart` sees it before it is passed on. */
async function* fromStart(
  pieces: AsyncIterable<Uint8Array>,
  onStart: (start: Uint8Array) => Promise<void>,
): AsyncGenerator<Uint8Array, void> {
  let start: Uint8Array | undefined = new Uint8Array();
  for await (const piece of pieces) {
    if (start === undefined) {
      yield piece;
      continue;
    }
    start = concatenated([start, piece]);
    if (start.length < SNIFF_BYTES) continue;
    await onStart(start.subarray(0, SNIFF_BYTES));
    yield start;
    start = undefined;
  }
  if (start === undefined) return;
  await onStart(start);
  yield start;
}

async function storePieces(
  { platform, progress, url }: DownloadRequest,
  partial: PartialFile,
  pieces: AsyncIterable<Uint8Array>,
  expected: ExpectedHash | undefined,
  totalBytes: number | undefined,
): Promise<{ readonly sizeBytes: number; readonly hex: string }> {
  // Git's hash begins with the size; a hub that gives the hash gives the size too.
  if (expected?.algorithm === "git-sha1" && totalBytes === undefined)
    throw new OnebitError("hub/bad-response", `${shown(url)}: neither the hub nor the server gives its size`);
  const hash = startHash(platform, expected?.algorithm ?? "sha256", totalBytes ?? 0),
    bytesMax = totalBytes === undefined ? HUB_UNANNOUNCED_BYTES_MAX : HUB_FILE_BYTES_MAX;
  let sizeBytes = 0;
  for await (const piece of pieces) {
    if (sizeBytes + piece.length > bytesMax)
      fail(
        "hub/length",
        `${shown(url)}: has more than ${bytesMax} ` +
          `bytes${totalBytes === undefined ? ", and does not announce how many" : ""}`,
      );
    await partial.writeUnrecorded(piece, sizeBytes);
    hash.update(piece);
    sizeBytes += piece.length;
    progress.onBytes(piece.length);
  }
  return { sizeBytes, hex: hash.digestHex() };
}

/** For messages: a login page is at another address than the file. */
function whereFrom(url: string, answeredBy: string): string {
  return answeredBy === url ? shown(url) : `${shown(url)}, redirected to ${shown(answeredBy)}`;
}
