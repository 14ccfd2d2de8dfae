/**
 * Weights packed for the integer kernels of inference: 2 bits a ternary weight, 1 bit a binary one.
 *
 *   weights    activations   kernel
 *   1.58 bits  8 or 1 bits   lookups in tables of two activations     (assembly/weights/ternary-table.ts)
 *   1 bit      8 bits        lookups in tables of four activations    (assembly/weights/binary-table.ts)
 *   1 bit      1 bit         XNOR and popcount                        (assembly/weights/xnor.ts)
 *
 * Sums are exact and scaled as in training, f32(sum) · f32(scale of the row of x · scale of W): the same bits as the
 * product with the learned weights.
 *
 * @module
 */
import { TILE_ROWS } from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { BINARY_TABLE, type MatrixSize, TERNARY_TABLE, matrixSize } from "../kernels/layouts.ts";
import {
  type Preparation,
  type PreparedRows,
  type StepSink,
  placePreparedRows,
  preparedOperand,
} from "../kernels/preparations.ts";
import type { ActivationBits, Projection, WeightBits } from "./projection.ts";
import type { Runtime } from "./runtime.ts";
import type { Place, Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";
import type { WeightCodes } from "./weight-codes.ts";

export interface PackedBits {
  readonly weightBits: WeightBits;
  readonly activationBits: ActivationBits;
}

export class PackedMatrix implements Projection {
  readonly rows: number;
  readonly columns: number;
  /** Bytes of the packed weights and their scales. */
  readonly sizeBytes: number;
  readonly #runtime: Runtime;
  readonly #bits: PackedBits;
  readonly #layout: typeof BINARY_TABLE | typeof TERNARY_TABLE;
  readonly #size: MatrixSize;
  readonly #weights: number;
  readonly #scales: number;

  /**
   * @throws OnebitError `option/invalid` for float weights or activations, which no integer kernel has;
   * `train/not-enough-memory`
   */
  constructor(runtime: Runtime, { codes, scale, rows, columns }: WeightCodes, bits: PackedBits) {
    requirePackable(bits);
    this.#runtime = runtime;
    this.#bits = bits;
    this.rows = rows;
    this.columns = columns;
    // XNOR bits use a binary layout's space.
    this.#layout = bits.weightBits === 1 ? BINARY_TABLE : TERNARY_TABLE;
    this.#size = matrixSize(this.#layout, rows, columns, 0);
    const { kp, weightBytes, scaleBytes } = this.#size;
    this.sizeBytes = weightBytes + scaleBytes;
    this.#weights = runtime.allocate(weightBytes, "packed weights");
    this.#scales = runtime.allocate(scaleBytes, "scales of packed weights");
    runtime.f32(this.#scales, rows).fill(scale);
    if (this.#isXnor) packBits(runtime, codes, rows, columns, kp, this.#weights);
    else this.#packTiles(codes);
  }

  get #isXnor(): boolean {
    return this.#bits.weightBits === 1 && this.#bits.activationBits === 1;
  }

  #packTiles(codes: Int8Array): void {
    const { rows, columns } = this,
      { kp, rowsPadded } = this.#size,
      { id, paddingCode } = this.#layout,
      isBinary = this.#bits.weightBits === 1;
    const room = this.#runtime.allocate(TILE_ROWS * kp, "a tile of codes"),
      { kernels, memory } = this.#runtime,
      nTiles = rowsPadded / TILE_ROWS;
    for (let tile = 0; tile < nTiles; tile++) {
      const tileCodes = new Uint8Array(memory.buffer, room, TILE_ROWS * kp).fill(paddingCode);
      for (let i = 0; i < Math.min(TILE_ROWS, rows - tile * TILE_ROWS); i++) {
        const from = (tile * TILE_ROWS + i) * columns;
        for (let j = 0; j < columns; j++)
          tileCodes[i * kp + j] = isBinary ? Number(codes[from + j] > 0) : codes[from + j] + 1;
      }
      kernels.packTile(id, room, kp, this.#weights, tile, nTiles, kp);
    }
    this.#runtime.free(room);
  }

  project(tape: Tape, x: Tensor): Tensor {
    const n = x.rows,
      { rowsPadded } = this.#size;
    if (x.columns !== this.columns)
      fail("model/bad-shape", `linear: weights take ${this.columns} values a row, got ${x.columns}`);
    if (x.needsGradient)
      fail("option/invalid", "a packed layer has no gradients; call eval() on the layer that contains it");
    tape.setRows(n);
    const padded = tape.value([n, rowsPadded], false);
    if (this.#isXnor) this.#recordXnor(tape, x, padded);
    else this.#recordLookups(tape, x, padded);
    if (rowsPadded === this.rows) return padded;
    const out = tape.value([n, this.rows], false);
    tape.step("zero", { x: out, total: out.size });
    tape.step("addScaled", { x: out, y: padded, factor: 1, dim: this.rows, yStride: rowsPadded });
    return out;
  }

  #recordXnor(tape: Tape, x: Tensor, y: Tensor): void {
    const { columns } = this,
      n = x.rows,
      { kp, rowsPadded } = this.#size;
    const { bits, scale } = tape.once(x, "bits", () => {
      const found = { bits: tape.value([n, kp / 8], false, 1), scale: tape.value([n], false) };
      tape.step(
        "signBits",
        { x, out: found.bits, scale: found.scale, k: columns, kp, n },
        { scratchBytes: 2 * columns },
      );
      return found;
    });
    const at = (address: number) => tape.at(address, [this.rows]);
    const matrix = { weights: at(this.#weights), rowScale: at(this.#scales), rows: rowsPadded, kp };
    tape.step("xnor", { ...matrix, bits, actScale: scale, y, k: columns, n });
  }

  #recordLookups(tape: Tape, x: Tensor, y: Tensor): void {
    const { id, preparation, scratchBytes } = this.#layout,
      { kp, rowsPadded } = this.#size,
      { activationBits } = this.#bits;
    const prepared = tape.once(x, `activations of ${activationBits} bits for layout ${id}`, () =>
      prepare(tape, x, preparation, activationBits, kp),
    );
    const at = (address: number) => tape.at(address, [this.rows]);
    tape.step(
      "matmul",
      {
        ...preparedOperand(preparation, prepared, kp),
        layout: id,
        weights: at(this.#weights),
        scale: at(this.#scales),
        scaleBlock: 0,
        y,
        yStride: rowsPadded,
        rows: this.rows,
        k: kp,
      },
      { scratchBytes: scratchBytes(x.rows) },
    );
  }

  free(): void {
    this.#runtime.free(this.#weights);
    this.#runtime.free(this.#scales);
  }
}

/** Prepares the rows of x for the layout's kernel, from 8-bit codes or from signs (-1 and 1). */
function prepare(
  tape: Tape,
  x: Tensor,
  preparation: Preparation,
  activationBits: ActivationBits,
  kp: number,
): PreparedRows<Place> {
  const n = x.rows,
    k = x.columns;
  const rows = placePreparedRows<Place>(preparation, kp, undefined, (bytes) => tape.value([n, bytes], false, 1));
  const to: StepSink<Place> = { step: (name, fields) => tape.step(name, fields) };
  if (activationBits === 8) preparation.quantize(to, { x, xStride: k, k, isOwn: false }, rows, kp);
  else tape.step("signCodes", { x, out: rows.q16, scale: rows.scale, k, kp, n });
  preparation.buildTables?.(to, rows, kp);
  return rows;
}

/** @throws OnebitError `option/invalid` */
export function requirePackable({ weightBits, activationBits }: PackedBits): void {
  if (weightBits === 32 || activationBits === 32) {
    fail(
      "option/invalid",
      `pack: wanted weights of 1 or 1.58 bits and activations of 1 or 8 bits, got ${weightBits} ` +
        `and ${activationBits}; only integers have packed kernels`,
    );
  }
}

/** Row-major bits: weight i of a row in bit i & 7 of byte i >> 3, set for +1. New memory is zero. */
function packBits(
  runtime: Runtime,
  codes: Int8Array,
  rows: number,
  columns: number,
  kp: number,
  address: number,
): void {
  const bytes = new Uint8Array(runtime.memory.buffer, address, (rows * kp) / 8);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns; i++)
      if (codes[row * columns + i] > 0) bytes[(row * kp) / 8 + (i >> 3)] |= 1 << (i & 7);
  }
}
