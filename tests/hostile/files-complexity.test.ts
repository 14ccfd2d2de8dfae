/**
 * Time to parse a header grows with its size and no faster, over sizes from a few kilobytes to about 10 MB, for each
 * part of a header that can be made long.
 *
 * Memory itself gets slower with size: caches end, the collector wakes, and other work on the machine comes and goes.
 * So each size is timed next to a plain loop that makes the same strings and objects, and the ratio of the two is
 * fitted: what is left is the parser's own.
 */
import { describe, test } from "node:test";
import { parseGguf } from "../../src/files/gguf.ts";
import { parseSafetensors } from "../../src/files/safetensors.ts";
import { TYPE, join, joinAll, pair, rawGguf, str, u32, u64 } from "../files/raw-gguf.ts";
import { assertLinear } from "./exponent.ts";

const TRIES = 7;

interface Work {
  readonly parse: () => unknown;
  /** A loop linear in n that makes the same values. */
  readonly plain: () => unknown;
}

const many = (count: number, make: (i: number) => Uint8Array): Uint8Array =>
  joinAll(Array.from({ length: count }, (_, i) => make(i)));

const HEADERS: Readonly<Record<string, { sizes: readonly number[]; make: (n: number) => Work }>> = {
  "tokens of a few bytes": {
    sizes: [4_000, 16_000, 64_000, 256_000],
    make: (n) => {
      const tokens = many(n, (i) => str(`Ġtoken${i}`));
      const file = rawGguf({ pairs: [pair("t", TYPE.array, join(u32(TYPE.string), u64(n), tokens))] });
      return { parse: () => parseGguf(file), plain: () => strings(tokens, n) };
    },
  },
  "one long string": longString(0x61),
  "one long string that is not UTF-8": longString(0xff),
  "metadata keys": {
    sizes: [1_000, 4_000, 16_000, 64_000],
    make: (n) => {
      const keys = many(n, (i) => str(`some.key.${i}`));
      const file = rawGguf({ pairs: Array.from({ length: n }, (_, i) => pair(`some.key.${i}`, TYPE.u32, u32(i))) });
      return { parse: () => parseGguf(file), plain: () => new Map(strings(keys, n).map((key, i) => [key, i])) };
    },
  },
  "tensors of the ambiguous type": {
    sizes: [1_000, 4_000, 16_000, 64_000],
    make: (n) => {
      const names = many(n, (i) => str(`blk.${i}.weight`));
      const tensors = Array.from({ length: n }, (_, i) => ({
        name: `blk.${i}.weight`,
        dims: [128],
        type: 42,
        offset: 64 * i,
      }));
      const file = rawGguf({ tensors, dataBytes: 64 * n });
      const plain = () =>
        new Map(
          strings(names, n).map((name, i) => [name, { name, shape: [i], position: i, rest: [{ name }, { name }] }]),
        );
      return { parse: () => parseGguf(file), plain };
    },
  },
  "safetensors tensors, in the wrong order": {
    sizes: [1_000, 4_000, 16_000, 60_000],
    make: (n) => {
      const members = Array.from(
        { length: n },
        (_, i) => `"model.layers.${i}":{"dtype":"U8","shape":[1],"data_offsets":[${n - 1 - i},${n - i}]}`,
      );
      const json = new TextEncoder().encode(`{${members.join(",")}}`);
      const file = join(u64(json.length), json, new Uint8Array(n));
      const plain = () =>
        Object.entries(JSON.parse(new TextDecoder().decode(json)) as object).map(([name, value]) => ({
          name,
          value: Object.entries(value),
        }));
      return { parse: () => parseSafetensors(file), plain };
    },
  },
};

function longString(byte: number): { sizes: readonly number[]; make: (n: number) => Work } {
  return {
    sizes: [65_536, 524_288, 2_097_152, 8_388_608],
    make: (n) => {
      const text = new Uint8Array(n).fill(byte);
      const file = rawGguf({ pairs: [pair("s", TYPE.string, join(u64(n), text))] });
      const units = new Uint16Array(n);
      const plain = () => {
        for (let i = 0; i < n; i++) units[i] = text[i]!;
        return new TextDecoder("utf-16le").decode(units);
      };
      return { parse: () => parseGguf(file), plain };
    },
  };
}

/** The `n` length-prefixed strings of `bytes`. */
function strings(bytes: Uint8Array, n: number): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder();
  const found: string[] = [];
  for (let i = 0, at = 0; i < n; i++) {
    const end = at + 8 + view.getUint32(at, true);
    found.push(decoder.decode(bytes.subarray(at + 8, end)));
    at = end;
  }
  return found;
}

describe("complexity of header parsing", () => {
  for (const [what, { sizes, make }] of Object.entries(HEADERS)) {
    // The plain loop has 1.
    test(what, () => void assertLinear(sizes, (n) => ratio(make(n)), 1));
  }
});

/** How many times as long as the plain loop parsing takes; of each, the run that the machine disturbed least. */
function ratio({ parse, plain }: Work): number {
  let parseMs = Infinity;
  let plainMs = Infinity;
  for (let i = 0; i < TRIES; i++) {
    parseMs = Math.min(parseMs, elapsedMs(parse));
    plainMs = Math.min(plainMs, elapsedMs(plain));
  }
  return parseMs / plainMs;
}

function elapsedMs(run: () => unknown): number {
  const begin = performance.now();
  run();
  return performance.now() - begin;
}
