/**
 * Malformed GGUF files, each refused under its own code: a class for each kind that ggml's own tests build by hand
 * (headers, keys, tensors, data), the failures other parsers are known for, and every truncation.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import { bytesSource } from "../../src/core/byte-source.ts";
import { parseGguf, readGguf } from "../../src/files/gguf.ts";
import { TYPE, f32, join, joinAll, pair, rawGguf, str, u32, u64 } from "../files/raw-gguf.ts";
import type { RawFile, RawTensor } from "../files/raw-gguf.ts";

const T: RawTensor = { name: "t", dims: [32], type: 0, offset: 0 };
/** One tensor of 32 floats and its 128 bytes, but for what is given. */
const one = (tensor: Partial<RawTensor>, file: RawFile = {}): RawFile => ({
  tensors: [{ ...T, ...tensor }],
  dataBytes: 128,
  ...file,
});
const two = (first: Partial<RawTensor>, second: Partial<RawTensor>, dataBytes = 256): RawFile => ({
  tensors: [
    { ...T, ...first },
    { ...T, name: "u", offset: 128, ...second },
  ],
  dataBytes,
});
const keys = (...pairs: readonly Uint8Array[]): RawFile => ({ pairs });
const array = (key: string, type: number, count: number | bigint, items: Uint8Array = new Uint8Array()) =>
  pair(key, TYPE.array, join(u32(type), u64(count), items));

const ALIGNED_256: RawFile = { pairs: [pair("general.alignment", TYPE.u32, u32(256))], alignment: 256 };

type Case = readonly [what: string, file: RawFile, code: ErrorCode, message?: RegExp];

const HEADERS: readonly Case[] = [
  ["wrong magic", { magic: "FUGG" }, "gguf/bad-magic", /0x47475546/],
  ["version 0", { version: 0 }, "gguf/unsupported-version", /version 0/],
  ["version 1, of 32-bit counts", { version: 1 }, "gguf/unsupported-version", /version 1, wanted 2 or 3/],
  ["a future version", { version: 4 }, "gguf/unsupported-version", /version 4/],
  ["a big-endian file", { version: 0x03000000 }, "gguf/unsupported-version", /big-endian/],
  ["more tensors than bytes", { nTensors: 50_000 }, "gguf/truncated"],
  ["2^63 tensors", { nTensors: 2n ** 63n }, "gguf/limit", /tensors/],
  ["−1 tensors", { nTensors: -1 }, "gguf/limit"],
  ["more keys than bytes", { nKeys: 2 }, "gguf/truncated", /metadata key 0/],
  ["2^63 keys", { nKeys: 2n ** 63n }, "gguf/limit", /keys/],
  ["−1 keys", { nKeys: -1 }, "gguf/limit"],
];

