/**
 * What downloading and storing models needs from a JavaScript runtime: a place for files, a network, hashes.
 * Implementations live in `platform/` and are passed in.
 *
 * @module
 */
import type { ByteSource } from "./byte-source.ts";

/** Files of one folder tree. Paths are relative to it, with slashes, whatever the system. */
export interface ModelStore {
  /** For messages: where it is. */
  readonly name: string;
  /** Size and modification time of a file (links followed); undefined if there is none. */
  stat(path: string): Promise<StoredFile | undefined>;
  /** Entries of a folder, in no order; none if there is no folder. */
  list(folder: string): Promise<readonly StoredEntry[]>;
  /** @throws OnebitError `file/not-found`, `file/read` */
  openRead(path: string): Promise<ByteSource>;
  /**
   * Opens a file for reading and writing and keeps its contents; creates it and its folders if needed. @throws
   * OnebitError `file/write`, `hub/no-space`
   */
  openWrite(path: string): Promise<WritableFile>;
  /** Moves a file in one step, replacing anything at `to`. @throws OnebitError `file/write` */
  rename(from: string, to: string): Promise<void>;
  /**
   * Makes `path` read as `target`: by a link where the store has links, else by moving the target there. @throws
   * OnebitError `file/write`
   */
  link(path: string, target: string): Promise<void>;
  /** The target of a link; undefined if `path` is no link. */
  linkTarget(path: string): Promise<string | undefined>;
  /** Removes a file, a link, or a folder and its contents; a missing one is fine. @throws OnebitError `file/write` */
  remove(path: string): Promise<void>;
  /**
   * Takes the lock `path`: one holder at a time, in any process. A dead holder loses it. With `wait: false`, returns
   * undefined if somebody holds it.
   * @throws OnebitError `aborted`, `file/write`
   */
  lock(path: string, options: LockOptions & { readonly wait: false }): Promise<StoreLock | undefined>;
  lock(path: string, options: LockOptions): Promise<StoreLock>;
  /** Free bytes, where the store can tell. */
  freeBytes(): Promise<number | undefined>;
  /** A file's path as other programs see it, where it has one. */
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
  /** Resolves when all written bytes survive a crash. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface LockOptions {
  readonly wait?: boolean;
  /**
   * Nobody takes the lock from a holder that is surely alive, however old its renewal: for holders that compute for
   * minutes between two turns of the event loop. Default: false.
   */
  readonly keepsWhileAlive?: boolean;
  readonly signal?: AbortSignal;
  /** Called once when somebody else holds the lock. */
  readonly onWait?: () => void;
}

export interface StoreLock {
  /** False once others took the lock, because this process slept so long that they thought it dead. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

/** `sha1` is for small files of a Git repository, which Git names by that hash. */
export type HashAlgorithm = "sha1" | "sha256";

export interface IncrementalHash {
  update(bytes: Uint8Array): void;
  /** Lower-case; ends the hash. */
  digestHex(): string;
}

/** The part of the Fetch standard we use. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What `pull`, `list`, `remove`, and `load` of a URL, need from a runtime. */
export interface HubPlatform {
  /** Models of Hugging Face repositories, in the cache layout of the `huggingface_hub` library. */
  readonly hubStore: ModelStore;
  /** Models from other URLs, and notes on which files were verified. */
  readonly urlStore: ModelStore;
  readonly fetch: Fetch;
  createHash(algorithm: HashAlgorithm): IncrementalHash;
  /** An environment variable; undefined where it is not set or there are none. */
  environment(name: string): string | undefined;
  /** Asks the runtime not to evict stored models, where it may. */
  persist?(): Promise<boolean>;
}
