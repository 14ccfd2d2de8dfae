/**
 * GGUF bytes put together by hand, right or wrong: apart from the library's writer, which refuses what is wrong.
 */

/** Little-endian integers and length-prefixed strings, joined. */
export function join(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return joinAll(parts);
}

/** For more parts than one call takes arguments. */
export function joinAll(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function u16(value: number): Uint8Array {
  return new Uint8Array(new Uint16Array([value]).buffer);
}

export function u32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

export function f32(value: number): Uint8Array {
  return new Uint8Array(new Float32Array([value]).buffer);
}

export function f64(value: number): Uint8Array {
  return new Uint8Array(new Float64Array([value]).buffer);
}

/** Also of negative numbers, as a file's signed fields hold them. */
export function u64(value: number | bigint): Uint8Array {
  return new Uint8Array(new BigUint64Array([BigInt.asUintN(64, BigInt(value))]).buffer);
}

export function str(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return join(u64(bytes.length), bytes);
}

/** Ids of value types. */
export const TYPE = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

/** One key-value pair from its already encoded value. */
export function pair(key: string, type: number, value: Uint8Array | readonly number[]): Uint8Array {
  return join(str(key), u32(type), value);
}

export interface RawTensor {
  readonly name: string;
  readonly dims: readonly (number | bigint)[];
  readonly type: number;
  readonly offset: number | bigint;
  readonly nDims?: number;
}

export interface RawFile {
  readonly magic?: string;
  readonly version?: number;
  readonly nTensors?: number | bigint;
  readonly nKeys?: number | bigint;
  readonly pairs?: readonly Uint8Array[];
  readonly tensors?: readonly RawTensor[];
  readonly dataBytes?: number;
  readonly alignment?: number;
}

/** A file; counts default to what it holds. */
export function rawGguf(file: RawFile): Uint8Array {
  const { magic = "GGUF", version = 3, pairs = [], tensors = [], dataBytes = 0, alignment = 32 } = file;
  const head = join(
    new TextEncoder().encode(magic),
    u32(version),
    u64(file.nTensors ?? tensors.length),
    u64(file.nKeys ?? pairs.length),
    ...pairs,
    ...tensors.map((tensor) =>
      join(
        str(tensor.name),
        u32(tensor.nDims ?? tensor.dims.length),
        ...tensor.dims.map(u64),
        u32(tensor.type),
        u64(tensor.offset),
      ),
    ),
  );
  const padBytes = tensors.length === 0 ? 0 : Math.ceil(head.length / alignment) * alignment - head.length;
  return join(head, new Uint8Array(padBytes + dataBytes));
}
