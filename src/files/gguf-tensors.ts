/**
 * The tensor table of a GGUF header: reads it, resolves types, and proves that every tensor lies inside the file.
 *
 * Source: the GGUF specification (ggml `docs/gguf.md`). A row is: name, u32 number of dimensions, u64 of each, i32
 * type, u64 offset from the start of the data section.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { GGUF_TENSOR_NAME_BYTES_MAX, TENSORS_MAX, TENSOR_DIMS_MAX } from "../core/limits.ts";
import type { GgufReader } from "./gguf-reader.ts";
import { TENSOR_TYPES, refuseTensorType, tensorBytes, tensorTypeOfId } from "./tensor-types.ts";
import type { TensorType, TensorTypeName } from "./tensor-types.ts";

/** Where one tensor is, in bytes from the start of its file. */
export interface TensorPlace {
  readonly name: string;
  readonly type: TensorTypeName;
  /** shape[0] is contiguous: a matrix of r rows and c columns is [c, r]. */
  readonly shape: readonly number[];
  readonly position: number;
  readonly sizeBytes: number;
}

/** A row of the table as it stands in the file. */
interface TensorRow {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly typeId: number;
  readonly offset: number;
}

/** ggml's Q2_0, PrismML's first Q2_0 and Tencent's STQ1_0 share this id. */
const AMBIGUOUS_ID = 42;

/** Smallest row: empty name (8), dimensions (4), one of them (8), type (4), offset (8). */
const ROW_BYTES_MIN = 32;

/** Memory of a row: itself, its place, its entry by name, their shapes. */
const ROW_HELD_BYTES = 376;

/**
 * Reads `count` rows, in file order.
 * @throws OnebitError `gguf/limit`, `gguf/duplicate`, `gguf/bad-tensor`, `gguf/truncated`.
 */
export function readTensorRows(reader: GgufReader, count: number): TensorRow[] {
  if (count > TENSORS_MAX) fail("gguf/limit", `header: ${count} tensors, the limit is ${TENSORS_MAX}`);
  reader.where = "tensor table";
  reader.need(count * ROW_BYTES_MIN);
  const rows: TensorRow[] = [];
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    reader.where = `tensor ${i}`;
    reader.hold(ROW_HELD_BYTES);
    const row = readRow(reader);
    if (names.has(row.name)) fail("gguf/duplicate", `tensor ${quoted(row.name)}: appears twice`);
    names.add(row.name);
    rows.push(row);
  }
  return rows;
}

/** Skips `count` rows. @throws HeadTooShort, OnebitError `gguf/truncated` */
export function skipTensorRows(reader: GgufReader, count: number): void {
  for (let i = 0; i < count; i++) {
    reader.skipString();
    const nDims = reader.u32();
    // Type and offset follow.
    if (nDims <= TENSOR_DIMS_MAX) reader.skip(nDims * 8 + 12);
    else return;
  }
}

function readRow(reader: GgufReader): TensorRow {
  const name = reader.string(GGUF_TENSOR_NAME_BYTES_MAX);
  reader.where = `tensor ${quoted(name)}`;
  const nDims = reader.u32();
  if (nDims < 1 || nDims > TENSOR_DIMS_MAX) {
    fail("gguf/bad-tensor", `${reader.where}: ${nDims} dimensions, wanted 1 to ${TENSOR_DIMS_MAX}`);
  }
  // An array that grows by pushing starts with room for 17.
  const shape = new Array<number>(nDims);
  let elements = 1;
  for (let d = 0; d < nDims; d++) {
    const extent = reader.size();
    if (extent < 1 || extent > Number.MAX_SAFE_INTEGER / elements) {
      fail("gguf/bad-tensor", `${reader.where}: dimension ${d} is ${extent}, which no tensor can have`);
    }
    shape[d] = extent;
    elements *= extent;
  }
  return { name, shape, elements, typeId: reader.u32(), offset: reader.size() };
}

/**
 * Gives every row its type, size and place, and checks that tensors are aligned, inside the file and apart.
 *
 * @param dataPosition where the data section starts, in bytes; offsets count from there
 * @throws OnebitError `tensor/unsupported-type`, `gguf/bad-tensor`, `gguf/tensor-outside-file`.
 */
