/**
 * A 64-bit hash of bytes in pieces: the fingerprint of weights, the checksum of what is saved.
 *
 *   bytes: u64 words w[0], w[1], …, the last filled with zeros
 *   hash:  Σ mix(w[i] + (first + i + 1) · PHI), modulo 2^64; mix is the finaliser of splitmix64 (Steele, Lea and Flood,
 *          "Fast splittable pseudorandom number generators", 2014), as in random.ts
 *
 * A sum has no order, so pieces may be hashed in any, and words do not wait for each other. mix is a bijection, so
 * a change within one word always changes the sum. It finds accidents; it does not stop those who look for collisions.
 */
const PHI: u64 = 0x9e3779b97f4a7c15;

/** The part of a hash that `n` bytes from `at` add, word `first` of the whole first. */
export function hashWords(at: usize, n: i32, first: u64): u64 {
  const end = at + <usize>(n & ~7);
  let salt = (first + 1) * PHI,
    sum: u64 = 0;
  for (; at < end; at += 8, salt += PHI) sum += mix(load<u64>(at) + salt);
  const left = n & 7;
  if (left === 0) return sum;
  let last: u64 = 0;
  for (let i = 0; i < left; i++) last |= (<u64>load<u8>(at + <usize>i)) << ((<u64>i) << 3);
  return sum + mix(last + salt);
}

function mix(z: u64): u64 {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
