/**
 * GGUF metadata: reading the key-value pairs, and typed access to them afterwards.
 *
 * Source: the GGUF specification (ggml `docs/gguf.md`), value types 0–12.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { GGUF_ARRAY_ITEMS_MAX, GGUF_KEYS_MAX, GGUF_KEY_BYTES_MAX, GGUF_STRING_BYTES_MAX } from "../core/limits.ts";
import type { GgufReader } from "./gguf-reader.ts";

export type GgufNumberArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** An array of numbers is a typed array of the file's own type: it takes no more memory than in the file. */
export type GgufArray = readonly string[] | readonly boolean[] | GgufNumberArray | BigUint64Array | BigInt64Array;

/** 64-bit integers are numbers where that is exact, bigints beyond 2^53. */
export type GgufValue = string | number | bigint | boolean | GgufArray;

export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** Names of the scalar value types; the index is the id in the file. Id 9 is the array. */
export const GGUF_VALUE_TYPES = [
  "uint8",
  "int8",
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "bool",
  "string",
  "array",
  "uint64",
  "int64",
  "float64",
] as const;

/** Smallest bytes one item of each type takes in the file, by id; 0 for the array. */
const ITEM_BYTES: readonly number[] = [1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8];
/** An item of a list of anything but numbers. */
const POINTER_BYTES = 8;
/** A map's entry whose number V8 boxes. */
const ENTRY_BYTES = 80;
const UINT32 = 4;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

/**
 * Reads `count` key-value pairs.
 * @throws OnebitError `gguf/limit`, `gguf/duplicate`, `gguf/bad-value`, `gguf/truncated`.
 */
export function readMetadata(reader: GgufReader, count: number): Map<string, GgufValue> {
  if (count > GGUF_KEYS_MAX) fail("gguf/limit", `header: ${count} metadata keys, the limit is ${GGUF_KEYS_MAX}`);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    reader.where = `metadata key ${i}`;
    reader.hold(ENTRY_BYTES);
    const key = reader.string(GGUF_KEY_BYTES_MAX);
    if (key === "") fail("gguf/bad-value", `metadata key ${i}: is empty`);
    if (metadata.has(key)) fail("gguf/duplicate", `metadata key ${quoted(key)}: appears twice`);
    reader.where = `metadata key ${quoted(key)}`;
    const typeId = reader.u32();
    if (key === "general.alignment" && typeId !== UINT32) {
      fail("gguf/bad-value", `metadata key "${key}": wanted uint32, found ${typeName(typeId)}`);
    }
    metadata.set(key, typeId === ARRAY ? readArray(reader) : readScalar(reader, typeId));
  }
  return metadata;
}

/** Skips `count` pairs; false if parsing would refuse one. @throws HeadTooShort, OnebitError `gguf/truncated` */
export function skipMetadata(reader: GgufReader, count: number): boolean {
  for (let i = 0; i < count; i++) {
    reader.skipString();
    const typeId = reader.u32(),
      isArray = typeId === ARRAY;
    const itemType = isArray ? reader.u32() : typeId,
      nItems = isArray ? reader.size() : 1,
      itemBytes = ITEM_BYTES[itemType];
    if (itemBytes === undefined || itemType === ARRAY || nItems > GGUF_ARRAY_ITEMS_MAX) return false;
    if (itemType !== STRING) reader.skip(nItems * itemBytes);
    else for (let item = 0; item < nItems; item++) reader.skipString();
  }
  return true;
}

function typeName(typeId: number): string {
  return GGUF_VALUE_TYPES[typeId] ?? `value type ${typeId}`;
}

function readScalar(reader: GgufReader, typeId: number): GgufValue {
  switch (typeId) {
    case 0:
      return reader.u8();
    case 1:
      return reader.i8();
    case 2:
      return reader.u16();
    case 3:
      return reader.i16();
    case UINT32:
      return reader.u32();
    case 5:
      return reader.i32();
    case 6:
      return reader.f32();
    case BOOL:
      return readBoolean(reader);
    case STRING:
      return reader.string(GGUF_STRING_BYTES_MAX);
    case 10:
      return reader.u64();
    case 11:
      return reader.i64();
    case 12:
      return reader.f64();
    default:
      return fail("gguf/bad-value", `${reader.where}: value type ${typeId} does not exist`);
  }
}

function readBoolean(reader: GgufReader): boolean {
  const byte = reader.u8();
  if (byte > 1) fail("gguf/bad-value", `${reader.where}: a boolean must be 0 or 1, found ${byte}`);
  return byte === 1;
}

