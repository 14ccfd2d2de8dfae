/**
 * Gets a model from a plain URL, with its other shards if its name says that it is split.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { ModelStore, StoredFile } from "../core/model-store.ts";
import { formatOf } from "../files/model-format.ts";
import type { ModelFormat } from "../files/model-format.ts";
import { fileNameOf, urlFolder } from "./cache-layout.ts";
import { shardNames } from "./choose-file.ts";
import { fetchFile } from "./fetch-file.ts";
import { hashText } from "./hashes.ts";
import type { ExpectedHash } from "./hashes.ts";
import { send } from "./http.ts";
import { readStart } from "./model-check.ts";
import type { PullContext, PulledModel } from "./options.ts";
import { pulledModel } from "./pulled-model.ts";
import { withRetries } from "./retry.ts";
import { shown } from "./source.ts";
import { readRecord, writeText } from "./stored-text.ts";
import { findGood, uniqueName } from "./verified.ts";
import type { StoredPlace } from "./verified.ts";

/** What we keep beside a file about its origin. */
export interface UrlRecord {
  readonly url: string;
  readonly etag: string | undefined;
  readonly sizeBytes: number;
  /** The hash of the bytes when they arrived. */
  readonly hash: ExpectedHash;
  /** The hash was known beforehand. */
  readonly isVerified: boolean;
}

/** @throws OnebitError `hub/…`, `file/…`, `aborted` */
export async function pullFromUrl(url: string, context: PullContext): Promise<PulledModel> {
  const urls = shardUrls(url),
    store = context.platform.urlStore,
    folder = urlFolder(context.platform, urls[0]);
  if (context.sha256 !== undefined && urls.length > 1)
    fail("option/invalid", `sha256: the model has ${urls.length} files, wanted a model of one`);
  const files: KeptFile[] = [];
  for (const one of urls) files.push(await fetchUrl(one, folder, context));
  const described = files.map(({ name, sizeBytes, record, path }) => ({
    name,
    sizeBytes,
    storePath: path,
    hash: record.isVerified ? hashText(record.hash) : undefined,
    path: store.absolutePath?.(path),
  }));
  return pulledModel(store, described, {
    source: url,
    format: files[0].format ?? "other",
    commit: undefined,
    reason: "as named",
    others: [],
    isStale: false,
    fetchedBytes: context.progress.fetchedBytes,
  });
}

/** For `…/NAME-00002-of-00003.gguf?query` all three, the first one first. */
function shardUrls(url: string): string[] {
  const parsed = new URL(url);
  return shardNames(parsed.pathname).map((pathname) => {
    const shard = new URL(parsed);
    shard.pathname = pathname;
    return shard.href;
  });
}

interface KeptFile extends StoredFile {
  readonly name: string;
  readonly path: string;
  readonly record: UrlRecord;
  /** Undefined only for a file whose hash the caller gave. */
  readonly format: ModelFormat | undefined;
}

async function fetchUrl(url: string, folder: string, context: PullContext): Promise<KeptFile> {
  const {
    platform: { urlStore: store },
    sha256,
  } = context;
  const name = fileNameOf(url),
    place: UrlPlace = { url, store, name, path: `${folder}/${name}`, key: `${folder}/${name}`.replaceAll("/", "-") };
  let mayBeOld = context.refresh && !context.offline;
  const findExisting = async (): Promise<KeptFile | undefined> => {
    const kept = await findKept(context, place);
    if (kept === undefined || (mayBeOld && !(await isUnchanged(url, kept.record, context)))) return undefined;
    context.progress.done(name, kept.sizeBytes);
    return kept;
  };
  if (context.offline) {
    const found = await findExisting();
    return (
      found ??
      fail(
        "hub/offline",
        `${shown(url)}: is not in ${store.name}, or incomplete, and offline mode is on; run \`onebit pull\` ` +
          "while online",
      )
    );
  }
  const { path } = place,
    expectedHash = expectedHashOf(context);
  return await fetchFile(
    context,
    {
      store,
      url,
      name,
      path,
      expectedHash,
      noteKey: place.key,
      http: context.urlHttp(url),
      partialPath: `${path}.onebit-part`,
      lockPath: `${path}.onebit-lock`,
      expectedBytes: undefined,
      mustBeModel: sha256 === undefined,
      beforePlaced: ({ sizeBytes, etag, hash, isVerified }) =>
        writeRecord(store, pendingPath(path), { url, etag, sizeBytes, hash, isVerified }),
      async afterPlaced({ sizeBytes, etag, hash, isVerified }) {
        mayBeOld = false;
        await settleRecord(store, path, { url, etag, sizeBytes, hash, isVerified });
      },
    },
    findExisting,
  );
}

