/**
 * Writes GGUF version 3, little-endian, as a stream: it holds one piece of a tensor at a time.
 *
 * Source: the GGUF specification (ggml `docs/gguf.md`); the layout is drawn in `gguf.ts`.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { GGUF_TENSOR_NAME_BYTES_MAX, TENSOR_DIMS_MAX } from "../core/limits.ts";
import { GGUF_ALIGNMENT_DEFAULT, GGUF_MAGIC } from "./gguf.ts";
import type { GgufValue } from "./gguf.ts";
import { GGUF_VALUE_TYPES } from "./gguf-metadata.ts";
import { padTo } from "./gguf-tensors.ts";
import { TENSOR_TYPES, tensorBytes } from "./tensor-types.ts";
import type { TensorTypeName } from "./tensor-types.ts";
import { encodeUtf8 } from "./utf8.ts";

type Scalar = Exclude<(typeof GGUF_VALUE_TYPES)[number], "array">;

/** "uint32", "string", …, and arrays of them: "string[]", "int32[]", … */
export type GgufValueType = Scalar | `${Scalar}[]`;

/** Arrays may also be plain arrays of numbers. */
export type GgufEntry = readonly [key: string, type: GgufValueType, value: GgufValue | readonly number[]];

export interface GgufTensorToWrite {
  readonly name: string;
  /** shape[0] is contiguous: a matrix of r rows and c columns is [c, r]. */
  readonly shape: readonly number[];
  readonly type: TensorTypeName;
  /** The tensor's bytes in pieces of any size; called once. It may reuse a piece when the next is requested. */
  readonly data: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface ByteSink {
  /** The bytes may change once this returns, or its promise resolves. */
  write(bytes: Uint8Array): Promise<void> | void;
}

/**
 * Writes a whole file and returns its size in bytes.
 *
 * @param contents.metadata in this order; `general.alignment` is added when `alignment` is not 32
 * @throws OnebitError `gguf/bad-value`, `gguf/bad-tensor`, `gguf/duplicate` when the contents make no valid file
 */
export async function writeGguf(
  sink: ByteSink,
  contents: { metadata: readonly GgufEntry[]; tensors: readonly GgufTensorToWrite[]; alignment?: number },
): Promise<number> {
  const { tensors, alignment = GGUF_ALIGNMENT_DEFAULT } = contents;
  const metadata: GgufEntry[] = [...contents.metadata];
  if (alignment !== GGUF_ALIGNMENT_DEFAULT) metadata.push(["general.alignment", "uint32", alignment]);
  requireDistinct(
    metadata.map(([key]) => key),
    "metadata key",
  );
  requireDistinct(
    tensors.map((tensor) => tensor.name),
    "tensor",
  );

  const header = new HeaderBytes();
  header.u32(GGUF_MAGIC);
  header.u32(3);
  header.size(tensors.length);
  header.size(metadata.length);
  for (const entry of metadata) putEntry(header, entry);
  let dataBytes = 0;
  for (const tensor of tensors) {
    const sizeBytes = putTensorRow(header, tensor, dataBytes);
    dataBytes += padTo(sizeBytes, alignment);
  }
  header.pad(alignment);
  const headerBytes = header.take();
  await sink.write(headerBytes);
  for (const tensor of tensors) await writeTensor(sink, tensor, alignment);
  return headerBytes.length + dataBytes;
}

function requireDistinct(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) fail("gguf/duplicate", `${what} ${quoted(name)}: appears twice`);
    seen.add(name);
  }
}

function putEntry(header: HeaderBytes, [key, type, value]: GgufEntry): void {
  if (key === "") fail("gguf/bad-value", "a metadata key is empty");
  header.string(key);
  const where = `metadata key ${quoted(key)}`;
  if (!type.endsWith("[]")) {
    header.u32(typeId(type as Scalar, where));
    putScalar(header, type as Scalar, value, where);
    return;
  }
  const itemType = type.slice(0, -2) as Scalar;
  if (typeof value !== "object") fail("gguf/bad-value", `${where}: wanted an array for ${type}, found ${typeof value}`);
  header.u32(GGUF_VALUE_TYPES.indexOf("array"));
  header.u32(typeId(itemType, where));
  header.size(value.length);
  for (let i = 0; i < value.length; i++) putScalar(header, itemType, value[i], where);
}

function typeId(type: Scalar, where: string): number {
  const id = GGUF_VALUE_TYPES.indexOf(type);
  return id >= 0 ? id : fail("gguf/bad-value", `${where}: no value type ${quoted(type)}`);
}

/** [smallest, largest] of the integer types up to 32 bits. */
const RANGES: Partial<Record<Scalar, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
  uint32: [0, 4_294_967_295],
  int32: [-2_147_483_648, 2_147_483_647],
};

