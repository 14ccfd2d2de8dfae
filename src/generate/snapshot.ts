/**
 * Saves the keys and values of a context, and its state, and puts them back: reading ids again costs a walk each,
 * reading their pages a copy.
 *
 * Pages are copied at once, without an await: a call that never came back would keep them from the others.
 *
 * @module
 */
import { type AbortState, fail, throwIfAborted } from "../core/errors.ts";
import { createBreather } from "../core/event-loop.ts";
import type { Platform } from "../core/platform.ts";
import { pagesFor } from "../kernels/attention-cache.ts";
import { addWords } from "../kernels/hash.ts";
import type { Engine, KvStore } from "../model/engine-interface.ts";
import type { SequenceOptions } from "../model/kv-pages.ts";
import {
  CHECKSUM_BYTES,
  HEADER_BYTES,
  failCorrupt,
  idBytes,
  readHead,
  readIds,
  snapshotBytes,
  writeHead,
} from "./snapshot-format.ts";

/** Bytes hashed between two looks at the event loop: 10 ms at most. */
const PIECE_BYTES = 16 << 20;

/** How the event loop runs between. */
export type BreathingPlatform = Pick<Platform, "nextTurn">;

/** How saving and restoring wait. */
interface Waiting {
  readonly platform: BreathingPlatform;
  readonly signal: AbortState;
}

/** A context that was saved, checked. Its bytes are the caller's, who may change them: only pages are read again. */
export interface Saved {
  readonly ids: readonly number[];
  /** Those whose keys and values it has. */
  readonly cached: readonly number[];
  readonly pagesAt: number;
  readonly bytes: Uint8Array;
}

/** @returns `ids` and what the cache has of them, still without the checksum: see {@link seal} */
export function copyContext(ids: readonly number[], { kv, pages: all }: Engine, options: SequenceOptions): Uint8Array {
  const sequence = all.open(ids, options);
  try {
    const { length, pages } = sequence,
      bytes = new Uint8Array(snapshotBytes({ nIds: ids.length, nCached: length }, kv)),
      head = writeHead(ids, length, kv);
    bytes.set(head);
    pages.forEach((page, i) => {
      const nPositions = Math.min(length - i * kv.pagePositions, kv.pagePositions);
      kv.readPage(
        page,
        nPositions,
        bytes.subarray(head.length + i * kv.pageBytes, head.length + (i + 1) * kv.pageBytes),
      );
    });
    const stateAt = head.length + pages.length * kv.pageBytes;
    if (length > 0 && kv.stateBytes > 0)
      kv.readState(sequence.states.from, bytes.subarray(stateAt, stateAt + kv.stateBytes));
    return bytes;
  } finally {
    sequence.close();
  }
}

/** Fills in the checksum. @throws OnebitError `aborted`, `model/closed` */
export async function seal(bytes: Uint8Array, kv: KvStore, waiting: Waiting): Promise<void> {
  checksumOf(bytes).setBigUint64(0, await hashAll(bytes, kv, waiting), true);
}

/**
 * Checks all of a saved context.
 * @param contextLength of the context that is to hold it
 * @throws OnebitError `snapshot/corrupt`, `snapshot/mismatch`, `model/context-full`, `aborted`, `model/closed`
 */
export async function checkSaved(
  bytes: Uint8Array,
  { config, kv, vocabSize }: Engine,
  contextLength: number,
  waiting: Waiting,
): Promise<Saved> {
  const head = readHead(bytes, kv, config.name),
    wantedBytes = snapshotBytes(head, kv);
  if (bytes.length !== wantedBytes) failCorrupt(`wanted ${wantedBytes} bytes by its header, found ${bytes.length}`);
  if (checksumOf(bytes).getBigUint64(0, true) !== (await hashAll(bytes, kv, waiting)))
    failCorrupt("its checksum is wrong");
  if (head.nIds > contextLength) {
    fail(
      "model/context-full",
      `saved context: it has ${head.nIds} ids, the context that is to hold it ${contextLength}: load the model with ` +
        "a larger contextLength",
    );
  }
  const ids = readIds(bytes.subarray(HEADER_BYTES), head.nIds),
    wrong = ids.findIndex((id) => id < 0 || id >= vocabSize);
  if (wrong >= 0) failCorrupt(`id ${wrong} is ${ids[wrong]}, wanted 0 to ${vocabSize - 1}`);
  return { ids, cached: ids.slice(0, head.nCached), pagesAt: HEADER_BYTES + idBytes(head.nIds), bytes };
}

/**
 * Puts the pages of a checked context in the cache. Whole pages that are there already stay.
 * @throws OnebitError `model/closed`
 */
export function placeSaved({ cached, pagesAt, bytes }: Saved, { kv, pages }: Engine, options: SequenceOptions): void {
  const sequence = pages.open(cached, options);
  try {
    // A state stands where it stands: of a sequence with one, all is written.
    sequence.truncate(kv.stateBytes > 0 ? 0 : sequence.length - (sequence.length % kv.pagePositions));
    sequence.reserve(cached.length - sequence.length);
    const nPages = pagesFor(cached.length),
      stateAt = pagesAt + nPages * kv.pageBytes;
    for (let i = sequence.length / kv.pagePositions; i < nPages; i++) {
      const at = pagesAt + i * kv.pageBytes;
      kv.writePage(sequence.pages[i]!, bytes.subarray(at, at + kv.pageBytes));
    }
    if (cached.length > 0 && kv.stateBytes > 0)
      kv.writeState(sequence.states.to, bytes.subarray(stateAt, stateAt + kv.stateBytes));
    sequence.commit(cached.slice(sequence.length));
  } finally {
    sequence.close();
  }
}

/** Of all bytes before the checksum. */
async function hashAll(bytes: Uint8Array, kv: KvStore, { platform, signal }: Waiting): Promise<bigint> {
  const { breathe } = createBreather(platform),
    end = bytes.length - CHECKSUM_BYTES;
  let sum = 0n;
  for (let at = 0; at < end; at += PIECE_BYTES) {
    sum = addWords(sum, kv.hash(bytes.subarray(at, Math.min(at + PIECE_BYTES, end)), at));
    await breathe();
    throwIfAborted(signal);
  }
  return sum;
}

function checksumOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + bytes.length - CHECKSUM_BYTES, CHECKSUM_BYTES);
}
