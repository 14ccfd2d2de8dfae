/**
 * The kernels' hash (assembly/hash.ts) over bytes that lie anywhere.
 *
 * @module
 */
import type { KernelExports } from "./exports.ts";

/** Bytes of a hashed word: pieces of a hash begin at multiples of it. */
export const HASH_WORD_BYTES = 8;

/**
 * The part of a hash that `bytes` add; parts are added modulo 2^64, in any order.
 * @param position of its first byte in the whole, a multiple of {@link HASH_WORD_BYTES}
 */
export type HashPart = (bytes: Uint8Array, position: number) => bigint;

/** @param window address, in `memory`, of `windowBytes` through which bytes from elsewhere go */
export function createHash(
  kernels: KernelExports,
  memory: WebAssembly.Memory,
  { window, windowBytes }: { readonly window: number; readonly windowBytes: number },
): HashPart {
  const step = windowBytes - (windowBytes % HASH_WORD_BYTES);
  return (bytes, position) => {
    const first = BigInt(position / HASH_WORD_BYTES);
    // wasm gives an i64 as a signed number.
    if (bytes.buffer === memory.buffer) return addWords(kernels.hashWords(bytes.byteOffset, bytes.length, first), 0n);
    let sum = 0n;
    for (let begin = 0; begin < bytes.length; begin += step) {
      const some = bytes.subarray(begin, begin + step);
      new Uint8Array(memory.buffer, window, some.length).set(some);
      sum = addWords(sum, kernels.hashWords(window, some.length, first + BigInt(begin / HASH_WORD_BYTES)));
    }
    return sum;
  };
}

/** Modulo 2^64. */
export function addWords(a: bigint, b: bigint): bigint {
  return BigInt.asUintN(64, a + b);
}