function readArray(reader: GgufReader): GgufArray {
  const typeId = reader.u32();
  const count = reader.size();
  if (typeId === ARRAY) fail("gguf/bad-value", `${reader.where}: is an array of arrays, which GGUF readers refuse`);
  const itemBytes =
    ITEM_BYTES[typeId] ?? fail("gguf/bad-value", `${reader.where}: array of unknown value type ${typeId}`);
  if (count > GGUF_ARRAY_ITEMS_MAX) {
    fail("gguf/limit", `${reader.where}: an array of ${count} items, the limit is ${GGUF_ARRAY_ITEMS_MAX}`);
  }
  // Before allocating: the items must fit in the rest of the file, and be at hand.
  reader.need(count * itemBytes);
  if (typeId === STRING || typeId === BOOL) reader.hold(count * POINTER_BYTES);
  if (typeId === STRING) return readItems(count, () => reader.string(GGUF_STRING_BYTES_MAX));
  if (typeId === BOOL) return readItems(count, () => readBoolean(reader));
  return numberArray(typeId, reader.copy(count * itemBytes));
}

function readItems<Item>(count: number, read: () => Item): Item[] {
  const items = new Array<Item>(count);
  for (let i = 0; i < count; i++) items[i] = read();
  return items;
}

/** The file is little-endian, and so is every engine that runs this library, as WebAssembly is. */
function numberArray(typeId: number, bytes: ArrayBuffer): GgufArray {
  switch (typeId) {
    case 0:
      return new Uint8Array(bytes);
    case 1:
      return new Int8Array(bytes);
    case 2:
      return new Uint16Array(bytes);
    case 3:
      return new Int16Array(bytes);
    case UINT32:
      return new Uint32Array(bytes);
    case 5:
      return new Int32Array(bytes);
    case 6:
      return new Float32Array(bytes);
    case 10:
      return new BigUint64Array(bytes);
    case 11:
      return new BigInt64Array(bytes);
    default:
      return new Float64Array(bytes);
  }
}

/** The string at `key`, or undefined if there is none. @throws OnebitError `gguf/bad-value` if it is not a string. */
export function findString(metadata: GgufMetadata, key: string): string | undefined {
  const value = metadata.get(key);
  return value === undefined || typeof value === "string" ? value : refuse(key, "a string", value);
}

/** The number at `key`, or undefined. A bigint beyond 2^53 and a NaN are refused. */
export function findNumber(metadata: GgufMetadata, key: string): number | undefined {
  const value = metadata.get(key);
  if (value === undefined || (typeof value === "number" && !Number.isNaN(value))) return value;
  return refuse(key, "a number", value);
}

/** The integer at `key` in `[min, max]`, or undefined. */
export function findInteger(
  metadata: GgufMetadata,
  key: string,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  return refuse(key, `an integer in ${min}…${max}`, value);
}

export function findBoolean(metadata: GgufMetadata, key: string): boolean | undefined {
  const value = metadata.get(key);
  return value === undefined || typeof value === "boolean" ? value : refuse(key, "a boolean", value);
}

export function findStringArray(metadata: GgufMetadata, key: string): readonly string[] | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (Array.isArray(value) && (value.length === 0 || typeof value[0] === "string")) return value as readonly string[];
  return refuse(key, "an array of strings", value);
}

/** The numbers at `key`; 64-bit ones come as a Float64Array and must be exact. */
export function findNumberArray(metadata: GgufMetadata, key: string): GgufNumberArray | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (value instanceof BigInt64Array || value instanceof BigUint64Array) {
    const numbers = Float64Array.from(value as Iterable<bigint>, Number);
    return numbers.every(Number.isSafeInteger) ? numbers : refuse(key, "numbers below 2^53", value);
  }
  return ArrayBuffer.isView(value) ? (value as GgufNumberArray) : refuse(key, "an array of numbers", value);
}

/** Like `findString`, for a key that must be there. */
export function getString(metadata: GgufMetadata, key: string): string {
  return findString(metadata, key) ?? refuse(key, "a string", undefined);
}

export function getNumber(metadata: GgufMetadata, key: string): number {
  return findNumber(metadata, key) ?? refuse(key, "a number", undefined);
}

export function getInteger(metadata: GgufMetadata, key: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  return findInteger(metadata, key, min, max) ?? refuse(key, `an integer in ${min}…${max}`, undefined);
}

export function getBoolean(metadata: GgufMetadata, key: string): boolean {
  return findBoolean(metadata, key) ?? refuse(key, "a boolean", undefined);
}

export function getStringArray(metadata: GgufMetadata, key: string): readonly string[] {
  return findStringArray(metadata, key) ?? refuse(key, "an array of strings", undefined);
}

export function getNumberArray(metadata: GgufMetadata, key: string): GgufNumberArray {
  return findNumberArray(metadata, key) ?? refuse(key, "an array of numbers", undefined);
}

function refuse(key: string, wanted: string, found: GgufValue | undefined): never {
  return fail("gguf/bad-value", `metadata key "${key}": wanted ${wanted}, found ${describe(found)}`);
}

function describe(value: GgufValue | undefined): string {
  if (value === undefined) return "nothing: the key is missing";
  if (typeof value === "string") return `the string ${quoted(value)}`;
  if (typeof value === "object") {
    return Array.isArray(value)
      ? `an array of ${value.length} ${typeof value[0]}s`
      : `${value.constructor.name} of ${value.length}`;
  }
  return `the ${typeof value} ${value}`;
}
