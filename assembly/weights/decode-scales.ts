/** Checks on the f16 scales of decoded blocks. */

/** Whether n f16 are all finite: exponent bits not all set. */
export function allFinite(scales: usize, n: i32): bool {
  for (const end = scales + ((<usize>n) << 1); scales < end; scales += 2) {
    if ((load<u16>(scales) & 0x7c00) == 0x7c00) return false;
  }
  return true;
}
