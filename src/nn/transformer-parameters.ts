/**
 * A transformer's parameters by their GGUF names, in one block of memory: matrices, which decay, before gains, so that
 * the optimiser is two steps over two ranges.
 *
 *   | matrices | gains |   values, then as many gradients
 *
 * @module
 */
import type { ParameterRange } from "./adam-w.ts";
import { Parameter } from "./parameter.ts";
import { createInitializer } from "./initialize.ts";
import type { Runtime } from "./runtime.ts";
import type { TransformerShape } from "./shape.ts";

export interface TransformerParameters {
  readonly byName: ReadonlyMap<string, Parameter>;
  /** f32 (total) each. */
  readonly values: number;
  readonly gradients: number;
  readonly total: number;
  /** The first `decayed` numbers are the matrices'. */
  readonly decayed: number;
}

/** Names and shapes, matrices (rows, columns) first. */
export function parameterShapes(shape: TransformerShape): [name: string, shape: readonly number[]][] {
  const { dim, ffHidden, depth, vocabSize } = shape,
    qDim = shape.heads * shape.headDim,
    kvDim = shape.kvHeads * shape.headDim;
  const matrices: [string, readonly number[]][] = [["token_embd.weight", [vocabSize, dim]]],
    gains: [string, readonly number[]][] = [];
  if (!shape.tied) matrices.push(["output.weight", [vocabSize, dim]]);
  for (let block = 0; block < depth; block++) {
    const name = (part: string): string => `blk.${block}.${part}.weight`;
    matrices.push(
      [name("attn_q"), [qDim, dim]],
      [name("attn_k"), [kvDim, dim]],
      [name("attn_v"), [kvDim, dim]],
      [name("attn_output"), [dim, qDim]],
    );
    if (shape.glu) matrices.push([name("ffn_gate"), [ffHidden, dim]]);
    matrices.push([name("ffn_up"), [ffHidden, dim]], [name("ffn_down"), [dim, ffHidden]]);
    gains.push([name("attn_norm"), [dim]], [name("ffn_norm"), [dim]]);
    if (shape.subNorms) gains.push([name("attn_sub_norm"), [qDim]], [name("ffn_sub_norm"), [ffHidden]]);
  }
  gains.push(["output_norm.weight", [dim]]);
  return [...matrices, ...gains];
}

/** The ranges an optimiser steps over. */
export function parameterRanges({ values, gradients, total, decayed }: TransformerParameters): ParameterRange[] {
  return [
    { values, gradients, count: decayed, decays: true },
    { values: values + decayed * 4, gradients: gradients + decayed * 4, count: total - decayed, decays: false },
  ];
}

export function countParameters(shape: TransformerShape): number {
  return parameterShapes(shape).reduce((total, [, extents]) => total + sizeOf(extents), 0);
}

/** @throws OnebitError `train/not-enough-memory` */
export function createParameters(runtime: Runtime, shape: TransformerShape, seed: number): TransformerParameters {
  const shapes = parameterShapes(shape),
    total = countParameters(shape);
  const values = runtime.allocate(total * 4, "parameters"),
    gradients = runtime.allocate(total * 4, "gradients");
  const byName = new Map<string, Parameter>();
  let at = 0,
    decayed = 0;
  for (const [name, extents] of shapes) {
    byName.set(name, new Parameter(runtime, name, extents, { value: values + at * 4, gradient: gradients + at * 4 }));
    at += sizeOf(extents);
    if (extents.length > 1) decayed = at;
  }
  initializeTransformer(runtime, shape, byName, seed);
  return { byName, values, gradients, total, decayed };
}

/**
 * Uniform in ±1/√in as for any linear; projections onto the residual stream are smaller by √(2 depth), as in GPT-2, so
 * that it does not grow with depth. Gains are 1.
 */
export function initializeTransformer(
  runtime: Runtime,
  { depth }: TransformerShape,
  parameters: ReadonlyMap<string, Parameter>,
  seed: number,
): void {
  const fill = createInitializer(runtime, seed);
  for (const [name, parameter] of parameters) {
    const { shape } = parameter;
    if (shape.length === 1) parameter.value.fill(1);
    else if (name === "token_embd.weight" || name === "output.weight") fill(parameter, EMBEDDING_RANGE);
    else fill(parameter, 1 / Math.sqrt(shape[1] * (/(attn_output|ffn_down)/.test(name) ? 2 * depth : 1)));
  }
}

/** Uniform in ±0.02 √3 has GPT-2's deviation of 0.02. */
const EMBEDDING_RANGE = 0.02 * Math.sqrt(3);

function sizeOf(extents: readonly number[]): number {
  return extents.reduce((product, extent) => product * extent, 1);
}
