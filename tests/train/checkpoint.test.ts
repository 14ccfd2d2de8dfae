/** Checkpoints: what is saved comes back; damage is found, named, and answered with the checkpoint before. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { OnebitError } from "../../src/core/errors.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/train/checkpoint-file.ts";
import { checkpointName, loadLatestCheckpoint, restoreArray, saveCheckpoint } from "../../src/train/checkpoint.ts";
import type { CheckpointArray, CheckpointContents } from "../../src/train/checkpoint.ts";
import { BLOCK_BYTES } from "../../src/train/digest.ts";

const platform = nodePlatform();
const root = mkdtempSync(join(tmpdir(), "onebit-checkpoint-"));
after(() => rmSync(root, { recursive: true, force: true }));
const freshFolder = (): string => mkdtempSync(join(root, "run-"));

const small = (value: number): CheckpointContents => ({
  state: { note: "ünï", list: [1, 2.5, null, { deep: true }], value },
  arrays: new Map<string, CheckpointArray>([
    ["f32", Float32Array.of(value, -0, NaN, Infinity, 1e-45)],
    ["empty", new Float32Array(0)],
    ["f64", Float64Array.of(Math.PI)],
    ["i32", Int32Array.of(-2147483648, 7)],
    ["u32", Uint32Array.of(4294967295)],
    ["u16", Uint16Array.of(65535, 1, 2)],
    ["i8", Int8Array.of(-128, 127)],
    ["u8", Uint8Array.of(1, 2, 3)],
  ]),
});

async function encoded(step: number, contents: CheckpointContents): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of encodeCheckpoint(step, contents)) parts.push(chunk.slice());
  return new Uint8Array(Buffer.concat(parts));
}

const isCode =
  (...codes: string[]) =>
  (error: unknown): boolean =>
    error instanceof OnebitError && codes.includes(error.code);

function sameBits(found: CheckpointArray, wanted: CheckpointArray): void {
  assert.equal(found.constructor, wanted.constructor);
  assert.deepEqual(
    new Uint8Array(found.buffer, found.byteOffset, found.byteLength),
    new Uint8Array(wanted.buffer.slice(wanted.byteOffset, wanted.byteOffset + wanted.byteLength)),
  );
}

describe("the file", () => {
  test("gives back every type, bit for bit, and the state", async () => {
    const wanted = small(3);
    const found = await decodeCheckpoint(bytesSource(await encoded(12, wanted)));
    assert.equal(found.step, 12);
    assert.deepEqual(found.state, wanted.state);
    assert.deepEqual([...found.arrays.keys()], [...wanted.arrays.keys()]);
    for (const [name, array] of wanted.arrays) sameBits(found.arrays.get(name)!, array);
  });

  test("holds arrays of many blocks, from shared memory and from the middle of a buffer", async () => {
    const shared = new Float32Array(new SharedArrayBuffer(BLOCK_BYTES + 40), 20, BLOCK_BYTES / 4).map((_, i) => i);
    const inShared = new Float32Array(new SharedArrayBuffer(4 * shared.length + 8), 8, shared.length);
    inShared.set(shared);
    const bytes = new Uint8Array(2 * BLOCK_BYTES + 5).map((_, i) => i * 31);
    const found = await decodeCheckpoint(
      bytesSource(
        await encoded(0, {
          state: {},
          arrays: new Map<string, CheckpointArray>([
            ["a", inShared],
            ["b", bytes.subarray(3)],
          ]),
        }),
      ),
    );
    assert.ok(Buffer.from(found.arrays.get("a")!.buffer).equals(Buffer.from(inShared.slice().buffer)));
    assert.ok(Buffer.from(found.arrays.get("b")!.buffer).equals(Buffer.from(bytes.slice(3).buffer)));
  });

  test("has the digests that its description says, at the end", async () => {
    const file = await encoded(1, { state: {}, arrays: new Map([["a", new Uint8Array(BLOCK_BYTES + 100)]]) });
    const sha = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
    const data = file.subarray(0, file.length - 96);
    const list = Buffer.concat([sha(data.subarray(0, BLOCK_BYTES)), sha(data.subarray(BLOCK_BYTES))]);
    assert.ok(Buffer.concat([list, sha(list)]).equals(Buffer.from(file.subarray(file.length - 96))));
  });

  test("refuses to write what it could not read back", async () => {
    await assert.rejects(encoded(1, { state: { loss: NaN }, arrays: new Map() }), isCode("train/not-finite"));
    await assert.rejects(encoded(-1, small(1)), isCode("train/bad-option"));
    await assert.rejects(
      encoded(1, { state: { long: "x".repeat(17 * 1024 * 1024) }, arrays: new Map() }),
      isCode("train/bad-option"),
    );
    await assert.rejects(
      encoded(1, { state: {}, arrays: new Map([["x".repeat(2000), new Uint8Array(1)]]) }),
      isCode("train/bad-option"),
    );
    await assert.rejects(
      encoded(1, { state: {}, arrays: new Map([["big", new BigInt64Array(1) as unknown as Int32Array]]) }),
      isCode("train/bad-option"),
    );
  });

  test("cut short at every byte, or longer, is refused", async () => {
    const file = await encoded(5, small(1));
    for (let length = 0; length < file.length; length++) {
      await assert.rejects(
        decodeCheckpoint(bytesSource(file.subarray(0, length))),
        isCode("checkpoint/corrupt"),
        `${length} bytes`,
      );
    }
    await assert.rejects(
      decodeCheckpoint(bytesSource(Buffer.concat([file, file.subarray(0, 1)]))),
      isCode("checkpoint/corrupt"),
    );
  });

  test("with any bit of any byte flipped is refused", async () => {
    const file = await encoded(5, small(1));
    for (let at = 0; at < file.length; at++) {
      const damaged = file.slice();
      damaged[at] ^= 1 << (at % 8);
      await assert.rejects(decodeCheckpoint(bytesSource(damaged)), isCode("checkpoint/corrupt"), `byte ${at}`);
    }
  });

  test("with blocks in another order is refused", async () => {
    const file = await encoded(1, {
      state: {},
      arrays: new Map([["a", new Uint8Array(3 * BLOCK_BYTES).map((_, i) => i >> 16)]]),
    });
    const swapped = file.slice();
    swapped.set(file.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES), 2 * BLOCK_BYTES);
    swapped.set(file.subarray(2 * BLOCK_BYTES, 3 * BLOCK_BYTES), BLOCK_BYTES);
    await assert.rejects(decodeCheckpoint(bytesSource(swapped)), isCode("checkpoint/corrupt"));
  });
});

/** A file whose header is `json` and whose digests are right: as much as a liar can do. */
function forged(json: string, dataBytes = 0): Uint8Array {
  const text = Buffer.from(json),
    header = Buffer.alloc(Math.ceil((16 + text.length) / 64) * 64, " ");
  header.write("1bitckpt");
  header.writeUInt32LE(1, 8);
  header.writeUInt32LE(header.length - 16, 12);
  text.copy(header, 16);
  const data = Buffer.concat([header, Buffer.alloc(dataBytes)]);
  const digest = createHash("sha256").update(data).digest();
  return new Uint8Array(Buffer.concat([data, digest, createHash("sha256").update(digest).digest()]));
}

