/**
 * Floats that are 1-bit weights written out: matrices that hold only −s, 0, +s, one s for some consecutive inputs of a
 * row, or for a row, or for all. Hugging Face checkpoints of ternary models are often stored so, some with the scales
 * of rows beside the matrix (`X.scales`). The beginning of a matrix tells; the whole of it is checked while it loads.
 *
 * @module
 */
import { readBytes } from "../core/byte-source.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { type FloatTypeName, TENSOR_TYPES, isFloatType } from "../files/tensor-types.ts";
import { refuseRowScales } from "./repack.ts";
import type { StoredEncoding, Unpacked } from "./weights.ts";

/**
 * Which of them to look for: `all`; `scaled`, those with scales of rows beside them, without which their numbers mean
 * nothing; or `none`, which reads nothing.
 */
export type Unpacks = "all" | "scaled" | "none";

/** A row that looks ternary by chance is no harm, only a second reading of the file; four do not. */
const ROWS_READ = 4;

/** Groups to try: the formats of packed ternary weights have these. */
const GROUPS = [128, 64] as const;

/** One row of binary weights has this many. */
const BINARY_GROUP = 128;

/**
 * What the beginnings of matrices tell.
 * @param linears tensors of projections, floats by their type and by what the file says
 * @returns by name, those that hold 1-bit weights
 * @throws OnebitError `file/read`; `tensor/bad-data` when `X.scales` stands beside a matrix of other floats
 */
export async function findUnpacked(
  linears: readonly TensorInfo[],
  tensors: ReadonlyMap<string, TensorInfo>,
  unpacks: Unpacks,
): Promise<Map<string, StoredEncoding>> {
  const found = new Map<string, StoredEncoding>();
  for (const tensor of unpacks === "none" ? [] : linears) {
    const rowScales = tensors.get(tensor.name.replace(/\.weight$/, ".scales"));
    if (unpacks === "scaled" && rowScales === undefined) continue;
    const unpacked = await unpackedIn(tensor);
    if (unpacked !== undefined) found.set(tensor.name, { kind: "unpacked", ...unpacked, rowScales: rowScales?.name });
    else if (rowScales !== undefined) refuseRowScales(tensor, rowScales, 0);
  }
  return found;
}

/** What the first rows of a matrix hold; undefined for other floats. */
async function unpackedIn({ source, position, type, shape }: TensorInfo): Promise<Unpacked | undefined> {
  const [k, rows] = shape;
  if (!isFloatType(type) || k === undefined || rows === undefined) return undefined;
  const rowBytes = k * TENSOR_TYPES[type].blockBytes,
    nRows = Math.min(ROWS_READ, rows),
    magnitudes = magnitudesOf(type, await readBytes(source, position, nRows * rowBytes));
  const group = GROUPS.find((size) => (size === 64 || k % size === 0) && haveOneMagnitude(magnitudes, k, size));
  if (group === undefined || magnitudes.every((bits) => bits === 0)) return undefined;
  const isBinary = k % BINARY_GROUP === 0 && !magnitudes.includes(0);
  return { weights: isBinary ? "binary" : "ternary", group };
}

/** The bits of floats without their signs. */
function magnitudesOf(type: FloatTypeName, bytes: Uint8Array): Uint16Array | Uint32Array {
  const { buffer, byteOffset, byteLength } = bytes.slice();
  return type === "F32"
    ? new Uint32Array(buffer, byteOffset, byteLength / 4).map((bits) => bits & 0x7fffffff)
    : new Uint16Array(buffer, byteOffset, byteLength / 2).map((bits) => bits & 0x7fff);
}

/** Whether the numbers of each group of a row that are not 0 are the same. */
function haveOneMagnitude(magnitudes: Uint16Array | Uint32Array, k: number, group: number): boolean {
  for (let row = 0; row < magnitudes.length; row += k) {
    for (let begin = row; begin < row + k; begin += group) {
      const values = magnitudes.subarray(begin, Math.min(begin + group, row + k)),
        one = values.find((bits) => bits !== 0);
      if (!values.every((bits) => bits === 0 || bits === one)) return false;
    }
  }
  return true;
}
