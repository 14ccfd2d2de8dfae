/**
 * A model from a plain URL, and its other shards when its name says that it is one of several.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { StoredFile } from "../core/model-store.ts";
import { fileNameOf, urlFolder } from "./cache-layout.ts";
import { shardNames } from "./choose-file.ts";
import { fetchFile } from "./fetch-file.ts";
import { hashText } from "./hashes.ts";
import type { ExpectedHash } from "./hashes.ts";
import { send } from "./http.ts";
import type { PullContext, PulledModel } from "./options.ts";
import { pulledModel } from "./pulled-model.ts";
import { withRetries } from "./retry.ts";
import { shown } from "./source.ts";
import { readRecord, writeText } from "./stored-text.ts";
import { findGood, uniqueName } from "./verified.ts";

/** What is kept of where a file came from, beside it. */
export interface UrlRecord {
  readonly url: string;
  readonly etag: string | undefined;
  readonly sizeBytes: number;
  /** What the bytes came to when they came. */
  readonly hash: ExpectedHash;
  /** It was known beforehand. */
  readonly isVerified: boolean;
}

/** @throws OnebitError `hub/…`, `file/…`, `aborted` */
export async function pullFromUrl(url: string, context: PullContext): Promise<PulledModel> {
  const urls = shardUrls(url), store = context.platform.urlStore, folder = urlFolder(context.platform, urls[0]);
  if (context.sha256 !== undefined && urls.length > 1) fail("option/invalid", `sha256: the model has ${urls.length} files, wanted a model of one`);
  const files: (StoredFile & { name: string; record: UrlRecord; path: string })[] = [];
  for (const one of urls) files.push(await fetchUrl(one, folder, context));
  const described = files.map(({ name, sizeBytes, record, path }) => ({
    name, sizeBytes, storePath: path,
    hash: record.isVerified ? hashText(record.hash) : undefined,
    path: store.absolutePath?.(path),
  }));
  return pulledModel(store, described, {
    source: url,
    format: /\.gguf$/i.test(files[0].name) ? "gguf" : /\.safetensors$/i.test(files[0].name) ? "safetensors" : "other",
    commit: undefined, reason: "it was named", others: [], isStale: false,
    fetchedBytes: context.progress.fetchedBytes,
  });
}

/** Of `…/NAME-00002-of-00003.gguf?query` all three, the first one first. */
function shardUrls(url: string): string[] {
  const parsed = new URL(url);
  return shardNames(parsed.pathname).map((pathname) => {
    const shard = new URL(parsed);
    shard.pathname = pathname;
    return shard.href;
  });
}

async function fetchUrl(url: string, folder: string, context: PullContext): Promise<StoredFile & { name: string; record: UrlRecord; path: string }> {
  const { platform: { urlStore: store }, sha256 } = context;
  const name = fileNameOf(url), path = `${folder}/${name}`, recordPath = `${path}.json`, noteKey = path.replaceAll("/", "-");
  const expectedHash: ExpectedHash | undefined = sha256 === undefined ? undefined : { algorithm: "sha256", hex: sha256 };
  let mayBeOld = context.refresh && !context.offline;
  const findExisting = async (): Promise<(StoredFile & { name: string; record: UrlRecord; path: string }) | undefined> => {
    const record = await readUrlRecord(context, recordPath, url);
    if (record === undefined) return undefined;
    const file = await findGood(context, { store, path, key: noteKey, name }, expectedHash ?? record.hash, record.sizeBytes);
    if (file === undefined || (mayBeOld && !(await isUnchanged(url, record, context)))) return undefined;
    // Known now, if not when it came.
    const isVerified = record.isVerified || expectedHash !== undefined;
    if (isVerified !== record.isVerified) await writeText(store, recordPath, JSON.stringify({ ...record, isVerified }), uniqueName());
    context.progress.done(name, file.sizeBytes);
    return { ...file, name, path, record: { ...record, isVerified } };
  };
  if (context.offline) {
    const found = await findExisting();
    return found ?? fail("hub/offline", `${shown(url)}: is not in ${store.name}, or not whole, and the network was not to be used; pull it once while online`);
  }
  return await fetchFile(context, {
    store, url, name, path, noteKey, expectedHash,
    http: context.urlHttp(url),
    partialPath: `${path}.onebit-part`, lockPath: `${path}.onebit-lock`,
    expectedBytes: undefined,
    async onFetched({ sizeBytes, etag, hash, isVerified }) {
      mayBeOld = false;
      const record: UrlRecord = { url, etag, sizeBytes, hash, isVerified };
      await writeText(store, recordPath, JSON.stringify(record), uniqueName());
    },
  }, findExisting);
}

async function readUrlRecord({ platform: { urlStore } }: PullContext, path: string, url: string): Promise<UrlRecord | undefined> {
  const found = await readRecord(urlStore, path);
  if (found === undefined || found.url !== url || typeof found.sizeBytes !== "number") return undefined;
  const { hash, etag } = found, { algorithm, hex } = typeof hash === "object" && hash !== null ? (hash as Record<string, unknown>) : {};
  if (algorithm !== "sha256" || typeof hex !== "string" || !/^[0-9a-f]{64}$/.test(hex)) return undefined;
  return { url, sizeBytes: found.sizeBytes, hash: { algorithm, hex }, etag: typeof etag === "string" ? etag : undefined, isVerified: found.isVerified === true };
}

/** Whether the server still has the file that is here. */
async function isUnchanged(url: string, record: UrlRecord, context: PullContext): Promise<boolean> {
  const http = context.urlHttp(url);
  return await withRetries(http.retry, http.signal, async () => {
    const answer = await send(http, url, { method: "HEAD", headers: { "accept-encoding": "identity" } });
    answer.drop();
    const etag = answer.headers.get("etag") ?? answer.headers.get("last-modified");
    return answer.status === 200 && etag !== null && etag === record.etag;
  });
}
