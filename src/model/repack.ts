/**
 * From file bytes to the layouts of the kernels, 32 rows at a time: decode each row to one code a byte, then pack the
 * tile. Both halves are wasm; this places them and the scales.
 *
 * @module
 */
import { TERNARY_BLOCK, TILE_ROWS } from "../../assembly/abi.ts";
import { fail, quoted } from "../core/errors.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { TENSOR_TYPES, kernelTypeId } from "../files/tensor-types.ts";
import { halfToFloat } from "../files/float16.ts";
import { roundUp } from "../kernels/layouts.ts";
import { checkFinite } from "./finite.ts";
import type { PlacedMatrix } from "./plan.ts";
import { type LoadContext, type ReadJob, keptJobs, rowJobs } from "./read-jobs.ts";
import { closedRows, fileRow, memoryRow } from "./row-order.ts";
import type { Encoding, StoredEncoding } from "./weights.ts";

/** The reads of one matrix, and what they showed of its scales. */
export interface Unpacking {
  readonly placed: PlacedMatrix;
  readonly jobs: readonly ReadJob[];
  /** One scale a row, when every row proved to have only one; padding rows have 0. */
  rowScales(): Float32Array | undefined;
  /** What the matrix holds, when the whole of it is not what its beginning was. */
  misread?(): StoredEncoding | undefined;
}

/** Scales that are tensors of their own, or at the end of one. */
export interface LoadedScales {
  readonly scalars: ReadonlyMap<TensorInfo, number>;
  /** A number for each row of a matrix. */
  readonly rows: ReadonlyMap<TensorInfo, Float32Array>;
}

const CODE_INVALID = 1;

export function createRepacker(context: LoadContext, placed: PlacedMatrix, scales: LoadedScales): Unpacking {
  const { tensor, encoding } = placed.matrix;
  if (encoding.kind === "packed")
    return packedUnpacking(context, placed, scales.scalars.get(encoding.scale.tensor)!, encoding.divide);
  if (encoding.kind === "masters") return mastersUnpacking(context, placed);
  if (encoding.kind === "unpacked") return unpackedUnpacking(context, placed, encoding, scales.rows);
  const type = TENSOR_TYPES[tensor.type];
  if (type.layout !== "dense") return blockUnpacking(context, placed, scales.scalars.get(tensor));
  return { placed, jobs: denseJobs(context, placed), rowScales: () => undefined };
}

/** Where a tile is unpacked: codes of 32 rows, their f16 scales, one row of f32. */
function unpackRoom({ unpackAt }: LoadContext, { size: { kp } }: PlacedMatrix) {
  const codeStride = roundUp(kp, 64),
    scaleStride = roundUp(Math.ceil(kp / TERNARY_BLOCK) * 2, 64);
  const scales = unpackAt + TILE_ROWS * codeStride;
  return { codes: unpackAt, codeStride, scales, scaleStride, row: scales + TILE_ROWS * scaleStride };
}

/** Packs the 32 rows of codes in the unpacking room as tile `tile`. */
function packTile(
  { kernels }: LoadContext,
  { layout, size, weightAt }: PlacedMatrix,
  codes: number,
  codeStride: number,
  tile: number,
): void {
  kernels.packTile(layout.id, codes, codeStride, weightAt, tile, size.rowsPadded / TILE_ROWS, size.kp);
}

/** Decodes one row to codes and f16 scales; 0, or why it cannot be. */
type DecodeRow = (from: number, row: number, codes: number, scales: number) => number;

