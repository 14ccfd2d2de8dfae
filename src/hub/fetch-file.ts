/**
 * Gets one file, from the store if it is good there, else from the network: once, however many ask for it.
 *
 * @module
 */
import type { ModelStore, StoredFile } from "../core/model-store.ts";
import { download } from "./download.ts";
import type { Downloaded } from "./download.ts";
import type { ExpectedHash } from "./hashes.ts";
import type { Http } from "./http.ts";
import type { PullContext } from "./options.ts";
import { note } from "./verified.ts";

export interface WantedFile {
  readonly store: ModelStore;
  /** For the caller's progress. */
  readonly name: string;
  readonly url: string;
  readonly http: Http;
  readonly path: string;
  readonly partialPath: string;
  readonly lockPath: string;
  /** Key of the note that it was verified. */
  readonly noteKey: string;
  readonly alias?: string;
  readonly expectedBytes: number | undefined;
  readonly expectedHash: ExpectedHash | undefined;
  /** As in {@link DownloadRequest}. */
  readonly mustBeModel: boolean;
  /** Called with the lock held, before and after the whole file is in place. */
  beforePlaced?(downloaded: Downloaded): Promise<void>;
  afterPlaced?(downloaded: Downloaded): Promise<void>;
}

/**
 * @param findExisting looks for the file; called again when another process may have fetched it meanwhile
 * @throws OnebitError `hub/…`, `file/write`, `aborted`
 */
export async function fetchFile<T extends StoredFile>(
  context: PullContext,
  wanted: WantedFile,
  findExisting: () => Promise<T | undefined>,
): Promise<T> {
  const found = await findExisting();
  if (found !== undefined) return found;
  const { store, name } = wanted;
  const lock = await store.lock(wanted.lockPath, {
    signal: context.signal,
    onWait: () => context.progress.waiting(name),
  });
  try {
    const brought = await findExisting();
    if (brought !== undefined) return brought;
    // Do not await: Firefox asks the user, who may never answer.
    void context.platform.persist?.().catch(() => false);
    const downloaded = await download({
      ...wanted,
      lock,
      platform: context.platform,
      progress: {
        onBegin: ({ doneBytes, totalBytes }) =>
          context.progress.begin(name, doneBytes, totalBytes ?? wanted.expectedBytes),
        onBytes: (count) => context.progress.came(name, count),
      },
    });
    await note(context, { store, path: wanted.path, key: wanted.noteKey, name, alias: wanted.alias }, downloaded.hash);
    await wanted.afterPlaced?.(downloaded);
    const file = await findExisting();
    if (file === undefined) throw new Error(`${store.name}/${wanted.path}: was stored a moment ago and is gone`);
    return file;
  } finally {
    await lock.release();
  }
}