describe("a forged header", () => {
  const withArrays = (...arrays: unknown[]): string => JSON.stringify({ step: 1, state: {}, arrays });
  const at = (json: string): number => Math.ceil((16 + json.length) / 64) * 64;

  test("is read when it tells the truth", async () => {
    const json = withArrays({ name: "a", type: "u8", length: 4, offset: 128 });
    assert.equal(at(json), 128);
    assert.deepEqual((await decodeCheckpoint(bytesSource(forged(json, 4)))).arrays.get("a"), new Uint8Array(4));
  });

  const lies: Readonly<Record<string, [json: string, dataBytes?: number]>> = {
    "a huge length": [withArrays({ name: "a", type: "f32", length: 2 ** 52, offset: 128 }), 4],
    "a length beyond exact integers": [withArrays({ name: "a", type: "f32", length: 1e300, offset: 128 }), 4],
    "a negative length": [withArrays({ name: "a", type: "u8", length: -4, offset: 128 }), 4],
    "a fraction": [withArrays({ name: "a", type: "u8", length: 0.5, offset: 128 }), 4],
    "a negative offset": [withArrays({ name: "a", type: "u8", length: 4, offset: -128 }), 4],
    "an offset into the header": [withArrays({ name: "a", type: "u8", length: 4, offset: 0 }), 4],
    "an offset past the end": [withArrays({ name: "a", type: "u8", length: 4, offset: 2 ** 40 }), 4],
    "overlapping arrays": [
      withArrays({ name: "a", type: "u8", length: 4, offset: 192 }, { name: "b", type: "u8", length: 4, offset: 192 }),
      68,
    ],
    "one name twice": [
      withArrays({ name: "a", type: "u8", length: 4, offset: 192 }, { name: "a", type: "u8", length: 4, offset: 256 }),
      68,
    ],
    "an unknown type": [withArrays({ name: "a", type: "constructor", length: 4, offset: 128 }), 4],
    "no name": [withArrays({ type: "u8", length: 4, offset: 128 }), 4],
    "an array that is a number": [withArrays(7)],
    "arrays that are no list": [JSON.stringify({ step: 1, state: {}, arrays: {} })],
    "no step": [JSON.stringify({ state: {}, arrays: [] })],
    "a step that is text": [JSON.stringify({ step: "1", state: {}, arrays: [] })],
    "a state that is a list": [JSON.stringify({ step: 1, state: [], arrays: [] })],
    "no JSON": ['{"step":1,'],
    "a list at the top": ["[]"],
    "deep nesting": [`${"[".repeat(100_000)}`],
    "more data than it names": [withArrays({ name: "a", type: "u8", length: 4, offset: 128 }), 5],
  };
  for (const [what, [json, dataBytes]] of Object.entries(lies)) {
    test(`with ${what} is refused`, () =>
      assert.rejects(decodeCheckpoint(bytesSource(forged(json, dataBytes))), isCode("checkpoint/corrupt")));
  }

  test("with one digest too many, all of them right, is refused", async () => {
    const file = Buffer.from(forged(withArrays())),
      digest = file.subarray(file.length - 64, file.length - 32);
    const list = Buffer.concat([digest, digest]),
      more = Buffer.concat([file.subarray(0, -64), list, createHash("sha256").update(list).digest()]);
    await assert.rejects(decodeCheckpoint(bytesSource(more)), isCode("checkpoint/corrupt"));
  });

  test("that claims to be longer than the file is refused before memory is taken", async () => {
    const file = forged("{}");
    new DataView(file.buffer).setUint32(12, 0xffffffff, true);
    await assert.rejects(decodeCheckpoint(bytesSource(file)), isCode("checkpoint/corrupt"));
  });

  test("that needs more memory than there is is refused before any is taken", async () => {
    const file = await encoded(1, small(1));
    await assert.rejects(decodeCheckpoint(bytesSource(file), 100), isCode("train/not-enough-memory"));
  });
});

