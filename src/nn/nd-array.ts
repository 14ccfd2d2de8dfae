/**
 * Plain arrays with a shape: what goes into layers and comes out.
 *
 * @module
 */
import { fail } from "../core/errors.ts";

/** Numbers in row-major order: the last dimension is contiguous. */
export interface NdArray<Data extends Float32Array | Int32Array = Float32Array> {
  readonly data: Data;
  readonly shape: readonly number[];
}

/** Ids of tokens. */
export type IdArray = NdArray<Int32Array>;

/**
 * Numbers and their shape; without one, a vector. A Float32Array is taken as it is, others are copied.
 * @throws OnebitError `model/bad-shape`
 */
export function array(data: ArrayLike<number>, shape: readonly number[] = [data.length]): NdArray {
  const found = { data: data instanceof Float32Array ? data : Float32Array.from(data), shape };
  requireConsistent(found, "array");
  return found;
}

/**
 * Ids and their shape, usually (batch, length); without one, one sequence. An Int32Array is taken as it is.
 * @throws OnebitError `model/bad-shape`
 */
export function ids(data: ArrayLike<number>, shape: readonly number[] = [1, data.length]): IdArray {
  const found = { data: data instanceof Int32Array ? data : Int32Array.from(data), shape };
  requireConsistent(found, "ids");
  return found;
}

/** @throws OnebitError `model/bad-shape` unless the shape has as many numbers as the data, and at least one */
export function requireConsistent({ data, shape }: NdArray<Float32Array | Int32Array>, what: string): void {
  const size = sizeOf(shape), extents = shape.join(" × ");
  if (shape.length === 0 || !shape.every((extent) => Number.isSafeInteger(extent) && extent > 0)) {
    fail("model/bad-shape", `${what}: wanted a shape of positive whole numbers, got [${shape.join(", ")}]`);
  }
  if (size !== data.length) fail("model/bad-shape", `${what}: wanted ${size} numbers for the shape ${extents}, got ${data.length}`);
}

/** @throws OnebitError `model/bad-shape` unless the last extent is `extent` */
export function requireColumns(shape: readonly number[], extent: number, what: string): void {
  if (shape.at(-1) !== extent) fail("model/bad-shape", `${what}: wanted an input (…, ${extent}), got ${shape.join(" × ")}`);
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
