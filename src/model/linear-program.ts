/**
 * Steps of a linear projection: prepare the input for the weights' kernel, once for all projections that share it, then
 * multiply.
 *
 * @module
 */
import { padToTiles } from "../kernels/layouts.ts";
import { type StepSink, preparedOperand } from "../kernels/preparations.ts";
import type { StepOptions, StepWriter } from "../kernels/step-writer.ts";
import type { ModelConfig } from "./config.ts";
import type { LoadedWeights } from "./loader.ts";
import type { MemoryPlan, PlacedMatrix } from "./plan.ts";
import type { LinearTensors, MatrixTensor } from "./weights.ts";

/** Rows of f32 at `at`, `stride` values apart. */
export interface Input {
  readonly at: number;
  readonly stride: number;
  /** With one row, each thread has made its own copy. */
  readonly isOwn: boolean;
}

interface RotateOptions {
  /** Where rotated rows go. Default: the buffer for them. */
  readonly to?: number;
  readonly inverse?: boolean;
  readonly headRows?: boolean;
}

export class LinearWriter {
  private readonly config: ModelConfig;
  private readonly plan: MemoryPlan;
  private readonly weights: LoadedWeights;
  private readonly out: StepWriter;

  constructor(config: ModelConfig, plan: MemoryPlan, weights: LoadedWeights, out: StepWriter) {
    this.config = config;
    this.plan = plan;
    this.weights = weights;
    this.out = out;
  }

  /** x (n, nEmbd) = rows `ids` of `matrix`; a single row once per thread. */
  embed(matrix: MatrixTensor, ids: number, x: number, embeddingScale: number): void {
    const { layout, scaleBlock, size, weightAt, scaleAt } = this.placed(matrix);
    this.out.step(
      "embed",
      {
        ids,
        layout: layout.id,
        weights: weightAt,
        scale: scaleAt,
        scaleBlock,
        rows: matrix.rows,
        k: matrix.k,
        kp: size.kp,
        x,
        embeddingScale,
        rowBytes: size.rowBytes,
      },
      { barrier: "batch", ownRow: true },
    );
    if (this.config.hadamard?.isEmbeddingRotated !== true) return;
    const { k } = matrix;
    this.rotate({ at: x, stride: k, isOwn: true }, k, { to: x, inverse: true });
  }

  /**
   * y (n, rows padded to 32) = W x for every target; targets do not wait for each other.
   * @param barrier `batch` if, with one row, threads next read only the tiles of 32 that they wrote themselves
   */
  project(input: Input, targets: readonly (readonly [LinearTensors, number])[], barrier: true | "batch" = true): void {
    const rotated = targets.filter(([{ matrix }]) => matrix.isRotated),
      others = targets.filter(([{ matrix }]) => !matrix.isRotated);
    if (rotated.length > 0) {
      const turned = this.rotate(input, rotated[0]![0].matrix.k);
      this.projectAlike(turned, rotated, others.length > 0 ? true : barrier);
    }
    if (others.length > 0) this.projectAlike(input, others, barrier);
  }

  private projectAlike(
    input: Input,
    targets: readonly (readonly [LinearTensors, number])[],
    barrier: true | "batch",
  ): void {
    this.prepareAll(
      input,
      targets.map(([linear]) => linear.matrix),
      {},
    );
    const last = targets.some(([linear]) => linear.bias !== undefined || this.weights.outputScale(linear) !== 1)
      ? true
      : barrier;
    targets.forEach(([linear, y], i) =>
      this.multiply(linear.matrix, input, y, { barrier: i === targets.length - 1 && last }),
    );
    for (const [linear, y] of targets) this.finish(linear, y);
  }

