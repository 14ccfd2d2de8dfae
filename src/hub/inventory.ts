/**
 * Lists and removes the models kept on this machine.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { HubPlatform, ModelStore, StoreLock } from "../core/model-store.ts";
import { blobLockPath, filesBelow, repoFolder, repoOfFolder, urlFolder } from "./cache-layout.ts";
import { shardNames } from "./choose-file.ts";
import { HUB_URL_DEFAULT, isSafePath, parseSource } from "./source.ts";
import type { HubSource } from "./source.ts";
import { readRecord } from "./stored-text.ts";

/** A file of a kept model. */
export interface KeptFile {
  /** Its path in the repository, or its name in the URL. */
  readonly name: string;
  /** Its size. */
  readonly sizeBytes: number;
  /** Where other programs find it; undefined in browsers. */
  readonly path: string | undefined;
}

/** A model that is kept on this machine. */
export interface KeptModel {
  /** What `load`, `pull` and `remove` take: `hf:owner/repo` or a URL. */
  readonly source: string;
  /** Model files; not configurations and tokenizers. */
  readonly files: readonly KeptFile[];
  /** Bytes on the disk: all files, each once. */
  readonly sizeBytes: number;
  /** The size that downloads which were begun and not finished will have. */
  readonly unfinishedBytes: number;
}

/** What removing a model gave back. */
export interface RemovedModel {
  /** Bytes that are free again. */
  readonly freedBytes: number;
}

const MODEL_FILE = /\.(?:gguf|safetensors)$/i;
const PARTIAL = /\.onebit-part$/;

/** Every kept model, by source, including repositories that other programs fetched. @throws OnebitError `file/read` */
export async function listModels(platform: HubPlatform): Promise<KeptModel[]> {
  const models = [...(await listRepos(platform.hubStore)), ...(await listUrls(platform.urlStore))];
  return models.sort((a, b) => (a.source < b.source ? -1 : 1));
}

async function listRepos(store: ModelStore): Promise<KeptModel[]> {
  const models: KeptModel[] = [];
  for (const { name: folder, isFolder } of await store.list("")) {
    const repo = isFolder ? repoOfFolder(folder) : undefined;
    if (repo === undefined) continue;
    const blobs = await filesBelow(store, `${folder}/blobs`),
      pointers = await filesBelow(store, `${folder}/snapshots`);
    const files = new Map<string, KeptModel["files"][number]>();
    let unlinkedBytes = 0;
    for (const { path, sizeBytes } of pointers) {
      const name = path.split("/").slice(1).join("/"),
        at = `${folder}/snapshots/${path}`;
      if (MODEL_FILE.test(name)) files.set(name, { name, sizeBytes, path: store.absolutePath?.(at) });
      if ((await store.linkTarget(at)) === undefined) unlinkedBytes += sizeBytes;
    }
    const unfinishedBytes = totalBytes(blobs.filter(({ path }) => PARTIAL.test(path)));
    if (files.size === 0 && unfinishedBytes === 0) continue;
    const wholeBytes = totalBytes(blobs.filter(({ path }) => /^[0-9a-f]+$/.test(path)));
    models.push({
      source: `hf:${repo}`,
      files: [...files.values()],
      sizeBytes: wholeBytes + unlinkedBytes,
      unfinishedBytes,
    });
  }
  return models;
}

async function listUrls(store: ModelStore): Promise<KeptModel[]> {
  const models: KeptModel[] = [];
  for (const { name, isFolder } of await store.list("urls")) {
    const folder = `urls/${name}`,
      found = isFolder ? await filesBelow(store, folder) : [];
    const files: { name: string; sizeBytes: number; path: string | undefined; url: string }[] = [];
    for (const { path, sizeBytes } of found) {
      const record = await readRecord(store, `${folder}/${path}.json`);
      if (typeof record?.url === "string")
        files.push({ name: path, sizeBytes, path: store.absolutePath?.(`${folder}/${path}`), url: record.url });
    }
    // A download without a record yet has no source to name it by.
    if (files.length === 0) continue;
    const unfinishedBytes = totalBytes(found.filter(({ path }) => PARTIAL.test(path)));
    const plain = files.map(({ name: file, sizeBytes, path }) => ({ name: file, sizeBytes, path }));
    models.push({ source: files[0].url, files: plain, sizeBytes: totalBytes(files), unfinishedBytes });
  }
  return models;
}

