/**
 * Finds non-finite numbers in rows kept as the file has them: one NaN scale would turn every logit into NaN, and the
 * user should learn which tensor is damaged.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { TENSOR_TYPES, type TensorTypeName } from "../files/tensor-types.ts";

/** Exponent bits of a 16-bit float, all ones for infinities and NaN. */
const F16_EXPONENT = 0x7c00,
  BF16_EXPONENT = 0x7f80;

/** Byte offsets of the 16-bit floats in a block. */
const FLOATS: Readonly<
  Partial<Record<TensorTypeName, { readonly offsets: readonly number[]; readonly exponent: number }>>
> = {
  F16: { offsets: [0], exponent: F16_EXPONENT },
  BF16: { offsets: [0], exponent: BF16_EXPONENT },
  // The upper half of an f32 is a bf16.
  F32: { offsets: [2], exponent: BF16_EXPONENT },
  Q4_0: { offsets: [0], exponent: F16_EXPONENT },
  Q8_0: { offsets: [0], exponent: F16_EXPONENT },
  Q4_K: { offsets: [0, 2], exponent: F16_EXPONENT },
  Q6_K: { offsets: [208], exponent: F16_EXPONENT },
};

/**
 * Checks `nRows` rows of `rowBytes` at address `at`; `row` is the number of the first.
 * @throws OnebitError `tensor/bad-data` naming the row.
 */
export function checkFinite(
  memory: WebAssembly.Memory,
  tensor: TensorInfo,
  at: number,
  row: number,
  nRows: number,
  rowBytes: number,
): void {
  const floats = FLOATS[tensor.type];
  if (!floats) return;
  const halves = new Uint16Array(memory.buffer, at, (nRows * rowBytes) >> 1);
  const stride = TENSOR_TYPES[tensor.type].blockBytes >> 1,
    { exponent } = floats;
  for (const offset of floats.offsets) {
    for (let i = offset >> 1; i < halves.length; i += stride) {
      if ((halves[i] & exponent) !== exponent) continue;
      const badRow = row + Math.floor((i * 2) / rowBytes);
      fail(
        "tensor/bad-data",
        `tensor "${tensor.name}": row ${badRow} holds a number that is not finite; the file is damaged`,
      );
    }
  }
}
