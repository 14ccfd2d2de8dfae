/**
 * Seeded random numbers for synthetic weights: xoshiro128++ (Blackman and Vigna, 2021), seeded through splitmix32.
 * Integer arithmetic only, so a seed means the same file on every machine.
 */

export interface Random {
  /** Uniform in [0, 2^32). */
  u32(): number;
  /** About N(0, 1): the sum of four 16-bit uniforms, scaled. Bounded by ±3.46, which no test minds. */
  normal(): number;
}

export function seededRandom(seed: number): Random {
  let a = splitmix(seed),
    b = splitmix(a + 1),
    c = splitmix(b + 2),
    d = splitmix(c + 3) | 1;
  function u32(): number {
    const sum = (a + d) | 0;
    const result = (((sum << 7) | (sum >>> 25)) + a) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  }
  function normal(): number {
    const x = u32(),
      y = u32();
    const sum = (x >>> 16) + (x & 0xffff) + (y >>> 16) + (y & 0xffff);
    return (sum - 2 * 0xffff) / NORMAL_STD;
  }
  return { u32, normal };
}

/** A seed for one named tensor: its weights then do not depend on which tensors come before it. */
export function seedOf(seed: number, name: string): number {
  let hash = seed ^ 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193); // FNV-1a
  return hash >>> 0;
}

/** Standard deviation of a sum of four uniform 16-bit integers: 65536 · sqrt(4/12). */
const NORMAL_STD = 65_536 * 0.5773502691896257;

function splitmix(seed: number): number {
  let z = (seed + 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
