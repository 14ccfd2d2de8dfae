/**
 * STQ1_0 written by the table of its codes as published, not by the rule that onebit reads it by: an entry has the
 * codes 0, 1, 2 of the four weights of a group, two bits each, the first lowest.
 */
import { floatToHalf } from "../../src/files/float16.ts";

const TABLE = "A9892909A68626069A921A126A624A42012181A1042484A41018909840486068";
const INDEX = new Map(Array.from({ length: 32 }, (_, i) => [Number.parseInt(TABLE.slice(2 * i, 2 * i + 2), 16), i]));

/** @param scales one for all, or one for every 256 codes */
export function encodeStq(codes: Int8Array, scales: Float32Array): Uint8Array {
  const bytes = new Uint8Array((codes.length / 256) * 42),
    view = new DataView(bytes.buffer);
  for (let block = 0; block < codes.length / 256; block++) {
    const at = 42 * block;
    for (let g = 0; g < 64; g++) {
      const first = 256 * block + (g >> 4) * 64 + (g & 15);
      const entry = [0, 1, 2, 3].reduce((sum, lane) => sum + ((codes[first + 16 * lane] + 1) << (2 * lane)), 0),
        index = INDEX.get(entry);
      if (index === undefined) throw new Error(`group ${g} of block ${block} has not one zero`);
      bytes[at + (g >> 1)] |= (index & 15) << (4 * (g & 1));
      bytes[at + 32 + (g >> 3)] |= (index >> 4) << (g & 7);
    }
    view.setUint16(at + 40, floatToHalf(scales[scales.length === 1 ? 0 : block]), true);
  }
  return bytes;
}
