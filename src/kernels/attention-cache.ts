/**
 * Memory that attention needs: a layer's KV cache in pages, exact or in a quarter of the bytes, and scratch
 * (assembly/ops/attention.ts, attention-q8.ts).
 *
 * @module
 */
import {
  KV_PAGE_POSITIONS,
  KV_Q8_ROW_TAIL_BYTES,
  KV_Q8_SCALE_BYTES,
  KV_Q8_SUM_BYTES,
  PLACE_BYTES,
} from "../../assembly/abi.ts";
import type { KvType } from "./choices.ts";
import { roundUp } from "./layouts.ts";

/** Keys of a record of the 8-bit cache. */
const Q8_KEYS = 8;

/** Heads whose keys and values a cache of `nPages` pages holds. */
export interface CachedHeads {
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly nPages: number;
}

/** Addresses of a layer's keys and values. */
export interface KvLayer {
  readonly k: number;
  readonly v: number;
}

/** Bytes in memory. */
export interface ByteRange {
  readonly at: number;
  readonly bytes: number;
}

/** Where a row of a walk stands. */
export interface RowPlace {
  readonly position: number;
  /** Address of the numbers of its context's pages, i32. */
  readonly pages: number;
}

/** Pages that hold `positions`. */
export function pagesFor(positions: number): number {
  return Math.ceil(positions / KV_PAGE_POSITIONS);
}

/** Bytes of a layer's keys, and of its values. */
export function kvCacheBytes(
  kvType: KvType,
  { nKvHeads, headDim, nPages }: CachedHeads,
): { readonly keyBytes: number; readonly valueBytes: number } {
  const { key, value } = vectorBytes(kvType, headDim),
    vectors = nKvHeads * nPages * KV_PAGE_POSITIONS;
  return { keyBytes: vectors * key, valueBytes: vectors * value };
}

/** The bytes of one page in a layer's cache, always in the same order. */
export function pageRanges(kvType: KvType, heads: CachedHeads, layer: KvLayer, page: number): ByteRange[] {
  const { nKvHeads, headDim, nPages } = heads,
    { key, value } = vectorBytes(kvType, headDim);
  const parts = kvType === "f32" ? [value] : [KV_Q8_SCALE_BYTES, headDim];
  return Array.from({ length: nKvHeads }, (_, head) => {
    const keyBytes = KV_PAGE_POSITIONS * key,
      ranges = [{ at: layer.k + (head * nPages + page) * keyBytes, bytes: keyBytes }];
    let at = layer.v + head * nPages * KV_PAGE_POSITIONS * value;
    for (const part of parts) {
      const bytes = KV_PAGE_POSITIONS * part;
      ranges.push({ at: at + page * bytes, bytes });
      at += nPages * bytes;
    }
    return ranges;
  }).flat();
}

/** Bytes of a page in all layers. */
export function pageBytes(kvType: KvType, { nKvHeads, headDim }: CachedHeads, nLayers: number): number {
  const { key, value } = vectorBytes(kvType, headDim);
  return nLayers * nKvHeads * KV_PAGE_POSITIONS * (key + value);
}

/** Zeroes, in the copy of a page, what it has of positions from `length` on. */
export function clearPositions(kvType: KvType, headDim: number, page: Uint8Array, length: number): void {
  const { key, value } = vectorBytes(kvType, headDim),
    headBytes = KV_PAGE_POSITIONS * (key + value);
  for (let at = 0; at < page.length; at += headBytes) {
    const head = page.subarray(at, at + headBytes),
      keys = head.subarray(0, KV_PAGE_POSITIONS * key),
      values = head.subarray(KV_PAGE_POSITIONS * key);
    if (kvType === "f32") {
      keys.fill(0, length * key);
      values.fill(0, length * value);
    } else {
      for (let position = length; position < KV_PAGE_POSITIONS; position++) {
        clearKeyQ8(keys, headDim, position);
        clearValueQ8(values, headDim, position);
      }
    }
  }
}

/** Scratch per thread: the scores over all positions of the queries that share a head's keys. */
export function attendScratchBytes(kvType: KvType, nQueries: number, contextLength: number): number {
  const rowBytes =
    kvType === "f32"
      ? roundUp(contextLength, 4) * 4
      : roundUp(contextLength, KV_PAGE_POSITIONS) * 4 + KV_Q8_ROW_TAIL_BYTES;
  return nQueries * rowBytes;
}

/** Writes the places of rows 0, 1, … at address `at`. */
export function writePlaces(memory: WebAssembly.Memory, at: number, places: Iterable<RowPlace>): void {
  const view = new DataView(memory.buffer);
  for (const { position, pages } of places) {
    view.setInt32(at, position, true);
    view.setUint32(at + 4, pages, true);
    at += PLACE_BYTES;
  }
}

/** Bytes of a key and of a value with what belongs to them. */
function vectorBytes(kvType: KvType, headDim: number): { readonly key: number; readonly value: number } {
  if (kvType === "f32") return { key: headDim * 4, value: headDim * 4 };
  return { key: headDim + KV_Q8_SCALE_BYTES + KV_Q8_SUM_BYTES, value: headDim + KV_Q8_SCALE_BYTES };
}

/** A record has the scales, the sums and the bytes of eight keys, four bytes of each in turn. */
function clearKeyQ8(keys: Uint8Array, headDim: number, position: number): void {
  const slot = (position % Q8_KEYS) * 4,
    record = Math.floor(position / Q8_KEYS) * Q8_KEYS * vectorBytes("q8", headDim).key;
  const sums = Q8_KEYS * KV_Q8_SCALE_BYTES,
    bytes = sums + Q8_KEYS * KV_Q8_SUM_BYTES;
  for (const at of [0, sums]) keys.fill(0, record + at + slot, record + at + slot + 4);
  for (let at = record + bytes + slot, i = 0; i < headDim; i += 4, at += Q8_KEYS * 4) keys.fill(0, at, at + 4);
}

/** Scales, then for each four dimensions the bytes of all positions: four positions of each dimension in turn. */
function clearValueQ8(values: Uint8Array, headDim: number, position: number): void {
  const scale = position * KV_Q8_SCALE_BYTES,
    first = KV_PAGE_POSITIONS * KV_Q8_SCALE_BYTES + Math.floor(position / 4) * 16 + (position % 4);
  values.fill(0, scale, scale + KV_Q8_SCALE_BYTES);
  for (let i = 0; i < headDim; i++) values[first + Math.floor(i / 4) * KV_PAGE_POSITIONS * 4 + (i % 4) * 4] = 0;
}
