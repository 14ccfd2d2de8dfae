/**
 * The checkpoint format: JSON and arrays in one file, every byte covered by SHA-256.
 *
 *   0   magic "1bitckpt" · u32 version · u32 bytes of the header (little-endian)
 *   16  header, JSON: {"step", "state", "arrays": [{"name", "type", "length", "offset"}, …]}, then blanks to a multiple
 *       of 64
 *       the arrays in that order, each at the next multiple of 64 from the file's start, zeros between
 *   D   SHA-256 of each 4 MiB of the bytes before D (the last block shorter) · SHA-256 of those digests
 *
 * Given arrays have exactly one layout, so a reader computes it and trusts no offset.
 *
 * @module
 */
import { readBytes } from "../core/byte-source.ts";
import type { ByteSource } from "../core/byte-source.ts";
import { OnebitError, fail, quoted } from "../core/errors.ts";
import { CHECKPOINT_HEADER_BYTES_MAX, SAFETENSORS_NAME_BYTES_MAX } from "../core/limits.ts";
import { isJsonObject, parseJsonObject } from "../files/json.ts";
import type { JsonObject, JsonValue } from "../files/json.ts";
import { BLOCK_BYTES, DIGEST_BYTES, sha256 } from "./digest.ts";

export type CheckpointArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** The contents of a checkpoint. */
export interface CheckpointContents {
  /** Anything JSON holds without loss: shape, options, position in the data. */
  readonly state: JsonObject;
  /** By name, in the order of the file. They may lie in shared memory. */
  readonly arrays: ReadonlyMap<string, CheckpointArray>;
}

export interface Checkpoint extends CheckpointContents {
  readonly step: number;
}

const MAGIC = "1bitckpt";
const VERSION = 1;
const FIXED_BYTES = 16;
/** Fits any vector a kernel may load from a mapped file. */
const ALIGNMENT = 64;

const TYPES = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u32: Uint32Array,
  u16: Uint16Array,
  i8: Int8Array,
  u8: Uint8Array,
};
type TypeName = keyof typeof TYPES;

interface ArrayEntry {
  readonly name: string;
  readonly type: TypeName;
  /** In elements. */
  readonly length: number;
  /** In bytes from the file's start. */
  readonly offset: number;
}

/**
 * Encodes a checkpoint in chunks of 4 MiB. The arrays must not change until the last chunk is taken; each chunk
 * overwrites the one before.
 * @param step optimiser steps done, a safe integer ≥ 0
 * @throws OnebitError `train/not-finite` for a number that JSON cannot hold, `train/bad-option` for what readers would
 * refuse
 */
