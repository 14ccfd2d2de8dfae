/**
 * Memory that attention needs: a layer's KV cache, exact or in a quarter of the bytes, and scratch
 * (assembly/ops/attention.ts, attention-q8.ts).
 *
 * @module
 */
import { KV_Q8_POSITIONS, KV_Q8_ROW_TAIL_BYTES, KV_Q8_SCALE_BYTES, KV_Q8_SUM_BYTES } from "../../assembly/abi.ts";
import type { KvType } from "./choices.ts";
import { roundUp } from "./layouts.ts";

/** Heads whose keys and values the cache holds for `contextLength` positions. */
export interface CachedHeads {
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly contextLength: number;
}

/** Bytes of a layer's keys, and of its values. */
export function kvCacheBytes(
  kvType: KvType,
  { nKvHeads, headDim, contextLength }: CachedHeads,
): { readonly keyBytes: number; readonly valueBytes: number } {
  const values = nKvHeads * headDim * contextLength;
  if (kvType === "f32") return { keyBytes: values * 4, valueBytes: values * 4 };
  const q8Bytes = (bytesBeside: number) => nKvHeads * q8Positions(contextLength) * (bytesBeside + headDim);
  return { keyBytes: q8Bytes(KV_Q8_SCALE_BYTES + KV_Q8_SUM_BYTES), valueBytes: q8Bytes(KV_Q8_SCALE_BYTES) };
}

/** Scratch per thread: the scores over all positions of the queries that share a head's keys. */
export function attendScratchBytes(kvType: KvType, nQueries: number, contextLength: number): number {
  const rowBytes =
    kvType === "f32" ? roundUp(contextLength, 4) * 4 : q8Positions(contextLength) * 4 + KV_Q8_ROW_TAIL_BYTES;
  return nQueries * rowBytes;
}

function q8Positions(contextLength: number): number {
  return roundUp(contextLength, KV_Q8_POSITIONS);
}
