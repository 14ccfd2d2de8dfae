/**
 * Sets of code points from the generated tables of `hf-unicode-data.ts`.
 *
 * @module
 */

const CODE_POINTS = 0x110000;

export class CodePointSet {
  /** One bit a code point: 139 kB. */
  readonly #bits = new Uint32Array(CODE_POINTS / 32);

  /** @param ranges numbers in base 36, alternately the gap since the last range and the range's length */
  constructor(ranges: string) {
    let at = 0;
    ranges.split(" ").forEach((text, i) => {
      const end = at + parseInt(text, 36);
      if (i % 2 === 1)
        for (let codePoint = at; codePoint < end; codePoint++) this.#bits[codePoint >>> 5] |= 1 << (codePoint & 31);
      at = end;
    });
  }

  has(codePoint: number): boolean {
    return (this.#bits[codePoint >>> 5] & (1 << (codePoint & 31))) !== 0;
  }
}