describe("a folder", () => {
  test("keeps the last two, and other programs' files", async () => {
    const folder = join(freshFolder(), "made", "below");
    assert.equal(await loadLatestCheckpoint(platform, folder), undefined);
    for (const step of [1, 9, 10]) {
      if (step === 9) writeFileSync(join(folder, "notes.txt"), "mine");
      await saveCheckpoint(platform, folder, step, small(step));
    }
    assert.deepEqual(readdirSync(folder), ["checkpoint-10.onebit", "checkpoint-9.onebit", "notes.txt"]);
    const found = await loadLatestCheckpoint(platform, folder);
    assert.deepEqual([found?.step, found?.skipped, found?.path], [10, [], join(folder, "checkpoint-10.onebit")]);
  });

  test("keeps as many as asked, and the same step again replaces itself", async () => {
    const folder = freshFolder();
    for (const step of [1, 2, 3, 3]) await saveCheckpoint(platform, folder, step, small(step), { keepLast: 1 });
    assert.deepEqual(readdirSync(folder), ["checkpoint-3.onebit"]);
    await assert.rejects(saveCheckpoint(platform, folder, 4, small(4), { keepLast: 0 }), isCode("train/bad-option"));
  });

  test("with a damaged newest one gives the one before, and reports it; the next save removes it", async () => {
    const folder = freshFolder();
    for (const step of [1, 2]) await saveCheckpoint(platform, folder, step, small(step));
    truncateSync(join(folder, checkpointName(2)), 700);
    const found = await loadLatestCheckpoint(platform, folder);
    assert.equal(found?.step, 1);
    assert.deepEqual(
      found?.skipped.map(({ path, code }) => [path, code]),
      [[join(folder, checkpointName(2)), "checkpoint/corrupt"]],
    );
    assert.match(found.skipped[0].reason, /describes \d+ bytes, but the file has 700/);
    await saveCheckpoint(platform, folder, 3, small(3), { skipped: found.skipped });
    assert.deepEqual(readdirSync(folder), [checkpointName(1), checkpointName(3)]);
  });

  test("with a checkpoint under another step's name passes it over", async () => {
    const folder = freshFolder();
    for (const step of [1, 2]) await saveCheckpoint(platform, folder, step, small(step));
    writeFileSync(join(folder, checkpointName(7)), readFileSync(join(folder, checkpointName(2))));
    const found = await loadLatestCheckpoint(platform, folder);
    assert.deepEqual([found?.step, found?.skipped.length], [2, 1]);
  });

  test("with nothing but damaged ones is an error that names each", async () => {
    const folder = freshFolder();
    for (const step of [1, 2]) writeFileSync(join(folder, checkpointName(step)), "no checkpoint at all");
    await assert.rejects(
      loadLatestCheckpoint(platform, folder),
      (error) => isCode("checkpoint/corrupt")(error) && /checkpoint-2[^]*checkpoint-1/.test(String(error)),
    );
  });

  test("with a later checkpoint refuses an earlier one, and loses neither", async () => {
    const folder = freshFolder();
    await saveCheckpoint(platform, folder, 100, small(1));
    await assert.rejects(saveCheckpoint(platform, folder, 1, small(1)), isCode("checkpoint/mismatch"));
    assert.deepEqual(readdirSync(folder), [checkpointName(100)]);
  });

  test("is cleared of what crashed saves left, and of nothing else", async () => {
    const folder = freshFolder();
    for (const name of ["checkpoint-1.onebit.0123abcd.tmp", "other.0123abcd.tmp", "checkpoint-1.onebit.tmp"])
      writeFileSync(join(folder, name), "part");
    await saveCheckpoint(platform, folder, 2, small(2));
    assert.deepEqual(readdirSync(folder), ["checkpoint-1.onebit.tmp", "checkpoint-2.onebit", "other.0123abcd.tmp"]);
  });

  test("that is a file, or a platform that writes none, is a typed error", async () => {
    const folder = freshFolder(),
      file = join(folder, "file");
    writeFileSync(file, "");
    await assert.rejects(saveCheckpoint(platform, file, 1, small(1)), isCode("file/write"));
    const { writeFileAtomically: _, ...readOnly } = platform;
    await assert.rejects(saveCheckpoint(readOnly, folder, 1, small(1)), isCode("engine/unsupported"));
  });

  test("restores arrays only where they fit", async () => {
    const checkpoint = await decodeCheckpoint(bytesSource(await encoded(1, small(4))));
    const into = new Uint16Array(3);
    restoreArray(checkpoint, "u16", into);
    assert.deepEqual(into, Uint16Array.of(65535, 1, 2));
    for (const [name, array] of [
      ["u16", new Uint16Array(4)],
      ["u16", new Int32Array(3)],
      ["none", into],
    ] as const) {
      assert.throws(() => restoreArray(checkpoint, name, array), isCode("checkpoint/mismatch"));
    }
  });
});
