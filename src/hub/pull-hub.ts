/**
 * Gets a model of a Hugging Face repository: finds the revision and the files, each from the cache or the hub.
 *
 * @module
 */
import { OnebitError, fail, throwIfAborted } from "../core/errors.ts";
import type { StoredFile } from "../core/model-store.ts";
import {
  blobLockPath,
  blobPath,
  cachedCommit,
  filesBelow,
  partialBlobPath,
  repoFolder,
  snapshotPath,
  tagCache,
  writeRef,
} from "./cache-layout.ts";
import { chooseFiles } from "./choose-file.ts";
import type { Choice } from "./choose-file.ts";
import { fetchFile } from "./fetch-file.ts";
import { hashSource, hashText } from "./hashes.ts";
import type { ExpectedHash } from "./hashes.ts";
import { describeFile, hashOfName, isUnreachable, listRepo } from "./hub-api.ts";
import type { RepoFile, RepoListing } from "./hub-api.ts";
import type { PullContext, PulledFile, PulledModel } from "./options.ts";
import { pulledModel } from "./pulled-model.ts";
import { COMMIT, REVISION_DEFAULT } from "./source.ts";
import type { HubSource } from "./source.ts";
import { readRecord } from "./stored-text.ts";
import { findGood, note } from "./verified.ts";

interface HubModel {
  readonly repo: string;
  readonly revision: string;
  readonly commit: string;
  readonly choice: Choice;
  readonly files: readonly RepoFile[];
}

/** @throws OnebitError `hub/…`, `file/…`, `aborted` */
export async function pullFromHub(source: HubSource, context: PullContext): Promise<PulledModel> {
  const revision = revisionOf(source, context),
    where = `${source.repo}@${revision}`;
  if (context.offline) return await openCached(source, revision, context, false);
  // A commit never changes, so we need not ask about a file of it that we have.
  if (COMMIT.test(revision) && source.file !== undefined) {
    const kept = await openCached(source, revision, context, false).catch(ignoreAbsent);
    if (kept !== undefined) return kept;
  }
  let listing: RepoListing;
  try {
    listing = await listRepo(context.hubHttp, context.hubUrl, source.repo, revision);
  } catch (error) {
    throwIfAborted(context.signal);
    if (!isUnreachable(error)) throw error;
    return await openCached(source, revision, context, true).catch((reason: unknown) => {
      // Nothing in the cache either: the failure to report is the unreachable hub.
      throw reason instanceof OnebitError && reason.code === "hub/offline" ? error : reason;
    });
  }
  const choice = chooseFiles(listing.files, source.file, where);
  checkOneFile(choice, context);
  return await fetchModel(
    { repo: source.repo, revision, commit: listing.commit, choice, files: listing.files },
    context,
  );
}

function ignoreAbsent(error: unknown): undefined {
  if (error instanceof OnebitError && (error.code === "hub/offline" || error.code === "hub/checksum")) return undefined;
  throw error;
}

function revisionOf(source: HubSource, { revision }: PullContext): string {
  if (source.revision !== undefined && revision !== undefined && source.revision !== revision) {
    fail("option/invalid", `revision: the source says ${source.revision}, the option ${revision}`);
  }
  return revision ?? source.revision ?? REVISION_DEFAULT;
}

function checkOneFile({ paths }: Choice, { sha256 }: PullContext): void {
  if (sha256 !== undefined && paths.length > 1)
    fail("option/invalid", `sha256: the model has ${paths.length} files, wanted a model of one`);
}

async function fetchModel(model: HubModel, context: PullContext): Promise<PulledModel> {
  const { repo, commit, choice, revision } = model,
    store = context.platform.hubStore;
  const byPath = new Map(model.files.map((file) => [file.path, file])),
    entries = choice.paths.map((path) => byPath.get(path)).filter((file) => file !== undefined);
  context.progress.expect(entries.map(({ path, sizeBytes }) => ({ name: path, sizeBytes })));
  const files: Stored[] = [];
  // One after another: each file already uses several requests.
  for (const entry of entries) files.push(await fetchRepoFile(entry, model, context));
  await tagCache(store);
  // Last, so a revision never points to a commit that is incomplete here.
  await writeRef(store, repo, revision, commit);
  return assemble(model, files, context, false);
}

type Stored = StoredFile & {
  readonly repoPath: string;
  readonly storePath: string;
  readonly hash: ExpectedHash | undefined;
};

