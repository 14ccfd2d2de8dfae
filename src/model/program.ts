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
import type { KvLayer } from "../kernels/attention-cache.ts";
import { padToTiles } from "../kernels/layouts.ts";
import { StepWriter } from "../kernels/step-writer.ts";
import type { Activation } from "./architectures.ts";
import { mixedWidthOf, valueWidthOf } from "./blocks.ts";
import { type ModelConfig, attentionScaleOf } from "./config.ts";
import { type Input, LinearWriter } from "./linear-program.ts";
import type { LoadedWeights } from "./loader.ts";
import type { MemoryPlan } from "./plan.ts";
import { type BlockTensors, type LinearTensors, type ModelTensors, type VectorTensor, allLinears } from "./weights.ts";

export interface Program {
  /** Steps up to the end of each layer. */
  readonly layerEnds: readonly number[];
  /** Steps up to the output norm, whose rows are the hidden states. */
  readonly nHiddenSteps: number;
  readonly nSteps: number;
}

const GATES = { silu: "gateSilu", relu2: "gateRelu2", gelu: "gateGelu" } as const satisfies Readonly<
  Record<Activation, string>
>;

/**
 * Writes the program of `config` at the place `plan` keeps for it. `ropeMagnitude` scales cos and sin (YaRN, LongRoPE).
 */
export function buildProgram(
  config: ModelConfig,
  tensors: ModelTensors,
  plan: MemoryPlan,
  weights: LoadedWeights,
  memory: WebAssembly.Memory,
  ropeMagnitude: number,
): Program {
  const out = new StepWriter(memory, plan.program, plan.programBytes, (address: number) => address);
  const graph = new Graph(config, plan, out, new LinearWriter(config, plan, weights, out), hasNormIn(tensors));
  graph.embed(tensors);
  graph.ropeTables(ropeMagnitude);
  const layerEnds = tensors.layers.map((layer, i) => {
    for (const block of layer) graph.block(block, config.sliding?.layers[i] === true);
    return out.nSteps;
  });
  graph.outputNorm(tensors);
  const nHiddenSteps = out.nSteps;
  graph.head(tensors);
  return { layerEnds, nHiddenSteps, nSteps: out.nSteps };
}

function hasNormIn(tensors: ModelTensors): boolean {
  return allLinears(tensors).some(({ normIn }) => normIn !== undefined);
}

