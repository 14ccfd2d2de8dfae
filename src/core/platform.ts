/**
 * What the library needs from a JavaScript runtime. Implementations live in `platform/` and are passed in.
 *
 * @module
 */
import type { ByteSource } from "./byte-source.ts";
import type { HubPlatform, StoreLock } from "./model-store.ts";
import { fail } from "./errors.ts";
import { having } from "./options.ts";

/** What the library needs of a JavaScript runtime: files, threads, memory. Give your own where files lie elsewhere. */
export interface Platform extends Partial<FileStore> {
  /** For messages. */
  readonly name: string;
  /** Processors this process may use. */
  readonly nCores: number;
  /**
   * Opens a file.
   * @throws OnebitError `file/not-found`, `file/read`
   */
  openFile(path: string): Promise<ByteSource>;
  /** Whether the path is a folder; false where there is nothing. */
  isFolder(path: string): Promise<boolean>;
  /** The path of `name` in the folder `path`. */
  inFolder(path: string, name: string): string;
  /** The path of `name` beside the file `path`. */
  beside(path: string, name: string): string;
  /**
   * Lets timers, clicks and the network run now. Default: a timer of 0 ms, which works everywhere but waits 1 ms on
   * Node and 4 ms in browsers.
   */
  nextTurn?: () => Promise<void>;
  /**
   * Whether requests are isolated, as in workerd: each ends with its client, and may never see a promise resolve that
   * another request resolves. Default: false.
   */
  readonly isolatesRequests?: boolean;
  /** Memory a new allocation may take, where the platform can tell. */
  availableMemoryBytes?: () => number;
  /** Storage and network for downloaded models; absent where either is missing. */
  readonly hub?: HubPlatform;
  /**
   * Starts a thread that runs `source` with `data` and the function `ready` in scope; absent if there are no threads.
   */
  spawnThread?: (source: string, data: unknown) => Thread;
  /** Why there are no threads, for the user to read. */
  readonly noThreadsReason?: string;
  /** A `file:` URL as a path; absent where there are no files. */
  pathOf?: (url: URL) => string;
}

export const PLATFORM = having<Platform>(
  "a platform, such as nodePlatform() makes",
  "openFile",
  "isFolder",
  "inFolder",
  "beside",
);

/** A thread that {@link Platform.spawnThread} started. */
export interface Thread {
  /** Resolves when the thread's source has called `ready()`; rejects when it failed to start. */
  readonly ready: Promise<void>;
  /**
   * Resolves when the thread has ended for any reason; does not keep the program running. Absent where the platform
   * cannot tell.
   */
  readonly ended?: Promise<void>;
  /** Resolves when the thread has ended by itself. */
  join(): Promise<void>;
  /** Ends it at once. */
  terminate(): Promise<void>;
}

/** File operations that training needs besides reading; a platform without a file system lacks them. */
export interface FileStore {
  /**
   * Replaces what `path` holds with `chunks`: all of them or, whatever happens, none. The bytes go to a temporary file
   * in the same folder (`NAME.ID.tmp`). When this resolves they are on disk, name included. If `chunks`
   * throws, this removes the temporary file and rethrows.
   * @throws OnebitError `file/write`
   */
  writeFileAtomically(path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /**
   * Removes temporary files that killed writes of `path` left; nobody may be writing it. @throws OnebitError
   * `file/read`, `file/write`
   */
  removeLeftovers(path: string): Promise<void>;
  /**
   * Appends `text` and a newline; creates the file if needed. A kill can only cut the line short. Does not force it to
   * disk (`syncFile` does).
   * @throws OnebitError `file/write`
   */
  appendLine(path: string, text: string): Promise<void>;
  /** Forces a file and its name to disk; a missing file is no error. @throws OnebitError `file/write` */
  syncFile(path: string): Promise<void>;
  /**
   * Renames a file, or anything else of that name, within its folder; on disk when this resolves.
   * @throws OnebitError `file/write`
   */
  renameFile(path: string, to: string): Promise<void>;
  /** Names in the folder, sorted. @throws OnebitError `file/not-found`, `file/read` */
  listFolder(path: string): Promise<string[]>;
  /** Removes a file; a missing one is no error. @throws OnebitError `file/write` */
  removeFile(path: string): Promise<void>;
  /** Makes the folder and those above it; an existing one is no error. @throws OnebitError `file/write` */
  makeFolder(path: string): Promise<void>;
  /**
   * Takes the lock file `path`: one holder at a time, in any process. A dead holder loses it.
   * @returns the lock, or who holds it: `process 1234 on this machine`
   * @throws OnebitError `file/write`
   */
  lockFile(path: string): Promise<StoreLock | HeldBy>;
}

/** Who holds a lock. */
export interface HeldBy {
  /** In words: `process 1234 on this machine`. */
  readonly heldBy: string;
}

/** The platform's file store. @throws OnebitError `engine/unsupported` where files cannot be written */
export function fileStoreOf(platform: Platform): FileStore {
  const {
    writeFileAtomically,
    removeLeftovers,
    appendLine,
    syncFile,
    renameFile,
    listFolder,
    removeFile,
    makeFolder,
    lockFile,
  } = platform;
  if (
    !writeFileAtomically ||
    !removeLeftovers ||
    !appendLine ||
    !syncFile ||
    !renameFile ||
    !listFolder ||
    !removeFile ||
    !makeFolder ||
    !lockFile
  ) {
    fail("engine/unsupported", `platform ${platform.name}: has no file system to write to`);
  }
  return {
    writeFileAtomically,
    removeLeftovers,
    appendLine,
    syncFile,
    renameFile,
    listFolder,
    removeFile,
    makeFolder,
    lockFile,
  };
}

/** The temporary file of one atomic write of `path`; `id` is 8 hexadecimal digits that no other write has. */
export function temporaryFileOf(path: string, id: string): string {
  return `${path}.${id}.tmp`;
}

/** The file that `name` is a temporary file of; undefined for any other name. */
export function temporaryFileTarget(name: string): string | undefined {
  return /^(.+)\.[0-9a-f]{8}\.tmp$/.exec(name)?.[1];
}
