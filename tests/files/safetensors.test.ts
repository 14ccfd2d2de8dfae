/** Safetensors, Hugging Face folders and the choice of a format, all on files in memory. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ByteSource } from "../../src/core/byte-source.ts";
import { bytesSource } from "../../src/core/byte-source.ts";
import { fail } from "../../src/core/errors.ts";
import type { OpenSibling } from "../../src/files/gguf-split.ts";
import { openHfFolder } from "../../src/files/hf-folder.ts";
import { openModelFile } from "../../src/files/model-file.ts";
import { packTernary, unpackTernary } from "../../src/files/packed-ternary.ts";
import { parseSafetensors } from "../../src/files/safetensors.ts";
import { writeSafetensors } from "../../src/files/safetensors-writer.ts";
import type { SafetensorToWrite } from "../../src/files/safetensors-writer.ts";
import { joinAll, rawGguf } from "./raw-gguf.ts";

async function safetensors(...tensors: readonly SafetensorToWrite[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const sizeBytes = await writeSafetensors({ write: (bytes) => void parts.push(bytes.slice()) }, tensors, {
    format: "pt",
  });
  const file = joinAll(parts);
  assert.equal(file.length, sizeBytes);
  return file;
}

const tensor = (name: string, ...bytes: readonly number[]): SafetensorToWrite => ({
  name,
  shape: [bytes.length],
  type: "U8",
  data: () => [Uint8Array.from(bytes)],
});

/** A folder in memory that counts what is open. */
function folder(files: Readonly<Record<string, Uint8Array | string>>): { open: OpenSibling; opened: Set<ByteSource> } {
  const opened = new Set<ByteSource>();
  const open: OpenSibling = async (name) => {
    const content = files[name] ?? fail("file/not-found", `${name}: no such file`);
    const inner = bytesSource(
      typeof content === "string" ? new TextEncoder().encode(content) : content,
      `folder/${name}`,
    );
    const source = { ...inner, close: async () => void opened.delete(source) };
    opened.add(source);
    return source;
  };
  return { open, opened };
}