  /** {@link project} for a projection that norms its own input first. */
  projectNormed(input: Input, linear: LinearTensors, normAt: number, y: number): void {
    // The shared input lives in `h`, which the other projections still need; no sub-norm uses `branch` this early.
    const { branch, h } = this.plan.buffers,
      { k } = linear.matrix;
    const room = input.at === h && k <= padToTiles(this.config.nEmbd) ? branch : h;
    this.out.step(
      "rmsNorm",
      {
        x: input.at,
        xStride: input.stride,
        weight: normAt,
        y: room,
        yStride: k,
        dim: k,
        eps: this.config.normEps,
        bias: 0,
      },
      { barrier: "batch", ownRow: true, ownInput: input.isOwn },
    );
    const normed = { at: room, stride: k, isOwn: true };
    this.prepareAll(normed, [linear.matrix], {});
    this.multiply(linear.matrix, normed, y, {});
    this.finish(linear, y);
  }

  /** logits (headRows, vocabulary padded to 32) = W x, only for rows whose logits are wanted. */
  head(matrix: MatrixTensor, { isTied }: { readonly isTied: boolean }, input: Input, logits: number): void {
    const isRotated = isTied ? this.config.hadamard?.isHeadTied : matrix.isRotated,
      turned = isRotated ? this.rotate(input, matrix.k, { headRows: true }) : input;
    this.prepareAll(turned, [matrix], { headRows: true });
    this.multiply(matrix, turned, logits, { headRows: true });
  }

  /** The Hadamard transform of rows, for the weights that meet them so; or of rows that were stored so. */
  private rotate(input: Input, width: number, options: RotateOptions = {}): Input {
    const { to = this.plan.buffers.rotated, inverse = false, headRows = false } = options;
    this.out.step(
      "hadamard",
      {
        x: input.at,
        xStride: input.stride,
        y: to,
        signs: this.plan.signs.get(width) ?? 0,
        width,
        block: this.config.hadamard?.block ?? width,
        inverse,
      },
      { barrier: "batch", headRows, ownRow: true, ownInput: input.isOwn },
    );
    return { at: to, stride: width, isOwn: true };
  }

  private finish(linear: LinearTensors, y: number): void {
    const { rows } = linear.matrix,
      stride = padToTiles(rows);
    const scale = this.weights.outputScale(linear);
    if (scale !== 1) this.out.step("scale", { y, yStride: stride, factor: scale });
    if (linear.bias)
      this.out.step("addBias", { y, yStride: stride, bias: this.plan.vectors.get(linear.bias)!.at, dim: rows });
  }

  /** Prepares an input once for all layouts that share a preparation. */
  private prepareAll(input: Input, matrices: readonly MatrixTensor[], options: StepOptions): void {
    const placed = new Map(matrices.map((matrix) => [this.placed(matrix).layout.preparation, this.placed(matrix)]));
    for (const [preparation, { matrix, size }] of placed) {
      if (preparation === undefined) continue;
      const at = this.plan.prepared.get(preparation)!,
        to: StepSink<number> = { step: (name, fields, own) => this.out.step(name, fields, { ...options, ...own }) };
      preparation.quantize(to, { x: input.at, xStride: input.stride, k: matrix.k, isOwn: input.isOwn }, at, size.kp);
      preparation.buildTables?.(to, at, size.kp);
    }
  }

  private multiply(matrix: MatrixTensor, input: Input, y: number, options: StepOptions): void {
    const { layout, scaleBlock, size, weightAt, scaleAt } = this.placed(matrix),
      { id, preparation } = layout;
    const operand = preparation
      ? preparedOperand(preparation, this.plan.prepared.get(preparation)!, size.kp)
      : { ...AS_IS, act: input.at, actRowBytes: input.stride * 4 };
    this.out.step(
      "matmul",
      {
        ...operand,
        layout: id,
        weights: weightAt,
        scale: scaleAt,
        scaleBlock,
        y,
        yStride: padToTiles(matrix.rows),
        rows: matrix.rows,
        k: size.kp,
      },
      { ...options, ownInput: preparation?.isOwn ?? input.isOwn, pairDots: this.plan.options.dots === "pairs" },
    );
  }

  private placed(matrix: MatrixTensor): PlacedMatrix {
    return this.weights.matrices.get(matrix)!;
  }
}

/** For activations read as f32. */
const AS_IS = { actScale: 0, actSum: 0, scaleRowBytes: 0 };
