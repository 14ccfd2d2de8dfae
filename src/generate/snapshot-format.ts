/**
 * A saved context as bytes, little-endian:
 *
 *   | "onebitkv" | version u32 | type of the cache u32 | fingerprint of the model u64 | bytes of a page u32 |
 *   | ids u32 | of them cached u32 | bytes of the state u32 | the ids i32, …, filled to a multiple of 8 bytes |
 *   | pages of the cached ids, each as kv-store.ts reads it, the last one zero behind them | state | checksum u64 |
 *
 * Models without recurrent layers have no state, nor does a context of which nothing is cached.
 *
 * The checksum is the hash (kernels/hash.ts) of all bytes before it.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { KvType } from "../kernels/choices.ts";
import { pagesFor } from "../kernels/attention-cache.ts";
import { HASH_WORD_BYTES } from "../kernels/hash.ts";
import { roundUp } from "../kernels/layouts.ts";
import type { KvStore } from "../model/engine-interface.ts";

const MAGIC = "onebitkv";
const VERSION = 1;
const KV_TYPES: readonly KvType[] = ["f32", "q8"];

export const HEADER_BYTES = 48;
export const CHECKSUM_BYTES = 8;

/** What a snapshot holds beside the pages. */
export interface SnapshotHead {
  readonly nIds: number;
  /** Ids whose keys and values follow. */
  readonly nCached: number;
}

/** Bytes of ids, and what fills them up. */
export function idBytes(nIds: number): number {
  return roundUp(nIds * 4, HASH_WORD_BYTES);
}

export function snapshotBytes({ nIds, nCached }: SnapshotHead, kv: KvStore): number {
  return HEADER_BYTES + idBytes(nIds) + pagesFor(nCached) * kv.pageBytes + stateBytesOf(nCached, kv) + CHECKSUM_BYTES;
}

function stateBytesOf(nCached: number, { stateBytes }: KvStore): number {
  return nCached > 0 ? stateBytes : 0;
}

/** The header and the ids. */
export function writeHead(ids: readonly number[], nCached: number, kv: KvStore): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + idBytes(ids.length)),
    view = new DataView(bytes.buffer);
  for (let i = 0; i < MAGIC.length; i++) bytes[i] = MAGIC.charCodeAt(i);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, KV_TYPES.indexOf(kv.kvType), true);
  view.setBigUint64(16, kv.fingerprint, true);
  const words = [kv.pageBytes, ids.length, nCached, stateBytesOf(nCached, kv)];
  for (const [i, word] of words.entries()) view.setUint32(24 + i * 4, word, true);
  ids.forEach((id, i) => view.setInt32(HEADER_BYTES + i * 4, id, true));
  return bytes;
}

/**
 * What the header says, if this model can have written it.
 * @param bytes {@link HEADER_BYTES} of them
 * @param model for messages
 * @throws OnebitError `snapshot/corrupt`, `snapshot/mismatch`
 */
export function readHead(bytes: Uint8Array, kv: KvStore, model: string): SnapshotHead {
  if (bytes.length < HEADER_BYTES || String.fromCharCode(...bytes.subarray(0, MAGIC.length)) !== MAGIC)
    failCorrupt(`wanted bytes that context.save() gave ("${MAGIC}" at their beginning), found others`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES),
    word = (at: number) => view.getUint32(at, true);
  const version = word(8),
    kvType = KV_TYPES[word(12)];
  if (version !== VERSION)
    failMismatch(`wanted version ${VERSION} of the format, found ${version}: save the context with this onebit`);
  if (view.getBigUint64(16, true) !== kv.fingerprint) {
    failMismatch(
      `it is of another model than "${model}": of other weights, configuration, or options \`dense\` or ` +
        "`activationMode`; load the model that saved it, or read the text again",
    );
  }
  if (kvType !== kv.kvType) {
    failMismatch(
      `its KV cache is of type ${kvType ?? "unknown"}, that of "${model}" is ${kv.kvType}: load the model with ` +
        "the kvType that saved it, or read the text again",
    );
  }
  const [nIds, nCached] = [word(28), word(32)];
  if (word(24) !== kv.pageBytes || nCached > nIds || word(36) !== stateBytesOf(nCached, kv))
    failCorrupt("its header contradicts itself");
  return { nIds, nCached };
}

export function readIds(bytes: Uint8Array, nIds: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: nIds }, (_, i) => view.getInt32(i * 4, true));
}

export function failCorrupt(what: string): never {
  return fail("snapshot/corrupt", `saved context: ${what}; it is damaged or incomplete: read the text again`);
}

function failMismatch(what: string): never {
  return fail("snapshot/mismatch", `saved context: ${what}`);
}
