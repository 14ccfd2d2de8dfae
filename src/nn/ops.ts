/**
 * The operations of a graph: each records its step and registers its backward recorder. Values are matrices (rows,
 * columns) in row-major order.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** SiLU, squared ReLU, or GELU by its tanh formula. */
export type ActivationKind = "silu" | "relu2" | "gelu";

const KINDS: Readonly<Record<ActivationKind, number>> = {
  silu: abi.KIND_SILU,
  relu2: abi.KIND_RELU2,
  gelu: abi.KIND_GELU,
};

/** Rows of `table` (vocabulary, dim) for `ids` i32 (n): (n, dim). */
export function embed(tape: Tape, ids: Tensor, table: Tensor): Tensor {
  const dim = table.columns,
    out = tape.value([ids.size, dim], table.needsGradient);
  tape.step("embedRows", { ids, table, dim, out, n: ids.size });
  tape.onBackward(() => {
    const gradient = tape.gradientOf(out),
      into = gradient && sumTarget(tape, table);
    if (into) tape.step("embedRowsBack", { ids, dy: gradient, dim, dTable: into, n: ids.size });
  });
  return out;
}

/** The target to add row sums to; zeroed first for the first share of a gradient. */
function sumTarget(tape: Tape, value: Tensor): Tensor | undefined {
  const target = tape.gradientTarget(value);
  if (target && !target.add) tape.step("zero", { x: target.into, total: target.into.size });
  return target?.into;
}

/** The gradient target, or scratch for a gradient that a step makes but no one needs. */
function targetOrRoom(tape: Tape, value: Tensor): { readonly into: Tensor; readonly add: boolean } {
  return tape.gradientTarget(value) ?? { into: tape.value(value.shape, false), add: false };
}

const PRODUCT = { scratchBytes: abi.MATMUL_SCRATCH_BYTES };

/** x · Wᵀ (+ b): x (n, in), w (out, in), b (out). Float arithmetic. */
export function linear(tape: Tape, x: Tensor, w: Tensor, b?: Tensor): Tensor {
  const out = product(tape, unquantized(x), unquantized(w));
  return b ? addBias(tape, out, b) : out;
}

/** A matrix as a product sees it: as it is, or as the codes of a quantiser. */
export interface Operand {
  /** Rows. */
  readonly rows: number;
  /** Columns. */
  readonly columns: number;
  /** What gets the gradient; without codes, also the numbers. */
  readonly source: Tensor;
  /** What was rounded; absent for floats. */
  readonly codes?: Codes;
}

/** Integers, i16 (rows, kp) with kp the columns rounded up to an even number, and their scales. */
export interface Codes {
  /** The integers. */
  readonly values: Tensor;
  /** Columns of `values`. */
  readonly kp: number;
  /** f32: (rows) for activations, (1) for weights. */
  readonly scale: Tensor;
}

function unquantized(x: Tensor): Operand {
  return { rows: x.rows, columns: x.columns, source: x };
}

function codesOf(tape: Tape, rows: number, columns: number, scales: number): Codes {
  const kp = columns + (columns % 2);
  return { values: tape.value([rows, kp], false, 2), kp, scale: tape.value([scales], false) };
}

/**
 * y = x · Wᵀ. With codes on both sides the sums are exact integers, scaled once: y = sum · (scale of the row · scale of
 * W). Gradients take quantisers as identity (straight through: Bengio et al., 2013): dx += dy · W, dW += dyᵀ · x with
 * the dequantised values.
 */
export function product(tape: Tape, x: Operand, w: Operand): Tensor {
  const n = x.rows,
    k = x.columns,
    outputs = w.rows;
  if (w.columns !== k) fail("model/bad-shape", `linear: weights take ${w.columns} values a row, got ${k}`);
  const out = tape.value([n, outputs], x.source.needsGradient || w.source.needsGradient);
  if (x.codes && w.codes) {
    const codes = {
      x: x.codes.values,
      weights: w.codes.values,
      scale: w.codes.scale,
      rowScale: x.codes.scale,
      kp: x.codes.kp,
    };
    tape.step("matmulCodes", { ...codes, y: out, n, outputs }, PRODUCT);
  } else {
    const scales = { kScale: undefined, scale: w.codes?.scale, rowScale: x.codes?.scale, codes: false };
    tape.step(
      "matmulF32",
      {
        form: abi.FORM_FORWARD,
        a: floats(tape, x),
        aStride: k,
        b: floats(tape, w),
        bStride: k,
        c: out,
        cStride: outputs,
        m: n,
        n: outputs,
        k,
        add: false,
        ...scales,
      },
      PRODUCT,
    );
  }
  tape.onBackward(() => recordProductGradients(tape, x, w, out));
  return out;
}

