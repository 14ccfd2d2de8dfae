/**
 * STQ1_0 written by the table of its codes as published, not by the rule that onebit reads it by: an entry has the
 * codes 0, 1, 2 of the four weights of a group, two bits each, the first lowest.
 */
import { floatToHalf } from "../../src/files/float16.ts";

const TABLE = "A9892909A68626069A921A126A624A42012181A1042484A41018909840486068";
const INDEX = new Map(Array.from({ length: 32 }, (_, i) => [Number.parseInt(TABLE.slice(2 * i, 2 * i + 2), 16), i]));

/** Exact where one of each four weights is 0 and the others of a block are as large; else that becomes the smallest. */
export function encodeStq(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array((values.length / 256) * 42),
    view = new DataView(bytes.buffer);
  for (let block = 0; block < values.length / 256; block++) {
    const at = 42 * block,
      part = values.subarray(256 * block, 256 * (block + 1));
    for (let g = 0; g < 64; g++) {
      const lanes = [0, 16, 32, 48].map((lane) => part[(g >> 4) * 64 + (g & 15) + lane]),
        sizes = lanes.map(Math.abs),
        zero = sizes.indexOf(Math.min(...sizes));
      const code = (value: number, lane: number) => (lane === zero ? 1 : value < 0 ? 0 : 2),
        index = INDEX.get(lanes.reduce((sum, value, lane) => sum + (code(value, lane) << (2 * lane)), 0)) ?? 0;
      bytes[at + (g >> 1)] |= (index & 15) << (4 * (g & 1));
      bytes[at + 32 + (g >> 3)] |= (index >> 4) << (g & 7);
    }
    const scale = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    view.setUint16(at + 40, floatToHalf(scale), true);
  }
  return bytes;
}
