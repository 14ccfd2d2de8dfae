/** Malformed safetensors files, each refused under its own code, and every truncation. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { OnebitError } from "../../src/core/errors.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import { openSafetensors, parseSafetensors } from "../../src/files/safetensors.ts";
import { join, u64 } from "../files/raw-gguf.ts";

/** A file from the text of its header and the size of its data. */
function raw(header: string, dataBytes = 0, headerBytes?: number | bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  return join(u64(headerBytes ?? text.length), text, new Uint8Array(dataBytes));
}

const tensor = (dtype: string, shape: string, begin: number | string, end: number | string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

const REFUSED: readonly (readonly [what: string, file: Uint8Array, code: ErrorCode, message?: RegExp])[] = [
  ["an empty file", new Uint8Array(), "safetensors/truncated"],
  ["7 bytes", new Uint8Array(7), "safetensors/truncated"],
  ["a header longer than the file", raw("{}", 0, 100), "safetensors/truncated", /ends at byte 108, the file has 10/],
  ["a header of 100,000,001 bytes", raw("{}", 0, 100_000_001), "safetensors/limit"],
  ["a header of 2^64 − 1 bytes", raw("{}", 0, -1), "safetensors/limit"],
  ["a header of 2^63 bytes", raw("{}", 0, 2n ** 63n), "safetensors/limit"],
  ["no header", raw(""), "safetensors/bad-header"],
  ["a space before the brace", raw(" {}"), "safetensors/bad-header"],
  ["an array", raw("[]"), "safetensors/bad-header"],
  ["broken JSON", raw('{"a":'), "safetensors/bad-header", /not valid JSON/],
  ["two JSON objects", raw("{}{}"), "safetensors/bad-header"],
  ["text that is not UTF-8", join(u64(4), [0x7b, 0x22, 0xff, 0x7d]), "safetensors/bad-header"],
  ["100,000 nested arrays", raw(`{"a":${"[".repeat(100_000)}`), "safetensors/limit", /nested 100001 deep/],
  [
    "a tensor twice",
    raw(`{"w":${tensor("U8", "[1]", 0, 1)},"w":${tensor("U8", "[1]", 0, 1)}}`, 1),
    "safetensors/duplicate",
  ],
  [
    "a tensor twice, once escaped",
    raw(`{"w":${tensor("U8", "[1]", 0, 1)},"\\u0077":${tensor("U8", "[1]", 0, 1)}}`, 1),
    "safetensors/duplicate",
  ],
  [
    "a shape twice",
    raw('{"w":{"dtype":"U8","shape":[9],"shape":[1],"data_offsets":[0,1]}}', 1),
    "safetensors/duplicate",
  ],
  ["metadata that is no object", raw('{"__metadata__":1}'), "safetensors/bad-header"],
  ["metadata that is no string", raw('{"__metadata__":{"a":1}}'), "safetensors/bad-header", /"a" is no string/],
  ["a tensor that is no object", raw('{"w":1}'), "safetensors/bad-header"],
  ["a tensor that is null", raw('{"w":null}'), "safetensors/bad-header"],
  ["no dtype", raw('{"w":{"shape":[1],"data_offsets":[0,1]}}', 1), "tensor/unsupported-type"],
  ["an unknown dtype", raw(`{"w":${tensor("F4", "[1]", 0, 1)}}`, 1), "tensor/unsupported-type", /"w": dtype .*F4/],
  [
    "a dtype that is a list of one",
    raw('{"w":{"dtype":["U8"],"shape":[1],"data_offsets":[0,1]}}', 1),
    "tensor/unsupported-type",
  ],
  ["a dtype that every object has", raw(`{"w":${tensor("constructor", "[1]", 0, 1)}}`, 1), "tensor/unsupported-type"],
  ["no shape", raw('{"w":{"dtype":"U8","data_offsets":[0,1]}}', 1), "safetensors/bad-tensor", /shape/],
  ["a shape of text", raw(`{"w":${tensor("U8", '["1"]', 0, 1)}}`, 1), "safetensors/bad-tensor"],
  ["a negative extent", raw(`{"w":${tensor("U8", "[-1]", 0, 1)}}`, 1), "safetensors/bad-tensor"],
  ["a fractional extent", raw(`{"w":${tensor("U8", "[1.5]", 0, 1)}}`, 1), "safetensors/bad-tensor"],
  ["an extent of 1e999", raw(`{"w":${tensor("U8", "[1e999]", 0, 1)}}`, 1), "safetensors/bad-tensor"],
  ["65 dimensions", raw(`{"w":${tensor("U8", `[${Array(65).fill(1)}]`, 0, 1)}}`, 1), "safetensors/bad-tensor"],
  [
    "a product past 2^53",
    raw(`{"w":${tensor("U8", "[4294967296,4294967296]", 0, 1)}}`, 1),
    "safetensors/bad-tensor",
    /overflows/,
  ],
  [
    "a product that wraps to nothing",
    raw(`{"w":${tensor("F32", "[4611686018427387904,4]", 0, 0)}}`),
    "safetensors/bad-tensor",
  ],
  ["one offset", raw('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0]}}', 1), "safetensors/bad-tensor"],
  ["three offsets", raw('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}', 1), "safetensors/bad-tensor"],
  ["an end before the begin", raw(`{"w":${tensor("U8", "[1]", 1, 0)}}`, 1), "safetensors/bad-tensor"],
  [
    "offsets that span more than the shape",
    raw(`{"w":${tensor("F32", "[1]", 0, 8)}}`, 8),
    "safetensors/bad-tensor",
    /has 4 bytes, its data_offsets span 8/,
  ],
  ["a tensor outside the file", raw(`{"w":${tensor("U8", "[9]", 0, 9)}}`, 8), "safetensors/tensor-outside-file"],
  ["a hole before the first tensor", raw(`{"w":${tensor("U8", "[4]", 4, 8)}}`, 8), "safetensors/bad-tensor", /hole/],
  [
    "a hole between tensors",
    raw(`{"a":${tensor("U8", "[1]", 0, 1)},"b":${tensor("U8", "[1]", 2, 3)}}`, 3),
    "safetensors/bad-tensor",
    /hole/,
  ],
  [
    "tensors that overlap",
    raw(`{"a":${tensor("U8", "[2]", 0, 2)},"b":${tensor("U8", "[2]", 1, 3)}}`, 3),
    "safetensors/bad-tensor",
    /overlaps/,
  ],
  [
    "two tensors over the same bytes",
    raw(`{"a":${tensor("U8", "[2]", 0, 2)},"b":${tensor("U8", "[2]", 0, 2)}}`, 2),
    "safetensors/bad-tensor",
    /overlaps/,
  ],
  [
    "bytes after the last tensor",
    raw(`{"a":${tensor("U8", "[1]", 0, 1)}}`, 2),
    "safetensors/bad-tensor",
    /belongs to no tensor/,
  ],
  ["data without tensors", raw("{}", 1), "safetensors/bad-tensor"],
  ["a name of 2,000 characters", raw(`{"${"n".repeat(2000)}":${tensor("U8", "[1]", 0, 1)}}`, 1), "safetensors/limit"],
];

describe("safetensors files that are refused", () => {
  for (const [what, file, code, message] of REFUSED) {
    test(what, () =>
      assert.throws(() => parseSafetensors(file), { name: "OnebitError", code, message: message ?? /./ }),
    );
  }

  test("70,000 tensors of nothing", () => {
    const members = Array.from({ length: 70_000 }, (_, i) => `"t${i}":${tensor("U8", "[0]", 0, 0)}`);
    assert.throws(() => parseSafetensors(raw(`{${members.join(",")}}`)), { code: "safetensors/limit" });
  });

  test("a tensor called __proto__ is a tensor", () => {
    const { tensors } = parseSafetensors(raw(`{"__proto__":${tensor("U8", "[1]", 0, 1)}}`, 1));
    assert.deepEqual(
      tensors.map(({ name }) => name),
      ["__proto__"],
    );
  });

  test("truncation at every byte: a typed error", async () => {
    const file = raw(
      `{"__metadata__":{"format":"pt"},"a":${tensor("BF16", "[2,3]", 0, 12)},"b":${tensor("U8", "[4]", 12, 16)}}`,
      16,
    );
    parseSafetensors(file);
    for (let length = 0; length < file.length; length++) {
      const cut = file.subarray(0, length);
      assert.throws(() => parseSafetensors(cut), OnebitError, `at byte ${length}`);
      await assert.rejects(openSafetensors([bytesSource(cut)]), OnebitError, `at byte ${length}`);
    }
  });

  test("a tensor in two files", async () => {
    const file = raw(`{"w":${tensor("U8", "[1]", 0, 1)}}`, 1);
    await assert.rejects(openSafetensors([bytesSource(file), bytesSource(file)]), { code: "safetensors/duplicate" });
  });
});
