/**
 * What the library needs of a JavaScript runtime. Implementations live in `platform/` and are passed in.
 *
 * @module
 */
import type { ByteSource } from "./byte-source.ts";

export interface Platform {
  readonly name: string;
  /** Processors this process may use. */
  readonly nCores: number;
  /** @throws OnebitError `file/not-found`, `file/read` */
  openFile(path: string): Promise<ByteSource>;
  isFolder(path: string): Promise<boolean>;
  /** The path of `name` in the folder `path`, or beside the file `path`. */
  inFolder(path: string, name: string): string;
  beside(path: string, name: string): string;
  /** Memory a new allocation may take, where the platform can tell. */
  availableMemoryBytes?: () => number;
  /** Starts a thread that runs `source` with `data` and the function `ready` in scope; absent where there are no threads. */
  spawnThread?: (source: string, data: unknown) => Thread;
}

export interface Thread {
  /** Resolves when the thread's source has called `ready()`; rejects when it failed to start. */
  readonly ready: Promise<void>;
  /** Resolves when the thread has ended by itself. */
  join(): Promise<void>;
  terminate(): Promise<void>;
}