function recordProductGradients(tape: Tape, x: Operand, w: Operand, out: Tensor): void {
  const n = x.rows,
    k = x.columns,
    outputs = w.rows,
    dy = tape.gradientOf(out);
  if (!dy) return;
  const dx = tape.gradientTarget(x.source),
    dw = tape.gradientTarget(w.source);
  if (dx) {
    tape.step(
      "matmulF32",
      {
        form: abi.FORM_INPUT,
        a: dy,
        aStride: outputs,
        ...columnsOf(w),
        c: dx.into,
        cStride: k,
        m: n,
        n: k,
        k: outputs,
        add: dx.add,
        kScale: undefined,
        scale: w.codes?.scale,
        rowScale: undefined,
      },
      PRODUCT,
    );
  }
  if (dw) {
    tape.step(
      "matmulF32",
      {
        form: abi.FORM_WEIGHT,
        a: dy,
        aStride: outputs,
        ...columnsOf(x),
        c: dw.into,
        cStride: k,
        m: outputs,
        n: k,
        k: n,
        add: dw.add,
        kScale: x.codes?.scale,
        scale: undefined,
        rowScale: undefined,
      },
      PRODUCT,
    );
  }
}

/** The right side of a gradient's product: its values, row length, and whether they are codes. */
function columnsOf({ source, codes, columns }: Operand): {
  readonly b: Tensor;
  readonly bStride: number;
  readonly codes: boolean;
} {
  return codes ? { b: codes.values, bStride: codes.kp, codes: true } : { b: source, bStride: columns, codes: false };
}

/** The numbers of an operand, or its codes as f32, for a product whose other side has no codes. */
function floats(tape: Tape, { source, codes, rows, columns }: Operand): Tensor {
  if (!codes) return source;
  const out = tape.value([rows, columns], false);
  tape.step("widenCodes", { codes: codes.values, out, k: columns, kp: codes.kp, n: rows });
  return out;
}

/** Rows of x to integers with one scale each: 8 bits (absmax) or 1 (sign); 32 leaves them as they are. */
export function quantizeActivations(tape: Tape, x: Tensor, bits: 1 | 8 | 32): Operand {
  if (bits === 32) return unquantized(x);
  const { rows, columns } = x,
    codes = codesOf(tape, rows, columns, rows);
  tape.step("quantizeRows", { x, codes: codes.values, scale: codes.scale, k: columns, n: rows, bits, kp: codes.kp });
  if (bits === 8) return { rows, columns, source: x, codes };
  // Collects the gradients of the signs; never holds a value.
  const signs = tape.value(x.shape, x.needsGradient);
  tape.onBackward(() => {
    const gradient = tape.gradientOf(signs),
      target = tape.gradientTarget(x);
    if (gradient && target) tape.step("clipBack", { x, dy: gradient, dx: target.into, add: target.add, total: x.size });
  });
  return { rows, columns, source: signs, codes };
}

/** W to ternary (1.58) or binary (1) codes with one scale; 32 leaves it as it is. */
export function quantizeWeights(tape: Tape, w: Tensor, bits: 1 | 1.58 | 32): Operand {
  if (bits === 32) return unquantized(w);
  const { rows, columns } = w,
    codes = codesOf(tape, rows, columns, 1);
  const partial = tape.value([2 * Math.ceil(w.size / abi.SUM_CHUNK)], false, 8);
  const sums = { weights: w, count: w.size, partial };
  tape.step("weightSums", sums);
  tape.step("weightCodes", {
    ...sums,
    ternary: bits === 1.58,
    codes: codes.values,
    scale: codes.scale,
    k: columns,
    kp: codes.kp,
  });
  return { rows, columns, source: w, codes };
}

/** y + b in place, b (columns). */
export function addBias(tape: Tape, y: Tensor, b: Tensor): Tensor {
  tape.setRows(y.rows);
  tape.step("addBias", { y, yStride: y.columns, bias: b, dim: y.columns });
  tape.onBackward(() => {
    const gradient = tape.gradientOf(y),
      into = gradient && sumTarget(tape, b);
    if (into) tape.step("sumRows", { dy: gradient, n: y.rows, dim: y.columns, db: into });
  });
  return y;
}

