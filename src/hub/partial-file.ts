/**
 * A file being downloaded: its data, and the journal of its parts.
 *
 * The order of writes makes a kill or a power cut safe at any moment. New file: data to size 0, then the journal's
 * header, then data to full size; so if the header disagrees with the data's size, that start did not finish. A part:
 * data, flush, record.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { HUB_PART_BYTES } from "../core/limits.ts";
import type { ModelStore, WritableFile } from "../core/model-store.ts";
import { JOURNAL_BYTES_MAX, decodeJournal, encodeHeader, encodePart, isSameFile, nParts } from "./journal.ts";
import type { FileIdentity, Journal } from "./journal.ts";

export class PartialFile {
  readonly #data: WritableFile;
  readonly #journal: WritableFile;
  readonly #done: Set<number>;
  #identity: FileIdentity | undefined;
  #endBytes: number;
  #records: Promise<void> = Promise.resolve();
  /** Bytes left by an earlier download. */
  readonly foundBytes: number;

  private constructor(data: WritableFile, journal: WritableFile, found: Journal | undefined) {
    this.#data = data;
    this.#journal = journal;
    this.#done = new Set(found?.done);
    this.#identity = found?.identity;
    this.#endBytes = found?.endBytes ?? 0;
    this.foundBytes = this.doneBytes;
  }

  /** Opens what an earlier download left at `path`, if anything. The caller holds the file's lock. */
  static async open(store: ModelStore, path: string): Promise<PartialFile> {
    const data = await store.openWrite(path);
    try {
      const journal = await store.openWrite(journalPath(path));
      try {
        return new PartialFile(data, journal, await readJournal(journal, await data.sizeBytes()));
      } catch (error) {
        await journal.close();
        throw error;
      }
    } catch (error) {
      await data.close();
      throw error;
    }
  }

  /** The file that the finished parts belong to. */
  get identity(): FileIdentity | undefined {
    return this.#identity;
  }

  get doneBytes(): number {
    const { sizeBytes } = this.#identity ?? { sizeBytes: 0 };
    let sum = 0;
    for (const index of this.#done) sum += Math.min(HUB_PART_BYTES, sizeBytes - index * HUB_PART_BYTES);
    return sum;
  }

  isDone(index: number): boolean {
    return this.#done.has(index);
  }

  /** Keeps existing parts if they belong to `identity`, else drops them. Resolves to whether it kept them. */
  async begin(identity: FileIdentity): Promise<boolean> {
    if (this.#identity !== undefined && isSameFile(this.#identity, identity)) {
      // A torn line at the end would run into the next record.
      await this.#journal.resize(this.#endBytes);
      return true;
    }
    await this.clear();
    const header = encodeHeader(identity);
    await this.#journal.write(header, 0);
    await this.#journal.flush();
    await this.#data.resize(identity.sizeBytes);
    this.#identity = identity;
    this.#endBytes = header.length;
    return false;
  }

  /** Drops all parts. */
  async clear(): Promise<void> {
    this.#identity = undefined;
    this.#done.clear();
    await this.#data.resize(0);
    await this.#data.flush();
    await this.#journal.resize(0);
    await this.#journal.flush();
  }

  /** Resolves when the part is on disk and recorded. */
  async writePart(index: number, bytes: Uint8Array): Promise<void> {
    await this.#data.write(bytes, index * HUB_PART_BYTES);
    await this.#data.flush();
    // One record after another: each begins where the one before it ends.
    this.#records = this.#records.then(async () => {
      const record = encodePart(index);
      await this.#journal.write(record, this.#endBytes);
      await this.#journal.flush();
      this.#endBytes += record.length;
      this.#done.add(index);
    });
    await this.#records;
  }

  /** Writes without a record: a download in one piece cannot be resumed. */
  async writeUnrecorded(bytes: Uint8Array, position: number): Promise<void> {
    await this.#data.write(bytes, position);
  }

  read(into: Uint8Array, position: number): Promise<void> {
    return this.#data.read(into, position);
  }

  /** The data so far, for code that reads whole files; closing it does nothing. */
  source(name: string, sizeBytes: number): ByteSource {
    return { name, sizeBytes, read: (into, position) => this.read(into, position), close: async () => {} };
  }

  /** Indices of missing parts, ascending. */
  missing(): number[] {
    return Array.from({ length: nParts(this.#identity?.sizeBytes ?? 0) }, (_, index) => index).filter(
      (index) => !this.#done.has(index),
    );
  }

  async flush(): Promise<void> {
    await this.#data.flush();
  }

  async close(): Promise<void> {
    try {
      await this.#data.close();
    } finally {
      await this.#journal.close();
    }
  }
}

export function journalPath(path: string): string {
  return `${path}.journal`;
}

async function readJournal(journal: WritableFile, dataBytes: number): Promise<Journal | undefined> {
  const sizeBytes = await journal.sizeBytes();
  if (sizeBytes === 0 || sizeBytes > JOURNAL_BYTES_MAX) return undefined;
  const bytes = new Uint8Array(sizeBytes);
  await journal.read(bytes, 0);
  const found = decodeJournal(bytes);
  return found !== undefined && found.identity.sizeBytes === dataBytes ? found : undefined;
}
