/**
 * Multi-head grouped-query attention (Ainslie et al., "GQA", 2023) with low-bit projections, rotary positions (Su et
 * al., "RoFormer", 2021), and a cache to continue step by step.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import { BOOLEAN, type Meanings, type OptionTable, check, checkOptions, oneOf } from "../core/options.ts";
import { type AttentionParts, recordAttention, recordCachedAttention } from "./attention-graph.ts";
import { BIT_OPTIONS, BitLinear, type BitOptions, packedParts } from "./bit-linear.ts";
import { Dropout } from "./dropout.ts";
import { KV_CACHE, KvCache } from "./kv-cache.ts";
import {
  ArrayLayer,
  GraphSlot,
  LAYER_OPTIONS,
  type LayerOptions,
  type RecordedGraph,
  copyParameters,
  partSeed,
} from "./layer.ts";
import { type NdArray, checkArray, requireColumns } from "./nd-array.ts";
import { LayerNorm, type NormKind, RMSNorm } from "./norm-layers.ts";
import { COUNT, POSITIVE, RATE, notOfPacked } from "./option-checks.ts";
import { type RotaryFrequencies, recordRotaryTable, writeRotaryFrequencies } from "./rotary-table.ts";
import { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@link BitMGQA}. */
export interface BitMGQAOptions extends LayerOptions, BitOptions {
  /** Whether a position sees only itself and earlier ones. Default false. */
  readonly causal?: boolean;
  /** Base of the rotary positions; false: the layer knows nothing of positions. Default 10000. */
  readonly ropeTheta?: number | false;
  /**
   * What norms the input, without a gain, before it is rounded; the mixed heads too where `outputNorm` does not.
   * Default "rms".
   */
  readonly norm?: "rms" | "none";
  /** A norm with a gain behind the attention, before the output projection. Default "rms". */
  readonly outputNorm?: NormKind;
  /** Rate at the output. Default 0. */
  readonly dropout?: number;
  /** Whether projections have a bias. Default true. */
  readonly bias?: boolean;
}

/** What {@link BitMGQA.forwardWithWeights} gives. */
export interface AttentionResult {
  /** (batch, length, embedDim). */
  readonly output: NdArray;
  /** (batch, queryHeads, length, length): of each position, the probabilities of the positions it sees. */
  readonly weights: NdArray;
}

interface Parts {
  readonly q_proj: BitLinear;
  readonly k_proj: BitLinear;
  readonly v_proj: BitLinear;
  readonly out_proj: BitLinear;
}

export const BIT_MGQA_OPTIONS: OptionTable<BitMGQAOptions> = {
  ...LAYER_OPTIONS,
  ...BIT_OPTIONS,
  causal: BOOLEAN,
  ropeTheta: (value, name, code) => (value === false ? false : POSITIVE(value, name, code)),
  norm: oneOf("rms", "none"),
  outputNorm: oneOf("rms", "layer", "none"),
  dropout: RATE,
  bias: BOOLEAN,
};

/** Names from the PyTorch layer this one follows. */
const MEANINGS: Meanings = {
  layer_norm: 'outputNorm: "layer"',
  query_heads: "the second argument",
  kv_heads: "the third argument",
};
/** The kernels' panels are 8 columns wide. */
const HEAD_DIM_UNIT = 8;

/**
 * Multi-head grouped-query attention (Ainslie et al., 2023, arXiv 2305.13245, §2.2) with projections of few bits and
 * rotary positions (Su et al., 2021, arXiv 2104.09864, §3.2), (batch, length, embedDim) → the same.
 *
 * Parameters: `q_proj.weight`, `k_proj.weight`, `v_proj.weight`, `out_proj.weight`, their biases, and `norm.…`, the
 * norm before the output projection.
 *
 * @example
 * ```ts
 * import { BitMGQA, array } from "onebit/nn";
 *
 * const layer = new BitMGQA(32, 4, 2, { causal: true });
 * console.log(layer.forward(array(new Float32Array(3 * 32).fill(1), [1, 3, 32])).shape); // 1, 3, 32
 * ```
 */
export class BitMGQA extends ArrayLayer {
  /** Columns that go in and come out. */
  readonly embedDim: number;
  /** Query heads. */
  readonly queryHeads: number;
  /** Key and value heads. */
  readonly kvHeads: number;
  /** Columns of a head: a multiple of 8. */
  readonly headDim: number;
  /** Whether a position sees only itself and earlier ones. */
  readonly causal: boolean;
  readonly #options: BitMGQAOptions;
  readonly #parts: Parts;
  readonly #inputNorm: RMSNorm | undefined;
  readonly #outputNorm: RMSNorm | LayerNorm | undefined;
  readonly #plainNorm: RMSNorm | undefined;
  readonly #dropout: Dropout;
  readonly #frequencies: RotaryFrequencies | undefined;
  readonly #withWeights = new GraphSlot();