/** Jobs that decode rows of blocks, each with its scale, and pack them by tiles. */
function tileJobs(
  context: LoadContext,
  placed: PlacedMatrix,
  rowBytes: number,
  decode: DecodeRow,
  onBadRow: (row: number, verdict: number) => void,
) {
  const { memory } = context,
    { matrix, layout, size } = placed,
    { tensor, rows, order } = matrix;
  const room = unpackRoom(context, placed),
    scaleSink = createScaleSink(context, placed);
  const process = (at: number, row: number, nRows: number) => {
    for (let begin = 0; begin < nRows; begin += TILE_ROWS) {
      const n = Math.min(TILE_ROWS, nRows - begin),
        codeBytes = new Uint8Array(memory.buffer, room.codes, TILE_ROWS * room.codeStride);
      if (n < TILE_ROWS) codeBytes.fill(layout.paddingCode, n * room.codeStride);
      for (let i = 0; i < n; i++) {
        const inFile = fileRow(order, row + begin + i);
        const verdict = decode(
          at + (inFile - row) * rowBytes,
          inFile,
          room.codes + i * room.codeStride,
          room.scales + i * room.scaleStride,
        );
        if (verdict !== 0) onBadRow(inFile, verdict);
      }
      packTile(context, placed, room.codes, room.codeStride, (row + begin) / TILE_ROWS);
      if (size.nScaleBlocks > 0) scaleSink.put(room.scales, room.scaleStride, row + begin, n);
    }
  };
  return { jobs: rowJobs(context, tensor, rows, rowBytes, closedRows(order, TILE_ROWS), process), scaleSink };
}

/** Types whose blocks carry their scales (and I2_S, whose one scale is `tensorScale`). */
function blockUnpacking(context: LoadContext, placed: PlacedMatrix, tensorScale: number | undefined): Unpacking {
  const { kernels } = context,
    { tensor, k } = placed.matrix;
  const type = TENSOR_TYPES[tensor.type];
  // The same bytes under two ids, one of them ambiguous.
  const typeId = kernelTypeId(type.name === "Q2_0_G128" ? { name: tensor.name, type: "PQ2_0" } : tensor);
  const decode = type.layout === "binary" ? kernels.decodeBinaryRow : kernels.decodeTernaryRow;
  const { jobs, scaleSink } = tileJobs(
    context,
    placed,
    (k / type.blockElements) * type.blockBytes,
    (from, _row, codes, scales) => decode(typeId, from, k, codes, scales),
    (row, verdict) => badRow(tensor, row, verdict),
  );
  return {
    placed,
    jobs,
    rowScales() {
      if (tensorScale === undefined) return scaleSink.rowScales();
      placeUniform(context, placed, tensorScale);
      return undefined;
    },
  };
}

/** Verdicts on a row of floats, besides another weight and a scale that f16 cannot hold. */
const FLOATS_NOT_FINITE = 2;

/**
 * Floats that hold only −s, 0, +s. Where a row does not, whatever the rows before it were, the matrix is floats; one
 * taken for binary may still be ternary.
 */
function unpackedUnpacking(
  context: LoadContext,
  placed: PlacedMatrix,
  { weights, group, rowScales }: Extract<Encoding, { kind: "unpacked" }>,
  scalesOfRows: LoadedScales["rows"],
): Unpacking {
  const { kernels } = context,
    { tensor, k } = placed.matrix,
    typeId = kernelTypeId(tensor),
    factors = rowScales === undefined ? undefined : scalesOfRows.get(rowScales.tensor),
    isBinary = Number(weights === "binary");
  let isMisread = false;
  const { jobs, scaleSink } = tileJobs(
    context,
    placed,
    k * TENSOR_TYPES[tensor.type].blockBytes,
    (from, row, codes, scales) =>
      kernels.decodeUnpackedRow(typeId, from, k, group, factors?.[row] ?? 1, isBinary, codes, scales),
    (row, verdict) => {
      if (verdict === FLOATS_NOT_FINITE)
        fail(
          "tensor/bad-data",
          `tensor "${tensor.name}": row ${row} holds a number that is not finite; the file is damaged`,
        );
      if (rowScales !== undefined && isBinary === 0) refuseRowScales(tensor, rowScales.tensor, row);
      isMisread = true;
    },
  );
  return {
    placed,
    jobs,
    rowScales: scaleSink.rowScales,
    misread() {
      if (!isMisread) return undefined;
      const isTernaryPossible = isBinary === 1;
      return isTernaryPossible
        ? { kind: "unpacked", weights: "ternary", group, rowScales: rowScales?.tensor.name }
        : { kind: "typed" };
    },
  };
}

