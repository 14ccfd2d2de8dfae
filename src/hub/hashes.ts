/**
 * Hashes files: a whole one, or one whose parts arrive in any order.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { throwIfAborted } from "../core/errors.ts";
import type { HashAlgorithm, HubPlatform, IncrementalHash } from "../core/model-store.ts";
import { HUB_PART_BYTES } from "../core/limits.ts";

/** The hash that a file's bytes must have. */
export interface ExpectedHash {
  /** `git-sha1` is Git's name for a file: SHA-1 over a line with its size, then the file. */
  readonly algorithm: "sha256" | "git-sha1";
  readonly hex: string;
}

export function hashText(hash: ExpectedHash): string {
  return `${hash.algorithm}:${hash.hex}`;
}

const ALGORITHMS: Readonly<Record<ExpectedHash["algorithm"], HashAlgorithm>> = { sha256: "sha256", "git-sha1": "sha1" };

export function startHash(
  platform: HubPlatform,
  algorithm: ExpectedHash["algorithm"],
  sizeBytes: number,
): IncrementalHash {
  const hash = platform.createHash(ALGORITHMS[algorithm]);
  if (algorithm === "git-sha1") hash.update(new TextEncoder().encode(`blob ${sizeBytes}\0`));
  return hash;
}

/** @param onBytes called after each few megabytes @throws OnebitError `file/read`, `aborted` */
export async function hashSource(
  platform: HubPlatform,
  source: ByteSource,
  algorithm: ExpectedHash["algorithm"],
  { signal, onBytes }: { signal?: AbortSignal; onBytes?: (bytes: number) => void } = {},
): Promise<string> {
  const hash = startHash(platform, algorithm, source.sizeBytes);
  const buffer = new Uint8Array(Math.min(HUB_PART_BYTES, source.sizeBytes));
  for (let at = 0; at < source.sizeBytes; at += buffer.length) {
    throwIfAborted(signal);
    const piece = buffer.subarray(0, Math.min(buffer.length, source.sizeBytes - at));
    await source.read(piece, at);
    hash.update(piece);
    onBytes?.(piece.length);
  }
  return hash.digestHex();
}

/**
 * Follows a download: hashes parts in order as soon as all before them are there, reading them back so that the hash
 * covers the stored bytes. Almost nothing remains to do when the last part arrives.
 */
export class FollowingHash {
  readonly #hash: IncrementalHash;
  readonly #sizeBytes: number;
  readonly #read: (into: Uint8Array, position: number) => Promise<void>;
  readonly #isDone: (part: number) => boolean;
  #nextPart = 0;
  #walk: Promise<void> = Promise.resolve();

  constructor(
    hash: IncrementalHash,
    sizeBytes: number,
    read: (into: Uint8Array, position: number) => Promise<void>,
    isDone: (part: number) => boolean,
  ) {
    this.#hash = hash;
    this.#sizeBytes = sizeBytes;
    this.#read = read;
    this.#isDone = isDone;
  }

  /** Call when a part is done; a read error shows up in {@link digestHex}. */
  follow(): void {
    this.#walk = this.#walk.then(() => this.#advance());
    this.#walk.catch(() => {});
  }

  /** The hash of all parts, which must be done. */
  async digestHex(): Promise<string> {
    this.follow();
    await this.#walk;
    if (this.#nextPart * HUB_PART_BYTES < this.#sizeBytes) throw new Error(`part ${this.#nextPart} is not done`);
    return this.#hash.digestHex();
  }

  /** Resolves when all reading has ended. */
  async settle(): Promise<void> {
    await this.#walk.catch(() => {});
  }

  async #advance(): Promise<void> {
    for (; this.#nextPart * HUB_PART_BYTES < this.#sizeBytes && this.#isDone(this.#nextPart); this.#nextPart++) {
      const position = this.#nextPart * HUB_PART_BYTES;
      const bytes = new Uint8Array(Math.min(HUB_PART_BYTES, this.#sizeBytes - position));
      await this.#read(bytes, position);
      this.#hash.update(bytes);
    }
  }
}
