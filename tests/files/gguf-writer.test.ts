/** The writer, read back by the reader; what the writer refuses; and models split over several files. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ByteSource } from "../../src/core/byte-source.ts";
import { bytesSource } from "../../src/core/byte-source.ts";
import { fail } from "../../src/core/errors.ts";
import { parseGguf } from "../../src/files/gguf.ts";
import { openGguf } from "../../src/files/gguf-split.ts";
import { writeGguf } from "../../src/files/gguf-writer.ts";
import type { GgufEntry, GgufTensorToWrite } from "../../src/files/gguf-writer.ts";
import { joinAll } from "./raw-gguf.ts";

async function gguf(
  metadata: readonly GgufEntry[],
  tensors: readonly GgufTensorToWrite[] = [],
  alignment?: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const sizeBytes = await writeGguf(
    { write: (bytes) => void parts.push(bytes.slice()) },
    { metadata, tensors, alignment },
  );
  const file = joinAll(parts);
  assert.equal(file.length, sizeBytes);
  return file;
}

const tensor = (name: string, fill = 0): GgufTensorToWrite => ({
  name,
  shape: [4],
  type: "F32",
  data: () => [new Uint8Array(16).fill(fill)],
});

const EVERY_TYPE: readonly GgufEntry[] = [
  ["uint8", "uint8", 255],
  ["int8", "int8", -128],
  ["uint16", "uint16", 65_535],
  ["int16", "int16", -32_768],
  ["uint32", "uint32", 4_294_967_295],
  ["int32", "int32", -2_147_483_648],
  ["float32", "float32", 0.5],
  ["float64", "float64", 0.1],
  ["bool", "bool", true],
  ["string", "string", "Grüße 👋 \u0000"],
  ["bytes that are not UTF-8", "string", "a\udcff\udc80b"],
  ["uint64", "uint64", 2n ** 64n - 1n],
  ["int64", "int64", -(2n ** 63n)],
  ["exact int64", "int64", -7],
  ["strings", "string[]", ["", "x"]],
  ["bools", "bool[]", [true, false]],
  ["int32s", "int32[]", Int32Array.of(-1, 1)],
  ["float32s", "float32[]", Float32Array.of(0.5, -2)],
  ["uint64s", "uint64[]", BigUint64Array.of(1n, 2n ** 60n)],
  ["none", "string[]", []],
];

describe("writeGguf", () => {
  test("every value type comes back", async () => {
    const { metadata, version } = parseGguf(await gguf(EVERY_TYPE));
    assert.equal(version, 3);
    assert.deepEqual(
      [...metadata],
      EVERY_TYPE.map(([key, , value]) => [key, value]),
    );
  });

  test("plain arrays of numbers are written as the type asked for", async () => {
    const { metadata } = parseGguf(
      await gguf([
        ["a", "int16[]", [1, -2]],
        ["b", "int64[]", [3]],
      ]),
    );
    assert.deepEqual([...metadata.values()], [Int16Array.of(1, -2), BigInt64Array.of(3n)]);
  });

  for (const alignment of [32, 8, 4096]) {
    test(`tensors come back, aligned to ${alignment}`, async () => {
      async function* pieces() {
        yield new Uint8Array(100).fill(7);
        yield new Uint8Array(32).fill(9);
      }
      const tensors: GgufTensorToWrite[] = [
        tensor("a", 1),
        { name: "b", shape: [256, 2], type: "TQ2_0", data: pieces },
        tensor("c", 3),
      ];
      const file = await gguf([], tensors, alignment);
      const header = parseGguf(file);
      assert.equal(header.alignment, alignment);
      assert.deepEqual(
        header.tensors.map(({ name, type, shape }) => [name, type, shape]),
        [
          ["a", "F32", [4]],
          ["b", "TQ2_0", [256, 2]],
          ["c", "F32", [4]],
        ],
      );
      const bytesOf = (i: number) =>
        file.subarray(header.tensors[i]!.position, header.tensors[i]!.position + header.tensors[i]!.sizeBytes);
      assert.deepEqual(bytesOf(0), new Uint8Array(16).fill(1));
      assert.deepEqual([...bytesOf(1)], [...Array(100).fill(7), ...Array(32).fill(9)]);
      assert.deepEqual(bytesOf(2), new Uint8Array(16).fill(3));
      assert.equal(file.length % alignment, 0);
    });
  }

  test("tensors of PrismML's first Q2_0 come back as such", async () => {
    const data = () => [new Uint8Array(1088)];
    const { tensors } = parseGguf(await gguf([], [{ name: "q", shape: [128, 32], type: "Q2_0_G128", data }]));
    assert.equal(tensors[0]!.type, "Q2_0_G128");
  });

  test("a piece may be reused for the next", async () => {
    function* reused() {
      const piece = new Uint8Array(8);
      yield piece.fill(1);
      yield piece.fill(2);
    }
    const file = await gguf([], [{ name: "t", shape: [4], type: "F32", data: reused }]);
    assert.deepEqual([...file.subarray(-32, -16)], [...Array(8).fill(1), ...Array(8).fill(2)]);
  });

  test("refuses what would make no valid file", async () => {
    const refusals: readonly (readonly [entries: readonly GgufEntry[], code: string])[] = [
      [[["", "uint8", 1]], "gguf/bad-value"],
      [[["k", "uint8", 256]], "gguf/bad-value"],
      [[["k", "uint8", -1]], "gguf/bad-value"],
      [[["k", "int32", 0.5]], "gguf/bad-value"],
      [[["k", "int64", 2 ** 60]], "gguf/bad-value"],
      [[["k", "uint64", -1n]], "gguf/bad-value"],
      [[["k", "string", 1]], "gguf/bad-value"],
      [[["k", "bool", 1]], "gguf/bad-value"],
      [[["k", "float32", "1"]], "gguf/bad-value"],
      [[["k", "string[]", "x"]], "gguf/bad-value"],
      [[["k", "string[]", [1]]], "gguf/bad-value"],
      [[["k", "int33" as "int32", 1]], "gguf/bad-value"],
      [
        [
          ["k", "uint8", 1],
          ["k", "uint8", 1],
        ],
        "gguf/duplicate",
      ],
    ];
    for (const [entries, code] of refusals)
      await assert.rejects(gguf(entries), { name: "OnebitError", code }, JSON.stringify(entries[0]?.[1]));
    const badTensors: readonly (readonly [tensor: Partial<GgufTensorToWrite>, message: RegExp])[] = [
      [{ name: "n".repeat(64) }, /longer than 63 bytes/],
      [{ shape: [] }, /shape/],
      [{ shape: [1, 1, 1, 1, 4] }, /shape/],
      [{ shape: [0] }, /shape/],
      [{ shape: [4.5] }, /shape/],
      [{ shape: [5] }, /wanted 20 bytes of data, found 16/],
      [{ shape: [3] }, /wanted 12 bytes of data, found 16 or more/],
      [{ shape: [2 ** 40, 2 ** 40] }, /overflow/],
      [{ type: "Q8_0" }, /multiple of 32/],
      [{ type: "U8", shape: [16] }, /GGUF has no type U8/],
    ];
    for (const [bad, message] of badTensors) {
      await assert.rejects(gguf([], [{ ...tensor("t"), ...bad }]), {
        name: "OnebitError",
        code: "gguf/bad-tensor",
        message,
      });
    }
    await assert.rejects(gguf([], [tensor("t"), tensor("t")]), { code: "gguf/duplicate" });
  });
});

describe("openGguf: split models", () => {
  const shardName = (i: number, n = 3) => `model-0000${i + 1}-of-0000${n}.gguf`;
  const shard = (no: number, name: string, count = 3, tensorsCount = 3): Promise<Uint8Array> =>
    gguf(
      [
        ["split.no", "uint16", no],
        ["split.count", "uint16", count],
        ["split.tensors.count", "int32", tensorsCount],
        ...(no === 0 ? ([["general.name", "string", "whole"]] as const) : []),
      ],
      [tensor(name, no)],
    );

  async function shards(changes: Readonly<Record<string, Uint8Array | undefined>> = {}) {
    const files: Record<string, Uint8Array | undefined> = { ...changes };
    for (const [i, name] of ["a", "b", "c"].entries())
      if (!(shardName(i) in files)) files[shardName(i)] = await shard(i, name);
    const open = new Set<ByteSource>();
    const openSibling = async (name: string): Promise<ByteSource> => {
      const source: ByteSource = {
        ...bytesSource(files[name] ?? fail("file/not-found", `${name}: no such file`), `/models/${name}`),
        close: async () => void open.delete(source),
      };
      open.add(source);
      return source;
    };
    const first = bytesSource(files[shardName(0)]!, `/models/${shardName(0)}`);
    return { first, openSibling, open };
  }

  test("all shards together are one model", async () => {
    const { first, openSibling, open } = await shards();
    const file = await openGguf(first, openSibling);
    assert.deepEqual(
      [...file.tensors].map(([name, { source }]) => [name, source.name]),
      [
        ["a", `/models/${shardName(0)}`],
        ["b", `/models/${shardName(1)}`],
        ["c", `/models/${shardName(2)}`],
      ],
    );
    assert.equal(file.metadata.get("general.name"), "whole");
    assert.deepEqual(file.sources, [first, ...open]);
    for (const { source, position, name } of file.tensors.values()) {
      const byte = new Uint8Array(1);
      await source.read(byte, position);
      assert.equal(byte[0], ["a", "b", "c"].indexOf(name), "positions are in the shard's own file");
    }
  });

  test("names are found in URLs and Windows paths, and # is a letter of a file's name", async () => {
    const { first, openSibling } = await shards();
    for (const name of [`https://host/x/${shardName(0)}?download=true`, `C:\\models\\${shardName(0)}`]) {
      assert.equal((await openGguf({ ...first, name }, openSibling)).tensors.size, 3);
    }
    const asked: string[] = [];
    const spy = (name: string) => (asked.push(name), openSibling(name.replace("my#", "")));
    await openGguf({ ...first, name: `/models/my#${shardName(0)}` }, spy);
    assert.deepEqual(asked, [`my#${shardName(1)}`, `my#${shardName(2)}`]);
  });

  test("a file that is whole needs no sibling", async () => {
    assert.equal((await openGguf(bytesSource(await gguf([], [tensor("t")])))).tensors.size, 1);
    assert.equal((await openGguf(bytesSource(await shard(0, "t", 1, 1)))).tensors.size, 1);
  });

  test("refuses shards that do not make one model, and closes those it opened", async () => {
    const cases: readonly (readonly [
      changes: Record<string, Uint8Array | undefined>,
      message: RegExp,
      code?: string,
    ])[] = [
      [{ [shardName(1)]: undefined }, /model-00002-of-00003.gguf" cannot be opened .*no such file/],
      [{ [shardName(2)]: await shard(1, "c") }, /wanted split.no 2 of split.count 3, found 1 of 3/],
      [{ [shardName(2)]: await shard(2, "c", 4) }, /found 2 of 4/],
      [{ [shardName(2)]: await gguf([], [tensor("c")]) }, /found none of none/],
      [{ [shardName(2)]: await shard(2, "a") }, /"a": appears in two shards/, "gguf/duplicate"],
      [{ [shardName(0)]: await shard(0, "a", 3, 4) }, /split.tensors.count is 4, the shards hold 3/],
      [{ [shardName(0)]: await shard(0, "a", 2000) }, /split.count is 2000, the limit is 1000/],
      [{ [shardName(0)]: await shard(1, "a") }, /is shard 2 of 3; open the first one/],
      [{ [shardName(0)]: await shard(0, "a", 2) }, /its name must end in -00001-of-00002.gguf/],
    ];
    for (const [changes, message, code = "gguf/split"] of cases) {
      const { first, openSibling, open } = await shards(changes);
      await assert.rejects(openGguf(first, openSibling), { name: "OnebitError", code, message });
      assert.equal(open.size, 0, `${message} leaves a shard open`);
    }
    const { first } = await shards();
    await assert.rejects(openGguf(first), { code: "gguf/split", message: /one of 3 files/ });
    await assert.rejects(openGguf({ ...first, name: "renamed.gguf" }), {
      code: "gguf/split",
      message: /its name must end in/,
    });
  });
});