/** x / rms(x) · w, row by row. w (columns). */
export function rmsNorm(tape: Tape, x: Tensor, w: Tensor, eps: number): Tensor {
  return norm(tape, x, w, undefined, eps);
}

/** (x - mean) / deviation · w + b, row by row. */
export function layerNorm(tape: Tape, x: Tensor, w: Tensor, b: Tensor, eps: number): Tensor {
  return norm(tape, x, w, b, eps);
}

function norm(tape: Tape, x: Tensor, w: Tensor, b: Tensor | undefined, eps: number): Tensor {
  const dim = x.columns,
    n = x.rows,
    out = tape.value(x.shape, x.needsGradient || w.needsGradient);
  tape.step("normRows", { x, weight: w, bias: b, y: out, dim, eps, n });
  tape.onBackward(() => {
    const dy = tape.gradientOf(out);
    if (!dy) return;
    const stats = tape.value([n, 2], false),
      dw = sumTarget(tape, w),
      db = b && sumTarget(tape, b);
    // dx is made even if unused: the same step makes the row statistics.
    const dx = targetOrRoom(tape, x);
    tape.step("normRowsBack", {
      x,
      weight: w,
      dy,
      dx: dx.into,
      stats,
      dim,
      eps,
      add: dx.add,
      n,
      centered: b !== undefined,
    });
    if (dw) tape.step("normColumnsBack", { x, dy, stats, dWeight: dw, dBias: db, n, dim });
  });
  return out;
}

/** act(x), value by value. */
export function activate(tape: Tape, kind: ActivationKind, x: Tensor): Tensor {
  const out = tape.value(x.shape, x.needsGradient);
  tape.step("activate", { kind: KINDS[kind], x, out, total: x.size });
  tape.onBackward(() => {
    const dy = tape.gradientOf(out),
      dx = tape.gradientTarget(x);
    if (dy && dx) tape.step("activateBack", { kind: KINDS[kind], x, dy, dx: dx.into, add: dx.add, total: x.size });
  });
  return out;
}

/** act(gate) · up, value by value. */
export function gate(tape: Tape, kind: ActivationKind, x: Tensor, up: Tensor): Tensor {
  const out = tape.value(x.shape, x.needsGradient || up.needsGradient);
  const gated = { kind: KINDS[kind], gate: x, up, total: x.size };
  tape.step("gateArrays", { ...gated, out });
  tape.onBackward(() => {
    const dy = tape.gradientOf(out);
    if (!dy) return;
    const dGate = targetOrRoom(tape, x),
      dUp = targetOrRoom(tape, up);
    tape.step("gateArraysBack", { ...gated, dy, dGate: dGate.into, addGate: dGate.add, dUp: dUp.into, addUp: dUp.add });
  });
  return out;
}

/** a + b. */
export function add(tape: Tape, a: Tensor, b: Tensor): Tensor {
  const out = tape.value(a.shape, a.needsGradient || b.needsGradient);
  tape.step("addArrays", { a, b, out, total: a.size });
  tape.onBackward(() => {
    const dy = tape.gradientOf(out);
    if (!dy) return;
    for (const source of [a, b]) {
      const target = tape.gradientTarget(source);
      if (target) tape.step("pass", { from: dy, to: target.into, add: target.add, total: a.size });
    }
  });
  return out;
}

/** Dropout's state in memory: u32 seed, u32 active (abi.DROPOUT_*). */
export interface DropoutState {
  /** Address of both words, 8 bytes. */
  readonly address: number;
}

/**
 * x with each value zeroed with probability `rate`, the others divided by 1 - rate; `salt` tells one use from another.
 */
export function dropout(tape: Tape, x: Tensor, rate: number, state: DropoutState, salt: number): Tensor {
  if (!(rate >= 0 && rate < 1)) fail("train/bad-option", `dropout: wanted a rate from 0 to below 1, got ${rate}`);
  if (rate === 0) return x;
  const out = tape.value(x.shape, x.needsGradient),
    threshold = Math.floor(rate * 4294967296) | 0;
  const mask = { state: tape.at(state.address, [2]), salt, threshold, keep: 1 / (1 - rate), total: x.size };
  tape.step("dropout", { ...mask, x, out, add: false });
  tape.onBackward(() => {
    const dy = tape.gradientOf(out),
      dx = tape.gradientTarget(x);
    if (dy && dx) tape.step("dropout", { ...mask, x: dy, out: dx.into, add: dx.add });
  });
  return out;
}