function putScalar(header: HeaderBytes, type: Scalar, value: unknown, where: string): void {
  const refuse = (): never =>
    fail("gguf/bad-value", `${where}: ${typeof value} ${quoted(String(value))} is no ${type}`);
  if (type === "string") return typeof value === "string" ? header.string(value) : refuse();
  if (type === "bool") return typeof value === "boolean" ? header.u8(value ? 1 : 0) : refuse();
  if (type === "uint64" || type === "int64") return header.i64(asInt64(value, type, refuse));
  if (typeof value !== "number") refuse();
  const number = value as number;
  if (type === "float32") return header.f32(number);
  if (type === "float64") return header.f64(number);
  const [min, max] = RANGES[type]!;
  if (!Number.isInteger(number) || number < min || number > max) refuse();
  if (max - min === 255) return header.u8(number & 0xff);
  if (max - min === 65_535) return header.u16(number & 0xffff);
  return header.u32(number >>> 0);
}

function asInt64(value: unknown, type: "uint64" | "int64", refuse: () => never): bigint {
  if (typeof value !== "bigint" && !Number.isSafeInteger(value)) refuse();
  const wide = BigInt(value as number | bigint);
  const wrapped = type === "uint64" ? BigInt.asUintN(64, wide) : BigInt.asIntN(64, wide);
  return wrapped === wide ? wide : refuse();
}

/** Writes the row of the tensor table and returns the tensor's size. */
function putTensorRow(header: HeaderBytes, tensor: GgufTensorToWrite, offset: number): number {
  const sizeBytes = sizeOf(tensor);
  const { ggmlId } = TENSOR_TYPES[tensor.type];
  if (ggmlId === undefined) fail("gguf/bad-tensor", `tensor ${quoted(tensor.name)}: GGUF has no type ${tensor.type}`);
  header.string(tensor.name);
  header.u32(tensor.shape.length);
  for (const extent of tensor.shape) header.size(extent);
  header.u32(ggmlId);
  header.size(offset);
  return sizeBytes;
}

function sizeOf({ name, shape, type }: GgufTensorToWrite): number {
  const where = `tensor ${quoted(name)}`;
  const row = TENSOR_TYPES[type];
  if (encodeUtf8(name).length > GGUF_TENSOR_NAME_BYTES_MAX) {
    fail("gguf/bad-tensor", `${where}: its name is longer than ${GGUF_TENSOR_NAME_BYTES_MAX} bytes`);
  }
  if (
    shape.length < 1 ||
    shape.length > TENSOR_DIMS_MAX ||
    !shape.every((extent) => Number.isSafeInteger(extent) && extent > 0)
  ) {
    fail(
      "gguf/bad-tensor",
      `${where}: its shape is [${shape.join(", ")}], wanted 1 to ${TENSOR_DIMS_MAX} positive integers`,
    );
  }
  if (shape[0]! % row.blockElements !== 0) {
    fail(
      "gguf/bad-tensor",
      `${where}: its first dimension ${shape[0]} is not a multiple of ${row.blockElements}, the block of ${type}`,
    );
  }
  const elements = shape.reduce((product, extent) => product * extent, 1);
  return tensorBytes(row, elements) ?? fail("gguf/bad-tensor", `${where}: ${elements} elements of ${type} overflow`);
}

async function writeTensor(sink: ByteSink, tensor: GgufTensorToWrite, alignment: number): Promise<void> {
  const wantedBytes = sizeOf(tensor);
  let writtenBytes = 0;
  for await (const piece of tensor.data()) {
    writtenBytes += piece.length;
    if (writtenBytes > wantedBytes) break;
    await sink.write(piece);
  }
  if (writtenBytes !== wantedBytes) {
    const found = writtenBytes > wantedBytes ? `${writtenBytes} or more` : `${writtenBytes}`;
    fail("gguf/bad-tensor", `tensor ${quoted(tensor.name)}: wanted ${wantedBytes} bytes of data, found ${found}`);
  }
  const padBytes = padTo(wantedBytes, alignment) - wantedBytes;
  if (padBytes > 0) await sink.write(new Uint8Array(padBytes));
}

/** A little-endian byte buffer that doubles as it fills. */
class HeaderBytes {
  #bytes = new Uint8Array(65_536);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  #reserve(lengthBytes: number): number {
    const begin = this.#used;
    this.#used += lengthBytes;
    if (this.#used > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#used, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, begin));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return begin;
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
  }

  f32(value: number): void {
    const at = this.#reserve(4);
    this.#view.setFloat32(at, value, true);
  }

  f64(value: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value, true);
  }

  /** The same bits for signed and unsigned. */
  i64(value: bigint): void {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }

  size(value: number): void {
    this.u32(value % 4294967296);
    this.u32(Math.floor(value / 4294967296));
  }

  string(text: string): void {
    const bytes = encodeUtf8(text);
    this.size(bytes.length);
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  pad(alignment: number): void {
    this.#reserve(padTo(this.#used, alignment) - this.#used);
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#used);
  }
}
