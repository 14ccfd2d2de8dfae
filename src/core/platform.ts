/**
 * What the library needs of a JavaScript runtime. Implementations live in `platform/` and are passed in.
 *
 * @module
 */
import type { ByteSource } from "./byte-source.ts";
import type { HubPlatform, StoreLock } from "./model-store.ts";
import { fail } from "./errors.ts";
import { having } from "./options.ts";

export interface Platform extends Partial<FileStore> {
  readonly name: string;
  /** Processors this process may use. */
  readonly nCores: number;
  /** @throws OnebitError `file/not-found`, `file/read` */
  openFile(path: string): Promise<ByteSource>;
  isFolder(path: string): Promise<boolean>;
  /** The path of `name` in the folder `path`, or beside the file `path`. */
  inFolder(path: string, name: string): string;
  beside(path: string, name: string): string;
  /**
   * Lets timers, clicks and the network have their turn, now. Default: a timer of 0 ms, which works everywhere but
   * waits 1 ms on Node and 4 ms in browsers.
   */
  nextTurn?: () => Promise<void>;
  /**
   * Whether a program serves requests that live apart, as in workerd: each ends with its client, and a promise that
   * another resolves may never be heard of. Default: false.
   */
  readonly isolatesRequests?: boolean;
  /** Memory a new allocation may take, where the platform can tell. */
  availableMemoryBytes?: () => number;
  /** Where downloaded models are kept and how they come; absent where there is no place or no network. */
  readonly hub?: HubPlatform;
  /**
   * Starts a thread that runs `source` with `data` and the function `ready` in scope; absent where there are no
   * threads.
   */
  spawnThread?: (source: string, data: unknown) => Thread;
  /** Where there are no threads: why, for the user of the model to read. */
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

export interface Thread {
  /** Resolves when the thread's source has called `ready()`; rejects when it failed to start. */
  readonly ready: Promise<void>;
  /**
   * Resolves when the thread has ended, whatever ended it; does not keep the program running. Absent where that cannot
   * be seen.
   */
  readonly ended?: Promise<void>;
  /** Resolves when the thread has ended by itself. */
  join(): Promise<void>;
  terminate(): Promise<void>;
}

/** What training needs of a file system beside reading; a platform without one lacks these members. */
export interface FileStore {
  /**
   * Makes the file `path` hold `chunks`: all of them or, whatever happens, what it held before. The bytes go to a
   * temporary file in the same folder (`NAME.ID.tmp`) and are on the disk, name
   * included, when this resolves. Errors of `chunks` itself pass through; the temporary file is removed then too.
   * @throws OnebitError `file/write`
   */
  writeFileAtomically(path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /**
   * Removes the temporary files that killed writes of `path` left; nobody may be writing it. @throws OnebitError
   * `file/read`, `file/write`
   */
  removeLeftovers(path: string): Promise<void>;
  /**
   * Appends `text` and a newline, making the file when there is none. Safe when the process is killed, save that the
   * line may then be cut short; not forced to the disk (`syncFile` does that).
   * @throws OnebitError `file/write`
   */
  appendLine(path: string, text: string): Promise<void>;
  /**
   * Forces what a file holds to the disk, its name included; one that is not there is no error. @throws OnebitError
   * `file/write`
   */
  syncFile(path: string): Promise<void>;
  /**
   * Gives a file, or whatever else has that name, another name in the same folder, on the disk when this resolves.
   * @throws OnebitError `file/write`
   */
  renameFile(path: string, to: string): Promise<void>;
  /** Names in the folder, sorted. @throws OnebitError `file/not-found`, `file/read` */
  listFolder(path: string): Promise<string[]>;
  /** Removes a file; one that is not there is no error. @throws OnebitError `file/write` */
  removeFile(path: string): Promise<void>;
  /** Makes the folder and those above it; one that is there is no error. @throws OnebitError `file/write` */
  makeFolder(path: string): Promise<void>;
  /**
   * Takes the lock whose file is `path`, which one holder has at a time, in this process or another. A holder that died
   * loses it.
   * @returns the lock, or who holds it: `process 1234 on this machine`
   * @throws OnebitError `file/write`
   */
  lockFile(path: string): Promise<StoreLock | HeldBy>;
}

export interface HeldBy {
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
    fail("engine/unsupported", `writing files: the platform ${platform.name} has no file system for it`);
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

/** The temporary file of one atomic write of `path`: `id` is 8 hexadecimal digits that no other write has. */
export function temporaryFileOf(path: string, id: string): string {
  return `${path}.${id}.tmp`;
}

/** The name of the file that `name` was a temporary file of; undefined for any other file. */
export function temporaryFileTarget(name: string): string | undefined {
  return /^(.+)\.[0-9a-f]{8}\.tmp$/.exec(name)?.[1];
}