function badRow(tensor: TensorInfo, row: number, verdict: number): never {
  const what =
    verdict === CODE_INVALID
      ? "holds the code 3, which no ternary weight has: the tensor is of another type (SEQ has 4 levels) or " +
        "layout, or the file is damaged"
      : "has a scale that is not finite: the file is damaged";
  return fail("tensor/bad-data", `tensor "${tensor.name}": row ${row} ${what}`);
}

/** @throws OnebitError `tensor/bad-data`, always */
export function refuseRowScales({ name }: TensorInfo, scales: TensorInfo, row: number): never {
  return fail(
    "tensor/bad-data",
    `tensor ${quoted(name)}: wanted weights −s, 0, +s whose scale 16 bits can hold, because ${quoted(scales.name)} ` +
      `multiplies its rows; found others near row ${row}: onebit does not know how to round them, so convert the model`,
  );
}

/** Puts the f16 scales of rows where the kernel wants them, and watches whether each row has only one. */
function createScaleSink({ memory }: LoadContext, { matrix, layout, size, scaleAt }: PlacedMatrix) {
  const { rowsPadded, nScaleBlocks } = size,
    tiles = layout.scales === "tile",
    first = new Uint16Array(rowsPadded);
  let uniform = true;
  return {
    put(scales: number, scaleStride: number, row: number, nRows: number): void {
      const words = new Uint16Array(memory.buffer);
      for (let i = 0; i < nRows; i++) {
        const from = (scales + i * scaleStride) >>> 1,
          r = row + i;
        // Tiles: [tile][block][32 rows]; row-major: [row][block].
        let to = (scaleAt >>> 1) + (tiles ? (r >> 5) * nScaleBlocks * TILE_ROWS + (r & 31) : r * nScaleBlocks);
        const step = tiles ? TILE_ROWS : 1,
          head = words[from];
        first[r] = head;
        for (let b = 0; b < nScaleBlocks; b++, to += step) {
          const scale = words[from + b];
          words[to] = scale;
          if (scale !== head) uniform = false;
        }
      }
    },
    rowScales(): Float32Array | undefined {
      if (!uniform) return undefined;
      const scales = new Float32Array(rowsPadded);
      for (let r = 0; r < matrix.rows; r++) scales[r] = halfToFloat(first[r]);
      return scales;
    },
  };
}

/** Zero weights in the whole unpacking room; padding columns and rows keep them. */
function clearCodes(memory: WebAssembly.Memory, { codes, codeStride }: { codes: number; codeStride: number }): void {
  new Uint8Array(memory.buffer, codes, TILE_ROWS * codeStride).fill(1);
}

/** The same f32 for every row; padding rows get 0. */
function placeUniform({ memory }: LoadContext, { matrix, size, scaleAt }: PlacedMatrix, scale: number): void {
  const scales = new Float32Array(memory.buffer, scaleAt, size.rowsPadded);
  scales.fill(scale, 0, matrix.rows).fill(0, matrix.rows);
}

/** Hugging Face's packing: byte row i holds logical rows i, i + rows/4, i + rows/2, i + 3·rows/4. */
function packedUnpacking(context: LoadContext, placed: PlacedMatrix, scale: number, divide: boolean): Unpacking {
  const { kernels, memory } = context,
    { tensor, rows, k } = placed.matrix,
    room = unpackRoom(context, placed);
  const process = (at: number) => {
    clearCodes(memory, room);
    for (let row = 0; row < placed.size.rowsPadded; row += TILE_ROWS) {
      const n = Math.min(TILE_ROWS, rows - row);
      if (n < TILE_ROWS) clearCodes(memory, room);
      for (let i = 0; i < n; i++) {
        const verdict = kernels.decodePackedRow(at, row + i, rows, k, room.codes + i * room.codeStride);
        if (verdict !== 0) badRow(tensor, row + i, verdict);
      }
      packTile(context, placed, room.codes, room.codeStride, row / TILE_ROWS);
    }
  };
  return {
    placed,
    jobs: [
      {
        tensor,
        source: tensor.source,
        position: tensor.position,
        sizeBytes: tensor.sizeBytes,
        target: undefined,
        process,
      },
    ],
    rowScales() {
      placeUniform(context, placed, divide ? Math.fround(1 / scale) : scale);
      return undefined;
    },
  };
}

