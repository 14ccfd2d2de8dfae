/**
 * Mutated model headers: each parses to something consistent or throws a typed error, in bounded time and memory.
 *
 *     ONEBIT_FUZZ=1000000 npm test      a million of each format (about two minutes)
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseGguf } from "../../src/files/gguf.ts";
import type { GgufHeader, TensorPlace } from "../../src/files/gguf.ts";
import { HeadTooShort } from "../../src/files/gguf-reader.ts";
import { parseSafetensors } from "../../src/files/safetensors.ts";
import { TENSOR_TYPES } from "../../src/files/tensor-types.ts";
import { TYPE, f32, join, pair, rawGguf, str, u32, u64 } from "../files/raw-gguf.ts";
import { FUZZ_FILES, fuzz } from "./mutate.ts";

/** What all the small files together may add to the process: one 8 GB array would show. */
const GROWTH_BYTES_MAX = 256 * 1024 * 1024;

const list = (key: string, type: number, count: number, items: Uint8Array) => pair(key, TYPE.array, join(u32(type), u64(count), items));

const GGUF_SEEDS = [
  rawGguf({}),
  rawGguf({
    version: 2,
    pairs: [
      pair("general.architecture", TYPE.string, str("bitnet-b1.58")),
      pair("a", TYPE.u8, [1]),
      pair("b", TYPE.bool, [1]),
      pair("c", TYPE.u64, u64(2n ** 60n)),
      pair("d", TYPE.i64, u64(-3)),
      pair("e", TYPE.f32, f32(1.5)),
      list("tokens", TYPE.string, 4, join(str("a"), str("bb"), str(""), str("é"))),
      list("scores", TYPE.f32, 3, join(f32(1), f32(2), f32(3))),
      list("flags", TYPE.bool, 3, Uint8Array.of(0, 1, 1)),
      list("longs", TYPE.i64, 2, join(u64(1), u64(-1))),
    ],
  }),
  rawGguf({
    pairs: [pair("general.alignment", TYPE.u32, u32(64)), pair("split.count", TYPE.u16, Uint8Array.of(1, 0))],
    tensors: [
      { name: "token_embd.weight", dims: [256, 2], type: 14, offset: 0 },
      { name: "blk.0.attn_q.weight", dims: [256, 1, 1, 2], type: 34, offset: 448 },
      { name: "output_norm.weight", dims: [16], type: 0, offset: 576 },
    ],
    alignment: 64,
    dataBytes: 576 + 64,
  }),
  rawGguf({
    tensors: [
      { name: "a", dims: [4096], type: 42, offset: 0 },
      { name: "b", dims: [4096], type: 42, offset: 1152 },
      { name: "c", dims: [128, 2], type: 36, offset: 2304 },
    ],
    dataBytes: 2304 + 96,
  }),
];

const json = (text: string, dataBytes: number): Uint8Array => join(u64(text.length), new TextEncoder().encode(text), new Uint8Array(dataBytes));
const SAFETENSORS_SEEDS = [
  json("{}", 0),
  json('{"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}   ', 12),
  json('{"q":{"dtype":"U8","shape":[1,4],"data_offsets":[4,8]},"s\\u0061":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', 8),
  json('{"a":{"shape":[0],"data_offsets":[0,0],"dtype":"I64"},"b":{"dtype":"F16","data_offsets":[0,4],"shape":[1,1,2]}}', 4),
];

describe(`${FUZZ_FILES} mutated files of each format`, () => {
  test("GGUF", () => {
    const before = process.resourceUsage().maxRSS;
    const { parsed, refused } = fuzz(GGUF_SEEDS, FUZZ_FILES, (bytes) => parseGguf(bytes), checkGguf);
    requireReached(parsed, refused, ["gguf/truncated", "gguf/limit", "gguf/bad-value", "gguf/duplicate", "gguf/bad-tensor"]);
    requireReached(parsed, refused, ["gguf/tensor-outside-file", "tensor/unsupported-type", "gguf/bad-magic", "gguf/unsupported-version"]);
    requireNoGrowth(before);
  });

  test("GGUF of which only the head is at hand", () => {
    const { parsed, refused } = fuzz(GGUF_SEEDS, FUZZ_FILES / 10, parseHead, (header, bytes) => {
      if (header !== undefined) checkTensors(header.tensors, header.dataPosition, 1000 * bytes.length);
    });
    requireReached(parsed, refused, ["gguf/limit"]);
  });

  test("safetensors", () => {
    const before = process.resourceUsage().maxRSS;
    const { parsed, refused } = fuzz(SAFETENSORS_SEEDS, FUZZ_FILES, (bytes) => parseSafetensors(bytes), (header, bytes) => {
      checkTensors(header.tensors, 8, bytes.length);
    });
    requireReached(parsed, refused, ["safetensors/truncated", "safetensors/bad-header", "safetensors/limit"]);
    requireReached(parsed, refused, ["safetensors/bad-tensor", "safetensors/tensor-outside-file", "tensor/unsupported-type"]);
    requireNoGrowth(before);
  });
});

/** As `readGguf` sees a large file; undefined where it would fetch more. */
function parseHead(bytes: Uint8Array): GgufHeader | undefined {
  try {
    return parseGguf(bytes, 1000 * bytes.length);
  } catch (error) {
    if (!(error instanceof HeadTooShort)) throw error;
    assert.ok(error.wantedBytes > bytes.length && error.wantedBytes <= 1000 * bytes.length);
    return undefined;
  }
}

function checkGguf(header: GgufHeader, bytes: Uint8Array): void {
  checkTensors(header.tensors, header.dataPosition, bytes.length);
  let items = 0;
  for (const value of header.metadata.values()) items += typeof value === "object" ? value.length : 1;
  assert.ok(items <= bytes.length, "more items than bytes");
}

/** Inside the file, apart, and as large as shape and type say. */
function checkTensors(tensors: readonly TensorPlace[], dataPosition: number, fileSizeBytes: number): void {
  let free = dataPosition;
  for (const { name, type, shape, position, sizeBytes } of [...tensors].sort((a, b) => a.position - b.position || a.sizeBytes - b.sizeBytes)) {
    assert.ok(position >= free, `${name} overlaps`);
    free = position + sizeBytes;
    const { blockElements, blockBytes, tailBytes } = TENSOR_TYPES[type];
    const elements = shape.reduce((product, extent) => product * extent, 1);
    assert.equal(sizeBytes, (elements / blockElements) * blockBytes + tailBytes);
  }
  assert.ok(free <= fileSizeBytes || tensors.length === 0, "ends outside the file");
}

/** The mutations are only worth something when they get past the first check and sometimes to the end. */
function requireReached(parsed: number, refused: ReadonlyMap<string, number>, codes: readonly string[]): void {
  assert.ok(parsed > 0, "no mutated file was parsed");
  for (const code of codes) assert.ok(refused.has(code), `no mutation led to ${code}: ${JSON.stringify([...refused])}`);
}

function requireNoGrowth(before: number): void {
  const grownBytes = (process.resourceUsage().maxRSS - before) * 1024;
  assert.ok(grownBytes < GROWTH_BYTES_MAX, `the process grew by ${grownBytes} bytes`);
}
