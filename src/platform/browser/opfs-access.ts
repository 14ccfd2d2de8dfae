/**
 * Reads and writes files of the origin private file system in place: directly in a worker, elsewhere through a worker.
 *
 * @module
 */

/** A file open for reading and writing; the browser allows one holder at a time. */
export interface FileAccess {
  size(): Promise<number>;
  /** As many bytes as there are, up to `lengthBytes`. */
  read(position: number, lengthBytes: number): Promise<Uint8Array>;
  /** Resolves to the number of bytes written. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  resize(sizeBytes: number): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** The part of the standard that TypeScript declares only for workers. */
interface SyncAccessHandle {
  getSize(): number;
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(sizeBytes: number): void;
  flush(): void;
  close(): void;
}

type SyncFileHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncAccessHandle> };

/** Whether this thread may open files itself. */
export function opensDirectly(): boolean {
  return typeof FileSystemFileHandle !== "undefined" && "createSyncAccessHandle" in FileSystemFileHandle.prototype;
}

export async function openDirectly(handle: FileSystemFileHandle): Promise<FileAccess> {
  const file = await (handle as SyncFileHandle).createSyncAccessHandle();
  return {
    size: async () => file.getSize(),
    async read(position, lengthBytes) {
      const bytes = new Uint8Array(lengthBytes);
      return bytes.subarray(0, file.read(bytes, { at: position }));
    },
    write: async (bytes, position) => file.write(bytes, { at: position }),
    resize: async (sizeBytes) => file.truncate(sizeBytes),
    flush: async () => file.flush(),
    close: async () => file.close(),
  };
}

/**
 * The worker's answer to each message `[id, op, file, ...arguments]`: `[id, result]` or `[id, undefined, name,
 * message]`.
 */
export const WORKER_SOURCE = `
const files = new Map();
const ops = {
  async open(file, path) {
    let folder = await navigator.storage.getDirectory();
    for (const name of path.slice(0, -1)) folder = await folder.getDirectoryHandle(name);
    files.set(file, await (await folder.getFileHandle(path.at(-1))).createSyncAccessHandle());
  },
  size: (file) => files.get(file).getSize(),
  read(file, at, lengthBytes) {
    const bytes = new Uint8Array(lengthBytes);
    return bytes.subarray(0, files.get(file).read(bytes, { at }));
  },
  write: (file, bytes, at) => files.get(file).write(bytes, { at }),
  resize: (file, sizeBytes) => files.get(file).truncate(sizeBytes),
  flush: (file) => files.get(file).flush(),
  close(file) { files.get(file).close(); files.delete(file); },
};
onmessage = async ({ data: [id, op, ...args] }) => {
  try {
    postMessage([id, await ops[op](...args)]);
  } catch (error) {
    postMessage([id, undefined, error.name, error.message]);
  }
};`;

/** The part of a `Worker` we use. */
export interface FileWorker {
  postMessage(message: readonly unknown[]): void;
  onAnswer(
    listener: (answer: readonly [id: number, result: unknown, errorName?: string, errorMessage?: string]) => void,
  ): void;
  onFailure(listener: (error: Error) => void): void;
}

/**
 * Opens files through a worker, which starts with the first and serves all. Messages name files by their path below the
 * `root` of the private files, because WebKit sends no handles.
 */
export function openThroughWorker(
  startWorker: () => FileWorker,
  root: () => Promise<FileSystemDirectoryHandle>,
): (handle: FileSystemFileHandle) => Promise<FileAccess> {
  let worker: ((op: string, ...args: unknown[]) => Promise<unknown>) | undefined,
    nFiles = 0;
  return async (handle) => {
    const ask = (worker ??= asking(startWorker())),
      file = nFiles++;
    await ask("open", file, await (await root()).resolve(handle));
    return {
      size: async () => (await ask("size", file)) as number,
      read: async (position, lengthBytes) => (await ask("read", file, position, lengthBytes)) as Uint8Array,
      // The message copies the bytes, so the caller keeps its buffer.
      write: async (bytes, position) => (await ask("write", file, bytes, position)) as number,
      resize: async (sizeBytes) => void (await ask("resize", file, sizeBytes)),
      flush: async () => void (await ask("flush", file)),
      close: async () => void (await ask("close", file)),
    };
  };
}

/** Numbers the questions, and returns each answer to its asker. */
function asking(worker: FileWorker): (op: string, ...args: unknown[]) => Promise<unknown> {
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let nAsked = 0,
    failure: Error | undefined;
  worker.onAnswer(([id, result, errorName, errorMessage]) => {
    const asker = waiting.get(id);
    waiting.delete(id);
    if (errorName === undefined) asker?.resolve(result);
    else asker?.reject(Object.assign(new Error(errorMessage ?? errorName), { name: errorName }));
  });
  worker.onFailure((error) => {
    failure = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  });
  return (...message) =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) return reject(failure);
      const id = nAsked++;
      waiting.set(id, { resolve, reject });
      worker.postMessage([id, ...message]);
    });
}
