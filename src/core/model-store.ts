/**
 * What downloading and keeping models needs of a JavaScript runtime: a place for files, a network, hashes.
 * Implementations live in `platform/` and are passed in.
 *
 * @module
 */
import type { ByteSource } from "./byte-source.ts";

/** Files of one folder tree. Paths are relative to it, with slashes, whatever the system. */
export interface ModelStore {
  /** For messages: where it is. */
  readonly name: string;
  /** Size and time of change of a file (links followed), undefined where there is none. */
  stat(path: string): Promise<StoredFile | undefined>;
  /** What is in a folder, in no order; empty where there is no folder. */
  list(folder: string): Promise<readonly StoredEntry[]>;
  /** @throws OnebitError `file/not-found`, `file/read` */
  openRead(path: string): Promise<ByteSource>;
  /**
   * Opens a file for changes, with what it holds; creates it, and its folders, where there is none. @throws OnebitError
   * `file/write`, `hub/no-space`
   */
  openWrite(path: string): Promise<WritableFile>;
  /** Moves a file in one step over whatever is at `to`. @throws OnebitError `file/write` */
  rename(from: string, to: string): Promise<void>;
  /**
   * Makes `path` read as `target`: by a link where the store has links, else by moving the target there. @throws
   * OnebitError `file/write`
   */
  link(path: string, target: string): Promise<void>;
  /** The path a link names, undefined where `path` is no link. */
  linkTarget(path: string): Promise<string | undefined>;
  /**
   * Removes a file, a link, or a folder with all in it; one that is not there is fine. @throws OnebitError `file/write`
   */
  remove(path: string): Promise<void>;
  /**
   * Takes the lock named `path`, which one holder has at a time, in this process or another. A holder that died loses
   * it. With `wait: false` a lock that somebody holds gives undefined.
   * @throws OnebitError `aborted`, `file/write`
   */
  lock(path: string, options: LockOptions & { readonly wait: false }): Promise<StoreLock | undefined>;
  lock(path: string, options: LockOptions): Promise<StoreLock>;
  /** Bytes that may still be written, where the store can tell. */
  freeBytes(): Promise<number | undefined>;
  /** The path by which other programs know a file, where there is such a thing. */
  absolutePath?(path: string): string;
}

export interface StoredFile {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

export interface StoredEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** A file open for reads and writes at any place. */
export interface WritableFile {
  sizeBytes(): Promise<number>;
  read(into: Uint8Array, position: number): Promise<void>;
  write(bytes: Uint8Array, position: number): Promise<void>;
  resize(sizeBytes: number): Promise<void>;
  /** Resolves when all that was written survives a crash. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface LockOptions {
  readonly wait?: boolean;
  /**
   * A holder that is surely alive keeps the lock however long ago it renewed it: for those that compute for minutes
   * between two turns of the event loop. Default false.
   */
  readonly keepsWhileAlive?: boolean;
  readonly signal?: AbortSignal;
  /** Called once when somebody else holds the lock. */
  readonly onWait?: () => void;
}

export interface StoreLock {
  /** False when the lock was taken away: this process slept so long that others thought it dead. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

/** `sha1` is for the small files of a Git repository, whose names are hashes of that kind. */
export type HashAlgorithm = "sha1" | "sha256";

export interface IncrementalHash {
  update(bytes: Uint8Array): void;
  /** Lower-case; ends the hash. */
  digestHex(): string;
}

/** The part of the Fetch standard that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What `pull`, `list`, `remove`, and `load` of a URL, need of a runtime. */
export interface HubPlatform {
  /** Models of Hugging Face repositories, laid out as the `huggingface_hub` library lays out its cache. */
  readonly hubStore: ModelStore;
  /** Models from other URLs, and notes on which files were verified. */
  readonly urlStore: ModelStore;
  readonly fetch: Fetch;
  createHash(algorithm: HashAlgorithm): IncrementalHash;
  /** An environment variable, undefined where it is not set or there are none. */
  environment(name: string): string | undefined;
  /** Asks the runtime not to evict what is stored, where it may. */
  persist?(): Promise<boolean>;
}
