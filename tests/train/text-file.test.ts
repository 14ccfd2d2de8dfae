/** Reading training data: plain and gzip, whole and cut, damaged and hostile. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, describe, test } from "node:test";
import { createGzip, gzipSync } from "node:zlib";
import { bytesSource } from "../../src/core/byte-source.ts";
import type { ByteSource } from "../../src/core/byte-source.ts";
import { OnebitError } from "../../src/core/errors.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { readTextFile } from "../../src/train/text-file.ts";
import { seededRandom } from "../hostile/mutate.ts";

const root = mkdtempSync(join(tmpdir(), "onebit-text-"));
after(() => rmSync(root, { recursive: true, force: true }));

const isCode =
  (code: string, pattern = /^/) =>
  (error: unknown): boolean =>
    error instanceof OnebitError && error.code === code && pattern.test(error.message);

/** Bytes that compress a little, more than one slice of them. */
const random = seededRandom(1);
const text = new Uint8Array(400_000).map(() => 97 + Math.floor(random() * 23));
const packed = new Uint8Array(gzipSync(text));

/** The source, with the furthest byte that was read. */
function watched(source: ByteSource): ByteSource & { readBytes(): number } {
  let furthest = 0;
  return {
    ...source,
    read: (into, position) => {
      furthest = Math.max(furthest, position + into.length);
      return source.read(into, position);
    },
    readBytes: () => furthest,
  };
}

describe("a plain file", () => {
  test("is read whole, or its first bytes", async () => {
    assert.deepEqual(await readTextFile(bytesSource(text)), text);
    const source = watched(bytesSource(text));
    assert.deepEqual(await readTextFile(source, { maxBytes: 1000 }), text.slice(0, 1000));
    assert.equal(source.readBytes(), 1000);
    assert.deepEqual(await readTextFile(bytesSource(text), { maxBytes: 1e9 }), text);
  });

  test("of one byte, or that only begins like gzip, is data", async () => {
    assert.deepEqual(await readTextFile(bytesSource(Uint8Array.of(0x1f))), Uint8Array.of(0x1f));
    assert.deepEqual(await readTextFile(bytesSource(Uint8Array.of(0x1f, 0x41))), Uint8Array.of(0x1f, 0x41));
  });

  test("that is empty, too long, a folder or missing is a typed error", async () => {
    await assert.rejects(readTextFile(bytesSource(new Uint8Array(0), "x")), isCode("train/bad-data", /x: .*empty/));
    const huge = { ...bytesSource(text), sizeBytes: 2 ** 40 };
    await assert.rejects(readTextFile(huge), isCode("train/bad-data", /maxBytes/));
    assert.deepEqual(await readTextFile(huge, { maxBytes: 10 }), text.slice(0, 10));
    await assert.rejects(nodePlatform().openFile(root), isCode("file/read", /found a folder/));
    await assert.rejects(nodePlatform().openFile(join(root, "none")), isCode("file/not-found"));
    await assert.rejects(readTextFile({ ...bytesSource(text), sizeBytes: text.length + 1 }), isCode("file/read"));
  });
});

/** `count` times 16 MiB of zeros as one gzip file, never in memory as a whole. */
async function zerosCompressed(count: number): Promise<Uint8Array> {
  const zeros = new Uint8Array(16 * 1024 * 1024),
    pieces: Buffer[] = [];
  for await (const piece of Readable.from(Array.from({ length: count }, () => zeros)).pipe(createGzip({ level: 1 })))
    pieces.push(piece as Buffer);
  return new Uint8Array(Buffer.concat(pieces));
}