export function placeTensors(
  rows: readonly TensorRow[],
  dataPosition: number,
  fileSizeBytes: number,
  alignment: number,
): TensorPlace[] {
  for (const row of rows) {
    if (row.offset % alignment !== 0) {
      fail(
        "gguf/bad-tensor",
        `tensor ${quoted(row.name)}: offset ${row.offset} is not a multiple of the alignment ${alignment}`,
      );
    }
  }
  const ambiguous = resolveAmbiguousType(rows, fileSizeBytes - dataPosition, alignment);
  const places = rows.map((row) => {
    const type = row.typeId === AMBIGUOUS_ID ? ambiguous : tensorTypeOfId(row.typeId);
    const sizeBytes = sizeOf(row, type ?? refuseTensorType(row.name, row.typeId));
    return { name: row.name, type: type!.name, shape: row.shape, position: dataPosition + row.offset, sizeBytes };
  });
  for (const place of places) requireInside(place, fileSizeBytes);
  requireApart(places, alignment, dataPosition);
  return places;
}

function sizeOf(row: TensorRow, type: TensorType): number {
  const where = `tensor ${quoted(row.name)}`;
  if (row.shape[0]! % type.blockElements !== 0) {
    fail(
      "gguf/bad-tensor",
      `${where}: its first dimension ${row.shape[0]} is not a multiple of ${type.blockElements}, the block ` +
        `of ${type.name}`,
    );
  }
  return (
    tensorBytes(type, row.elements) ??
    fail("gguf/bad-tensor", `${where}: ${row.elements} elements of ${type.name} overflow`)
  );
}

function requireInside(place: TensorPlace, fileSizeBytes: number): void {
  const end = place.position + place.sizeBytes;
  if (end <= fileSizeBytes) return;
  fail(
    "gguf/tensor-outside-file",
    `tensor ${quoted(place.name)}: ends at byte ${end}, the file has ${fileSizeBytes}; download or copy it again`,
  );
}

/**
 * As ggml demands, tensors follow each other in table order with only padding between. Writers of the BitNet fork's
 * I2_S disagreed about its tail, so those files may have holes but no overlap.
 */
function requireApart(places: readonly TensorPlace[], alignment: number, dataPosition: number): void {
  const lenient = places.some((place) => place.type === "I2_S");
  const ordered = lenient ? [...places].sort((a, b) => a.position - b.position) : places;
  let free = dataPosition;
  for (const place of ordered) {
    if (place.position < free) {
      fail(
        "gguf/bad-tensor",
        `tensor ${quoted(place.name)}: starts at byte ${place.position}, inside the tensor before it, which ends ` +
          `at ${free}`,
      );
    }
    if (place.position > free && !lenient) {
      fail(
        "gguf/bad-tensor",
        `tensor ${quoted(place.name)}: starts at byte ${place.position}, wanted ${free}: the tensors leave a hole`,
      );
    }
    free = padTo(place.position + place.sizeBytes, alignment);
  }
}

/** The next multiple of `alignment`; no bit operations, because files exceed 2^32 bytes. */
export function padTo(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment;
}

/**
 * What id 42 means in this file, by the distance between tensors: 18 bytes per 64 weights, 34 per 128 or 42 per 256.
 * One file has one meaning, so a candidate must explain every tensor; bytes may follow the last one.
 */
function resolveAmbiguousType(rows: readonly TensorRow[], dataBytes: number, alignment: number): TensorType {
  const official = TENSOR_TYPES.Q2_0;
  if (!rows.some((row) => row.typeId === AMBIGUOUS_ID)) return official;
  const ordered = [...rows].sort((a, b) => a.offset - b.offset);
  const explains = (elements: number, bytes: number, exactAtEnd: boolean): boolean =>
    ordered.every((row, i) => {
      if (row.typeId !== AMBIGUOUS_ID) return true;
      if (row.shape[0]! % elements !== 0) return false;
      const size = (row.elements / elements) * bytes;
      const next = ordered[i + 1]?.offset;
      if (next !== undefined) return padTo(size, alignment) === next - row.offset;
      const rest = dataBytes - row.offset;
      return exactAtEnd ? size === rest || padTo(size, alignment) === rest : size <= rest;
    });
  for (const exactAtEnd of [true, false]) {
    if (explains(64, 18, exactAtEnd)) return official;
    if (explains(128, 34, exactAtEnd)) return TENSOR_TYPES.Q2_0_G128;
    if (explains(256, 42, exactAtEnd)) return TENSOR_TYPES.STQ1_0;
  }
  // No meaning fits: checking the official one tells which tensor is outside the file or overlaps.
  return official;
}