  /**
   * @param embedDim a multiple of `8 · queryHeads`
   * @param queryHeads a multiple of `kvHeads`
   * @param packed projections of {@link pack}, which this layer then owns
   * @throws OnebitError `option/invalid`, `train/not-enough-memory`
   */
  constructor(embedDim: number, queryHeads = 8, kvHeads = 4, given: BitMGQAOptions = {}, packed?: Parts) {
    const options = checkOptions("BitMGQA", given, BIT_MGQA_OPTIONS, { meanings: MEANINGS }),
      { norm = "rms", outputNorm = "rms" } = options;
    check("packed", packed, packedParts<Parts>("q_proj", "k_proj", "v_proj", "out_proj"));
    super(options);
    this.embedDim = check("embedDim", embedDim, COUNT);
    this.queryHeads = check("queryHeads", queryHeads, COUNT);
    this.kvHeads = check("kvHeads", kvHeads, COUNT);
    this.headDim = requireHeads(embedDim, queryHeads, kvHeads);
    this.causal = options.causal ?? false;
    this.#options = { ...options, runtime: this.runtime };
    const { runtime, seed, headDim } = this,
      { weightBits, activationBits, bias } = options,
      theta = options.ropeTheta ?? 10_000;
    const linear = (rows: number, i: number) =>
      new BitLinear(embedDim, rows, {
        runtime,
        seed: partSeed(seed, i),
        weightBits,
        activationBits,
        bias,
        norm: "none",
      });
    const kvWidth = kvHeads * headDim;
    this.#parts = packed ?? {
      q_proj: linear(embedDim, 0),
      k_proj: linear(kvWidth, 1),
      v_proj: linear(kvWidth, 2),
      out_proj: linear(embedDim, 3),
    };
    for (const [name, part] of Object.entries(this.#parts)) this.addChild(name, part as BitLinear);
    if (norm === "rms") this.#inputNorm = this.addChild("input_norm", new RMSNorm(embedDim, { runtime, gain: false }));
    if (outputNorm !== "none")
      this.#outputNorm = this.addChild("norm", new (outputNorm === "rms" ? RMSNorm : LayerNorm)(embedDim, { runtime }));
    if (norm === "rms" && outputNorm !== "rms")
      this.#plainNorm = this.addChild("plain_norm", new RMSNorm(embedDim, { runtime, gain: false }));
    this.#dropout = this.addChild("dropout", new Dropout(options.dropout ?? 0, { runtime, seed: partSeed(seed, 4) }));
    if (theta !== false)
      this.#frequencies = writeRotaryFrequencies(
        runtime,
        this.addBlock(headDim * 4, "frequencies of positions"),
        headDim,
        theta,
      );
    if (packed) this.eval();
  }

  outputShape(shape: readonly number[]): readonly number[] {
    requireColumns(shape, this.embedDim, "BitMGQA");
    if (shape.length !== 3)
      fail("model/bad-shape", `BitMGQA: wanted an input (batch, length, ${this.embedDim}), got ${shape.join(" × ")}`);
    return shape;
  }

  /**
   * Records the layer on a tape of its runtime, as {@link Layer.record}.
   * @param weights (sequences, queryHeads, length, length), to receive the probabilities
   */
  record(tape: Tape, x: Tensor, weights?: Tensor): Tensor {
    const length = x.shape.at(-2) ?? 1;
    return this.#dropout.record(tape, recordAttention(tape, this.#attentionParts(), x, length, weights));
  }

