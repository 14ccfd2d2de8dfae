/** What a well-formed GGUF file says, in every version, value type and size of first read. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { ByteSource } from "../../src/core/byte-source.ts";
import { bytesSource } from "../../src/core/byte-source.ts";
import { parseGguf, readGguf } from "../../src/files/gguf.ts";
import {
  findBoolean,
  findInteger,
  findNumber,
  findNumberArray,
  findString,
  findStringArray,
  getBoolean,
  getInteger,
  getNumber,
  getNumberArray,
  getString,
  getStringArray,
} from "../../src/files/gguf-metadata.ts";
import { HeadTooShort } from "../../src/files/gguf-reader.ts";
import { TYPE, f32, f64, join, joinAll, pair, rawGguf, str, u16, u32, u64 } from "./raw-gguf.ts";

const EVERY_TYPE = [
  pair("u8", TYPE.u8, [200]),
  pair("i8", TYPE.i8, [0x80]),
  pair("u16", TYPE.u16, u16(65_535)),
  pair("i16", TYPE.i16, u16(0x8000)),
  pair("u32", TYPE.u32, u32(4_294_967_295)),
  pair("i32", TYPE.i32, u32(0x80000000)),
  pair("f32", TYPE.f32, f32(0.1)),
  pair("bool", TYPE.bool, [1]),
  pair("string", TYPE.string, str("héllo")),
  pair("u64", TYPE.u64, u64(2n ** 63n)),
  pair("i64", TYPE.i64, u64(-5)),
  pair("f64", TYPE.f64, f64(0.1)),
  pair("strings", TYPE.array, join(u32(TYPE.string), u64(2), str("a"), str(""))),
  pair("bools", TYPE.array, join(u32(TYPE.bool), u64(2), [0, 1])),
  pair("bytes", TYPE.array, join(u32(TYPE.i8), u64(2), [1, 0xff])),
  pair("floats", TYPE.array, join(u32(TYPE.f32), u64(2), f32(1), f32(-2))),
  pair("longs", TYPE.array, join(u32(TYPE.i64), u64(2), u64(7), u64(-7))),
  pair("huge", TYPE.array, join(u32(TYPE.u64), u64(1), u64(2n ** 60n))),
];

describe("parseGguf", () => {
  test("every value type", () => {
    const { metadata } = parseGguf(rawGguf({ pairs: EVERY_TYPE }));
    assert.deepEqual(Object.fromEntries(metadata), {
      u8: 200,
      i8: -128,
      u16: 65_535,
      i16: -32_768,
      u32: 4_294_967_295,
      i32: -2_147_483_648,
      f32: Math.fround(0.1),
      bool: true,
      string: "héllo",
      u64: 2n ** 63n,
      i64: -5,
      f64: 0.1,
      strings: ["a", ""],
      bools: [false, true],
      bytes: Int8Array.of(1, -1),
      floats: Float32Array.of(1, -2),
      longs: BigInt64Array.of(7n, -7n),
      huge: BigUint64Array.of(2n ** 60n),
    });
  });

  test("versions 2 and 3, an empty file, a custom alignment", () => {
    for (const version of [2, 3]) assert.equal(parseGguf(rawGguf({ version })).version, version);
    const pairs = [pair("general.alignment", TYPE.u32, u32(128))];
    const tensors = [
      { name: "a", dims: [3], type: 0, offset: 0 },
      { name: "b", dims: [256, 2], type: 35, offset: 128 },
    ];
    const header = parseGguf(rawGguf({ pairs, tensors, alignment: 128, dataBytes: 128 + 132 }));
    assert.equal(header.alignment, 128);
    assert.equal(header.dataPosition % 128, 0);
    assert.deepEqual(header.tensors, [
      { name: "a", type: "F32", shape: [3], position: header.dataPosition, sizeBytes: 12 },
      { name: "b", type: "TQ2_0", shape: [256, 2], position: header.dataPosition + 128, sizeBytes: 132 },
    ]);
  });

  test("the distance between tensors tells what id 42 means", () => {
    // 4,096 weights: 1,152 bytes in groups of 64, 1,088 in groups of 128, 672 as STQ1_0.
    const typesOf = (gapBytes: number, lastBytes: number) =>
      parseGguf(rawGguf({ tensors: twoOfId42(4096, gapBytes), dataBytes: gapBytes + lastBytes })).tensors.map(
        ({ type }) => type,
      );
    assert.deepEqual(typesOf(1152, 1152), ["Q2_0", "Q2_0"]);
    assert.deepEqual(typesOf(1152, 5000), ["Q2_0", "Q2_0"], "bytes after the last tensor decide nothing");
    assert.deepEqual(typesOf(1088, 1088), ["Q2_0_G128", "Q2_0_G128"]);
    assert.deepEqual(typesOf(1088, 5000), ["Q2_0_G128", "Q2_0_G128"]);
    assert.deepEqual(typesOf(672, 672), ["STQ1_0", "STQ1_0"]);
    assert.deepEqual(typesOf(672, 5000), ["STQ1_0", "STQ1_0"]);
    assert.throws(() => typesOf(1120, 1152), { code: "gguf/bad-tensor" });
  });

  test("the file's size tells what a lone tensor of id 42 is", () => {
    const typeOf = (dataBytes: number) =>
      parseGguf(rawGguf({ tensors: twoOfId42(4096, 0).slice(0, 1), dataBytes })).tensors[0]!.type;
    assert.equal(typeOf(1152), "Q2_0");
    assert.equal(typeOf(1088), "Q2_0_G128");
    assert.equal(typeOf(672), "STQ1_0");
    assert.throws(() => typeOf(600), { code: "gguf/tensor-outside-file" });
  });

  test("I2_S files may leave holes, not overlaps", () => {
    const parse = (second: number) =>
      parseGguf(
        rawGguf({
          tensors: [
            { name: "a", dims: [128, 1], type: 36, offset: 0 },
            { name: "b", dims: [4], type: 0, offset: second },
          ],
          dataBytes: 256,
        }),
      );
    assert.equal(parse(64).tensors[0]!.sizeBytes, 64, "32 bytes of codes and a tail of 32");
    assert.equal(parse(128).tensors[1]!.position % 32, 0);
    assert.throws(() => parse(32), { code: "gguf/bad-tensor", message: /inside the tensor before it/ });
  });

  test("keys that name members of every object are plain keys", () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    const { metadata } = parseGguf(rawGguf({ pairs: names.map((name) => pair(name, TYPE.u8, [1])) }));
    assert.deepEqual(
      [...metadata],
      names.map((name) => [name, 1]),
    );
    assert.equal(({} as Record<string, unknown>)["1"], undefined);
    assert.equal(Object.getPrototypeOf(metadata), Map.prototype);
  });
});

describe("readGguf", () => {
  test("fetches no more than the header takes, whatever its size", async () => {
    const small = rawGguf({
      pairs: EVERY_TYPE,
      tensors: [{ name: "t", dims: [1_000_000], type: 0, offset: 0 }],
      dataBytes: 4_000_000,
    });
    const counted = countingSource(small);
    const file = await readGguf(counted.source);
    assert.equal(file.tensors.get("t")!.source, counted.source);
    assert.deepEqual(counted.reads, [1_048_576], "one read, not the whole file");

    const tokens = pair(
      "tokens",
      TYPE.array,
      join(u32(TYPE.string), u64(300_000), joinAll(Array.from({ length: 300_000 }, (_, i) => str(`t${i}`)))),
    );
    // 4.2 MB, and as many data behind it as would be read if a head grew at once.
    const bytes = rawGguf({
        pairs: [tokens],
        tensors: [{ name: "t", dims: [1_000_000], type: 0, offset: 0 }],
        dataBytes: 4_000_000,
      }),
      headerBytes = bytes.length - 4_000_000,
      large = countingSource(bytes);
    const { metadata } = await readGguf(large.source);
    assert.equal(getStringArray(metadata, "tokens")[299_999], "t299999");
    // No byte is read twice, as the sum shows.
    const readBytes = large.reads.reduce((sum, length) => sum + length, 0);
    assert.deepEqual(
      large.reads,
      [1, 1, 2, 4].map((megabytes) => megabytes * 2 ** 20),
    );
    assert.ok(readBytes <= 2 * headerBytes, `${readBytes} of a header of ${headerBytes}`);
  });

  test("a short head is not a broken file", () => {
    const whole = rawGguf({ pairs: EVERY_TYPE });
    for (const length of [0, 3, 24, 60, whole.length - 1]) {
      assert.throws(() => parseGguf(whole.subarray(0, length), whole.length), HeadTooShort);
      assert.throws(() => parseGguf(whole.subarray(0, length)), { code: "gguf/truncated" });
    }
  });

  test("parses a header inside a larger buffer", () => {
    const whole = rawGguf({ pairs: EVERY_TYPE });
    const shifted = join([1, 2, 3], whole, [4, 5]).subarray(3, 3 + whole.length);
    assert.deepEqual(parseGguf(shifted).metadata, parseGguf(whole).metadata);
  });
});

describe("typed access to metadata", () => {
  const { metadata } = parseGguf(rawGguf({ pairs: EVERY_TYPE }));

  test("gives values of the type asked for", () => {
    assert.equal(getString(metadata, "string"), "héllo");
    assert.equal(getNumber(metadata, "f64"), 0.1);
    assert.equal(getInteger(metadata, "u32"), 4_294_967_295);
    assert.equal(getBoolean(metadata, "bool"), true);
    assert.deepEqual(getStringArray(metadata, "strings"), ["a", ""]);
    assert.deepEqual(getNumberArray(metadata, "floats"), Float32Array.of(1, -2));
    assert.deepEqual(getNumberArray(metadata, "longs"), Float64Array.of(7, -7));
  });

  test("finds nothing where there is nothing", () => {
    for (const find of [findString, findNumber, findInteger, findBoolean, findStringArray, findNumberArray]) {
      assert.equal(find(metadata, "absent"), undefined);
    }
  });

  test("refuses other types, naming key, wanted and found", () => {
    const refusals: readonly (readonly [run: () => unknown, message: RegExp])[] = [
      [() => getString(metadata, "absent"), /key "absent": wanted a string, found nothing/],
      [() => getNumber(metadata, "absent"), /wanted a number, found nothing/],
      [() => getInteger(metadata, "absent"), /wanted an integer in 0…9007199254740991, found nothing/],
      [() => getBoolean(metadata, "absent"), /wanted a boolean, found nothing/],
      [() => getStringArray(metadata, "absent"), /wanted an array of strings, found nothing/],
      [() => getNumberArray(metadata, "absent"), /wanted an array of numbers, found nothing/],
      [() => findString(metadata, "u8"), /wanted a string, found the number 200/],
      [() => findNumber(metadata, "string"), /wanted a number, found the string "héllo"/],
      [() => findNumber(metadata, "u64"), /found the bigint 9223372036854775808/],
      [() => findInteger(metadata, "f64"), /wanted an integer in 0…9007199254740991, found the number 0.1/],
      [() => findInteger(metadata, "i64"), /found the number -5/],
      [() => findInteger(metadata, "u8", 0, 100), /wanted an integer in 0…100, found the number 200/],
      [() => findBoolean(metadata, "u8"), /wanted a boolean/],
      [() => findStringArray(metadata, "floats"), /wanted an array of strings, found Float32Array of 2/],
      [() => findNumberArray(metadata, "strings"), /wanted an array of numbers, found an array of 2 strings/],
      [() => findNumberArray(metadata, "huge"), /wanted numbers below 2\^53/],
    ];
    for (const [run, message] of refusals) assert.throws(run, { name: "OnebitError", code: "gguf/bad-value", message });
    const nan = parseGguf(rawGguf({ pairs: [pair("nan", TYPE.f32, f32(NaN))] })).metadata;
    assert.throws(() => findNumber(nan, "nan"), { code: "gguf/bad-value", message: /NaN/ });
  });
});

describe("real files", { skip: existsSync("../shared/data") ? false : "no ../shared/data" }, () => {
  test("stories260K: metadata, tensors, their bytes", () => {
    const bytes = new Uint8Array(readFileSync("../shared/data/stories260k/stories260K-f32.gguf"));
    const { metadata, tensors } = parseGguf(bytes);
    assert.equal(getString(metadata, "general.architecture"), "llama");
    assert.equal(getInteger(metadata, "llama.block_count"), 5);
    assert.equal(getStringArray(metadata, "tokenizer.ggml.tokens").length, 512);
    assert.deepEqual(tensors.find(({ name }) => name === "token_embd.weight")?.shape, [64, 512]);
    const last = tensors.at(-1)!;
    assert.ok(last.position + last.sizeBytes <= bytes.length);
  });

  test("vocabularies keep every byte of every token", () => {
    const bytes = new Uint8Array(readFileSync("../shared/data/tokenizers/llama-bpe.gguf"));
    const tokens = getStringArray(parseGguf(bytes).metadata, "tokenizer.ggml.tokens");
    assert.equal(tokens.length, 128_256);
    assert.equal(new Set(tokens).size, 128_256);
  });
});

function twoOfId42(elements: number, gapBytes: number) {
  return ["a", "b"].map((name, i) => ({ name, dims: [256, elements / 256], type: 42, offset: i * gapBytes }));
}

/** Notes how many bytes each read asks for. */
function countingSource(bytes: Uint8Array): { source: ByteSource; reads: number[] } {
  const reads: number[] = [];
  const inner = bytesSource(bytes);
  const source: ByteSource = {
    ...inner,
    read(into, position) {
      reads.push(into.length);
      return inner.read(into, position);
    },
  };
  return { source, reads };
}