/** Float masters, rounded to −1, 0, +1 times mean|w| of the whole matrix: one pass for the mean, one for the codes. */
function mastersUnpacking(context: LoadContext, placed: PlacedMatrix): Unpacking {
  const { kernels, memory } = context,
    { matrix } = placed,
    { tensor, rows, k } = matrix,
    room = unpackRoom(context, placed);
  const rowBytes = k * TENSOR_TYPES[tensor.type].blockBytes,
    typeId = kernelTypeId(tensor);
  let absSum = 0;
  const meanAbs = () => Math.fround(Math.max(absSum / (rows * k), 1e-5));
  const toF32 = (at: number) => kernels.denseRow(typeId, at, k, room.row);
  const measure = (at: number, _row: number, nRows: number) => {
    for (let i = 0; i < nRows; i++) {
      toF32(at + i * rowBytes);
      absSum += kernels.absSumRow(room.row, k);
    }
  };
  const round = (at: number, row: number, nRows: number) => {
    if (!Number.isFinite(absSum))
      fail("tensor/bad-data", `tensor "${tensor.name}": it holds numbers that are not finite; the file is damaged`);
    clearCodes(memory, room);
    for (let begin = 0; begin < nRows; begin += TILE_ROWS) {
      const n = Math.min(TILE_ROWS, nRows - begin);
      if (n < TILE_ROWS) clearCodes(memory, room);
      for (let i = 0; i < n; i++) {
        toF32(at + (begin + i) * rowBytes);
        kernels.ternarizeRow(room.row, k, 1 / meanAbs(), room.codes + i * room.codeStride);
      }
      packTile(context, placed, room.codes, room.codeStride, (row + begin) / TILE_ROWS);
    }
  };
  return {
    placed,
    jobs: [
      ...rowJobs(context, tensor, rows, rowBytes, TILE_ROWS, measure),
      ...rowJobs(context, tensor, rows, rowBytes, TILE_ROWS, round),
    ],
    rowScales() {
      placeUniform(context, placed, meanAbs());
      return undefined;
    },
  };
}

/** Dense rows: as the file has them, in another order, or as floats in fewer bits. */
function denseJobs(context: LoadContext, placed: PlacedMatrix): ReadJob[] {
  const { kernels, memory } = context,
    { layout, matrix, size, weightAt } = placed,
    { tensor, k, order } = matrix;
  const typeId = kernelTypeId(tensor);
  if (layout.id === typeId) {
    const { packRow } = layout;
    if (packRow === undefined && order === undefined) return keptJobs(context, placed);
    if (packRow === undefined) {
      const bytes = new Uint8Array(memory.buffer),
        { rowBytes } = size;
      return checkedRowJobs(context, placed, (from, row) =>
        bytes.copyWithin(weightAt + row * rowBytes, from, from + rowBytes),
      );
    }
    return checkedRowJobs(context, placed, (from, row) => packRow(kernels, from, weightAt, row, k));
  }
  const { packFloats } = layout,
    { row: floats } = unpackRoom(context, placed);
  return checkedRowJobs(context, placed, (from, row) => {
    kernels.denseRow(typeId, from, k, floats);
    packFloats!(kernels, floats, weightAt, row, k);
  });
}

function checkedRowJobs(
  context: LoadContext,
  { matrix: { tensor, rows, k, order } }: PlacedMatrix,
  packRow: (from: number, row: number) => void,
): ReadJob[] {
  const { blockElements, blockBytes } = TENSOR_TYPES[tensor.type],
    rowBytes = (k / blockElements) * blockBytes;
  return rowJobs(context, tensor, rows, rowBytes, 1, (at, row, nRows) => {
    checkFinite(context.memory, tensor, at, row, nRows, rowBytes);
    for (let i = 0; i < nRows; i++) packRow(at + i * rowBytes, memoryRow(order, row + i));
  });
}
