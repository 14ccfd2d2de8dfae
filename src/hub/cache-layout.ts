/**
 * Where files lie in the stores.
 *
 * Repositories use the huggingface_hub library's layout, so it and we find each other's files:
 *
 *     models--OWNER--REPO/blobs/HASH                   the bytes
 *     models--OWNER--REPO/snapshots/COMMIT/PATH        a link to them
 *     models--OWNER--REPO/refs/REVISION                the commit of a branch or tag
 *     .locks/models--OWNER--REPO/HASH.onebit-lock      ours; the library's own end in .lock
 *
 * URLs: `urls/KEY/NAME`, beside it `NAME.json`; KEY hashes the URL, so that equal names do not collide.
 *
 * @module
 */
import type { HubPlatform, ModelStore } from "../core/model-store.ts";
import { COMMIT } from "./source.ts";
import { readText, writeText } from "./stored-text.ts";
import { uniqueName } from "./verified.ts";

export function repoFolder(repo: string): string {
  return `models--${repo.replace("/", "--")}`;
}

/** Undefined for folders of datasets, spaces and anything else. */
export function repoOfFolder(folder: string): string | undefined {
  const match = /^models--([^/]+?)--([^/]+)$/.exec(folder);
  return match === null ? undefined : `${match[1]}/${match[2]}`;
}

export const blobPath = (repo: string, hex: string): string => `${repoFolder(repo)}/blobs/${hex}`;
/** Distinct from the library's own `HASH.*.incomplete`, which are appended to and have no holes. */
export const partialBlobPath = (repo: string, hex: string): string => `${blobPath(repo, hex)}.onebit-part`;
export const snapshotPath = (repo: string, commit: string, path: string): string =>
  `${repoFolder(repo)}/snapshots/${commit}/${path}`;
export const blobLockPath = (repo: string, hex: string): string => `.locks/${repoFolder(repo)}/${hex}.onebit-lock`;
const refPath = (repo: string, revision: string): string => `${repoFolder(repo)}/refs/${revision}`;

/** The commit a revision had when we last asked; undefined if we never did. */
export async function cachedCommit(store: ModelStore, repo: string, revision: string): Promise<string | undefined> {
  if (COMMIT.test(revision)) return revision;
  const commit = (await readText(store, refPath(repo, revision)))?.trim();
  return commit !== undefined && COMMIT.test(commit) ? commit : undefined;
}

export async function writeRef(store: ModelStore, repo: string, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await cachedCommit(store, repo, revision)) === commit) return;
  await writeText(store, refPath(repo, revision), commit, uniqueName());
}

/** Backup programs skip folders with such a file: bford.info/cachedir. */
export async function tagCache(store: ModelStore): Promise<void> {
  if ((await store.stat("CACHEDIR.TAG")) !== undefined) return;
  await writeText(
    store,
    "CACHEDIR.TAG",
    "Signature: 8a477f597d28d172789f06886806bc55\n# Models downloaded from elsewhere; see " +
      "https://bford.info/cachedir/\n",
    uniqueName(),
  );
}

/** Every file below `folder` as a path from it, sorted, without dangling links. */
export async function filesBelow(store: ModelStore, folder: string): Promise<{ path: string; sizeBytes: number }[]> {
  const found: { path: string; sizeBytes: number }[] = [];
  const visit = async (below: string): Promise<void> => {
    for (const { name, isFolder } of await store.list(below === "" ? folder : `${folder}/${below}`)) {
      const path = below === "" ? name : `${below}/${name}`;
      const file = isFolder ? undefined : await store.stat(`${folder}/${path}`);
      if (isFolder) await visit(path);
      else if (file !== undefined) found.push({ path, sizeBytes: file.sizeBytes });
    }
  };
  await visit("");
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The folder for a URL's files: 16 of the 64 digits of its SHA-256. */
export function urlFolder(platform: HubPlatform, url: string): string {
  const hash = platform.createHash("sha256");
  hash.update(new TextEncoder().encode(url));
  return `urls/${hash.digestHex().slice(0, 16)}`;
}

/** The last part of a URL's path, as a name that every system accepts. */
export function fileNameOf(url: string): string {
  const last = new URL(url).pathname.split("/").pop() ?? "";
  let name = last;
  try {
    name = decodeURIComponent(last);
  } catch {
    // A stray percent sign: use the name as it is.
  }
  const safe = name
    .replace(/[^\w.+-]+/g, "_")
    .replace(/^\.+/, "")
    .replace(/\.+$/, "")
    .slice(0, 120);
  return safe === "" ? "model" : safe;
}
