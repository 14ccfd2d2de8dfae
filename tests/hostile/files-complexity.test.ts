/**
 * Work to parse a header grows with its size and no faster, over sizes from a few kilobytes to about 10 MB, for each
 * part of a header that can be made long.
 */
import { describe, test, type TestContext } from "node:test";
import { parseGguf } from "../../src/files/gguf.ts";
import { parseSafetensors } from "../../src/files/safetensors.ts";
import { TYPE, join, joinAll, pair, rawGguf, str, u32, u64 } from "../files/raw-gguf.ts";
import { assertLinear, type Work } from "./exponent.ts";

const many = (count: number, make: (i: number) => Uint8Array): Uint8Array =>
  joinAll(Array.from({ length: count }, (_, i) => make(i)));

const BYTES = [65_536, 524_288, 2_097_152, 8_388_608];

const HEADERS: Readonly<Record<string, { sizes: readonly number[]; parse: Work }>> = {
  "tokens of a few bytes": {
    sizes: [4_000, 16_000, 64_000, 256_000],
    parse: (n) => {
      const tokens = many(n, (i) => str(`Ġtoken${i}`));
      const file = rawGguf({ pairs: [pair("t", TYPE.array, join(u32(TYPE.string), u64(n), tokens))] });
      return () => parseGguf(file);
    },
  },
  "one long string": { sizes: BYTES, parse: longString(0x61) },
  "one long string that is not UTF-8": { sizes: BYTES, parse: longString(0xff) },
  "metadata keys": {
    sizes: [1_000, 4_000, 16_000, 64_000],
    parse: (n) => {
      const pairs = Array.from({ length: n }, (_, i) => pair(`some.key.${i}`, TYPE.u32, u32(i)));
      const file = rawGguf({ pairs });
      return () => parseGguf(file);
    },
  },
  "tensors of the ambiguous type": {
    sizes: [1_000, 4_000, 16_000, 64_000],
    parse: (n) => {
      const tensors = Array.from({ length: n }, (_, i) => ({
        name: `blk.${i}.weight`,
        dims: [128],
        type: 42,
        offset: 64 * i,
      }));
      const file = rawGguf({ tensors, dataBytes: 64 * n });
      return () => parseGguf(file);
    },
  },
  "safetensors tensors, in the wrong order": {
    sizes: [1_000, 4_000, 16_000, 60_000],
    parse: (n) => {
      const members = Array.from(
        { length: n },
        (_, i) => `"model.layers.${i}":{"dtype":"U8","shape":[1],"data_offsets":[${n - 1 - i},${n - i}]}`,
      );
      const json = new TextEncoder().encode(`{${members.join(",")}}`);
      const file = join(u64(json.length), json, new Uint8Array(n));
      return () => parseSafetensors(file);
    },
  },
};

function longString(byte: number): Work {
  return (n) => {
    const text = new Uint8Array(n).fill(byte);
    const file = rawGguf({ pairs: [pair("s", TYPE.string, join(u64(n), text))] });
    return () => parseGguf(file);
  };
}

describe("complexity of header parsing", () => {
  for (const [what, { sizes, parse }] of Object.entries(HEADERS)) {
    test(what, (t: TestContext) => {
      const { blocks, time } = assertLinear(sizes, parse);
      t.diagnostic(`blocks n^${blocks.toFixed(2)}, time n^${time.toFixed(2)}`);
    });
  }
});