function totalBytes(files: readonly { readonly sizeBytes: number }[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/**
 * Removes what a source names: a repository with all its files, one model file of it, or the files of a URL; and the
 * rest of unfinished downloads.
 * @returns bytes freed
 * @throws OnebitError `file/not-found` when there is no such model, `hub/busy` while it is being downloaded,
 * `file/write`
 */
export async function removeModel(source: string, platform: HubPlatform): Promise<RemovedModel> {
  const parsed = parseSource(source, platform.environment("HF_ENDPOINT") ?? HUB_URL_DEFAULT);
  if (parsed.kind === "path")
    return fail(
      "hub/bad-source",
      `${quoted(source)}: wanted hf:owner/repo, hf:owner/repo/file or a URL, as \`onebit list\` shows it`,
    );
  if (parsed.kind === "url") {
    const url = new URL(parsed.url);
    url.pathname = shardNames(url.pathname)[0];
    return await removeFolder(platform.urlStore, urlFolder(platform, url.href), source);
  }
  if (parsed.revision !== undefined)
    fail(
      "hub/bad-source",
      `${quoted(source)}: models are removed with all their revisions; leave @${parsed.revision} out`,
    );
  return parsed.file === undefined
    ? await removeRepo(platform, parsed)
    : await removeFile(platform, parsed, parsed.file);
}

async function removeFolder(store: ModelStore, folder: string, source: string): Promise<RemovedModel> {
  const files = await filesBelow(store, folder);
  if (files.length === 0) fail("file/not-found", `${quoted(source)}: is not in ${store.name}`);
  const locks = files
    .filter(({ path }) => PARTIAL.test(path))
    .map(({ path }) => `${folder}/${path.replace(PARTIAL, ".onebit-lock")}`);
  return await withLocks(store, locks, source, () => removeTree(store, folder));
}

async function removeRepo({ hubStore: store, urlStore }: HubPlatform, { repo }: HubSource): Promise<RemovedModel> {
  const folder = repoFolder(repo),
    blobs = await filesBelow(store, `${folder}/blobs`),
    pointers = await filesBelow(store, `${folder}/snapshots`);
  if (blobs.length + pointers.length === 0) fail("file/not-found", `hf:${repo}: is not in ${store.name}`);
  return await withLocks(store, partialLocks(repo, blobs), `hf:${repo}`, async () => {
    const freed = await removeTree(store, folder);
    await urlStore.remove(`verified/${folder}`);
    return freed;
  });
}

/** Removes a link to a folder, but not its target. */
async function removeTree(store: ModelStore, folder: string): Promise<RemovedModel> {
  const files = (await store.linkTarget(folder)) === undefined ? await filesBelow(store, folder) : [];
  const sizes = await Promise.all(files.map(({ path }) => ownBytes(store, `${folder}/${path}`)));
  await store.remove(folder);
  return { freedBytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** A link counts as none. */
async function ownBytes(store: ModelStore, path: string): Promise<number> {
  if ((await store.linkTarget(path)) !== undefined) return 0;
  return (await store.stat(path))?.sizeBytes ?? 0;
}

function partialLocks(repo: string, blobs: readonly { readonly path: string }[]): string[] {
  return blobs
    .filter(({ path }) => PARTIAL.test(path))
    .map(({ path }) => blobLockPath(repo, path.replace(PARTIAL, "")));
}

async function removeFile({ hubStore: store }: HubPlatform, { repo }: HubSource, file: string): Promise<RemovedModel> {
  const folder = repoFolder(repo),
    names = new Set(shardNames(file)),
    pointers = await filesBelow(store, `${folder}/snapshots`);
  const isNamed = (path: string): boolean => names.has(path.split("/").slice(1).join("/"));
  const going = pointers.filter(({ path }) => isNamed(path)),
    staying = pointers.filter(({ path }) => !isNamed(path));
  if (going.length === 0) fail("file/not-found", `hf:${repo}/${file}: is not in ${store.name}`);
  const targets = async (list: typeof pointers): Promise<Set<string | undefined>> =>
    new Set(await Promise.all(list.map(({ path }) => store.linkTarget(`${folder}/snapshots/${path}`))));
  // A link may lead anywhere; our files lie among the blobs.
  const isOurs = (path: string | undefined): path is string =>
    path?.startsWith(`${folder}/blobs/`) === true && isSafePath(path);
  const needed = await targets(staying),
    blobs = [...(await targets(going))].filter(isOurs).filter((blob) => !needed.has(blob));
  let freedBytes = 0;
  for (const path of [...going.map(({ path }) => `${folder}/snapshots/${path}`), ...blobs]) {
    freedBytes += await ownBytes(store, path);
    await store.remove(path);
  }
  return { freedBytes };
}

async function withLocks<T>(
  store: ModelStore,
  paths: readonly string[],
  source: string,
  run: () => Promise<T>,
): Promise<T> {
  const locks: StoreLock[] = [];
  try {
    for (const path of paths) {
      const lock = await store.lock(path, { wait: false });
      locks.push(lock ?? fail("hub/busy", `${quoted(source)}: is being downloaded; stop that first`));
    }
    return await run();
  } finally {
    for (const lock of locks) await lock.release();
  }
}