interface UrlPlace extends StoredPlace {
  readonly url: string;
}

const recordPath = (path: string): string => `${path}.json`;
/**
 * The record of a file about to move into place: a kill at that moment leaves the old file with the old record, or the
 * new file with this one. Named like the download, so that it cannot be mistaken for a file's own.
 */
const pendingPath = (path: string): string => `${path}.onebit-part.record`;

function expectedHashOf({ sha256 }: PullContext): ExpectedHash | undefined {
  return sha256 === undefined ? undefined : { algorithm: "sha256", hex: sha256 };
}

/** The stored file, if it matches one of its records. */
async function findKept(context: PullContext, place: UrlPlace): Promise<KeptFile | undefined> {
  const { store, path, url, name } = place,
    expectedHash = expectedHashOf(context);
  for (const at of [recordPath(path), pendingPath(path)]) {
    const record = await readUrlRecord(context, at, url);
    const file = record && (await findGood(context, place, expectedHash ?? record.hash, record.sizeBytes));
    if (record === undefined || file === undefined) continue;
    const format = await formatAt(store, path);
    // An older version kept any file, perhaps a login page, and would never ask the server again.
    if (format === undefined && expectedHash === undefined) continue;
    // Known now, if not when it arrived.
    const known = { ...record, isVerified: record.isVerified || expectedHash !== undefined };
    if (at !== recordPath(path)) await settleRecord(store, path, known);
    else if (known.isVerified !== record.isVerified) await writeRecord(store, at, known);
    return { ...file, name, path, record: known, format };
  }
  return undefined;
}

async function formatAt(store: ModelStore, path: string): Promise<ModelFormat | undefined> {
  const source = await store.openRead(path);
  try {
    return formatOf(await readStart(source));
  } finally {
    await source.close();
  }
}

async function settleRecord(store: ModelStore, path: string, record: UrlRecord): Promise<void> {
  await writeRecord(store, recordPath(path), record);
  await store.remove(pendingPath(path));
}

async function writeRecord(store: ModelStore, path: string, record: UrlRecord): Promise<void> {
  await writeText(store, path, JSON.stringify(record), uniqueName());
}

async function readUrlRecord(
  { platform: { urlStore } }: PullContext,
  path: string,
  url: string,
): Promise<UrlRecord | undefined> {
  const found = await readRecord(urlStore, path);
  if (found === undefined || found.url !== url || typeof found.sizeBytes !== "number") return undefined;
  const { hash, etag } = found,
    { algorithm, hex } = typeof hash === "object" && hash !== null ? (hash as Record<string, unknown>) : {};
  if (algorithm !== "sha256" || typeof hex !== "string" || !/^[0-9a-f]{64}$/.test(hex)) return undefined;
  return {
    url,
    sizeBytes: found.sizeBytes,
    hash: { algorithm, hex },
    etag: typeof etag === "string" ? etag : undefined,
    isVerified: found.isVerified === true,
  };
}

/** Whether the server still has the file that we have. */
async function isUnchanged(url: string, record: UrlRecord, context: PullContext): Promise<boolean> {
  const http = context.urlHttp(url);
  return await withRetries(http.retry, http.signal, async () => {
    const answer = await send(http, url, { method: "HEAD", headers: { "accept-encoding": "identity" } });
    answer.drop();
    const etag = answer.headers.get("etag") ?? answer.headers.get("last-modified");
    return answer.status === 200 && etag !== null && etag === record.etag;
  });
}
