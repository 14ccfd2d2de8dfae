/**
 * Stand-ins for what browsers give: folders of the origin private file system, a Cache, and locks, in memory.
 */

function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

/**
 * Told of each operation: it may throw, as a browser would; of a write it says which part is done, and what is then
 * thrown.
 */
export type Operate = (what: string) => { readonly part: number; readonly then?: Error };
const SOUND: Operate = () => ({ part: 1 });

/** For all but writes. */
function plainly(operate: Operate, what: string): void {
  const { then } = operate(what);
  if (then !== undefined) throw then;
}

class FakeFile {
  bytes = new Uint8Array();
  /** What was there at the last flush. */
  flushed = new Uint8Array();
  modifiedMs = 1;
  isOpen = false;
}

/** A folder; `handle` is what a browser would give. */
export class FakeFolder {
  readonly entries = new Map<string, FakeFolder | FakeFile>();
  readonly #moves: boolean;
  operate: Operate;

  constructor({ moves = true, operate = SOUND }: { moves?: boolean; operate?: Operate } = {}) {
    this.#moves = moves;
    this.operate = operate;
  }

  /** The tab is gone, and with it what was open; with `isPowerLoss` also what was not flushed. */
  restart(isPowerLoss: boolean, operate: Operate = SOUND): void {
    this.operate = operate;
    for (const entry of this.entries.values()) {
      if (entry instanceof FakeFolder) entry.restart(isPowerLoss, operate);
      else entry.isOpen = false;
      if (isPowerLoss && entry instanceof FakeFile) entry.bytes = entry.flushed.slice();
    }
  }

  /** The same files, to go on in another way. */
  clone(): FakeFolder {
    const folder = new FakeFolder({ moves: this.#moves });
    for (const [name, entry] of this.entries) {
      folder.entries.set(
        name,
        entry instanceof FakeFolder
          ? entry.clone()
          : Object.assign(new FakeFile(), entry, { bytes: entry.bytes.slice(), flushed: entry.flushed.slice() }),
      );
    }
    return folder;
  }

  /** A folder in it, made where there is none. */
  folder(name: string): FakeFolder {
    const found = this.entries.get(name) ?? new FakeFolder({ moves: this.#moves, operate: this.operate });
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
    const entries = this.entries,
      moves = this.#moves,
      self = this;
    const find = <T>(
      name: string,
      kind: new () => T,
      create: boolean | undefined,
      make: () => T & (FakeFile | FakeFolder),
    ): T => {
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
      getDirectoryHandle: async (name: string, { create }: { create?: boolean } = {}) => {
        plainly(self.operate, `folder ${name}`);
        return find(name, FakeFolder, create, () => new FakeFolder({ moves, operate: self.operate })).handle;
      },
      getFileHandle: async (name: string, { create }: { create?: boolean } = {}) => {
        plainly(self.operate, `file ${name}`);
        return fileHandle(
          find(name, FakeFile, create, () => new FakeFile()),
          self,
          moves,
        );
      },
      async removeEntry(name: string) {
        plainly(self.operate, `remove ${name}`);
        if (!entries.delete(name)) throw named("NotFoundError");
      },
      resolve: async (sought: object) => self.#pathOf((sought as { file?: FakeFile }).file),
      async *[Symbol.asyncIterator]() {
        plainly(self.operate, "list");
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
    async getFile() {
      plainly(parent.operate, "read");
      return Object.assign(new Blob([file.bytes]), { lastModified: file.modifiedMs });
    },
    async createSyncAccessHandle() {
      plainly(parent.operate, "open");
      if (file.isOpen) throw named("NoModificationAllowedError");
      file.isOpen = true;
      return {
        getSize: () => file.bytes.length,
        read(into: Uint8Array, { at }: { at: number }) {
          plainly(parent.operate, "read");
          const piece = file.bytes.subarray(at, at + into.length);
          into.set(piece);
          return piece.length;
        },
        write(given: Uint8Array, { at }: { at: number }) {
          const { part, then } = parent.operate("write"),
            bytes = given.subarray(0, Math.ceil(given.length * part));
          if (at + bytes.length > file.bytes.length) resize(at + bytes.length);
          file.bytes.set(bytes, at);
          file.modifiedMs++;
          if (then !== undefined) throw then;
          return bytes.length;
        },
        truncate(sizeBytes: number) {
          plainly(parent.operate, "truncate");
          resize(sizeBytes);
        },
        flush() {
          plainly(parent.operate, "flush");
          file.flushed = file.bytes.slice();
        },
        close() {
          file.isOpen = false;
          plainly(parent.operate, "close");
        },
      };
    },
    async move(folder: FileSystemDirectoryHandle, name: string) {
      plainly(parent.operate, "move");
      for (const [old, entry] of parent.entries) if (entry === file) parent.entries.delete(old);
      (folder as unknown as { folder: FakeFolder }).folder.entries.set(name, file);
    },
  };
  return (moves ? handle : { ...handle, move: undefined }) as unknown as FileSystemFileHandle;
}

export class FakeCache {
  readonly #entries: Map<string, Uint8Array>;
  operate: Operate = SOUND;

  constructor(entries: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#entries = new Map(entries);
  }

  /** The same entries, to go on in another way. */
  clone(): FakeCache {
    return new FakeCache(this.#entries);
  }

  async match(url: RequestInfo | URL): Promise<Response | undefined> {
    plainly(this.operate, "match");
    const body = this.#entries.get(String(url));
    return body && new Response(body.slice());
  }

  async put(url: RequestInfo | URL, response: Response): Promise<void> {
    plainly(this.operate, "put");
    this.#entries.set(String(url), new Uint8Array(await response.arrayBuffer()));
  }

  async delete(url: RequestInfo | URL): Promise<boolean> {
    plainly(this.operate, "delete");
    return this.#entries.delete(String(url));
  }

  async keys(): Promise<Request[]> {
    plainly(this.operate, "keys");
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
      await Promise.race([
        holder,
        new Promise((_, reject) => options.signal?.addEventListener("abort", () => reject(named("AbortError")))),
      ]);
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
