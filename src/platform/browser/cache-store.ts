/**
 * Keeps models in a browser's Cache, where there is no origin private file system. A file is a record of its size and
 * time, and blocks, each an entry of its own. Entries are replaced whole, so a block is there or not, never torn.
 *
 * @module
 */
import type { ByteSource } from "../../core/byte-source.ts";
import { fail } from "../../core/errors.ts";
import { HUB_PART_BYTES } from "../../core/limits.ts";
import type { ModelStore, StoredFile, WritableFile } from "../../core/model-store.ts";
import { attempt } from "./failures.ts";
import { browserLocks } from "./locks.ts";

/** One part of a download per block: written once, whole. */
const BLOCK_BYTES = HUB_PART_BYTES;
/** A cache's entries need URLs; no host has this name. */
const RECORDS = "https://models.onebit.invalid/file/";
const BLOCKS = "https://models.onebit.invalid/block/";

export type CacheEntries = Pick<Cache, "match" | "put" | "delete" | "keys">;

export interface CacheFiles {
  cache(): Promise<CacheEntries>;
  readonly locks: Pick<LockManager, "request">;
  freeBytes(): Promise<number | undefined>;
}

/** The entry of a file. `id` names its blocks: a moved file keeps them. */
interface FileRecord extends StoredFile {
  readonly id: string;
  /**
   * The target of a move. If a record there has the same blocks, this one was left by a tab that closed during the
   * move.
   */
  readonly movingTo?: string;
}

/** @param name for messages */
export function browserCacheStore(files: CacheFiles, name: string): ModelStore {
  const entries = new FileEntries(files, name);
  const reading = <T>(path: string, run: () => Promise<T>): Promise<T> => attempt(`${name}/${path}`, "file/read", run);
  const writing = <T>(path: string, run: () => Promise<T>): Promise<T> => attempt(`${name}/${path}`, "file/write", run);
  return {
    name,
    stat: (path) =>
      reading(path, async () => {
        const record = await entries.record(path);
        return record && { sizeBytes: record.sizeBytes, modifiedMs: record.modifiedMs };
      }),
    list: (folder) =>
      reading(folder, async () => {
        const prefix = folder === "" ? "" : `${folder}/`,
          found = new Map<string, boolean>();
        for (const path of (await entries.paths()).filter((one) => one.startsWith(prefix))) {
          const [first, ...rest] = path.slice(prefix.length).split("/");
          found.set(first, rest.length > 0);
        }
        return [...found].map(([entry, isFolder]) => ({ name: entry, isFolder }));
      }),
    openRead: (path) =>
      reading(path, async (): Promise<ByteSource> => {
        const record = (await entries.record(path)) ?? fail("file/not-found", `${name}/${path}: no such file`);
        return {
          name: `${name}/${path}`,
          sizeBytes: record.sizeBytes,
          read: (into, position) => reading(path, () => entries.read(record, path, into, position)),
          async close() {},
        };
      }),
    openWrite: (path) => writing(path, async () => typed(await openWrite(entries, path), `${name}/${path}`)),
    rename: (from, to) => writing(to, () => entries.move(from, to)),
    link: (path, target) => writing(path, () => entries.move(target, path)),
    linkTarget: async () => undefined,
    remove: (path) =>
      writing(path, async () => {
        for (const found of (await entries.paths()).filter((one) => one === path || one.startsWith(`${path}/`)))
          await entries.remove(found);
      }),
    lock: browserLocks(files.locks, name),
    freeBytes: () => files.freeBytes().catch(() => undefined),
  };
}

/** The same file, its failures as errors of the library. */
function typed({ sizeBytes, read, write, resize, flush, close }: WritableFile, path: string): WritableFile {
  return {
    sizeBytes,
    read: (into, position) => attempt(path, "file/read", () => read(into, position)),
    write: (bytes, position) => attempt(path, "file/write", () => write(bytes, position)),
    resize: (bytes) => attempt(path, "file/write", () => resize(bytes)),
    flush: () => attempt(path, "file/write", flush),
    close: () => attempt(path, "file/write", close),
  };
}

async function openWrite(entries: FileEntries, path: string): Promise<WritableFile> {
  let record: FileRecord = (await entries.record(path)) ?? {
    id: crypto.randomUUID(),
    sizeBytes: 0,
    modifiedMs: Date.now(),
  };
  const keep = async (sizeBytes: number): Promise<void> => {
    record = { ...record, sizeBytes, modifiedMs: Math.max(Date.now(), record.modifiedMs + 1) };
    await entries.putRecord(path, record);
  };
  await keep(record.sizeBytes);
  // Writers of neighbouring bytes share a block, which is read, changed and replaced: they take turns.
  let turn: Promise<void> = Promise.resolve();
  const inTurn = (run: () => Promise<void>): Promise<void> => (turn = turn.catch(() => {}).then(run));
  return {
    sizeBytes: async () => record.sizeBytes,
    read: (into, position) => entries.read(record, path, into, position),
    write: (bytes, position) =>
      inTurn(async () => {
        for (let done = 0; done < bytes.length; ) {
          const index = Math.floor((position + done) / BLOCK_BYTES),
            offset = position + done - index * BLOCK_BYTES;
          const piece = bytes.subarray(done, done + BLOCK_BYTES - offset);
          await entries.writeBlock(record, index, piece, offset);
          done += piece.length;
        }
        await keep(Math.max(record.sizeBytes, position + bytes.length));
      }),
    resize: (sizeBytes) =>
      inTurn(async () => {
        const isShorter = sizeBytes < record.sizeBytes;
        // The record first: a tab that closes between the two must not leave a file without its bytes.
        await keep(sizeBytes);
        if (isShorter) await entries.cut(record, sizeBytes);
      }),
    // The cache keeps whatever was put.
    flush: () => turn,
    close: () => turn,
  };
}

