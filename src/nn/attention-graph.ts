/**
 * BitNet's grouped-query attention with its projections: it norms and rounds the input once for q, k and v, and norms
 * the mixed heads again before the output projection.
 *
 *   y = o(norm(attention(rope(q(h)), rope(k(h)), v(h)))),   h = norm(x)
 *
 * Over whole sequences, or continuing those in a cache.
 *
 * @module
 */
import { attendScratchBytes, kvCacheBytes } from "../kernels/attention-cache.ts";
import type { CacheLayer, KvCache } from "./kv-cache.ts";
import { type RotaryTable, attention, rotate } from "./ops.ts";
import { type Linear, recordLinear } from "./projection.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** Records operations on a value. */
export type Recorder = (tape: Tape, x: Tensor) => Tensor;

export interface AttentionParts {
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly causal: boolean;
  readonly norm: Recorder;
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly outputNorm: Recorder;
  readonly output: Linear;
  /** Rotary table for a sequence; absent without rotation. */
  readonly rotary?: (tape: Tape, length: number) => RotaryTable;
}

/** Addresses of the keys and values of earlier positions. */
export interface CachePlace {
  readonly cache: KvCache;
  readonly layer: CacheLayer;
}

/** x (sequences · length, dim) → the same. `weights` (sequences, nHeads, length, length) receives the probabilities. */
export function recordAttention(
  tape: Tape,
  parts: AttentionParts,
  x: Tensor,
  length: number,
  weights?: Tensor,
): Tensor {
  const { nHeads, nKvHeads, headDim, causal } = parts,
    { q, k, v } = queriesKeysValues(tape, parts, x, length);
  const mixed = attention(tape, q, k, v, { length, nHeads, nKvHeads, headDim, causal }, weights);
  return recordLinear(tape, parts.output, parts.outputNorm(tape, mixed));
}

/** The same for the next `length` positions of the cached sequences. Forward only. */
export function recordCachedAttention(
  tape: Tape,
  parts: AttentionParts,
  x: Tensor,
  length: number,
  place: CachePlace,
): Tensor {
  const { q, k, v } = queriesKeysValues(tape, parts, x, length);
  return recordLinear(tape, parts.output, parts.outputNorm(tape, attendCached(tape, parts, { q, k, v }, place)));
}

function queriesKeysValues(
  tape: Tape,
  parts: AttentionParts,
  x: Tensor,
  length: number,
): { q: Tensor; k: Tensor; v: Tensor } {
  const h = parts.norm(tape, x),
    { rotary } = parts;
  const turn = (y: Tensor): Tensor => (rotary ? rotate(tape, y, rotary(tape, length), length, parts.headDim) : y);
  const q = turn(recordLinear(tape, parts.q, h)),
    k = turn(recordLinear(tape, parts.k, h));
  return { q, k, v: recordLinear(tape, parts.v, h) };
}

/** Each row stands at its place, in the pages of its sequence. */
function attendCached(
  tape: Tape,
  { nHeads, nKvHeads, headDim }: AttentionParts,
  { q, k, v }: { q: Tensor; k: Tensor; v: Tensor },
  { cache, layer }: CachePlace,
): Tensor {
  const { contextLength, heads } = cache,
    out = tape.value(q.shape, false),
    qWidth = nHeads * headDim,
    all = { contextLength, window: 0, scale: 1 / Math.sqrt(headDim) };
  tape.setRows(q.rows);
  const { keyBytes, valueBytes } = kvCacheBytes("f32", heads),
    kCache = tape.at(layer.k, [keyBytes / 4]),
    vCache = tape.at(layer.v, [valueBytes / 4]),
    cached = { ...heads, kCache, vCache };
  tape.step("storeKv", { ...cached, k, v, kvStride: nKvHeads * headDim });
  tape.step(
    "attend",
    { ...cached, ...all, q, qStride: qWidth, out, outStride: qWidth, nHeads },
    { scratchBytes: attendScratchBytes("f32", nHeads / nKvHeads, contextLength) },
  );
  return out;
}
