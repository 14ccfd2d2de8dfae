/**
 * Stand-ins for what browsers give: folders of the origin private file system, a Cache, and locks, in memory.
 */

function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

class FakeFile {
  bytes = new Uint8Array();
  modifiedMs = 1;
  isOpen = false;
}

/** A folder; `handle` is what a browser would give. */
export class FakeFolder {
  readonly entries = new Map<string, FakeFolder | FakeFile>();
  readonly #moves: boolean;

  constructor({ moves = true }: { moves?: boolean } = {}) {
    this.#moves = moves;
  }

  /** A folder in it, made where there is none. */
  folder(name: string): FakeFolder {
    const found = this.entries.get(name) ?? new FakeFolder({ moves: this.#moves });
    this.entries.set(name, found);
    return found as FakeFolder;
  }

  #pathOf(file: FakeFile | undefined): string[] | null {
    for (const [name, entry] of this.entries) {
      if (entry === file) return [name];
      const path = entry instanceof FakeFolder ? entry.#pathOf(file) : null;
      if (path !== null) return [name, ...path];
    }
    return null;
  }

  get handle(): FileSystemDirectoryHandle {
    const entries = this.entries, moves = this.#moves, self = this;
    const find = <T>(name: string, kind: new () => T, create: boolean | undefined, make: () => T & (FakeFile | FakeFolder)): T => {
      const found = entries.get(name);
      if (found === undefined && !create) throw named("NotFoundError");
      if (found !== undefined && !(found instanceof kind)) throw named("TypeMismatchError");
      const entry = (found as T | undefined) ?? make();
      entries.set(name, entry as T & (FakeFile | FakeFolder));
      return entry;
    };
    const handle = {
      kind: "directory",
      folder: self,
      getDirectoryHandle: async (name: string, { create }: { create?: boolean } = {}) => find(name, FakeFolder, create, () => new FakeFolder({ moves })).handle,
      getFileHandle: async (name: string, { create }: { create?: boolean } = {}) => fileHandle(find(name, FakeFile, create, () => new FakeFile()), self, moves),
      async removeEntry(name: string) {
        if (!entries.delete(name)) throw named("NotFoundError");
      },
      resolve: async (sought: object) => self.#pathOf((sought as { file?: FakeFile }).file),
      async *[Symbol.asyncIterator]() {
        for (const [name, entry] of entries) yield [name, { kind: entry instanceof FakeFolder ? "directory" : "file" }];
      },
    };
    return handle as unknown as FileSystemDirectoryHandle;
  }
}

function fileHandle(file: FakeFile, parent: FakeFolder, moves: boolean): FileSystemFileHandle {
  const resize = (sizeBytes: number): void => {
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(file.bytes.subarray(0, sizeBytes));
    file.bytes = bytes;
    file.modifiedMs++;
  };
  const handle = {
    kind: "file",
    file,
    getFile: async () => Object.assign(new Blob([file.bytes]), { lastModified: file.modifiedMs }),
    async createSyncAccessHandle() {
      if (file.isOpen) throw named("NoModificationAllowedError");
      file.isOpen = true;
      return {
        getSize: () => file.bytes.length,
        read(into: Uint8Array, { at }: { at: number }) {
          const piece = file.bytes.subarray(at, at + into.length);
          into.set(piece);
          return piece.length;
        },
        write(bytes: Uint8Array, { at }: { at: number }) {
          if (at + bytes.length > file.bytes.length) resize(at + bytes.length);
          file.bytes.set(bytes, at);
          file.modifiedMs++;
          return bytes.length;
        },
        truncate: resize,
        flush() {},
        close: () => void (file.isOpen = false),
      };
    },
    async move(folder: FileSystemDirectoryHandle, name: string) {
      for (const [old, entry] of parent.entries) if (entry === file) parent.entries.delete(old);
      (folder as unknown as { folder: FakeFolder }).folder.entries.set(name, file);
    },
  };
  return (moves ? handle : { ...handle, move: undefined }) as unknown as FileSystemFileHandle;
}

export class FakeCache {
  readonly #entries = new Map<string, Uint8Array>();

  async match(url: RequestInfo | URL): Promise<Response | undefined> {
    const body = this.#entries.get(String(url));
    return body && new Response(body.slice());
  }

  async put(url: RequestInfo | URL, response: Response): Promise<void> {
    this.#entries.set(String(url), new Uint8Array(await response.arrayBuffer()));
  }

  async delete(url: RequestInfo | URL): Promise<boolean> {
    return this.#entries.delete(String(url));
  }

  async keys(): Promise<Request[]> {
    return [...this.#entries.keys()].map((url) => new Request(url));
  }
}

/** Exclusive locks, as `navigator.locks` has them. */
export class FakeLocks {
  readonly #held = new Map<string, Promise<unknown>>();

  request = (async (name: string, options: LockOptions, callback: (lock: unknown) => unknown): Promise<unknown> => {
    if (options.signal?.aborted) throw named("AbortError");
    for (let holder = this.#held.get(name); holder !== undefined; holder = this.#held.get(name)) {
      if (options.ifAvailable) return await callback(null);
      await Promise.race([holder, new Promise((_, reject) => options.signal?.addEventListener("abort", () => reject(named("AbortError"))))]);
    }
    const held = Promise.resolve(callback({ name }));
    this.#held.set(name, held);
    try {
      return await held;
    } finally {
      this.#held.delete(name);
    }
  }) as LockManager["request"];
}
