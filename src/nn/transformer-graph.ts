/**
 * The transformer of the BitNet papers as a graph: pre-norm blocks of grouped-query attention and a (gated)
 * feed-forward, projections quantised on the fly, norms before both output projections (arXiv 2310.11453, 2402.17764,
 * 2504.12285).
 *
 *   h = x + o(norm(attention(rope(q), rope(k), v)))      q, k, v of norm(x)
 *   y = h + down(norm(act(gate) · up))                   gate, up of norm(h)
 *   logits = head(norm(y))
 *
 * @module
 */
import { type AttentionParts, type Recorder, recordAttention, recordCachedAttention } from "./attention-graph.ts";
import { type FeedForwardParts, recordFeedForward } from "./feed-forward-graph.ts";
import type { KvCache } from "./kv-cache.ts";
import { type DropoutState, type RotaryTable, add, dropout, embed, linear, rmsNorm } from "./ops.ts";
import type { Parameter } from "./parameter.ts";
import { type Projection, learnedProjection } from "./projection.ts";
import type { TransformerShape } from "./shape.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

export interface TransformerGraphParts {
  readonly shape: TransformerShape;
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Rotary table, made once or recorded in the graph. */
  readonly rotary: RotaryTable | ((tape: Tape, length: number) => RotaryTable);
  /** Dropout after the embedding and on each block's addition; absent for none. */
  readonly dropout?: { readonly rate: number; readonly state: DropoutState };
  /** Packed matrices by name, instead of parameters. */
  readonly packed?: ReadonlyMap<string, Projection>;
  /** Earlier positions: the graph then continues where the cache ends, forward only. */
  readonly cache?: KvCache;
}

/** Logits (ids, vocabulary) of ids i32 (sequences · length). */
export function transformerLogits(tape: Tape, parts: TransformerGraphParts, ids: Tensor, length: number): Tensor {
  const { shape, cache } = parts,
    weight = (name: string): Tensor => tape.parameter(parts.parameters.get(name)!);
  let salt = 0;
  const drop = (x: Tensor): Tensor =>
    parts.dropout ? dropout(tape, x, parts.dropout.rate, parts.dropout.state, salt++) : x;
  let x = drop(embed(tape, ids, weight("token_embd.weight")));
  for (let block = 0; block < shape.depth; block++) {
    const attention = attentionParts(parts, `blk.${block}.`);
    const mixed = cache
      ? recordCachedAttention(tape, attention, x, length, { cache, layer: cache.layers[block] })
      : recordAttention(tape, attention, x, length);
    x = add(tape, x, drop(mixed));
    x = add(tape, x, drop(recordFeedForward(tape, feedForwardParts(parts, `blk.${block}.`), x)));
  }
  const h = rmsNorm(tape, x, weight("output_norm.weight"), shape.normEps);
  return linear(tape, h, weight(shape.tied ? "token_embd.weight" : "output.weight"));
}

function attentionParts(parts: TransformerGraphParts, prefix: string): AttentionParts {
  const { shape, rotary } = parts,
    project = (role: string) => ({ projection: projectionOf(parts, `${prefix}${role}.weight`) });
  return {
    nHeads: shape.heads,
    nKvHeads: shape.kvHeads,
    headDim: shape.headDim,
    causal: true,
    norm: normOf(parts, `${prefix}attn_norm.weight`),
    q: project("attn_q"),
    k: project("attn_k"),
    v: project("attn_v"),
    outputNorm: shape.subNorms ? normOf(parts, `${prefix}attn_sub_norm.weight`) : (_, x) => x,
    output: project("attn_output"),
    rotary: typeof rotary === "function" ? rotary : () => rotary,
  };
}

function feedForwardParts(parts: TransformerGraphParts, prefix: string): FeedForwardParts {
  const { shape } = parts,
    project = (role: string) => ({ projection: projectionOf(parts, `${prefix}${role}.weight`) });
  return {
    activation: shape.activation,
    norm: normOf(parts, `${prefix}ffn_norm.weight`),
    up: project("ffn_up"),
    gate: shape.glu ? project("ffn_gate") : undefined,
    innerNorm: shape.subNorms ? normOf(parts, `${prefix}ffn_sub_norm.weight`) : (_, x) => x,
    down: project("ffn_down"),
  };
}

function normOf({ shape, parameters }: TransformerGraphParts, name: string): Recorder {
  return (tape, x) => rmsNorm(tape, x, tape.parameter(parameters.get(name)!), shape.normEps);
}

function projectionOf({ shape, parameters, packed }: TransformerGraphParts, name: string): Projection {
  return packed?.get(name) ?? learnedProjection(parameters.get(name)!, shape.weightBits, shape.activationBits);
}
