/**
 * The forward pass, compiled once into steps that wasm walks for every token. It reads like the graph:
 *
 *   x = embedding[id]
 *   each layer:  x += O · attention(rope(Q · norm(x)), rope(K · norm(x)), V · norm(x))
 *                x += D · (act(G · norm(x)) ⊙ U · norm(x))
 *   logits = head · norm(x)
 *
 * with the extra norms, biases and scales that an architecture asks for.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import type { Activation, ModelConfig } from "./config.ts";
import { roundUp } from "./layout.ts";
import { type Input, LinearWriter } from "./linear-program.ts";
import type { LoadedWeights } from "./loader.ts";
import type { KvLayer, MemoryPlan } from "./plan.ts";
import { StepWriter } from "./step-writer.ts";
import { type LayerTensors, type LinearTensors, type ModelTensors, type VectorTensor, allLinears } from "./weights.ts";

export interface Program {
  /** Steps up to the end of each layer. */
  readonly layerEnds: readonly number[];
  /** Steps up to the output norm, whose rows are the hidden states. */
  readonly nHiddenSteps: number;
  readonly nSteps: number;
}

const GATE_OPS: Readonly<Record<Activation, number>> = { silu: abi.OP_GATE_SILU, relu2: abi.OP_GATE_RELU2, gelu: abi.OP_GATE_GELU };

/** Writes the program of `config` at the place `plan` keeps for it. `ropeMagnitude` scales cos and sin (YaRN, LongRoPE). */
export function buildProgram(
  config: ModelConfig, tensors: ModelTensors, plan: MemoryPlan, weights: LoadedWeights, memory: WebAssembly.Memory, ropeMagnitude: number,
): Program {
  const out = new StepWriter(memory, plan.program, plan.programBytes);
  const graph = new Graph(config, plan, out, new LinearWriter(config, plan, weights, out), hasNormIn(tensors));
  graph.embed(tensors);
  graph.ropeTables(ropeMagnitude);
  const layerEnds = tensors.layers.map((layer, i) => {
    graph.layer(layer, plan.kv[i]);
    return out.nSteps;
  });
  graph.outputNorm(tensors);
  const nHiddenSteps = out.nSteps;
  graph.head(tensors);
  return { layerEnds, nHiddenSteps, nSteps: out.nSteps };
}

function hasNormIn({ layers }: ModelTensors): boolean {
  return layers.some((layer) => allLinears(layer).some(({ normIn }) => normIn !== undefined));
}

class Graph {
  private readonly config: ModelConfig;
  private readonly plan: MemoryPlan;
  private readonly out: StepWriter;
  private readonly linear: LinearWriter;
  private readonly hasNormIn: boolean;

  constructor(config: ModelConfig, plan: MemoryPlan, out: StepWriter, linear: LinearWriter, hasNormIn: boolean) {
    this.config = config;
    this.plan = plan;
    this.out = out;
    this.linear = linear;
    this.hasNormIn = hasNormIn;
  }

  embed({ tokenEmbd }: ModelTensors): void {
    this.linear.embed(tokenEmbd, this.plan.buffers.ids, this.plan.buffers.x, this.config.embeddingScale);
  }

  ropeTables(magnitude: number): void {
    const { ropeFrequencies, buffers } = this.plan;
    this.out.step(abi.OP_ROPE_TABLE, [ropeFrequencies, this.config.ropeDim / 2, { float: magnitude }, buffers.ropeCos, buffers.ropeSin]);
  }

  layer(layer: LayerTensors, kv: KvLayer): void {
    this.attention(layer, kv);
    this.feedForward(layer);
  }

  private attention(layer: LayerTensors, kv: KvLayer): void {
    const { nHeads, nKvHeads, headDim } = this.config, { buffers } = this.plan;
    const h = this.norm(this.x, layer.attnNorm);
    this.linears(h, [[layer.attnQ, buffers.q], [layer.attnK, buffers.k], [layer.attnV, buffers.v]]);
    this.positions(buffers.q, nHeads, layer.attnQNorm);
    this.positions(buffers.k, nKvHeads, layer.attnKNorm);
    this.attend(kv);
    let mixed: Input = { at: buffers.attention, stride: nHeads * headDim, isOwn: false };
    if (layer.attnSubNorm) mixed = this.norm(mixed, layer.attnSubNorm);
    this.linears(mixed, [[layer.attnOutput, buffers.branch]]);
    this.residual();
  }