describe("safetensors", () => {
  test("shapes are reversed, so that shape[0] is contiguous", async () => {
    const file = await safetensors(
      { name: "w", shape: [3, 2], type: "BF16", data: () => [new Uint8Array(5), new Uint8Array(7)] },
      { name: "scale", shape: [1], type: "F32", data: () => [new Uint8Array(4)] },
    );
    const { metadata, tensors } = parseSafetensors(file);
    assert.deepEqual([...metadata], [["format", "pt"]]);
    assert.deepEqual(tensors, [
      { name: "w", type: "BF16", shape: [3, 2], position: file.length - 16, sizeBytes: 12 },
      { name: "scale", type: "F32", shape: [1], position: file.length - 4, sizeBytes: 4 },
    ]);
    assert.match(new TextDecoder().decode(file), /"w":\{"dtype":"BF16","shape":\[2,3\]/);
    assert.equal(tensors[0]!.position % 8, 0, "data is aligned");
  });

  test("the writer refuses a name twice, a bad shape and data of another size", async () => {
    await assert.rejects(safetensors(tensor("w", 1), tensor("w", 1)), { code: "safetensors/duplicate" });
    await assert.rejects(safetensors({ ...tensor("w", 1), shape: [0.5] }), { code: "safetensors/bad-tensor" });
    await assert.rejects(safetensors({ ...tensor("w", 1), shape: [2] }), {
      code: "safetensors/bad-tensor",
      message: /wanted 2 bytes/,
    });
  });

  test("types that nothing computes with can still be listed", () => {
    const json = '{"position_ids":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}}';
    const file = joinAll([[json.length, 0, 0, 0, 0, 0, 0, 0], new TextEncoder().encode(json), new Uint8Array(16)]);
    assert.equal(parseSafetensors(file).tensors[0]!.type, "I64");
  });
});

describe("openHfFolder", () => {
  test("reads one file of weights and whatever JSON there is", async () => {
    const { open, opened } = folder({
      "config.json": '{"model_type":"bitnet"}',
      "tokenizer.json": '{"model":{}}',
      "chat_template.jinja": "{{ messages }}",
      "model.safetensors": await safetensors(tensor("w", 1, 2)),
    });
    const model = await openHfFolder(open);
    assert.deepEqual(model.config, { model_type: "bitnet" });
    assert.deepEqual(model.tokenizerJson, { model: {} });
    assert.equal(model.generationConfig, undefined);
    assert.equal(model.tokenizerConfig, undefined);
    assert.equal(model.chatTemplate, "{{ messages }}");
    assert.deepEqual([...model.tensors.keys()], ["w"]);
    assert.deepEqual([...opened], [...model.sources], "only the weights stay open");
  });

  const index = (map: Readonly<Record<string, string>>): string => JSON.stringify({ metadata: {}, weight_map: map });

  test("reads shards through the index", async () => {
    const { open, opened } = folder({
      "config.json": "{}",
      "model.safetensors.index.json": index({
        a: "model-00001-of-00002.safetensors",
        b: "model-00002-of-00002.safetensors",
      }),
      "model-00001-of-00002.safetensors": await safetensors(tensor("a", 1)),
      "model-00002-of-00002.safetensors": await safetensors(tensor("b", 2)),
    });
    const model = await openHfFolder(open);
    assert.deepEqual(
      [...model.tensors].map(([name, { source }]) => [name, source.name]),
      [
        ["a", "folder/model-00001-of-00002.safetensors"],
        ["b", "folder/model-00002-of-00002.safetensors"],
      ],
    );
    assert.equal(opened.size, 2);
  });

  test("refuses an index that lies, leaves the folder, or is incomplete, and closes what it opened", async () => {
    const weights = await safetensors(tensor("a", 1));
    const cases: readonly (readonly [files: Record<string, Uint8Array | string>, code: string, message: RegExp])[] = [
      [
        { "model.safetensors.index.json": index({ b: "x.safetensors" }), "x.safetensors": weights },
        "safetensors/bad-header",
        /"b" in x.safetensors, which lacks it/,
      ],
      [{ "model.safetensors.index.json": index({ a: "../x.safetensors" }) }, "safetensors/bad-header", /bare name/],
      [{ "model.safetensors.index.json": index({ a: "/etc/passwd" }) }, "safetensors/bad-header", /bare name/],
      [{ "model.safetensors.index.json": "{}" }, "safetensors/bad-header", /weight_map/],
      [
        { "model.safetensors.index.json": index({ a: "x.safetensors", b: "y.safetensors" }), "x.safetensors": weights },
        "file/not-found",
        /y.safetensors/,
      ],
      [{}, "file/not-found", /model.safetensors/],
      [{ "tokenizer.json": '{"a":1,"a":2}' }, "model/bad-config", /tokenizer.json: .*twice/],
    ];
    for (const [files, code, message] of cases) {
      const { open, opened } = folder({ "config.json": "{}", ...files });
      await assert.rejects(openHfFolder(open), { name: "OnebitError", code, message });
      assert.equal(opened.size, 0, `${message} leaves a file open`);
    }
    await assert.rejects(openHfFolder(folder({}).open), { code: "file/not-found", message: /config.json/ });
  });
});

describe("openModelFile", () => {
  const none: OpenSibling = async (name) => fail("file/not-found", name);

  test("a GGUF file", async () => {
    const source = bytesSource(rawGguf({}));
    const file = await openModelFile(source, none);
    assert.equal(file.format, "gguf");
    assert.deepEqual(file.sources, [source]);
  });

  test("a safetensors file is its folder", async () => {
    const weights = await safetensors(tensor("w", 1));
    const source = bytesSource(weights, "a/odd-name.safetensors");
    const file = await openModelFile(source, folder({ "config.json": "{}" }).open);
    assert.equal(file.format, "safetensors");
    assert.equal(file.tensors.get("w")?.source, source);
    assert.deepEqual(file.sources, [source]);
    await assert.rejects(openModelFile(source), { code: "file/not-found", message: /config.json/ });
  });

  test("a config.json, or one shard of several, is its folder", async () => {
    const name = "model-00001-of-00001.safetensors";
    const weights = await safetensors(tensor("w", 1));
    const { open } = folder({
      "config.json": "{}",
      [name]: weights,
      "model.safetensors.index.json": JSON.stringify({ weight_map: { w: name } }),
    });
    for (const given of ["config.json", name]) {
      const source = await open(given);
      const file = await openModelFile(source, open);
      assert.equal(file.tensors.size, 1);
      assert.equal(file.sources[0], source);
      assert.equal(file.sources.length, 2);
    }
  });

  test("says what other files are", async () => {
    const files: readonly (readonly [content: string, message: RegExp])[] = [
      ["", /is empty/],
      ["version https://git-lfs.github.com/spec/v1\noid sha256:…", /Git LFS pointer/],
      ["<!DOCTYPE html><html>", /web page/],
      ["  <html>", /web page/],
      ['{"error":"not found"}', /is JSON/],
      ["PK\u0003\u0004rest", /zip archive/],
      ["ggjt", /August 2023/],
      ["FUGG", /bytes reversed/],
      ["hello", /unknown format/],
    ];
    for (const [content, message] of files) {
      const source = bytesSource(new TextEncoder().encode(content), "model.bin");
      await assert.rejects(openModelFile(source, none), { name: "OnebitError", code: "file/unknown-format", message });
    }
    for (const [bytes, message] of [
      [[0x80, 2, 0x8a], /pickle/],
      [[0x1f, 0x8b, 8], /gzip/],
    ] as const) {
      await assert.rejects(openModelFile(bytesSource(Uint8Array.from(bytes)), none), {
        code: "file/unknown-format",
        message,
      });
    }
  });
});

describe("packed ternary weights", () => {
  test("row r is in quarter r / (rows/4), lowest bits first", () => {
    // 8 rows of one column: packed row 0 holds rows 0, 2, 4, 6; packed row 1 holds 1, 3, 5, 7.
    const codes = Int8Array.of(-1, 0, 1, -1, 0, 1, -1, 1);
    const packed = packTernary(codes, 8, 1);
    assert.deepEqual([...packed], [0b00_01_10_00, 0b10_10_00_01]);
    assert.deepEqual(unpackTernary(packed, 8, 1), codes);
  });

  test("wrong sizes and codes are refused", () => {
    const refused = { name: "OnebitError", code: "tensor/bad-data" };
    assert.throws(() => unpackTernary(new Uint8Array(3), 8, 1), refused);
    assert.throws(() => unpackTernary(new Uint8Array(3), 6, 2), refused);
    assert.throws(() => unpackTernary(Uint8Array.of(0, 0b00_11_00_00), 8, 1), refused);
    assert.throws(() => packTernary(Int8Array.of(0, 0, 0, 2), 4, 1), refused);
    assert.throws(() => packTernary(Int8Array.of(0, 0, 0), 4, 1), refused);
  });
});
