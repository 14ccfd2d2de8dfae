/**
 * Weights packed for the integer kernels of inference: 2 bits a ternary weight, 1 bit a binary one.
 *
 *   weights    activations   kernel
 *   1.58 bits  8 or 1 bits   lookups in tables of two activations     (assembly/weights/ternary-table.ts)
 *   1 bit      8 bits        lookups in tables of four activations    (assembly/weights/binary-table.ts)
 *   1 bit      1 bit         XNOR and popcount                        (assembly/weights/xnor.ts)
 *
 * Sums are exact and scaled as in training, f32(sum) · f32(scale of the row of x · scale of W): the bits of a product
 * with the weights that were packed.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import type { ActivationBits, Projection, WeightBits } from "./projection.ts";
import type { Runtime } from "./runtime.ts";
import type { Tape, Tensor } from "./tape.ts";
import type { WeightCodes } from "./weight-codes.ts";

/** Rows of a tile: what the kernels write is whole tiles. */
const TILE_ROWS = 32;
/** Columns that the layouts pad to. */
const TERNARY_COLUMNS = 64,
  BINARY_COLUMNS = 128;
/** What the table kernels draw as scratch beside a word a row (ternary) : sums of tiles. */
const TABLE_SCRATCH_BYTES = 1024;

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
  readonly #kp: number;
  readonly #rowsPadded: number;
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
    this.#rowsPadded = roundUp(rows, TILE_ROWS);
    this.#kp = roundUp(columns, bits.weightBits === 1 ? BINARY_COLUMNS : TERNARY_COLUMNS);
    const weightBytes = (this.#rowsPadded * this.#kp) / (bits.weightBits === 1 ? 8 : 4);
    this.sizeBytes = weightBytes + this.#rowsPadded * 4;
    this.#weights = runtime.allocate(weightBytes, "packed weights");
    this.#scales = runtime.allocate(this.#rowsPadded * 4, "scales of packed weights");
    runtime.f32(this.#scales, rows).fill(scale);
    if (this.#isXnor) packBits(runtime, codes, rows, columns, this.#kp, this.#weights);
    else this.#packTiles(codes);
  }

  get #isXnor(): boolean {
    return this.#bits.weightBits === 1 && this.#bits.activationBits === 1;
  }

  #packTiles(codes: Int8Array): void {
    const { rows, columns } = this,
      kp = this.#kp,
      isBinary = this.#bits.weightBits === 1;
    const room = this.#runtime.allocate(TILE_ROWS * kp, "a tile of codes"),
      { kernels, memory } = this.#runtime;
    const pack = isBinary ? kernels.packBinaryTile : kernels.packTernaryTile,
      nTiles = this.#rowsPadded / TILE_ROWS;
    for (let tile = 0; tile < nTiles; tile++) {
      // 0 stands for the sign -1, 1 for the ternary zero: padding columns meet activations of zero, padding rows are
      // not read.
      const tileCodes = new Uint8Array(memory.buffer, room, TILE_ROWS * kp).fill(isBinary ? 0 : 1);
      for (let i = 0; i < Math.min(TILE_ROWS, rows - tile * TILE_ROWS); i++) {
        const from = (tile * TILE_ROWS + i) * columns;
        for (let j = 0; j < columns; j++)
          tileCodes[i * kp + j] = isBinary ? Number(codes[from + j] > 0) : codes[from + j] + 1;
      }
      pack(room, kp, this.#weights, tile, nTiles, kp);
    }
    this.#runtime.free(room);
  }

  project(tape: Tape, x: Tensor): Tensor {
    const n = x.rows;
    if (x.columns !== this.columns)
      fail("model/bad-shape", `linear: weights take ${this.columns} values a row, got ${x.columns}`);
    if (x.needsGradient) fail("option/invalid", "a packed layer has no gradients; call eval() on what it is a part of");
    tape.setRows(n);
    const padded = tape.value([n, this.#rowsPadded], false);
    if (this.#isXnor) this.#recordXnor(tape, x, padded);
    else this.#recordLookups(tape, x, padded);
    if (this.#rowsPadded === this.rows) return padded;
    const out = tape.value([n, this.rows], false);
    tape.step("zero", { x: out, total: out.size });
    tape.step("addScaled", { x: out, y: padded, factor: 1, dim: this.rows, yStride: this.#rowsPadded });
    return out;
  }

  #recordXnor(tape: Tape, x: Tensor, y: Tensor): void {
    const { columns } = this,
      n = x.rows,
      kp = this.#kp;
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
    const matrix = { weights: at(this.#weights), rowScale: at(this.#scales), rows: this.#rowsPadded, kp };
    tape.step("xnor", { ...matrix, bits, actScale: scale, y, k: columns, n });
  }

  #recordLookups(tape: Tape, x: Tensor, y: Tensor): void {
    const isBinary = this.#bits.weightBits === 1,
      n = x.rows,
      kp = this.#kp;
    const layout = isBinary ? abi.LAYOUT_BINARY_TABLE : abi.LAYOUT_TERNARY_TABLE,
      rowBytes = isBinary ? kp * 8 : shortTableBytes(kp);
    const { tables, scale, sum } = tape.once(x, `tables of layout ${layout}, ${this.#bits.activationBits} bits`, () => {
      const q16 = tape.value([n, kp], false, 2),
        found = {
          tables: tape.value([n, rowBytes], false, 1),
          scale: tape.value([n], false),
          sum: tape.value([n], false),
        };
      const k = x.columns,
        lookups = { q16, kp, tables: found.tables, tableStride: rowBytes };
      if (this.#bits.activationBits === 8) {
        tape.step("quantizeToken", {
          x,
          xStride: k,
          q8: undefined,
          q16,
          scale: found.scale,
          sum: found.sum,
          k,
          kp,
          magnitudes: isBinary,
        });
      } else {
        tape.step("signCodes", { x, out: q16, scale: found.scale, k, kp, n });
      }
      if (isBinary) tape.step("binaryTables", { ...lookups, nGroups: kp / 4 });
      else tape.step("shortTables", { ...lookups, nGroups: kp / 2 });
      return found;
    });
    const at = (address: number) => tape.at(address, [this.rows]);
    tape.step(
      "matmul",
      {
        layout,
        weights: at(this.#weights),
        scale: at(this.#scales),
        scaleBlock: 0,
        act: tables,
        actStride: rowBytes,
        actScale: scale,
        actSum: sum,
        y,
        yStride: this.#rowsPadded,
        rows: this.rows,
        k: kp,
        actRowBytes: rowBytes,
        scaleRowBytes: 4,
      },
      { scratchBytes: TABLE_SCRATCH_BYTES + 4 * n },
    );
  }

  free(): void {
    this.#runtime.free(this.#weights);
    this.#runtime.free(this.#scales);
  }
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

/** Row-major bits: weight i of a row in bit i & 7 of byte i >> 3, set for +1. Memory starts as zeros. */
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

/** Bytes of the tables of one row of kp activations. */
function shortTableBytes(kp: number): number {
  return Math.ceil(kp / abi.SHORT_BLOCK_WEIGHTS) * abi.SHORT_BLOCK_BYTES;
}

function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}