  /** Norm of each head where there is one, then rotation, in place; what stores and reads them waits. */
  private positions(at: number, nHeads: number, headNorm: VectorTensor | undefined): void {
    const { headDim, ropeDim, ropePairs, normEps } = this.config, { buffers } = this.plan;
    const stride = roundUp(nHeads * headDim, 32);
    if (headNorm) this.out.step(abi.OP_RMS_NORM_HEADS, [at, stride, this.address(headNorm), nHeads, headDim, { float: normEps }], { barrier: false });
    const op = ropePairs === "adjacent" ? abi.OP_ROPE_ADJACENT : abi.OP_ROPE_HALF;
    this.out.step(op, [at, stride, buffers.ropeCos, buffers.ropeSin, nHeads, headDim, ropeDim], { barrier: false });
  }

  private attend(kv: KvLayer): void {
    const { nHeads, nKvHeads, headDim } = this.config, { buffers, options } = this.plan;
    const qStride = roundUp(nHeads * headDim, 32), kvStride = roundUp(nKvHeads * headDim, 32);
    const q8 = options.kvType === "q8";
    this.out.step(q8 ? abi.OP_STORE_KV_Q8 : abi.OP_STORE_KV,
      [buffers.k, buffers.v, kvStride, kv.k, kv.v, nKvHeads, headDim, options.contextLength]);
    this.out.step(q8 ? abi.OP_ATTEND_Q8 : abi.OP_ATTEND,
      [buffers.q, qStride, kv.k, kv.v, buffers.attention, nHeads * headDim, nHeads, nKvHeads, headDim, options.contextLength, { float: 1 / Math.sqrt(headDim) }]);
  }

  private feedForward(layer: LayerTensors): void {
    const { nFf, activation } = this.config, { buffers } = this.plan;
    const h = this.norm(this.x, layer.ffnNorm), stride = roundUp(nFf, 32);
    this.linears(h, [[layer.ffnGate, buffers.gate], [layer.ffnUp, buffers.up]], "batch");
    this.out.step(GATE_OPS[activation], [buffers.gate, buffers.up, buffers.gate, stride]);
    let gated: Input = { at: buffers.gate, stride, isOwn: false };
    if (layer.ffnSubNorm) gated = this.norm(gated, layer.ffnSubNorm);
    this.linears(gated, [[layer.ffnDown, buffers.branch]]);
    this.residual();
  }

  outputNorm({ outputNorm }: ModelTensors): void {
    this.norm(this.x, outputNorm, true);
  }

  head({ tokenEmbd, output }: ModelTensors): void {
    const { logits, h } = this.plan.buffers, vocabPadded = roundUp(this.config.vocabSize, 32);
    this.linear.head(output ?? tokenEmbd, { at: h, stride: this.config.nEmbd, isOwn: true }, logits);
    if (this.config.logitScale !== 1) this.out.step(abi.OP_SCALE, [logits, vocabPadded, { float: this.config.logitScale }], { headRows: true });
  }

  private get x(): Input {
    return { at: this.plan.buffers.x, stride: this.config.nEmbd, isOwn: true };
  }

  private norm({ at, stride, isOwn }: Input, weight: VectorTensor, headRows = false): Input {
    const { h } = this.plan.buffers;
    this.out.step(abi.OP_RMS_NORM, [at, stride, this.address(weight), h, weight.length, weight.length, { float: this.config.normEps }], { barrier: "batch", headRows, ownRow: true, ownInput: isOwn });
    return { at: h, stride: weight.length, isOwn: true };
  }

  /** Projections of one input; those with a norm of their own get their own input (BitNet embedding models). */
  private linears(input: Input, targets: readonly (readonly [LinearTensors, number])[], barrier: true | "batch" = true): void {
    const shared = targets.filter(([linear]) => !linear.normIn);
    this.linear.project(input, shared, shared.length === targets.length ? barrier : true);
    for (const [linear, y] of targets) {
      if (linear.normIn) this.linear.projectNormed(input, linear, this.address(linear.normIn), y);
    }
  }

  private residual(): void {
    const { x, branch } = this.plan.buffers, { nEmbd, residualScale } = this.config;
    // Inputs with a norm of their own are made in `branch`, which everybody must have read.
    const barrier = this.hasNormIn ? true : "batch";
    this.out.step(abi.OP_ADD_SCALED, [x, branch, { float: residualScale }, nEmbd, roundUp(nEmbd, 32)], { barrier, ownRow: true });
  }

  private address(vector: VectorTensor): number {
    return this.plan.vectors.get(vector)!.at;
  }
}