  #attentionParts(): AttentionParts {
    const { q_proj, k_proj, v_proj, out_proj } = this.#parts,
      frequencies = this.#frequencies;
    return {
      nHeads: this.queryHeads,
      nKvHeads: this.kvHeads,
      headDim: this.headDim,
      causal: this.causal,
      norm: (tape, h) => this.#inputNorm?.record(tape, h) ?? h,
      q: q_proj.linear,
      k: k_proj.linear,
      v: v_proj.linear,
      output: out_proj.linear,
      outputNorm: (tape, h) => {
        const normed = this.#outputNorm?.record(tape, h) ?? h;
        return this.#plainNorm?.record(tape, normed) ?? normed;
      },
      rotary: frequencies && ((tape, length) => recordRotaryTable(tape, frequencies, length)),
    };
  }

  /**
   * The output as in eval mode, and the probabilities.
   * @throws OnebitError as {@link forward}
   */
  forwardWithWeights(x: NdArray): AttentionResult {
    this.requireOpen();
    const { data, shape: given } = checkArray(x, "input"),
      shape = this.outputShape(given),
      [batch, length] = shape,
      weightsShape = [batch, this.queryHeads, length, length];
    const { graph, input, outputs } = this.#withWeights.get(shape.join(), () => {
      const tape = new Tape(this.runtime, { gradients: false }),
        recordedInput = tape.input(shape),
        weights = tape.value(weightsShape, false);
      const output = recordAttention(tape, this.#attentionParts(), recordedInput, length, weights);
      return { graph: tape.compile({ outputs: [output, weights] }), input: recordedInput, outputs: [output, weights] };
    });
    graph.f32(input).set(data);
    graph.forward();
    return withMemoryNow("train/not-enough-memory", `weights of attention, ${weightsShape.join(" × ")}`, () => ({
      output: { data: graph.f32(outputs[0]).slice(), shape },
      weights: { data: graph.f32(outputs[1]).slice(), shape: weightsShape },
    }));
  }

  /**
   * Room for keys and values of `batch` sequences (default 1) of at most `contextLength` positions (default 2048).
   * @throws OnebitError `option/invalid` unless the layer is causal; `train/not-enough-memory`, `model/closed`
   */
  createCache(batch = 1, contextLength = 2048): KvCache {
    this.requireOpen();
    if (!this.causal)
      fail(
        "option/invalid",
        "createCache: wanted a layer with causal: true; without it later positions change earlier ones",
      );
    return new KvCache(
      this.runtime,
      { nLayers: 1, nKvHeads: this.kvHeads, headDim: this.headDim },
      batch,
      contextLength,
    );
  }

  /**
   * The outputs of the next positions, x (batch, any length, embedDim), after those that the cache has: what `forward`
   * in eval mode gives for them, to rounding.
   *
   * @throws OnebitError `model/context-full`, `model/bad-shape`, `model/closed`
   * @example
   * ```ts
   * import { BitMGQA, array } from "onebit/nn";
   *
   * const layer = new BitMGQA(32, 4, 2, { causal: true });
   * using cache = layer.createCache(1, 8);
   * for (let i = 0; i < 3; i++) layer.step(array(new Float32Array(32).fill(i), [1, 1, 32]), cache);
   * console.log(cache.position); // 3
   * ```
   */
  step(x: NdArray, cache: KvCache): NdArray {
    this.requireOpen();
    const { data: input, shape: given } = checkArray(x, "input"),
      shape = this.outputShape(given),
      [batch, length] = shape;
    let data = new Float32Array(0);
    check("cache", cache, KV_CACHE).advance(
      batch,
      length,
      () => this.#recordStep(shape, cache),
      ({ graph, input: at, outputs }, places) => {
        graph.f32(at).set(input);
        graph.forwardAt(places);
        data = withMemoryNow("train/not-enough-memory", `an output of ${shape.join(" × ")}`, () =>
          graph.f32(outputs[0]).slice(),
        );
      },
    );
    return { data, shape };
  }

  #recordStep(shape: readonly number[], cache: KvCache): RecordedGraph {
    const tape = new Tape(this.runtime, { gradients: false }),
      input = tape.input(shape);
    const output = recordCachedAttention(tape, this.#attentionParts(), input, shape[1], {
      cache,
      layer: cache.layers[0],
    });
    return { graph: tape.compile({ outputs: [output] }), input, outputs: [output] };
  }

  /** Whether `pack` made it. */
  get isPacked(): boolean {
    return this.#parts.q_proj.isPacked;
  }

  /** Bytes of the weights as they are multiplied. */
  get weightBytes(): number {
    const { q_proj, k_proj, v_proj, out_proj } = this.#parts;
    return q_proj.weightBytes + k_proj.weightBytes + v_proj.weightBytes + out_proj.weightBytes;
  }

  /**
   * The layer for inference, as {@link BitLinear.pack}.
   * @throws OnebitError as {@link BitLinear.pack}
   */
  pack(): BitMGQA {
    const { q_proj, k_proj, v_proj, out_proj } = this.#parts;
    const parts = { q_proj: q_proj.pack(), k_proj: k_proj.pack(), v_proj: v_proj.pack(), out_proj: out_proj.pack() };
    const layer = new BitMGQA(this.embedDim, this.queryHeads, this.kvHeads, this.#options, parts);
    copyParameters(this, layer);
    return layer;
  }

  override train(): this {
    return this.isPacked ? notOfPacked("train") : super.train();
  }

  override close(): void {
    if (!this.isClosed) this.#withWeights.free();
    super.close();
  }
}

/** Columns of a head. */
export function requireHeads(dim: number, heads: number, kvHeads: number): number {
  if (dim % heads !== 0) fail("option/invalid", `heads: wanted a divisor of ${dim}, got ${heads}`);
  if (heads % kvHeads !== 0)
    fail("option/invalid", `kvHeads: wanted a divisor of the ${heads} query heads, got ${kvHeads}`);
  const headDim = dim / heads;
  if (headDim % HEAD_DIM_UNIT !== 0)
    fail(
      "option/invalid",
      `heads: wanted a multiple of ${HEAD_DIM_UNIT} columns a head, got ${headDim} (${dim} columns, ${heads} heads)`,
    );
  return headDim;
}