describe("a gzip file", () => {
  test("is inflated whole, from the disk too", async () => {
    assert.deepEqual(await readTextFile(bytesSource(packed)), text);
    writeFileSync(join(root, "a.gz"), packed);
    const source = await nodePlatform().openFile(join(root, "a.gz"));
    assert.deepEqual(await readTextFile(source), text);
    await source.close();
  });

  test("that is several in one is refused, by engines that inflate such files too", async () => {
    await assert.rejects(
      readTextFile(bytesSource(Buffer.concat([packed, packed]))),
      isCode("train/bad-data", /several gzip files in one/),
    );
  });

  test("is inflated only as far as asked, and read only as far as needed", async () => {
    const source = watched(bytesSource(packed));
    assert.ok(packed.length > 3 * 65_536, "several slices");
    assert.deepEqual(await readTextFile(source, { maxBytes: 1000 }), text.slice(0, 1000));
    assert.ok(source.readBytes() <= 2 * 65_536 + 2, `read ${source.readBytes()} of ${packed.length}`);
    assert.deepEqual(await readTextFile(bytesSource(packed), { maxBytes: text.length }), text);
    assert.deepEqual(await readTextFile(bytesSource(packed), { maxBytes: text.length + 1 }), text);
  });

  test("cut short anywhere is a typed error", async () => {
    for (const length of [
      2,
      3,
      9,
      10,
      11,
      100,
      65_536,
      65_537,
      packed.length - 9,
      packed.length - 8,
      packed.length - 1,
    ]) {
      await assert.rejects(
        readTextFile(bytesSource(packed.subarray(0, length), "cut")),
        isCode("train/bad-data", /cut: .*damaged or cut short/),
        `${length} bytes`,
      );
    }
  });

  test("with damage in its header, data, checksum or length is a typed error", async () => {
    for (const at of [2, 1000, 70_000, packed.length - 7, packed.length - 2]) {
      const damaged = packed.slice();
      damaged[at] ^= 0x5a;
      await assert.rejects(readTextFile(bytesSource(damaged)), isCode("train/bad-data"), `byte ${at}`);
    }
  });

  test("of nothing is empty", () =>
    assert.rejects(readTextFile(bytesSource(new Uint8Array(gzipSync("")))), isCode("train/bad-data", /empty/)));

  test("that fails to read reports that, not damage", async () => {
    const broken = {
      ...bytesSource(packed, "disk"),
      read: async (into: Uint8Array, position: number) => {
        if (position > 0) throw new OnebitError("file/read", "disk: gone");
        into.set(packed.subarray(0, into.length));
      },
    };
    await assert.rejects(readTextFile(broken), isCode("file/read", /gone/));
  });

  test("that inflates without end is cut where asked, in bounded memory", async () => {
    // A little more than 1 GiB of zeros in some MB; 1 MiB of them are wanted.
    const bomb = await zerosCompressed(65);
    const source = watched(bytesSource(bomb));
    const before = process.memoryUsage().arrayBuffers;
    assert.equal((await readTextFile(source, { maxBytes: 1024 * 1024 })).length, 1024 * 1024);
    assert.ok(source.readBytes() <= 3 * 65_536, `read ${source.readBytes()} of ${bomb.length}`);
    assert.ok(process.memoryUsage().arrayBuffers - before < 200e6);
    await assert.rejects(readTextFile(bytesSource(bomb)), isCode("train/bad-data", /inflates to more; set maxBytes/));
  });
});

test("an abort signal stops reading", async () => {
  await assert.rejects(readTextFile(bytesSource(packed), { signal: AbortSignal.abort() }), isCode("aborted"));
  const controller = new AbortController();
  const source = {
    ...bytesSource(packed),
    read: async (into: Uint8Array, position: number) => {
      if (position > 0) controller.abort();
      into.set(packed.subarray(position, position + into.length));
    },
  };
  await assert.rejects(readTextFile(source, { signal: controller.signal }), isCode("aborted"));
});

test("invalid sizes are refused", async () => {
  for (const maxBytes of [0, -1, 1.5, NaN, 2 ** 31])
    await assert.rejects(readTextFile(bytesSource(text), { maxBytes }), isCode("train/bad-option"), `${maxBytes}`);
});
