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
import { GGUF_SEEDS, SAFETENSORS_SEEDS } from "./header-seeds.ts";
import { FUZZ_FILES, fuzz } from "./mutate.ts";

/** What all the small files together may add to the process: one 8 GB array would show. */
const GROWTH_BYTES_MAX = 256 * 1024 * 1024;

describe(`${FUZZ_FILES} mutated files of each format`, () => {
  test("GGUF", () => {
    const before = process.resourceUsage().maxRSS;
    const { parsed, refused } = fuzz(GGUF_SEEDS, FUZZ_FILES, (bytes) => parseGguf(bytes), checkGguf);
    requireReached(parsed, refused, [
      "gguf/truncated",
      "gguf/limit",
      "gguf/bad-value",
      "gguf/duplicate",
      "gguf/bad-tensor",
    ]);
    requireReached(parsed, refused, [
      "gguf/tensor-outside-file",
      "tensor/unsupported-type",
      "gguf/bad-magic",
      "gguf/unsupported-version",
    ]);
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
    const { parsed, refused } = fuzz(
      SAFETENSORS_SEEDS,
      FUZZ_FILES,
      (bytes) => parseSafetensors(bytes),
      (header, bytes) => {
        checkTensors(header.tensors, 8, bytes.length);
      },
    );
    requireReached(parsed, refused, ["safetensors/truncated", "safetensors/bad-header", "safetensors/limit"]);
    requireReached(parsed, refused, [
      "safetensors/bad-tensor",
      "safetensors/tensor-outside-file",
      "tensor/unsupported-type",
    ]);
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
  for (const { name, type, shape, position, sizeBytes } of [...tensors].sort(
    (a, b) => a.position - b.position || a.sizeBytes - b.sizeBytes,
  )) {
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