const KEYS: readonly Case[] = [
  ["a key of 2^62 bytes", keys(join(u64(2n ** 62n), [1])), "gguf/limit"],
  ["a key longer than the file", keys(join(u64(1000), [1])), "gguf/truncated"],
  ["an empty key", keys(pair("", TYPE.u8, [1])), "gguf/bad-value", /empty/],
  ["a key twice", keys(pair("k", TYPE.u8, [1]), pair("k", TYPE.u8, [1])), "gguf/duplicate", /"k"/],
  ["value type 13", keys(pair("k", 13, u64(0))), "gguf/bad-value", /"k": value type 13/],
  ["value type −1", keys(pair("k", 0xffffffff, u64(0))), "gguf/bad-value"],
  ["a boolean of 2", keys(pair("k", TYPE.bool, [2])), "gguf/bad-value", /0 or 1/],
  ["a string of 2^32 bytes", keys(pair("k", TYPE.string, u64(2 ** 32))), "gguf/limit"],
  ["a string longer than the file", keys(pair("k", TYPE.string, join(u64(100), [1]))), "gguf/truncated"],
  ["a string of −1 bytes", keys(pair("k", TYPE.string, u64(-1))), "gguf/limit"],
  [
    "an array of arrays",
    keys(array("k", TYPE.array, 1, join(u32(TYPE.u8), u64(0)))),
    "gguf/bad-value",
    /array of arrays/,
  ],
  ["an array of type 13", keys(array("k", 13, 1, u64(0))), "gguf/bad-value"],
  ["an array of 2^63 bytes", keys(array("k", TYPE.u8, 2n ** 63n)), "gguf/limit"],
  ["an array of −1 strings", keys(array("k", TYPE.string, -1)), "gguf/limit"],
  ["a million floats in no bytes", keys(array("k", TYPE.f32, 1_000_000)), "gguf/truncated"],
  ["a million strings in no bytes", keys(array("k", TYPE.string, 1_000_000)), "gguf/truncated"],
  ["the second of two strings cut off", keys(array("k", TYPE.string, 2, join(str("whole"), u64(9)))), "gguf/truncated"],
  ["alignment 0", keys(pair("general.alignment", TYPE.u32, u32(0))), "gguf/bad-value", /power of two/],
  ["alignment 3", keys(pair("general.alignment", TYPE.u32, u32(3))), "gguf/bad-value"],
  ["alignment 131,072", keys(pair("general.alignment", TYPE.u32, u32(131_072))), "gguf/bad-value"],
  ["alignment 2^32 − 1", keys(pair("general.alignment", TYPE.u32, u32(0xffffffff))), "gguf/bad-value"],
  [
    "alignment as text",
    keys(pair("general.alignment", TYPE.string, str("abc"))),
    "gguf/bad-value",
    /wanted uint32, found string/,
  ],
  ["alignment as float", keys(pair("general.alignment", TYPE.f32, f32(32))), "gguf/bad-value", /found float32/],
  ["alignment of 64 bits", keys(pair("general.alignment", TYPE.u64, u64(32))), "gguf/bad-value"],
];

const TENSORS: readonly Case[] = [
  ["a name of 64 bytes", one({ name: "n".repeat(64) }), "gguf/limit"],
  ["no dimension", one({ dims: [] }), "gguf/bad-tensor", /0 dimensions/],
  ["5 dimensions", one({ dims: [1, 1, 1, 1, 1] }), "gguf/bad-tensor", /5 dimensions/],
  ["2^32 − 1 dimensions", one({ nDims: 0xffffffff }), "gguf/bad-tensor"],
  ["a dimension of 0", one({ dims: [32, 0] }), "gguf/bad-tensor", /dimension 1 is 0/],
  ["a dimension of −1", one({ dims: [32, -1] }), "gguf/bad-tensor"],
  ["dimensions whose product is 2^64", one({ dims: [2n ** 32n, 2n ** 32n] }), "gguf/bad-tensor"],
  ["dimensions whose product wraps to 32", one({ dims: [2n ** 63n, 2, 32] }), "gguf/bad-tensor"],
  ["four dimensions of 2^16 + 1", one({ dims: [65_537, 65_537, 65_537, 65_537] }), "gguf/bad-tensor"],
  ["2^53 − 1 floats, whose bytes overflow", one({ dims: [2n ** 53n - 1n] }), "gguf/bad-tensor", /overflow/],
  ["an exabyte of floats", one({ dims: [2n ** 50n] }), "gguf/tensor-outside-file"],
  ["2^60 bytes of TQ1_0", one({ dims: [256, 2n ** 44n], type: 34 }), "gguf/tensor-outside-file"],
  [
    "a first dimension off the block of Q8_0",
    one({ dims: [33], type: 8 }),
    "gguf/bad-tensor",
    /multiple of 32, the block of Q8_0/,
  ],
  ["a first dimension off the block of I2_S", one({ dims: [64, 2], type: 36 }), "gguf/bad-tensor", /128/],
  ["type 9999", one({ type: 9999 }), "tensor/unsupported-type", /unknown type id 9999/],
  ["type −1", one({ type: 0xffffffff }), "tensor/unsupported-type"],
  ["removed type 4", one({ type: 4 }), "tensor/unsupported-type"],
  ["type Q5_0", one({ type: 6 }), "tensor/unsupported-type", /Q5_0 .*convert the model/],
  ["type TL1", one({ type: 38 }), "tensor/unsupported-type", /TL1 .*I2_S or TQ2_0/],
  ["type TL2 or MXFP4", one({ type: 39 }), "tensor/unsupported-type", /TL2.*I2_S or TQ2_0/],
  [
    "a first dimension off the block of STQ1_0",
    one({ dims: [128], type: 43 }),
    "gguf/bad-tensor",
    /256, the block of STQ1_0/,
  ],
  ["type IQ2_BN", one({ type: 135 }), "tensor/unsupported-type", /IQ2_BN/],
  ["a name twice", two({}, { name: "t" }), "gguf/duplicate", /"t"/],
  [
    "an offset off the alignment",
    one({ offset: 16 }, { dataBytes: 256 }),
    "gguf/bad-tensor",
    /multiple of the alignment 32/,
  ],
  ["an offset off a custom alignment", { ...two({}, {}, 512), ...ALIGNED_256 }, "gguf/bad-tensor", /alignment 256/],
  ["an offset of −32", one({ offset: -32 }), "gguf/tensor-outside-file"],
  ["an offset of 2^63", one({ offset: 2n ** 63n }), "gguf/tensor-outside-file"],
];

