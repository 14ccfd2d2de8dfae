/**
 * Random numbers that are the same everywhere: xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2018), its state filled from a 64-bit seed by splitmix64, as its authors advise.
 *
 *   state: four u64, 32 bytes
 */

/** Fills `state` (32 bytes) from a seed; any seed is good, even zero. */
export function randomSeed(state: usize, seed: u64): void {
  for (let i = 0; i < 4; i++) {
    seed += 0x9e3779b97f4a7c15;
    let z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    store<u64>(state + ((<usize>i) << 3), z ^ (z >> 31));
  }
}

/** The next 64 random bits. */
export function randomBits(state: usize): u64 {
  let s0 = load<u64>(state),
    s1 = load<u64>(state, 8),
    s2 = load<u64>(state, 16),
    s3 = load<u64>(state, 24);
  const result = rotl<u64>(s1 * 5, 7) * 9;
  const shifted = s1 << 17;
  s2 ^= s0;
  s3 ^= s1;
  s1 ^= s2;
  s0 ^= s3;
  s2 ^= shifted;
  s3 = rotl<u64>(s3, 45);
  store<u64>(state, s0);
  store<u64>(state, s1, 8);
  store<u64>(state, s2, 16);
  store<u64>(state, s3, 24);
  return result;
}

/** The next number in [0, 1), a multiple of 2^-53. */
export function randomNext(state: usize): f64 {
  return <f64>(randomBits(state) >> 11) * (1.0 / 9007199254740992.0);
}
