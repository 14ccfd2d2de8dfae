/**
 * The exact forward pass: every architecture onebit runs, in double precision, with no kernel, no cache and no trick,
 * to be read beside the papers. What a runtime computes is judged by its distance from this.
 *
 * Activations are floats, except at the ternary and binary weights of BitNet-trained models, whose per-token 8-bit
 * activations are part of the model.
 */
import { deltaNet, isRecurrent, rotated, sigmoid } from "./delta-net.ts";
import { GgufWeights } from "./gguf-weights.ts";
import { readHyperparameters } from "./hyperparameters.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { linear, multiply } from "./linear.ts";
import type { Activations, Rows } from "./linear.ts";
import { ropeOf, rotate, slidingRope } from "./rope.ts";
import type { Rope } from "./rope.ts";
import { TENSOR_TYPES } from "../../../src/files/tensor-types.ts";

export interface ExactOptions {
  /** Positions the runtime under test allocates: LongRoPE chooses its factors by it. */
  readonly contextLength?: number;
  /**
   * Of all projections, where their types (floats, in the place of ternary weights that GGUF cannot hold) do not say.
   */
  readonly activations?: Activations;
  readonly onLayer?: (layer: number, nLayers: number) => void;
}

/** Logits after each of `ids`. */
export async function exactLogits(path: string, ids: readonly number[], options: ExactOptions = {}): Promise<Rows> {
  return await forward(path, ids, options, head);
}

/** The last hidden state, normed, of each of `ids`. */
export async function exactHidden(path: string, ids: readonly number[], options: ExactOptions = {}): Promise<Rows> {
  return await forward(path, ids, options, hidden);
}

async function forward(
  path: string,
  ids: readonly number[],
  options: ExactOptions,
  end: (pass: Pass, x: Rows) => Promise<Rows>,
): Promise<Rows> {
  const weights = await GgufWeights.open(path);
  try {
    const h = readHyperparameters(weights);
    const rope = await ropeOf(h, weights, options.contextLength ?? ids.length);
    const pass: Pass = { h, weights, rope, window: Infinity, activations: options.activations };
    let x = await embed(pass, ids);
    for (let layer = 0; layer < h.nLayers; layer++) {
      const window = h.windows[layer],
        here = Number.isFinite(window) ? { ...pass, rope: slidingRope(h, rope), window } : pass;
      x = await block(here, layer, x);
      options.onLayer?.(layer, h.nLayers);
    }
    return await end(pass, x);
  } finally {
    await weights.close();
  }
}

interface Pass {
  readonly h: Hyperparameters;
  readonly weights: GgufWeights;
  /** Of the layer. */
  readonly rope: Rope;
  /** Positions that the layer sees, its own the last. */
  readonly window: number;
  readonly activations: Activations | undefined;
}

async function embed({ h, weights }: Pass, ids: readonly number[]): Promise<Rows> {
  const x: Rows = [];
  for (const id of ids) {
    const row = await weights.rows("token_embd.weight", id, id + 1);
    x.push(Float64Array.from(row, (value) => value * h.embeddingScale));
  }
  return rotated(weights, "token_embd.weight", x, true);
}

async function block(pass: Pass, layer: number, x: Rows): Promise<Rows> {
  const { h, weights } = pass;
  const prefix = `blk.${layer}.`,
    isHybrid = h.architecture === "qwen35",
    mix = isHybrid && isRecurrent(weights, layer) ? recurrence : attention;
  const attended = await mix(pass, prefix, await norm(weights, `${prefix}attn_norm`, x, h.normEps));
  // In hybrids this name is of the norm before the feed-forward; elsewhere of one behind attention.
  const mixed = isHybrid ? attended : await norm(weights, `${prefix}post_attention_norm`, attended, h.normEps);
  const middle = add(x, mixed, h.residualScale);
  const ffnNorm = `${prefix}${isHybrid ? "post_attention_norm" : "ffn_norm"}`;
  const fed = await feedForward(pass, prefix, await norm(weights, ffnNorm, middle, h.normEps));
  return add(middle, await norm(weights, `${prefix}post_ffw_norm`, fed, h.normEps), h.residualScale);
}

async function attention(pass: Pass, prefix: string, x: Rows): Promise<Rows> {
  const { h, weights, rope, window } = pass;
  const both = await project(pass, `${prefix}attn_q`, x);
  const isGated = h.architecture === "qwen35";
  const q = isGated ? both.map((row) => everyOther(row, h.headDim, 0)) : both;
  const k = await project(pass, `${prefix}attn_k`, x);
  const v = await project(pass, `${prefix}attn_v`, x);
  for (const [rows, name] of [
    [q, "attn_q_norm"],
    [k, "attn_k_norm"],
  ] as const) {
    const weight = await weights.vector(`${prefix}${name}.weight`);
    const normHeads = () => {
      if (weight) for (const row of rows) for (const one of heads(row, h.headDim)) one.set(rms(one, weight, h.normEps));
    };
    const rotatesFirst = h.architecture === "hunyuan-dense";
    if (!rotatesFirst) normHeads();
    rows.forEach((row, position) => rotate(row, position, h.headDim, rope));
    if (rotatesFirst) normHeads();
  }
  const attended = q.map((row, t) => attendOne(h, row, k, v, t, Math.max(0, t + 1 - window)));
  if (isGated) {
    const gates = both.map((row) => everyOther(row, h.headDim, 1));
    attended.forEach((row, t) => row.forEach((value, i) => (row[i] = value * sigmoid(gates[t]![i]!))));
  }
  const out = await norm(weights, `${prefix}attn_sub_norm`, attended, h.normEps);
  return project(pass, `${prefix}attn_output`, out);
}