const DATA: readonly Case[] = [
  ["no data", one({}, { dataBytes: 0 }), "gguf/tensor-outside-file", /ends at byte \d+, the file has \d+/],
  ["one byte missing", one({}, { dataBytes: 127 }), "gguf/tensor-outside-file"],
  ["the second tensor missing", two({}, {}, 128), "gguf/tensor-outside-file", /"u"/],
  ["two tensors over the same bytes", two({}, { offset: 0 }), "gguf/bad-tensor", /inside the tensor before it/],
  ["a hole between tensors", two({}, { offset: 160 }, 512), "gguf/bad-tensor", /hole/],
  ["a hole before the first tensor", one({ offset: 32 }, { dataBytes: 256 }), "gguf/bad-tensor", /hole/],
  ["tensors out of order", two({ offset: 128 }, { offset: 0 }), "gguf/bad-tensor"],
];

const ACCEPTED: readonly (readonly [what: string, file: RawFile])[] = [
  ["no tensor, no key", {}],
  ["version 2", { version: 2 }],
  ["one tensor", one({})],
  ["a name of 63 bytes", one({ name: "n".repeat(63) })],
  ["two tensors", two({}, {})],
  ["bytes after the last tensor", one({}, { dataBytes: 1000 })],
  ["the last tensor's padding missing", one({ dims: [3] }, { dataBytes: 12 })],
  ["the smallest alignment", keys(pair("general.alignment", TYPE.u32, u32(1)))],
  ["the largest alignment", keys(pair("general.alignment", TYPE.u32, u32(65_536)))],
];

for (const [part, cases] of Object.entries({ headers: HEADERS, keys: KEYS, tensors: TENSORS, data: DATA })) {
  describe(`GGUF ${part} that are refused`, () => {
    for (const [what, file, code, message] of cases) {
      test(what, () => {
        assert.throws(() => parseGguf(rawGguf(file)), { name: "OnebitError", code, message: message ?? /./ });
      });
    }
  });
}

describe("GGUF files that are accepted, each next to a refused one", () => {
  for (const [what, file] of ACCEPTED) test(what, () => void parseGguf(rawGguf(file)));
});

