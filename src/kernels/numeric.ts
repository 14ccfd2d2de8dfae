/**
 * Maths from the WebAssembly module, with the same bits on every JavaScript engine: a sampler uses it instead of
 * `Math.exp`, `Math.log` and `Math.random`.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { KernelExports } from "./exports.ts";

export interface Numeric {
  /** Index of the largest logit; the first among equals; NaN never wins. */
  argmax(logits: Float32Array): number;
  /** The `k` largest, descending; among equals the lower id first. The arrays are copies. */
  topK(logits: Float32Array, k: number): { ids: Int32Array; logits: Float32Array };
  exp(x: number): number;
  log(x: number): number;
  logSumExp(logits: Float32Array): number;
  /** A generator of uniform numbers in [0, 1), the same sequence for the same seed everywhere. */
  random(seed: number | bigint): RandomSource;
}

export interface RandomSource {
  next(): number;
}

/** Addresses the numeric functions may use: one vector of `nMax` f32, the outputs of top-k, a random state. */
export interface NumericArena {
  readonly vector: number;
  readonly ids: number;
  readonly values: number;
  readonly randomState: number;
  readonly nMax: number;
}

/** Bytes of random state: four 64-bit words. */
export const RANDOM_STATE_BYTES = 32;

export function createNumeric(kernels: KernelExports, memory: WebAssembly.Memory, arena: NumericArena): Numeric {
  /** Address of `x` in wasm memory: where it already is, or copied to the arena. */
  const place = (x: Float32Array): number => {
    if (x.buffer === memory.buffer) return x.byteOffset;
    if (x.length > arena.nMax) fail("option/invalid", `logits: at most ${arena.nMax} values, got ${x.length}`);
    new Float32Array(memory.buffer, arena.vector, x.length).set(x);
    return arena.vector;
  };
  return {
    argmax: (logits) => kernels.argmax(place(logits), logits.length),
    topK(logits, k) {
      const n = kernels.topK(
        place(logits),
        logits.length,
        Math.min(k, logits.length, arena.nMax),
        arena.ids,
        arena.values,
      );
      return {
        ids: new Int32Array(memory.buffer, arena.ids, n).slice(),
        logits: new Float32Array(memory.buffer, arena.values, n).slice(),
      };
    },
    exp: (x) => kernels.expF64(x),
    log: (x) => kernels.logF64(x),
    logSumExp: (logits) => kernels.logSumExp(place(logits), logits.length),
    random(seed) {
      // Each generator keeps its state out here between draws, so any number can share the one slot in memory.
      const slot = () => new Uint8Array(memory.buffer, arena.randomState, RANDOM_STATE_BYTES);
      kernels.randomSeed(arena.randomState, BigInt.asUintN(64, BigInt(seed)));
      const state = slot().slice();
      return {
        next() {
          slot().set(state);
          const value = kernels.randomNext(arena.randomState);
          state.set(slot());
          return value;
        },
      };
    },
  };
}