/** Of pairs of heads the first, or the second. */
function everyOther(row: Float64Array, headDim: number, which: 0 | 1): Float64Array {
  return Float64Array.from({ length: row.length / 2 }, (_, i) => {
    const within = i % headDim;
    return row[2 * (i - within) + which * headDim + within]!;
  });
}

async function recurrence(pass: Pass, prefix: string, x: Rows): Promise<Rows> {
  const of = (name: string) => project(pass, prefix + name, x);
  const [qkv, z] = [await of("attn_qkv"), await of("attn_gate")];
  const [alpha, beta] = [await of("ssm_alpha"), await of("ssm_beta")];
  const out = await deltaNet(pass.weights, prefix, { qkv, z, alpha, beta }, pass.h.normEps);
  return project(pass, `${prefix}ssm_out`, out);
}

/** Softmax attention of a position over those from `first` on; a key head serves nHeads / nKvHeads query heads. */
function attendOne(
  { nHeads, nKvHeads, headDim, scoreSize }: Hyperparameters,
  q: Float64Array,
  k: Rows,
  v: Rows,
  position: number,
  first: number,
): Float64Array {
  const out = new Float64Array(nHeads * headDim);
  for (let head = 0; head < nHeads; head++) {
    const kv = Math.floor(head / (nHeads / nKvHeads)) * headDim;
    const query = q.subarray(head * headDim, (head + 1) * headDim);
    const scores = new Float64Array(position + 1 - first);
    for (let t = first; t <= position; t++) {
      for (let i = 0; i < headDim; i++) scores[t - first] += query[i] * k[t][kv + i];
      scores[t - first] /= Math.sqrt(scoreSize);
    }
    const weights = softmax(scores);
    for (let t = first; t <= position; t++) {
      for (let i = 0; i < headDim; i++) out[head * headDim + i] += weights[t - first] * v[t][kv + i];
    }
  }
  return out;
}

async function feedForward(pass: Pass, prefix: string, x: Rows): Promise<Rows> {
  const { h, weights } = pass;
  const gate = await project(pass, `${prefix}ffn_gate`, x);
  const up = await project(pass, `${prefix}ffn_up`, x);
  const act = activations[h.activation];
  if (!act) throw new Error(`activation ${h.activation} is not known here`);
  const gated = gate.map((row, t) => row.map((value, i) => act(value) * up[t][i]));
  return project(pass, `${prefix}ffn_down`, await norm(weights, `${prefix}ffn_sub_norm`, gated, h.normEps));
}

const activations: Readonly<Record<string, (x: number) => number>> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  relu2: (x) => Math.max(0, x) ** 2,
  gelu: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

/** A projection of a layer, with the norm of its own input that embedding models have. */
async function project(pass: Pass, name: string, x: Rows): Promise<Rows> {
  const { weights, h } = pass;
  return linear(
    weights,
    name,
    rotated(weights, `${name}.weight`, await norm(weights, `${name}_norm_in`, x, h.normEps)),
    activationsFor(pass, `${name}.weight`),
  );
}

/**
 * 8-bit activations where the model was trained with them: BitNet files, and any I2_S tensor (bitnet.cpp's own type).
 */
function activationsFor({ weights, h, activations }: Pass, name: string): Activations {
  if (activations !== undefined) return activations;
  const { type } = weights.tensor(name);
  const { layout } = TENSOR_TYPES[type];
  const lowBit = layout === "ternary" || layout === "binary";
  return type === "I2_S" || (lowBit && h.architecture.startsWith("bitnet")) ? "token" : "float";
}

async function hidden({ h, weights }: Pass, x: Rows): Promise<Rows> {
  return await norm(weights, "output_norm", x, h.normEps);
}

async function head(pass: Pass, x: Rows): Promise<Rows> {
  const { h, weights } = pass,
    normed = await hidden(pass, x);
  const tied = h.architecture.startsWith("bitnet") || !weights.has("output.weight");
  const table = tied ? "token_embd.weight" : "output.weight";
  const logits = await multiply(weights, table, rotated(weights, table, normed));
  return logits.map((row) => row.map((value) => value / h.logitScale));
}

/** The norm of that name, or `x` itself where the model has none. */
async function norm(weights: GgufWeights, name: string, x: Rows, eps: number): Promise<Rows> {
  const weight = await weights.vector(`${name}.weight`);
  return weight ? x.map((row) => rms(row, weight, eps)) : x;
}

function rms(x: Float64Array, weight: Float64Array, eps: number): Float64Array {
  const meanSquare = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  const scale = 1 / Math.sqrt(meanSquare + eps);
  return x.map((value, i) => value * scale * weight[i]);
}

function softmax(x: Float64Array): Float64Array {
  const max = x.reduce((largest, value) => Math.max(largest, value), -Infinity);
  const exps = x.map((value) => Math.exp(value - max));
  const sum = exps.reduce((total, value) => total + value, 0);
  return exps.map((value) => value / sum);
}

function heads(row: Float64Array, headDim: number): Float64Array[] {
  return Array.from({ length: row.length / headDim }, (_, i) => row.subarray(i * headDim, (i + 1) * headDim));
}

function add(x: Rows, y: Rows, scale: number): Rows {
  return x.map((row, t) => row.map((value, i) => value + y[t][i] * scale));
}
