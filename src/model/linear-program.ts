/**
 * Steps of a linear projection: prepare the input as the weights' kernel wants it, once for all projections that
 * share it, then multiply.
 *
 * @module
 */
import type { StepOptions, StepWriter } from "../kernels/step-writer.ts";
import type { ModelConfig } from "./config.ts";
import { BINARY_BLOCK, DENSE_BLOCK, type Preparation, TERNARY_BLOCK, preparationOf, roundUp } from "./layout.ts";
import type { LoadedWeights } from "./loader.ts";
import { type MemoryPlan, PREPARED_SHAPE, type PlacedMatrix, type PreparedBuffers, shortTableBytes } from "./plan.ts";
import type { LinearTensors, MatrixTensor } from "./weights.ts";

/** Rows of f32 at `at`, `stride` values apart. */
export interface Input {
  readonly at: number;
  readonly stride: number;
  /** With one row, there is one for each thread, which made it. */
  readonly isOwn: boolean;
}

/** Largest activation of each block quantisation: what the byte sums of the kernels leave room for. */
const TABLE_Q_MAX = 255,
  DENSE_Q_MAX = 2047;

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

  /** x (n, nEmbd) = rows `ids` of `matrix`; of one row, one for each thread. */
  embed(matrix: MatrixTensor, ids: number, x: number, embeddingScale: number): void {
    const { layout, weightAt, scaleAt } = this.placed(matrix);
    this.out.step(
      "embed",
      {
        ids,
        layout: this.layoutId(matrix),
        weights: weightAt,
        scale: scaleAt,
        scaleBlock: layout.scaleBlock,
        rows: matrix.rows,
        k: matrix.k,
        kp: layout.kp,
        x,
        embeddingScale,
        rowBytes: layout.rowBytes,
      },
      { barrier: "batch", ownRow: true },
    );
  }

  /**
   * y (n, rows padded to 32) = W x for every target; targets do not wait for each other.
   * @param barrier `batch` where the next step reads of one row what its thread has written, by tiles of 32
   */
  project(input: Input, targets: readonly (readonly [LinearTensors, number])[], barrier: true | "batch" = true): void {
    if (targets.length === 0) return;
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

  /** As {@link project}, for a projection that norms its own input first. */
  projectNormed(input: Input, linear: LinearTensors, normAt: number, y: number): void {
    // The shared input lives in `h`, which the other projections still need; no sub-norm uses `branch` this early.
    const { branch, h } = this.plan.buffers,
      { k } = linear.matrix;
    const room = input.at === h && k <= roundUp(this.config.nEmbd, 32) ? branch : h;
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

  /** logits (headRows, vocabulary padded to 32) = W x on the rows whose logits are wanted. */
  head(matrix: MatrixTensor, input: Input, logits: number): void {
    this.prepareAll(input, [matrix], { headRows: true });
    this.multiply(matrix, input, logits, { headRows: true });
  }

  private finish(linear: LinearTensors, y: number): void {
    const { rows } = linear.matrix,
      stride = roundUp(rows, 32);
    const scale = this.weights.outputScale(linear);
    if (scale !== 1) this.out.step("scale", { y, yStride: stride, factor: scale });
    if (linear.bias)
      this.out.step("addBias", { y, yStride: stride, bias: this.plan.vectors.get(linear.bias)!.at, dim: rows });
  }

  private prepareAll(input: Input, matrices: readonly MatrixTensor[], options: StepOptions): void {
    const kinds = new Map(matrices.map((matrix) => [this.preparation(matrix), matrix]));
    for (const [kind, matrix] of kinds) {
      if (kind !== "f32")
        this.prepare(kind, input, matrix.k, this.placed(matrix).layout.kp, this.plan.prepared.get(kind)!, options);
    }
  }

  private prepare(
    kind: Preparation,
    input: Input,
    k: number,
    kp: number,
    at: PreparedBuffers,
    options: StepOptions,
  ): void {
    const magnitudes = kind.startsWith("binary"),
      rows = { x: input.at, xStride: input.stride };
    const own: StepOptions = { ...options, barrier: "batch", ownRow: true },
      ofInput: StepOptions = { ...own, ownInput: input.isOwn };
    const blocks = (block: number, qMax: number) =>
      this.out.step(
        "quantizeBlocks",
        { ...rows, q16: at.q, scale: at.blockScale, sum: at.blockSum, k, kp, block, qMax, magnitudes },
        ofInput,
      );
    const token = (q8: number, q16: number) =>
      this.out.step("quantizeToken", { ...rows, q8, q16, scale: at.scale, sum: at.sum, k, kp, magnitudes }, ofInput);
    const tokenBlocks = (q16: number, block: number) =>
      this.out.step(
        "tokenBlocks",
        { scale: at.scale, q16, blockScale: at.blockScale, blockSum: at.blockSum, kp, block, magnitudes },
        own,
      );
    const ofTables = { q16: at.q, kp, tables: at.tables };
    const tables = (name: "ternaryTables" | "binaryTables", group: number) =>
      this.out.step(name, { ...ofTables, tableStride: (kp / group) * 32, nGroups: kp / group }, own);
    const shortTables = () =>
      this.out.step(
        "shortTables",
        { ...ofTables, tableStride: shortTableBytes(kp), nGroups: kp / 2 },
        { ...options, ownInput: true },
      );
    const q16AfterQ8 = at.q + this.plan.nActivationRows * kp;
    switch (kind) {
      case "dense":
        return blocks(DENSE_BLOCK, DENSE_Q_MAX);
      case "dense-256":
        return this.out.step("quantizeQ6K", { ...rows, q: at.q, scale: at.blockScale, k }, ofInput);
      case "token-dot":
        return token(at.q, 0);
      case "token-dot-block":
        token(at.q, q16AfterQ8);
        return tokenBlocks(q16AfterQ8, TERNARY_BLOCK);
      case "token-tables":
        token(0, at.q);
        return shortTables();
      case "token-tables-block":
        token(0, at.q);
        tokenBlocks(at.q, TERNARY_BLOCK);
        return tables("ternaryTables", 2);
      case "block-tables":
        blocks(TERNARY_BLOCK, TABLE_Q_MAX);
        return tables("ternaryTables", 2);
      case "binary-token":
        token(0, at.q);
        return tables("binaryTables", 4);
      case "binary-token-block":
        token(0, at.q);
        tokenBlocks(at.q, BINARY_BLOCK);
        return tables("binaryTables", 4);
      case "binary-block":
        blocks(BINARY_BLOCK, TABLE_Q_MAX);
        return tables("binaryTables", 4);
      case "f32":
        return;
    }
  }

  private multiply(matrix: MatrixTensor, input: Input, y: number, options: StepOptions): void {
    const { layout, weightAt, scaleAt } = this.placed(matrix),
      kind = this.preparation(matrix),
      yStride = roundUp(matrix.rows, 32);
    const at = this.plan.prepared.get(kind),
      perBlock = kind.startsWith("dense") || kind.endsWith("block") || kind === "block-tables";
    const act = at === undefined ? input.at : kindUsesTables(kind) ? at.tables : at.q;
    const actStride =
      at === undefined
        ? input.stride
        : kind === "token-tables"
          ? shortTableBytes(layout.kp)
          : (layout.kp / groupOf(kind)) * 32;
    this.out.step(
      "matmul",
      {
        layout: this.layoutId(matrix),
        weights: weightAt,
        scale: scaleAt,
        scaleBlock: layout.scaleBlock,
        act,
        actStride,
        actScale: at === undefined ? 0 : perBlock ? at.blockScale : at.scale,
        actSum: at === undefined ? 0 : perBlock ? at.blockSum : at.sum,
        y,
        yStride,
        rows: matrix.rows,
        k: layout.kp,
        actRowBytes: kind === "f32" ? input.stride * 4 : kindUsesTables(kind) ? actStride : layout.kp * qBytesOf(kind),
        scaleRowBytes: perBlock && kind !== "f32" ? (layout.kp / PREPARED_SHAPE[kind].block) * 4 : 4,
      },
      { ...options, ownInput: kind === "f32" ? input.isOwn : isOwn(kind) },
    );
  }

  private placed(matrix: MatrixTensor): PlacedMatrix {
    return this.plan.matrices.get(matrix)!;
  }

  private layoutId(matrix: MatrixTensor): number {
    return this.weights.layoutId(matrix);
  }

  private preparation(matrix: MatrixTensor): Preparation {
    return preparationOf(this.layoutId(matrix), this.plan.options.activationMode);
  }
}

/**
 * Whether each thread has one row's tables or quantised values to itself: made once, half of them (49 KB for 6144
 * binary weights) would come from another core's cache. Short tables take 12 µs for 2560 weights: more than to wait for
 * a half.
 */
function isOwn(kind: Preparation): boolean {
  return kind !== "token-tables";
}

function kindUsesTables(kind: Preparation): boolean {
  return kind.includes("tables") || kind.startsWith("binary");
}

/** Bytes of a quantised value that a kernel without tables reads. */
function qBytesOf(kind: Exclude<Preparation, "f32">): number {
  return kind.startsWith("token-dot") ? 1 : kind === "dense-256" ? PREPARED_SHAPE[kind].qBytes : 2;
}

/** Weights one table entry stands for. */
function groupOf(kind: Preparation): number {
  return kind.startsWith("binary") ? 4 : 2;
}