class Graph {
  private readonly config: ModelConfig;
  private readonly plan: MemoryPlan;
  private readonly out: StepWriter;
  private readonly linear: LinearWriter;
  private readonly hasNormIn: boolean;
  private nAttentions = 0;
  private nRecurrent = 0;

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
    const { ropeFrequencies, slidingFrequencies, buffers } = this.plan,
      nHalf = this.config.ropeDim / 2;
    const table = { cos: buffers.ropeCos, sin: buffers.ropeSin };
    this.out.step("ropeTable", { ...table, frequencies: ropeFrequencies, nHalf, magnitude });
    if (this.config.sliding === undefined) return;
    const sliding = { cos: buffers.slidingCos, sin: buffers.slidingSin };
    this.out.step("ropeTable", { ...sliding, frequencies: slidingFrequencies, nHalf, magnitude: 1 });
  }

  /** @param slides whether its layer sees only the last positions */
  block(block: BlockTensors, slides: boolean): void {
    switch (block.kind) {
      case "attention":
        return this.attention(block.parts, this.plan.kv.layers[this.nAttentions++], slides);
      case "gatedAttention":
        return this.gatedAttention(block.parts, this.plan.kv.layers[this.nAttentions++], slides);
      case "deltaNet":
        return this.deltaNet(block.parts, this.plan.kv.states.layers[this.nRecurrent++]);
      case "feedForward":
      case "plainFeedForward":
        return this.feedForward(block.parts);
    }
  }

  private attention(parts: BlockTensors<"attention">["parts"], kv: KvLayer, slides: boolean): void {
    const { nHeads, nKvHeads, headDim } = this.config,
      { buffers } = this.plan;
    const h = this.norm(this.x, parts.norm);
    this.linears(h, [
      [parts.q, buffers.q],
      [parts.k, buffers.k],
      [parts.v, buffers.v],
    ]);
    const qStride = padToTiles(nHeads * headDim);
    this.positions(buffers.q, qStride, nHeads, parts.qNorm, slides);
    this.positions(buffers.k, padToTiles(nKvHeads * headDim), nKvHeads, parts.kNorm, slides);
    this.attend(kv, qStride, slides);
    let mixed: Input = { at: buffers.attention, stride: nHeads * headDim, isOwn: false };
    if (parts.subNorm) mixed = this.norm(mixed, parts.subNorm);
    this.linears(mixed, [[parts.output, buffers.branch]]);
    this.residual(parts.postNorm);
  }

  /** Rows of q hold all queries, then all gates (row-order.ts). */
  private gatedAttention(parts: BlockTensors<"gatedAttention">["parts"], kv: KvLayer, slides: boolean): void {
    const { nHeads, nKvHeads, headDim } = this.config,
      { buffers } = this.plan,
      width = nHeads * headDim,
      qStride = padToTiles(2 * width);
    this.linears(this.norm(this.x, parts.norm), [
      [parts.q, buffers.q],
      [parts.k, buffers.k],
      [parts.v, buffers.v],
    ]);
    this.positions(buffers.q, qStride, nHeads, parts.qNorm, slides);
    this.positions(buffers.k, padToTiles(nKvHeads * headDim), nKvHeads, parts.kNorm, slides);
    this.attend(kv, qStride, slides);
    const { attention } = buffers;
    this.out.step("gateSigmoid", {
      x: attention,
      xStride: width,
      gate: buffers.q + width * 4,
      gateStride: qStride,
      dim: width,
    });
    this.linears({ at: attention, stride: width, isOwn: false }, [[parts.output, buffers.branch]]);
    this.residual(undefined);
  }

  /** The convolution goes from `gate` to `up`; z stands in `q`, the gates of heads in `k` and `v`. */
  private deltaNet(parts: BlockTensors<"deltaNet">["parts"], states: number): void {
    const { deltaNet: net, hadamard, normEps: eps } = this.config,
      { buffers, kv } = this.plan;
    if (net === undefined) return;
    const { nKeyHeads, nValueHeads, headDim, nTaps, isGrouped: grouped } = net,
      width = valueWidthOf(net),
      mixedStride = padToTiles(mixedWidthOf(net)),
      shape = { stateBytes: kv.states.layerBytes, nKeyHeads, nValueHeads, headDim, eps };
    this.linears(this.norm(this.x, parts.norm), [
      [parts.qkv, buffers.gate],
      [parts.z, buffers.q],
      [parts.alpha, buffers.k],
      [parts.beta, buffers.v],
    ]);
    const weights = this.address(parts.convolution),
      rows = { x: buffers.gate, xStride: mixedStride, y: buffers.up, yStride: mixedStride };
    this.out.step("convolve", { ...rows, ...shape, weights, states, nTaps });
    this.out.step("deltaNet", {
      ...shape,
      x: buffers.up,
      xStride: mixedStride,
      z: buffers.q,
      zStride: padToTiles(width),
      alpha: buffers.k,
      beta: buffers.v,
      gateStride: padToTiles(nValueHeads),
      decay: this.address(parts.decay),
      dtBias: this.address(parts.dtBias),
      weight: this.address(parts.headNorm),
      states: states + kv.states.rowsBytes,
      out: buffers.attention,
      outStride: width,
      grouped,
      regroup: hadamard?.groupsValues === true && parts.output.matrix.isRotated === true,
    });
    this.linears({ at: buffers.attention, stride: width, isOwn: false }, [[parts.output, buffers.branch]]);
    this.residual(undefined);
  }

  /** Norms each head where the model does, and rotates it, in place; the next step waits for all. */
  private positions(
    x: number,
    xStride: number,
    nHeads: number,
    headNorm: VectorTensor | undefined,
    slides: boolean,
  ): void {
    const { headDim, ropeDim, normEps, rotatesFirst } = this.config,
      { buffers } = this.plan;
    const heads = { x, xStride, nHeads, headDim },
      table = slides
        ? { cos: buffers.slidingCos, sin: buffers.slidingSin }
        : { cos: buffers.ropeCos, sin: buffers.ropeSin };
    const norm = () => {
      if (headNorm)
        this.out.step("rmsNormHeads", { ...heads, weight: this.address(headNorm), eps: normEps }, { barrier: false });
    };
    if (!rotatesFirst) norm();
    this.out.step("rope", { ...heads, ...table, nRot: ropeDim }, { barrier: false });
    if (rotatesFirst) norm();
  }

  private attend({ k, v }: KvLayer, qStride: number, slides: boolean): void {
    const { nHeads, nKvHeads, headDim, sliding } = this.config,
      { buffers, options, kv } = this.plan;
    const kvStride = padToTiles(nKvHeads * headDim);
    const q8 = options.kvType === "q8",
      cache = { ...kv.heads, kCache: k, vCache: v };
    this.out.step(q8 ? "storeKvQ8" : "storeKv", { ...cache, k: buffers.k, v: buffers.v, kvStride });
    this.out.step(q8 ? "attendQ8" : "attend", {
      ...cache,
      q: buffers.q,
      qStride,
      out: buffers.attention,
      outStride: nHeads * headDim,
      nHeads,
      contextLength: options.contextLength,
      scale: attentionScaleOf(this.config),
      window: slides && sliding !== undefined ? Math.min(sliding.positions, options.contextLength) : 0,
    });
  }

  private feedForward(parts: BlockTensors<"feedForward" | "plainFeedForward">["parts"]): void {
    const { nFf, activation } = this.config,
      { buffers } = this.plan;
    const h = this.norm(this.x, parts.norm),
      stride = padToTiles(nFf);
    this.linears(
      h,
      [
        [parts.gate, buffers.gate],
        [parts.up, buffers.up],
      ],
      "batch",
    );
    this.out.step(GATES[activation], { gate: buffers.gate, up: buffers.up, out: buffers.gate, dim: stride });
    let gated: Input = { at: buffers.gate, stride, isOwn: false };
    if ("subNorm" in parts && parts.subNorm) gated = this.norm(gated, parts.subNorm);
    this.linears(gated, [[parts.down, buffers.branch]]);
    this.residual("postNorm" in parts ? parts.postNorm : undefined);
  }

  outputNorm({ outputNorm }: ModelTensors): void {
    this.norm(this.x, outputNorm, true);
  }

  head({ tokenEmbd, output }: ModelTensors): void {
    const { logits, h } = this.plan.buffers,
      vocabPadded = padToTiles(this.config.vocabSize);
    const isTied = output === undefined;
    this.linear.head(output ?? tokenEmbd, { isTied }, { at: h, stride: this.config.nEmbd, isOwn: true }, logits);
    const { logitScale } = this.config;
    if (logitScale !== 1)
      this.out.step("scale", { y: logits, yStride: vocabPadded, factor: logitScale }, { headRows: true });
  }

  private get x(): Input {
    return { at: this.plan.buffers.x, stride: this.config.nEmbd, isOwn: true };
  }

  private norm({ at, stride, isOwn }: Input, weight: VectorTensor, headRows = false): Input {
    const { h } = this.plan.buffers;
    const rows = { x: at, xStride: stride, y: h, yStride: weight.length, dim: weight.length };
    this.out.step(
      "rmsNorm",
      { ...rows, weight: this.address(weight), eps: this.config.normEps, bias: 0 },
      { barrier: "batch", headRows, ownRow: true, ownInput: isOwn },
    );
    return { at: h, stride: weight.length, isOwn: true };
  }

  /** Projections of one input; those that norm their input get their own (BitNet embedding models). */
  private linears(
    input: Input,
    targets: readonly (readonly [LinearTensors, number])[],
    barrier: true | "batch" = true,
  ): void {
    const shared = targets.filter(([linear]) => !linear.normIn);
    this.linear.project(input, shared, shared.length === targets.length ? barrier : true);
    for (const [linear, y] of targets) {
      if (linear.normIn) this.linear.projectNormed(input, linear, this.address(linear.normIn), y);
    }
  }

  /** Adds the branch, through its own norm where it has one. */
  private residual(postNorm: VectorTensor | undefined): void {
    const { x, branch } = this.plan.buffers,
      { nEmbd, residualScale } = this.config,
      made: Input = { at: branch, stride: padToTiles(nEmbd), isOwn: false },
      added = postNorm ? this.norm(made, postNorm) : made;
    // Inputs with their own norm are made in `branch`, which all threads must have finished reading.
    const barrier = this.hasNormIn ? true : "batch";
    this.out.step(
      "addScaled",
      { x, y: added.at, factor: residualScale, dim: nEmbd, yStride: added.stride },
      { barrier, ownRow: true, ownInput: added.isOwn },
    );
  }

  private address(vector: VectorTensor): number {
    return this.plan.vectors.get(vector)!.at;
  }
}