export async function* encodeCheckpoint(
  step: number,
  { state, arrays }: CheckpointContents,
): AsyncGenerator<Uint8Array> {
  const header = encodeHeader(step, state, arrays);
  const block = new Uint8Array(BLOCK_BYTES);
  const digests: Uint8Array[] = [];
  let used = 0,
    position = 0;
  async function* add(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < bytes.length; ) {
      const take = Math.min(bytes.length - done, BLOCK_BYTES - used);
      block.set(bytes.subarray(done, done + take), used);
      done += take;
      used += take;
      if (used === BLOCK_BYTES) yield* flush();
    }
    position += bytes.length;
  }
  async function* flush(): AsyncGenerator<Uint8Array> {
    digests.push(await sha256(block.subarray(0, used)));
    yield block.subarray(0, used);
    used = 0;
  }
  yield* add(header);
  for (const array of arrays.values()) {
    yield* add(new Uint8Array(aligned(position) - position));
    yield* add(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  if (used > 0) yield* flush();
  const list = concatenate(digests);
  yield list;
  yield await sha256(list);
}

/**
 * Reads a checkpoint and checks every byte.
 * @param maxBytes refuses larger data before allocating. Default: the file's own size
 * @throws OnebitError `checkpoint/corrupt`, `train/not-enough-memory`, and what `source` throws
 */
export async function decodeCheckpoint(source: ByteSource, maxBytes = Infinity): Promise<Checkpoint> {
  const { step, state, entries, dataBytes } = await readHeader(source);
  if (dataBytes > maxBytes) failForMemory(source.name, dataBytes, maxBytes);
  const digests = await readDigests(source, dataBytes);
  const arrays = new Map(
    entries.map(({ name, type, length }) => [name, allocate(source.name, type, length, dataBytes)]),
  );
  const block = new Uint8Array(Math.min(BLOCK_BYTES, dataBytes));
  let first = 0;
  for (let begin = 0, i = 0; begin < dataBytes; begin += BLOCK_BYTES, i++) {
    const bytes = block.subarray(0, Math.min(BLOCK_BYTES, dataBytes - begin));
    await source.read(bytes, begin);
    const wanted = digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
    if (!isEqual(await sha256(bytes), wanted))
      failCorrupt(source.name, `bytes ${begin} to ${begin + bytes.length} do not match their checksum`);
    while (first < entries.length && endOf(entries[first]) <= begin) first++;
    for (let k = first; k < entries.length && entries[k].offset < begin + bytes.length; k++)
      copyPart(bytes, begin, entries[k], arrays);
  }
  return { step, state, arrays };
}

/** Copies the part of an array that lies in `block`, which is at `begin` in the file. */
function copyPart(
  block: Uint8Array,
  begin: number,
  entry: ArrayEntry,
  arrays: ReadonlyMap<string, CheckpointArray>,
): void {
  const array = arrays.get(entry.name)!;
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const from = Math.max(begin, entry.offset),
    to = Math.min(begin + block.length, endOf(entry));
  if (to > from) bytes.set(block.subarray(from - begin, to - begin), from - entry.offset);
}

function encodeHeader(step: number, state: JsonObject, arrays: ReadonlyMap<string, CheckpointArray>): Uint8Array {
  if (!Number.isSafeInteger(step) || step < 0)
    fail("train/bad-option", `checkpoint: wanted a whole step of 0 or more, found ${step}`);
  // Offsets and the header's length depend on each other; both only grow and settle within three rounds.
  for (let headerBytes = FIXED_BYTES; ; ) {
    const entries = layOut(
      [...arrays].map(([name, array]) => ({ name, type: typeOf(name, array), length: array.length })),
      headerBytes,
    );
    const json = new TextEncoder().encode(JSON.stringify({ step, state, arrays: entries }, finiteOnly));
    const needed = aligned(FIXED_BYTES + json.length);
    if (needed > headerBytes) {
      headerBytes = needed;
      continue;
    }
    if (headerBytes > CHECKPOINT_HEADER_BYTES_MAX) {
      fail(
        "train/bad-option",
        `checkpoint: state and names take ${headerBytes} bytes, the limit is ${CHECKPOINT_HEADER_BYTES_MAX}; put ` +
          "numbers in arrays",
      );
    }
    const bytes = new Uint8Array(headerBytes).fill(0x20);
    bytes.set(new TextEncoder().encode(MAGIC));
    new DataView(bytes.buffer).setUint32(8, VERSION, true);
    new DataView(bytes.buffer).setUint32(12, headerBytes - FIXED_BYTES, true);
    bytes.set(json, FIXED_BYTES);
    return bytes;
  }
}

interface Header {
  readonly step: number;
  readonly state: JsonObject;
  readonly entries: readonly ArrayEntry[];
  /** Size of everything before the digests. */
  readonly dataBytes: number;
}

/** Reads the header and checks that it describes a file of exactly this size. */
async function readHeader(source: ByteSource): Promise<Header> {
  const { name, sizeBytes } = source;
  if (sizeBytes < FIXED_BYTES) failCorrupt(name, `wanted at least ${FIXED_BYTES} bytes, found ${sizeBytes}`);
  const fixed = await readBytes(source, 0, FIXED_BYTES);
  const view = new DataView(fixed.buffer);
  const magic = new TextEncoder().encode(MAGIC);
  if (!isEqual(fixed.subarray(0, magic.length), magic)) failCorrupt(name, "it does not begin with 1bitckpt");
  if (view.getUint32(8, true) !== VERSION)
    failCorrupt(name, `wanted format version ${VERSION}, found ${view.getUint32(8, true)}`);
  const jsonBytes = view.getUint32(12, true),
    headerBytes = FIXED_BYTES + jsonBytes;
  if (headerBytes > Math.min(sizeBytes, CHECKPOINT_HEADER_BYTES_MAX))
    failCorrupt(name, `its header claims ${jsonBytes} bytes, but the file has ${sizeBytes}`);
  const parsed = parseJsonObject(await readBytes(source, FIXED_BYTES, jsonBytes));
  if ("problem" in parsed) failCorrupt(name, `its header is ${parsed.problem.message}`);
  const { step, state, arrays } = parsed.value;
  if (typeof step !== "number" || !Number.isSafeInteger(step) || step < 0) failCorrupt(name, "its header has no step");
  if (!isJsonObject(state)) failCorrupt(name, "its header has no state");
  const entries = readEntries(name, arrays, headerBytes);
  const dataBytes = entries.length > 0 ? endOf(entries[entries.length - 1]) : headerBytes;
  const wanted = dataBytes + (Math.ceil(dataBytes / BLOCK_BYTES) + 1) * DIGEST_BYTES;
  if (wanted !== sizeBytes) failCorrupt(name, `its header describes ${wanted} bytes, but the file has ${sizeBytes}`);
  return { step, state, entries, dataBytes };
}

function readEntries(file: string, value: JsonValue | undefined, headerBytes: number): ArrayEntry[] {
  if (!Array.isArray(value)) failCorrupt(file, "its header has no list of arrays");
  const names = new Set<string>();
  const found = (value as readonly JsonValue[]).map((item) => {
    const { name, type, length, offset } = isJsonObject(item)
      ? item
      : failCorrupt(file, "an array of its header is not an object");
    if (typeof name !== "string" || name.length > SAFETENSORS_NAME_BYTES_MAX || names.has(name))
      failCorrupt(file, "an array has no name, or a duplicate one");
    if (typeof type !== "string" || !Object.hasOwn(TYPES, type))
      failCorrupt(file, `${quoted(name)} has an unknown type`);
    if (typeof length !== "number" || !Number.isSafeInteger(length) || length < 0)
      failCorrupt(file, `${quoted(name)} has no length`);
    names.add(name);
    return { name, type: type as TypeName, length, offset };
  });
  const entries = layOut(found, headerBytes);
  const moved = entries.findIndex(({ offset }, i) => offset !== found[i].offset);
  if (moved >= 0)
    failCorrupt(
      file,
      `${quoted(entries[moved].name)} should begin at byte ${entries[moved].offset}, the header ` +
        `says ${String(found[moved].offset)}`,
    );
  return entries;
}

/** Reads the block digests and checks them against their own digest, the file's last 32 bytes. */
async function readDigests(source: ByteSource, dataBytes: number): Promise<Uint8Array> {
  const tail = await readBytes(source, dataBytes, source.sizeBytes - dataBytes);
  const digests = tail.subarray(0, tail.length - DIGEST_BYTES);
  if (!isEqual(await sha256(digests), tail.subarray(digests.length)))
    failCorrupt(source.name, "its checksums do not match their own checksum");
  return digests;
}

function layOut(
  arrays: readonly { name: string; type: TypeName; length: number }[],
  headerBytes: number,
): ArrayEntry[] {
  let end = headerBytes;
  return arrays.map(({ name, type, length }) => {
    const entry = { name, type, length, offset: aligned(end) };
    end = endOf(entry);
    return entry;
  });
}

function typeOf(name: string, array: CheckpointArray): TypeName {
  if (name.length > SAFETENSORS_NAME_BYTES_MAX)
    fail(
      "train/bad-option",
      `checkpoint: wanted names of at most ${SAFETENSORS_NAME_BYTES_MAX} characters, found ${quoted(name)}`,
    );
  const type = (Object.keys(TYPES) as TypeName[]).find((key) => array instanceof TYPES[key]);
  return type ?? fail("train/bad-option", `checkpoint: ${quoted(name)} has a type that checkpoints do not store`);
}

function allocate(file: string, type: TypeName, length: number, dataBytes: number): CheckpointArray {
  try {
    return new TYPES[type](length);
  } catch (cause) {
    if (cause instanceof RangeError) failForMemory(file, dataBytes, undefined, cause);
    throw cause;
  }
}

function endOf({ type, length, offset }: ArrayEntry): number {
  return offset + length * TYPES[type].BYTES_PER_ELEMENT;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** JSON would silently write NaN and ±∞ as null. */
function finiteOnly(key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value))
    fail("train/not-finite", `checkpoint: ${quoted(key)} of its state is ${value}`);
  return value;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.length * DIGEST_BYTES);
  parts.forEach((part, i) => whole.set(part, i * DIGEST_BYTES));
  return whole;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function failForMemory(file: string, wantedBytes: number, haveBytes?: number, cause?: unknown): never {
  const have = haveBytes === undefined ? "this system gives less" : `${haveBytes} bytes are free`;
  fail("train/not-enough-memory", `${file}: the checkpoint takes ${wantedBytes} bytes of memory, ${have}`, cause);
}

function failCorrupt(file: string, what: string): never {
  throw new OnebitError("checkpoint/corrupt", `${file}: not a whole checkpoint: ${what}`);
}