describe("files that other parsers believed", () => {
  test("100,000 nested arrays: refused at the second", () => {
    const level = join(u32(TYPE.array), u64(1));
    const bytes = rawGguf(keys(join(str("k"), u32(TYPE.array), joinAll(Array.from({ length: 100_000 }, () => level)))));
    assert.throws(() => parseGguf(bytes), { code: "gguf/bad-value", message: /array of arrays/ });
  });

  test("2^63 × 2^63 floats at 2^63", () => {
    assert.throws(() => parseGguf(rawGguf(one({ dims: [2n ** 63n, 2n ** 63n], offset: 2n ** 63n }))), {
      code: "gguf/bad-tensor",
    });
  });

  test("sizes that sum past 2^64 and wrap to a small buffer", () => {
    const dims = [2n ** 51n];
    const tensors = Array.from({ length: 8 }, (_, i) => ({
      name: `t${i}`,
      dims,
      type: 24,
      offset: BigInt(i) * 2n ** 51n,
    }));
    assert.throws(() => parseGguf(rawGguf({ tensors, dataBytes: 4096 })), { code: "gguf/tensor-outside-file" });
  });

  test("names and keys cannot drive a terminal through a message", () => {
    const evil = "\u001b[2J\u0007\n";
    for (const file of [one({ name: evil, type: 9999 }), keys(pair(evil, 13, []))]) {
      const error = caught(() => parseGguf(rawGguf(file)));
      assert.ok(!/[\u0000-\u001f]/.test(error.message), JSON.stringify(error.message));
    }
  });

  test("a long key makes no long message", () => {
    const error = caught(() => parseGguf(rawGguf(keys(pair("k".repeat(60_000), 13, [])))));
    assert.ok(error.message.length < 300);
  });

  test("a header without end is not read to its end", async () => {
    // Six arrays of 4 million zeros, 200 MB of a file that says it has 8 GB.
    const arrayBytes = 8 * 4_194_304;
    const head = array("k0", TYPE.u64, 4_194_304);
    const segments = Array.from({ length: 6 }, (_, i) => {
      const bytes = array(`k${i}`, TYPE.u64, 4_194_304);
      return { position: 24 + i * (head.length + arrayBytes), bytes };
    });
    segments.push({ position: 0, bytes: rawGguf({ nKeys: 6 }) });
    const reads: number[] = [];
    const source = {
      ...bytesSource(new Uint8Array()),
      sizeBytes: 8_000_000_000,
      read: async (into: Uint8Array, position: number) => {
        assert.equal(position, sum(reads), "no byte is read twice");
        reads.push(into.length);
        for (const segment of segments) {
          // A segment may lie on the border of two reads.
          const at = segment.position - position;
          const part = segment.bytes.subarray(Math.max(0, -at), Math.max(0, into.length - at));
          if (part.length > 0) into.set(part, Math.max(0, at));
        }
      },
    };
    await assert.rejects(readGguf(source), {
      name: "OnebitError",
      code: "gguf/limit",
      message: /header goes on past 134217728 bytes/,
    });
    assert.equal(sum(reads), 128 * 1024 * 1024);
    assert.ok(reads.length <= 9, `reads of ${reads.join(", ")} bytes`);
  });
});

describe("truncation", () => {
  const file = rawGguf({
    pairs: [
      pair("general.architecture", TYPE.string, str("llama")),
      pair("count", TYPE.u64, u64(3)),
      array("tokens", TYPE.string, 3, join(str("a"), str("bc"), str(""))),
      array("scores", TYPE.f32, 2, join(f32(1), f32(2))),
      pair("general.alignment", TYPE.u32, u32(64)),
    ],
    tensors: [
      { name: "token_embd.weight", dims: [64, 4], type: 0, offset: 0 },
      { name: "blk.0.attn_q.weight", dims: [256, 2], type: 35, offset: 1024 },
    ],
    alignment: 64,
    dataBytes: 1024 + 132,
  });

  test("at every byte: a typed error that says so", () => {
    const { dataPosition } = parseGguf(file);
    for (let length = 0; length < file.length; length++) {
      const error = caught(() => parseGguf(file.subarray(0, length)));
      assert.equal(
        error.code,
        length < dataPosition ? "gguf/truncated" : "gguf/tensor-outside-file",
        `at byte ${length}`,
      );
      assert.match(error.message, /download or copy it again/);
    }
  });

  test("at every byte, through a source", async () => {
    for (let length = 0; length < file.length; length++) {
      await assert.rejects(readGguf(bytesSource(file.subarray(0, length))), { name: "OnebitError" });
    }
  });
});

function caught(run: () => unknown): OnebitError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof OnebitError, String(error));
    return error;
  }
  return assert.fail("nothing was thrown");
}

function sum(lengths: readonly number[]): number {
  return lengths.reduce((all, length) => all + length, 0);
}