async function fetchRepoFile(entry: RepoFile, { repo, commit }: HubModel, context: PullContext): Promise<Stored> {
  const {
    hubHttp: http,
    hubUrl,
    sha256,
    platform: { hubStore: store },
  } = context;
  const url = `${hubUrl}/${repo}/resolve/${commit}/${entry.path.split("/").map(encodeURIComponent).join("/")}`;
  const { hash, sizeBytes } =
    entry.hash === undefined ? await describeFile(http, url, entry) : { ...entry, hash: entry.hash };
  if (sha256 !== undefined && hash.algorithm === "sha256" && hash.hex !== sha256) {
    fail("hub/checksum", `${repo}/${entry.path}: wanted SHA-256 ${sha256}, the hub lists ${hash.hex}`);
  }
  const pointer = snapshotPath(repo, commit, entry.path),
    blob = blobPath(repo, hash.hex),
    noteKey = `${repoFolder(repo)}/${hash.hex}`;
  const findExisting = async (): Promise<Stored | undefined> => {
    // Without links, the bytes lie in the first snapshot that had them.
    const noted = (await readRecord(context.platform.urlStore, `verified/${noteKey}.json`))?.path;
    const paths = new Set([
      blob,
      pointer,
      ...(typeof noted === "string" && noted.startsWith(`${repoFolder(repo)}/`) ? [noted] : []),
    ]);
    for (const path of paths) {
      const file = await findGood(
        context,
        { store, path, key: noteKey, name: entry.path, alias: pointer },
        hash,
        sizeBytes,
      );
      if (file === undefined) continue;
      if (path === blob && (await store.linkTarget(pointer)) !== blob) await store.link(pointer, blob);
      const hasMoved = path === blob && (await store.stat(blob)) === undefined;
      if (hasMoved) await note(context, { store, path: pointer, key: noteKey, name: entry.path }, hash);
      context.progress.done(entry.path, file.sizeBytes);
      return { ...file, repoPath: entry.path, storePath: path === blob ? pointer : path, hash };
    }
    return undefined;
  };
  const stored = await fetchFile(
    context,
    {
      store,
      url,
      http,
      noteKey,
      alias: pointer,
      name: entry.path,
      path: blob,
      partialPath: partialBlobPath(repo, hash.hex),
      lockPath: blobLockPath(repo, hash.hex),
      expectedBytes: sizeBytes,
      expectedHash: hash,
      mustBeModel: false,
    },
    findExisting,
  );
  await checkSha256(`${repo}/${entry.path}`, stored, context);
  return stored;
}

/** Checks the caller's own hash if the hub's is of another kind or unknown. */
async function checkSha256(
  where: string,
  { storePath, hash }: Stored,
  { sha256, signal, platform }: PullContext,
): Promise<void> {
  if (sha256 === undefined || (hash?.algorithm === "sha256" && hash.hex === sha256)) return;
  const source = await platform.hubStore.openRead(storePath);
  try {
    const hex = await hashSource(platform, source, "sha256", { signal });
    if (hex !== sha256) fail("hub/checksum", `${where}: wanted SHA-256 ${sha256}, found ${hex}`);
  } finally {
    await source.close();
  }
}

/** What the cache has of a revision, offline. @throws OnebitError `hub/offline`, `hub/checksum` */
async function openCached(
  source: HubSource,
  revision: string,
  context: PullContext,
  isStale: boolean,
): Promise<PulledModel> {
  const { hubStore: store } = context.platform,
    { repo } = source,
    where = `${repo}@${revision}`;
  const absent = (what: string, cause?: unknown): never =>
    fail(
      "hub/offline",
      `${where}: ${what} in ${store.name}, and offline mode is on; run \`onebit pull\` while online`,
      cause,
    );
  const commit = await cachedCommit(store, repo, revision);
  if (commit === undefined) return absent("is not");
  const listed = await filesBelow(store, snapshotPath(repo, commit, "").replace(/\/$/, ""));
  if (listed.length === 0) return absent("has no file");
  let choice: Choice;
  try {
    choice = chooseFiles(listed, source.file, where);
  } catch (error) {
    return absent("is incomplete", error);
  }
  checkOneFile(choice, context);
  const files: Stored[] = [];
  for (const path of choice.paths) {
    const stored = await openCachedFile(repo, commit, path, context);
    if (stored !== undefined) files.push(stored);
    else if (isStale) return absent(`has a damaged ${path}`);
    else
      fail(
        "hub/checksum",
        `${where}: ${path} in ${store.name} has changed since it was pulled; pull it again while online`,
      );
  }
  return assemble({ repo, revision, commit, choice, files: [] }, files, context, isStale);
}

async function openCachedFile(
  repo: string,
  commit: string,
  path: string,
  context: PullContext,
): Promise<Stored | undefined> {
  const store = context.platform.hubStore,
    pointer = snapshotPath(repo, commit, path);
  const hash = await hashOfStored(repo, pointer, context);
  const key = `${repoFolder(repo)}/${hash?.hex ?? "unknown"}`;
  const linked = await store.linkTarget(pointer),
    bytesAt = linked ?? pointer;
  const file = await findGood(context, { store, path: bytesAt, key, name: path }, hash);
  if (file === undefined) return undefined;
  const stored = { ...file, repoPath: path, storePath: pointer, hash };
  await checkSha256(`${repo}/${path}`, stored, context);
  return stored;
}

/** From the name of the blob that a link leads to; without links, from our note. */
async function hashOfStored(
  repo: string,
  pointer: string,
  { platform: { hubStore, urlStore } }: PullContext,
): Promise<ExpectedHash | undefined> {
  const target = await hubStore.linkTarget(pointer);
  if (target !== undefined) return hashOfName(target.split("/").pop() ?? "");
  for (const { name } of await urlStore.list(`verified/${repoFolder(repo)}`)) {
    const record = await readRecord(urlStore, `verified/${repoFolder(repo)}/${name}`);
    if (record?.path === pointer || record?.alias === pointer) return hashOfName(name.replace(/\.json$/, ""));
  }
  return undefined;
}

function assemble(
  { repo, commit, choice }: HubModel,
  files: readonly Stored[],
  context: PullContext,
  isStale: boolean,
): PulledModel {
  const { hubStore: store } = context.platform,
    single = choice.format === "gguf" || choice.format === "other" ? `/${choice.paths[0]}` : "";
  const described = files.map(({ repoPath, sizeBytes, hash, storePath }): PulledFile & { storePath: string } => ({
    name: repoPath,
    sizeBytes,
    hash: hash && hashText(hash),
    path: store.absolutePath?.(storePath),
    storePath,
  }));
  return pulledModel(store, described, {
    source: `hf:${repo}${single}@${commit}`,
    format: choice.format,
    commit,
    reason: choice.reason,
    others: choice.others,
    isStale,
    fetchedBytes: context.progress.fetchedBytes,
  });
}
