/**
 * The generator of training windows: xoshiro128** 1.1 (D. Blackman, S. Vigna). Checkpoints hold its 16 bytes of state.
 * It uses 32-bit integers only, so every engine gives the same sequence.
 *
 * @module
 */
import { fail } from "../core/errors.ts";

export const RANDOM_STATE_BYTES = 16;

export interface WindowRandom {
  /** A whole number in [0, n), each equally likely. `n` from 1 to 2^32. */
  below(n: number): number;
  /** A copy of the state, 16 bytes. */
  state(): Uint8Array;
  /** @throws OnebitError `checkpoint/mismatch` for an invalid state */
  restore(state: Uint8Array): void;
}

/** @param seed a safe integer ≥ 0 @throws OnebitError `train/bad-option` */
export function createWindowRandom(seed: number): WindowRandom {
  if (!Number.isSafeInteger(seed) || seed < 0)
    fail("train/bad-option", `seed: wanted a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, found ${seed}`);
  const words = seeded(seed);
  return {
    below(n) {
      // Redraws numbers at and above the last multiple of n: a plain remainder would favour low results.
      const limit = 4294967296 - (4294967296 % n);
      let drawn = next(words);
      while (drawn >= limit) drawn = next(words);
      return drawn % n;
    },
    state() {
      const bytes = new Uint8Array(RANDOM_STATE_BYTES),
        view = new DataView(bytes.buffer);
      words.forEach((word, i) => view.setUint32(4 * i, word, true));
      return bytes;
    },
    restore(state) {
      // The generator never leaves the all-zero state.
      if (state.length !== RANDOM_STATE_BYTES || state.every((byte) => byte === 0)) {
        fail(
          "checkpoint/mismatch",
          `state of the random generator: wanted ${RANDOM_STATE_BYTES} bytes, not all 0, ` + `found ${state.length}`,
        );
      }
      const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
      for (let i = 0; i < 4; i++) words[i] = view.getUint32(4 * i, true);
    },
  };
}

function next(s: Uint32Array): number {
  const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
  const t = s[1] << 9;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotateLeft(s[3], 11);
  return result;
}

/**
 * Mixes a seed into four words by MurmurHash3's finaliser (A. Appleby), so that close seeds give unrelated sequences.
 */
function seeded(seed: number): Uint32Array {
  const low = seed >>> 0,
    high = Math.floor(seed / 4294967296);
  return Uint32Array.from([1, 2, 3, 4], (i) => mix((mix((low + Math.imul(i, 0x9e3779b9)) >>> 0) ^ high) + i));
}

function mix(x: number): number {
  let h = x >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}
