/** Choices of the generators, all from one stream of random numbers. */
import type { Random } from "../../synthetic/random.ts";

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.u32() % items.length];
}

/** True once in `n` times. */
export function oneIn(random: Random, n: number): boolean {
  return random.u32() % n === 0;
}

/** Uniform in [0, 1). */
export function unit(random: Random): () => number {
  return () => random.u32() / 2 ** 32;
}