/** Records and blocks as entries of the cache. */
class FileEntries {
  readonly #files: CacheFiles;
  readonly #name: string;

  constructor(files: CacheFiles, name: string) {
    this.#files = files;
    this.#name = name;
  }

  async paths(): Promise<string[]> {
    const urls = (await (await this.#files.cache()).keys())
      .map(({ url }) => url)
      .filter((url) => url.startsWith(RECORDS));
    return urls.map((url) => url.slice(RECORDS.length).split("/").map(decodeURIComponent).join("/"));
  }

  async record(path: string): Promise<FileRecord | undefined> {
    const record = await this.#recordAt(path),
      { movingTo } = record ?? {};
    if (movingTo === undefined || (await this.#recordAt(movingTo))?.id !== record?.id) return record;
    await (await this.#files.cache()).delete(recordUrl(path));
    return undefined;
  }

  async #recordAt(path: string): Promise<FileRecord | undefined> {
    const entry = await (await this.#files.cache()).match(recordUrl(path));
    return entry === undefined ? undefined : ((await entry.json()) as FileRecord);
  }

  putRecord(path: string, record: FileRecord): Promise<void> {
    return this.#put(recordUrl(path), JSON.stringify(record));
  }

  /**
   * A block never written reads as zeros, like a hole in a file; so does an evicted one, and the file's hash exposes
   * it.
   */
  async read({ id, sizeBytes }: FileRecord, path: string, into: Uint8Array, position: number): Promise<void> {
    if (position + into.length > sizeBytes)
      fail("file/read", `${this.#name}/${path}: wanted bytes up to ${position + into.length}, it has ${sizeBytes}`);
    for (let done = 0; done < into.length; ) {
      const index = Math.floor((position + done) / BLOCK_BYTES),
        offset = position + done - index * BLOCK_BYTES;
      const count = Math.min(BLOCK_BYTES - offset, into.length - done),
        block = await this.#block(id, index);
      into.fill(0, done, done + count);
      into.set(block.subarray(offset, offset + count), done);
      done += count;
    }
  }

  async writeBlock({ id }: FileRecord, index: number, piece: Uint8Array, offset: number): Promise<void> {
    const old = await this.#block(id, index),
      block = new Uint8Array(Math.max(old.length, offset + piece.length));
    block.set(old);
    block.set(piece, offset);
    await this.#put(blockUrl(id, index), block);
  }

  /** Drops the bytes behind `sizeBytes`. */
  async cut({ id }: FileRecord, sizeBytes: number): Promise<void> {
    const index = Math.floor(sizeBytes / BLOCK_BYTES),
      rest = sizeBytes - index * BLOCK_BYTES,
      last = await this.#block(id, index);
    await this.#drop(id, rest === 0 ? index : index + 1);
    if (rest > 0 && last.length > rest) await this.#put(blockUrl(id, index), last.slice(0, rest));
  }

  async remove(path: string): Promise<void> {
    const record = await this.record(path);
    await (await this.#files.cache()).delete(recordUrl(path));
    if (record !== undefined) await this.#drop(record.id, 0);
  }

  /** The blocks stay; only the record moves. */
  async move(from: string, to: string): Promise<void> {
    const record = (await this.record(from)) ?? fail("file/write", `${this.#name}/${from}: no such file to move`),
      old = await this.record(to);
    await this.putRecord(from, { ...record, movingTo: to });
    await this.putRecord(to, { ...record, movingTo: undefined });
    await (await this.#files.cache()).delete(recordUrl(from));
    if (old !== undefined && old.id !== record.id) await this.#drop(old.id, 0);
  }

  async #block(id: string, index: number): Promise<Uint8Array<ArrayBuffer>> {
    const entry = await (await this.#files.cache()).match(blockUrl(id, index));
    return entry === undefined ? new Uint8Array() : new Uint8Array(await entry.arrayBuffer());
  }

  async #drop(id: string, fromIndex: number): Promise<void> {
    const cache = await this.#files.cache(),
      prefix = `${BLOCKS}${id}/`;
    for (const { url } of await cache.keys())
      if (url.startsWith(prefix) && Number(url.slice(prefix.length)) >= fromIndex) await cache.delete(url);
  }

  async #put(url: string, body: BodyInit): Promise<void> {
    await (await this.#files.cache()).put(url, new Response(body));
  }
}

function recordUrl(path: string): string {
  return RECORDS + path.split("/").map(encodeURIComponent).join("/");
}

function blockUrl(id: string, index: number): string {
  return `${BLOCKS}${id}/${index}`;
}
