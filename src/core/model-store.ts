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
  /**
   * Opens a file to read.
   * @throws OnebitError `file/not-found`, `file/read`
   */
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
   * Takes the lock named `path`, which one holder has at a time, in this process or another. A holder that died loses
   * it.
   * With `wait: false` a lock that somebody holds gives undefined.
   * @throws OnebitError `aborted`, `file/write`
   */
  lock(path: string, options: LockOptions & { readonly wait: false }): Promise<StoreLock | undefined>;
  /** As above, and waits. */
  lock(path: string, options: LockOptions): Promise<StoreLock>;
  /** Free bytes, where the store can tell. */
  freeBytes(): Promise<number | undefined>;
  /** A file's path as other programs see it, where it has one. */
  absolutePath?(path: string): string;
}

/** A file of a store. */
export interface StoredFile {
  /** Its size. */
  readonly sizeBytes: number;
  /** When it changed, in milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** What is in a folder. */
export interface StoredEntry {
  /** Its name, without the folder's. */
  readonly name: string;
  /** Whether it is a folder. */
  readonly isFolder: boolean;
}

/** A file open for reads and writes at any place. */
export interface WritableFile {
  /** Its size now. */
  sizeBytes(): Promise<number>;
  /** Fills `into` from `position` on. */
  read(into: Uint8Array, position: number): Promise<void>;
  /** Writes from `position` on. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Cuts it, or fills it up with zeros. */
  resize(sizeBytes: number): Promise<void>;
  /** Resolves when all written bytes survive a crash. */
  flush(): Promise<void>;
  /** Closes it. */
  close(): Promise<void>;
}

/** How {@link ModelStore.lock} waits. */
export interface LockOptions {
  /** Whether to wait for a lock that somebody holds. Default true. */
  readonly wait?: boolean;
  /**
   * Nobody takes the lock from a holder that is surely alive, however old its renewal: for holders that compute for
   * minutes between two turns of the event loop. Default: false.
   */
  readonly keepsWhileAlive?: boolean;
  /** Ends the waiting, which then throws `aborted`. */
  readonly signal?: AbortSignal;
  /** Called once when somebody else holds the lock. */
  readonly onWait?: () => void;
}

/** A lock that is held. */
export interface StoreLock {
  /** False once others took the lock, because this process slept so long that they thought it dead. */
  isHeld(): Promise<boolean>;
  /** Gives it back. */
  release(): Promise<void>;
}

/** `sha1` is for small files of a Git repository, which Git names by that hash. */
export type HashAlgorithm = "sha1" | "sha256";

/** A hash that takes bytes piece by piece. */
export interface IncrementalHash {
  /** Takes the next bytes. */
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
  /** The network. */
  readonly fetch: Fetch;
  /** Begins a hash. */
  createHash(algorithm: HashAlgorithm): IncrementalHash;
  /** An environment variable; undefined where it is not set or there are none. */
  environment(name: string): string | undefined;
  /** Asks the runtime not to evict stored models, where it may. */
  persist?(): Promise<boolean>;
}