/**
 * Cosines and sines of the positions of a sequence, f32 (length, headDim / 2) each: at addresses, or made in the graph.
 */
export interface RotaryTable {
  /** Cosines. */
  readonly cos: number | Tensor;
  /** Sines. */
  readonly sin: number | Tensor;
}

/** Rotates the pairs (i, i + headDim / 2) of every head in place (RoFormer); rows are sequences of `length`. */
export function rotate(tape: Tape, x: Tensor, table: RotaryTable, length: number, headDim: number): Tensor {
  const nHeads = x.columns / headDim;
  const [cos, sin] = [table.cos, table.sin].map((place) =>
    typeof place === "number" ? tape.at(place, [length, headDim / 2]) : place,
  );
  const turn = { cos, sin, length, nHeads, headDim, n: x.rows };
  tape.step("rotate", { ...turn, x, sign: 1 });
  tape.onBackward(() => {
    const gradient = tape.gradientOf(x);
    if (gradient) tape.step("rotate", { ...turn, x: gradient, sign: -1 });
  });
  return x;
}

/** Sizes of an attention. */
export interface AttentionShape {
  /** Positions of a sequence. */
  readonly length: number;
  /** Query heads. */
  readonly nHeads: number;
  /** Key and value heads, a divisor of `nHeads`. */
  readonly nKvHeads: number;
  /** Columns of a head, a multiple of 8. */
  readonly headDim: number;
  /** Whether a position sees only itself and earlier ones. */
  readonly causal: boolean;
}

/**
 * softmax(q kᵀ / √headDim) v over each sequence. q (sequences · length, nHeads · headDim), k and v likewise with
 * nKvHeads. `weights`: (sequences, nHeads, length, length) receives the probabilities.
 */
export function attention(
  tape: Tape,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  shape: AttentionShape,
  weights?: Tensor,
): Tensor {
  const { length, nHeads, nKvHeads, headDim, causal } = shape,
    nSequences = q.rows / length;
  const out = tape.value(
      q.shape,
      [q, k, v].some((each) => each.needsGradient),
    ),
    stats = tape.value([nSequences * nHeads * length, 2], false);
  const parts = { q, k, v, stats, length, nHeads, nKvHeads, headDim, causal, nSequences };
  const scratchBytes = attentionScratchBytes(length, headDim);
  tape.step("attendSequences", { ...parts, out, weights }, { scratchBytes });
  tape.onBackward(() => {
    const dy = tape.gradientOf(out);
    if (!dy) return;
    const dq = targetOrRoom(tape, q),
      dk = targetOrRoom(tape, k),
      dv = targetOrRoom(tape, v);
    const gradients = { dq: dq.into, dk: dk.into, dv: dv.into, addQ: dq.add, addK: dk.add, addV: dv.add };
    tape.step("attendSequencesBack", { ...parts, ...gradients, dOut: dy }, { scratchBytes });
  });
  return out;
}

/** Scratch of assembly/train/attention-backward.ts: three panels, two tiles of scores, one side, one tile. */
function attentionScratchBytes(length: number, headDim: number): number {
  const padded = (length + 7) & ~7;
  return 4 * (3 * padded * headDim + 2 * abi.ATTENTION_TILE * padded + abi.ATTENTION_TILE * headDim) + 256;
}

/** The losses of a batch. */
export interface Loss {
  /** f64 (2): the sum over the rows with a target, and how many there are. */
  readonly total: Tensor;
}

/**
 * Cross-entropy of logits (n, vocabulary) against targets i32 (n), -1 for none. The gradient is that of the sum over
 * the rows times `gradientScale`.
 */
export function crossEntropy(tape: Tape, logits: Tensor, targets: Tensor, gradientScale: number): Loss {
  const vocabulary = logits.columns,
    n = logits.rows,
    losses = tape.value([n], false, 8),
    total = tape.value([2], false, 8);
  const rows = { logits, stride: vocabulary, vocab: vocabulary, targets, n };
  tape.step("crossEntropy", { ...rows, loss: losses });
  tape.step("sumLosses", { loss: losses, targets, n, out: total });
  tape.onBackward(() => {
    const target = tape.gradientTarget(logits);
    if (target?.add) fail("train/bad-option", "crossEntropy: wanted logits that no other op with a gradient uses");
    if (target) tape.step("crossEntropyBack", { ...rows, scale: gradientScale, dLogits: target.into });
  });
  return { total };
}
