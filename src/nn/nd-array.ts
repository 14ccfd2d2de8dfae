/**
 * Plain arrays with a shape: the inputs and outputs of layers.
 *
 * @module
 */
import { fail, shown } from "../core/errors.ts";
import { type Kind, check, kind, list, whole } from "../core/options.ts";

/** Numbers in row-major order: the last dimension is contiguous. */
export interface NdArray<Data extends Float32Array | Int32Array = Float32Array> {
  /** As many as the product of the shape. */
  readonly data: Data;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
}

/** Ids of tokens. */
export type IdArray = NdArray<Int32Array>;

/** Nothing here has more than four dimensions, and no real shape more than these. */
const DIMENSIONS_MAX = 32;

const NUMBERS = list(
  "a list of numbers",
  kind<number>("a number", (value) => typeof value === "number"),
);
export const IDS = list("a list of ids", whole(-(2 ** 31), 2 ** 31 - 1));

/** A copy of a shape. @throws OnebitError `model/bad-shape` */
export function checkShape(shape: unknown, what: string): number[] {
  return check(what, shape, (value) => {
    const isShape =
      Array.isArray(value) &&
      value.length > 0 &&
      value.length <= DIMENSIONS_MAX &&
      value.every((extent) => Number.isSafeInteger(extent) && extent > 0);
    const found =
      Array.isArray(value) && value.length <= DIMENSIONS_MAX ? `[${value.map(shown).join(", ")}]` : shown(value);
    return isShape
      ? [...(value as number[])]
      : fail("model/bad-shape", `${what}: wanted a shape of positive whole numbers, got ${found}`);
  });
}

/**
 * Numbers and their shape; without one, a vector. A Float32Array is taken as it is, others are copied.
 *
 * @throws OnebitError `model/bad-shape`, `option/invalid` for what are no numbers
 * @example
 * ```ts
 * import { array } from "onebit/nn";
 *
 * const x = array([1, 2, 3, 4, 5, 6], [2, 3]);
 * console.log(x.shape, x.data);
 * ```
 */
export function array(data: ArrayLike<number>, shape?: readonly number[]): NdArray {
  const numbers = check("data", data, (value, name, code) =>
    value instanceof Float32Array ? value : Float32Array.from(NUMBERS(value, name, code)),
  );
  return checkArray({ data: numbers, shape: shape === undefined ? [numbers.length] : shape }, "array");
}

/**
 * Ids and their shape, usually (batch, length); without one, one sequence. An Int32Array is taken as it is.
 *
 * @throws OnebitError `model/bad-shape`, `option/invalid` for what are no whole numbers
 * @example
 * ```ts
 * import { ids } from "onebit/nn";
 *
 * console.log(ids([3, 1, 4]).shape); // 1, 3
 * ```
 */
export function ids(data: ArrayLike<number>, shape?: readonly number[]): IdArray {
  const found = check("data", data, (value, name, code) =>
    value instanceof Int32Array ? value : Int32Array.from(IDS(value, name, code)),
  );
  return checkIdArray({ data: found, shape: shape === undefined ? [1, found.length] : shape }, "ids");
}

/**
 * @throws OnebitError `model/bad-shape` unless the shape has as many numbers as the data, and at least one;
 * `option/invalid`
 */
export function checkArray(value: unknown, what: string): NdArray {
  return checkParts(
    value,
    what,
    kind<Float32Array>("a Float32Array", (data) => data instanceof Float32Array),
  );
}

/** @throws as {@link checkArray} */
export function checkIdArray(value: unknown, what: string): IdArray {
  return checkParts(
    value,
    what,
    kind<Int32Array>("an Int32Array", (data) => data instanceof Int32Array),
  );
}

function checkParts<Data extends Float32Array | Int32Array>(
  given: unknown,
  what: string,
  dataKind: Kind<Data>,
): NdArray<Data> {
  const { data, shape } = check(what, given, (value, name, code) => {
    const parts = kind<NdArray<Data>>("{ data, shape }", (each) => typeof each === "object" && each !== null)(
      value,
      name,
      code,
    );
    return { data: dataKind(parts.data, `${name}: data`, code), shape: checkShape(parts.shape, name) };
  });
  const size = sizeOf(shape);
  if (size !== data.length)
    fail("model/bad-shape", `${what}: wanted ${size} numbers for the shape ${shape.join(" × ")}, got ${data.length}`);
  return { data, shape };
}

/** @throws OnebitError `model/bad-shape` unless the last extent is `extent` */
export function requireColumns(shape: readonly number[], extent: number, what: string): void {
  if (checkShape(shape, what).at(-1) !== extent)
    fail("model/bad-shape", `${what}: wanted an input (…, ${extent}), got ${shape.join(" × ")}`);
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
