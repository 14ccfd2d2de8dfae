/**
 * A store in memory that can be told to fail: at any write, for want of room, or as if everything in it were evicted.
 */
import { bytesSource } from "../../src/core/byte-source.ts";
import { OnebitError, fail } from "../../src/core/errors.ts";
import type { LockOptions, ModelStore, StoreLock, WritableFile } from "../../src/core/model-store.ts";

export interface MemoryStoreOptions {
  /** A store without links moves files instead. */
  readonly hasLinks?: boolean;
  readonly roomBytes?: number;
  /** Whether it knows how much room there is. */
  readonly tellsRoom?: boolean;
}

/** Disks have holes, memory has none. */
const MEMORY_BYTES_MAX = 64 * 1024 * 1024;

export class MemoryModelStore implements ModelStore {
  readonly name = "memory";
  readonly files = new Map<string, { bytes: Uint8Array; modifiedMs: number }>();
  readonly links = new Map<string, string>();
  readonly #locks = new Map<string, Promise<void>>();
  readonly #hasLinks: boolean;
  readonly #tellsRoom: boolean;
  #clock = 1;
  roomBytes: number;
  /** Called before each change with its number; throws to make it fail. */
  beforeChange: (index: number) => void = () => {};
  nChanges = 0;

  constructor({ hasLinks = true, roomBytes = Infinity, tellsRoom = true }: MemoryStoreOptions = {}) {
    this.#hasLinks = hasLinks;
    this.roomBytes = roomBytes;
    this.#tellsRoom = tellsRoom;
  }

  #at(path: string): string {
    return this.links.get(path) ?? path;
  }

  #change(): void {
    this.beforeChange(this.nChanges++);
  }

  get usedBytes(): number {
    return [...this.files.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  async stat(path: string) {
    const file = this.files.get(this.#at(path));
    return file && { sizeBytes: file.bytes.length, modifiedMs: file.modifiedMs };
  }

  async list(folder: string) {
    const prefix = folder === "" ? "" : `${folder}/`,
      found = new Map<string, boolean>();
    for (const path of [...this.files.keys(), ...this.links.keys()]) {
      if (!path.startsWith(prefix)) continue;
      const [name, ...rest] = path.slice(prefix.length).split("/");
      found.set(name, rest.length > 0);
    }
    return [...found].map(([name, isFolder]) => ({ name, isFolder }));
  }

  async openRead(path: string) {
    const file = this.files.get(this.#at(path)) ?? fail("file/not-found", `${path}: no such file`);
    return bytesSource(file.bytes, path);
  }

  async openWrite(path: string): Promise<WritableFile> {
    this.#change();
    const file = this.files.get(path) ?? { bytes: new Uint8Array(), modifiedMs: this.#clock++ };
    this.files.set(path, file);
    const resize = (sizeBytes: number): void => {
      if (sizeBytes > MEMORY_BYTES_MAX) fail("hub/no-space", `${path}: no room for ${sizeBytes} bytes`);
      // Room is taken by what is written: the files of disks have holes.
      const bytes = new Uint8Array(sizeBytes);
      bytes.set(file.bytes.subarray(0, sizeBytes));
      file.bytes = bytes;
      file.modifiedMs = this.#clock++;
    };
    return {
      sizeBytes: async () => file.bytes.length,
      read: async (into, position) => bytesSource(file.bytes, path).read(into, position),
      write: async (bytes, position) => {
        this.#change();
        if (bytes.length > this.roomBytes) fail("hub/no-space", `${path}: no room`);
        this.roomBytes -= bytes.length;
        if (position + bytes.length > file.bytes.length) resize(position + bytes.length);
        file.bytes.set(bytes, position);
        file.modifiedMs = this.#clock++;
      },
      resize: async (sizeBytes) => {
        this.#change();
        resize(sizeBytes);
      },
      flush: async () => this.#change(),
      close: async () => {},
    };
  }

  async rename(from: string, to: string) {
    this.#change();
    const file = this.files.get(from) ?? fail("file/write", `${from}: no such file`);
    this.files.delete(from);
    this.files.set(to, file);
  }

  async link(path: string, target: string) {
    if (!this.#hasLinks) return await this.rename(target, path);
    this.#change();
    this.links.set(path, target);
  }

  async linkTarget(path: string) {
    return this.links.get(path);
  }

  async remove(path: string) {
    this.#change();
    for (const map of [this.files, this.links]) {
      for (const at of [...map.keys()]) if (at === path || at.startsWith(`${path}/`)) map.delete(at);
    }
  }

  async lock(path: string, options: LockOptions & { readonly wait: false }): Promise<StoreLock | undefined>;
  async lock(path: string, options: LockOptions): Promise<StoreLock>;
  async lock(path: string, { wait = true, onWait, signal }: LockOptions): Promise<StoreLock | undefined> {
    const holder = this.#locks.get(path);
    if (holder !== undefined && !wait) return undefined;
    if (holder !== undefined) {
      onWait?.();
      await holder;
      if (signal?.aborted) throw new OnebitError("aborted", "stopped");
      return await this.lock(path, { wait, signal });
    }
    let end = (): void => {};
    this.#locks.set(path, new Promise((resolve) => (end = resolve)));
    const release = async (): Promise<void> => {
      this.#locks.delete(path);
      end();
    };
    return { isHeld: async () => true, release };
  }

  async freeBytes() {
    return this.#tellsRoom ? this.roomBytes : undefined;
  }
}
