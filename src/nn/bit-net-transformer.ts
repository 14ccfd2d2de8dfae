/**
 * The transformer of the BitNet papers as a layer (transformer-graph.ts has its graph). Parameters have GGUF's names,
 * so a trained layer exports as it is.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import { LAYERS_MAX } from "../core/limits.ts";
import {
  BOOLEAN,
  type Meanings,
  type OptionTable,
  TEXT,
  check,
  checkOptions,
  kind,
  number,
  oneOf,
  optional,
  required,
  whole,
} from "../core/options.ts";
import { requireHeads } from "./bit-mgqa.ts";
import { BIT_OPTIONS, type BitOptions } from "./bit-linear.ts";
import { type GenerateOptions, generateIds } from "./generate-ids.ts";
import { KV_CACHE, KvCache } from "./kv-cache.ts";
import {
  IdLayer,
  LAYER_OPTIONS,
  type LayerOptions,
  type RecordedGraph,
  copyParameters,
  writeDropoutState,
} from "./layer.ts";
import { type IdArray, type NdArray, checkShape } from "./nd-array.ts";
import type { ActivationKind } from "./ops.ts";
import { COUNT, POSITIVE, RATE, notOfPacked } from "./option-checks.ts";
import { PackedMatrix, requirePackable } from "./packed-matrix.ts";
import { type RotaryFrequencies, recordRotaryTable, writeRotaryFrequencies } from "./rotary-table.ts";
import type { TransformerShape } from "./shape.ts";
import { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";
import { type TransformerGraphParts, transformerLogits } from "./transformer-graph.ts";
import { initializeTransformer, parameterShapes } from "./transformer-parameters.ts";
import { type WeightCodes, weightCodes } from "./weight-codes.ts";

/** Options of {@link BitNetTransformer}. */
export interface BitNetTransformerOptions extends LayerOptions, BitOptions {
  /** Ids are below it. */
  readonly numTokens: number;
  /** Width: a multiple of `8 · heads`. */
  readonly dim: number;
  /** Layers. */
  readonly depth: number;
  /** Query heads. Default 8. */
  readonly heads?: number;
  /** Key and value heads, a divisor of `heads`. Default as many. */
  readonly kvHeads?: number;
  /** Hidden columns of the feed-forward are dim · ffMult. Default 4. */
  readonly ffMult?: number;
  /** The function inside the feed-forward. Default "silu". */
  readonly activation?: ActivationKind;
  /** Whether the feed-forward is gated. Default true. */
  readonly glu?: boolean;
  /** Norms with gains before the two output projections. Default true. */
  readonly subNorms?: boolean;
  /** Whether the head shares the embedding's weights. Default true. */
  readonly tied?: boolean;
  /** Base of the rotary positions. Default 10000. */
  readonly ropeTheta?: number;
  /** Added to the mean square in norms. Default 1e-5. */
  readonly normEps?: number;
  /** Most positions of a sequence. Default 2048. */
  readonly contextLength?: number;
  /** Rate, of the embedding and of what each block adds. Default 0. */
  readonly dropout?: number;
}

export const BIT_NET_TRANSFORMER_OPTIONS: OptionTable<BitNetTransformerOptions> = {
  ...LAYER_OPTIONS,
  ...BIT_OPTIONS,
  numTokens: required(COUNT),
  dim: required(COUNT),
  depth: required(whole(1, LAYERS_MAX)),
  heads: COUNT,
  kvHeads: COUNT,
  ffMult: number({ above: 0 }),
  activation: oneOf("silu", "relu2", "gelu"),
  glu: BOOLEAN,
  subNorms: BOOLEAN,
  tied: BOOLEAN,
  ropeTheta: POSITIVE,
  normEps: POSITIVE,
  contextLength: COUNT,
  dropout: RATE,
};

/** Its name in the training options. */
const MEANINGS: Meanings = { vocabSize: "numTokens" };

/**
 * The transformer of BitNet b1.58 (Ma et al., 2024, arXiv 2402.17764, §2; sub-norms: arXiv 2504.12285, §2), ids (batch,
 * length) → logits (batch, length, numTokens). Parameters have their names in GGUF files (`blk.0.attn_q.weight`).
 *
 * @example
 * ```ts
 * import { AdamW, BitNetTransformer, CrossEntropyLoss, ids } from "onebit/nn";
 *
 * const model = new BitNetTransformer({ numTokens: 16, dim: 32, depth: 1, heads: 4 });
 * const optimizer = AdamW.of(model.parameters().values()),
 *   loss = new CrossEntropyLoss({ runtime: model.runtime });
 * const text = Array.from({ length: 33 }, (_, i) => i % 4);
 * for (let step = 0; step < 10; step++) {
 *   const result = loss.compute(model.forward(ids(text.slice(0, -1))), ids(text.slice(1)));
 *   optimizer.zeroGradients();
 *   model.backward(result.gradient);
 *   optimizer.step({ learningRate: 3e-3, weightDecay: 0.1 });
 *   console.log(step, result.loss);
 * }
 * ```
 */
export class BitNetTransformer extends IdLayer {
  /** Its sizes and how it rounds. */
  readonly shape: TransformerShape;
  /** Ids are below it. */
  readonly numTokens: number;
  readonly #options: BitNetTransformerOptions;
  readonly #frequencies: RotaryFrequencies;
  readonly #dropoutRate: number;
  readonly #dropoutState: number;
  readonly #packed: ReadonlyMap<string, PackedMatrix> | undefined;
  #passes = 0;

  /**
   * @param packed matrices of {@link pack}, which this layer then owns
   * @throws OnebitError `option/invalid`, `train/not-enough-memory`
   */
  constructor(given: BitNetTransformerOptions, packed?: ReadonlyMap<string, PackedMatrix>) {
    const options = checkOptions("BitNetTransformer", given, BIT_NET_TRANSFORMER_OPTIONS, { meanings: MEANINGS });
    check(
      "packed",
      packed,
      optional(
        kind(
          "what pack() made",
          (value) => value instanceof Map && [...value.values()].every((matrix) => matrix instanceof PackedMatrix),
        ),
      ),
    );
    super(options);
    const { runtime } = this;
    this.shape = shapeOf(options);
    this.numTokens = this.shape.vocabSize;
    this.#options = { ...options, runtime };
    this.#packed = packed;
    this.#dropoutRate = options.dropout ?? 0;
    this.#dropoutState = this.addBlock(abi.DROPOUT_BYTES, "state of dropout");
    const { headDim, ropeTheta } = this.shape;
    this.#frequencies = writeRotaryFrequencies(
      runtime,
      this.addBlock(headDim * 4, "frequencies of positions"),
      headDim,
      ropeTheta,
    );
    const parameters = new Map(
      parameterShapes(this.shape)
        .filter(([name]) => !packed?.has(name))
        .map(([name, extents]) => [name, this.addParameter(name, extents)]),
    );
    if (packed) this.eval();
    else initializeTransformer(runtime, this.shape, parameters, this.seed);
  }

  outputShape(shape: readonly number[]): readonly number[] {
    const { contextLength } = this.shape;
    checkShape(shape, "BitNetTransformer");
    if (shape.length !== 2)
      fail("model/bad-shape", `BitNetTransformer: wanted ids (batch, length), got ${shape.join(" × ")}`);
    if (shape[1] > contextLength)
      fail(
        "model/bad-shape",
        `BitNetTransformer: wanted at most ${contextLength} positions (contextLength), got ${shape[1]}`,
      );
    return [...shape, this.numTokens];
  }

  record(tape: Tape, ids: Tensor): Tensor {
    const dropout = this.isTraining ? { rate: this.#dropoutRate, state: { address: this.#dropoutState } } : undefined;
    return transformerLogits(tape, { ...this.#parts(), dropout }, ids, ids.columns);
  }

  #parts(): TransformerGraphParts {
    const { shape } = this,
      frequencies = this.#frequencies;
    return {
      shape,
      parameters: this.parameters(),
      packed: this.#packed,
      rotary: (tape, length) => recordRotaryTable(tape, frequencies, length),
    };
  }

  override beginPass(): void {
    if (this.isTraining) this.#passes++;
    writeDropoutState(
      this.runtime,
      this.#dropoutState,
      Math.imul(this.seed, 0x9e3779b1) + this.#passes,
      this.isTraining,
    );
  }

  /**
   * Room for keys and values of `batch` sequences (default 1) of `contextLength` positions (default and most: the
   * transformer's).
   * @throws OnebitError `option/invalid`, `train/not-enough-memory`, `model/closed`
   */
  createCache(batch = 1, contextLength = this.shape.contextLength): KvCache {
    this.requireOpen();
    if (check("contextLength", contextLength, COUNT) > this.shape.contextLength)
      fail(
        "option/invalid",
        `contextLength: wanted at most the transformer's ${this.shape.contextLength}, got ${contextLength}`,
      );
    return new KvCache(
      this.runtime,
      { nLayers: this.shape.depth, nKvHeads: this.shape.kvHeads, headDim: this.shape.headDim },
      batch,
      contextLength,
    );
  }

  /**
   * Logits of the next ids (batch, any length) after those that the cache has: what `forward` in eval mode gives for
   * them, to rounding.
   *
   * @throws OnebitError `model/context-full`, `model/bad-token`, `model/bad-shape`, `model/closed`
   * @example
   * ```ts
   * import { BitNetTransformer, ids } from "onebit/nn";
   *
   * const model = new BitNetTransformer({ numTokens: 16, dim: 32, depth: 1, heads: 4 });
   * using cache = model.createCache(1, 8);
   * console.log(model.step(ids([3, 1, 4]), cache).shape, model.step(ids([1]), cache).shape); // 1, 3, 16 and 1, 1, 16
   * ```
   */
  step(x: IdArray, cache: KvCache): NdArray {
    this.requireOpen();
    const ids = this.requireIds(x),
      shape = this.outputShape(ids.shape),
      [batch, length] = ids.shape;
    let data = new Float32Array(0);
    check("cache", cache, KV_CACHE).advance(
      batch,
      length,
      () => this.#recordStep(ids.shape, cache),
      ({ graph, input, outputs }, places) => {
        graph.i32(input).set(ids.data);
        graph.forwardAt(places);
        data = withMemoryNow("train/not-enough-memory", `logits of ${shape.join(" × ")}`, () =>
          graph.f32(outputs[0]).slice(),
        );
      },
    );
    return { data, shape };
  }

  #recordStep(shape: readonly number[], cache: KvCache): RecordedGraph {
    const tape = new Tape(this.runtime, { gradients: false }),
      input = tape.input(shape);
    const output = transformerLogits(tape, { ...this.#parts(), cache }, input, shape[1]);
    return { graph: tape.compile({ outputs: [output] }), input, outputs: [output] };
  }

  /**
   * The ids that follow `prompt`, one sequence.
   *
   * @throws OnebitError `option/invalid`, also where prompt and tokens exceed the context; `model/bad-token`
   * @example
   * ```ts
   * import { BitNetTransformer } from "onebit/nn";
   *
   * const model = new BitNetTransformer({ numTokens: 16, dim: 32, depth: 1, heads: 4 });
   * console.log(model.pack().generate([3, 1, 4], { maxTokens: 5, temperature: 0.8, seed: 1 }));
   * ```
   */
  generate(prompt: ArrayLike<number>, options: GenerateOptions = {}): number[] {
    return withMemoryNow("train/not-enough-memory", "generating", () => generateIds(this, prompt, options));
  }

  /** Whether `pack` made it. */
  get isPacked(): boolean {
    return this.#packed !== undefined;
  }

  /** Bytes of the projections as they are multiplied, packed or floats; embedding and head are floats. */
  get weightBytes(): number {
    if (this.#packed) return [...this.#packed.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return this.#projectionNames().reduce((sum, name) => sum + this.parameters().get(name)!.size * 4, 0);
  }

  #projectionNames(): string[] {
    return parameterShapes(this.shape)
      .filter(([name, extents]) => name.startsWith("blk.") && extents.length === 2)
      .map(([name]) => name);
  }

  /**
   * What the weights of a projection (`blk.0.attn_q.weight`) are rounded to.
   * @throws OnebitError `model/missing-tensor`; `option/invalid` for floats, or packed ones
   */
  weightCodes(name: string): WeightCodes {
    if (this.#packed) notOfPacked("weightCodes");
    const weight =
      this.parameters().get(check("name", name, TEXT)) ?? fail("model/missing-tensor", `no parameter is named ${name}`);
    return weightCodes(this.runtime, weight, this.shape.weightBits);
  }

  /**
   * The transformer for inference, as {@link BitLinear.pack}; embedding, head and gains stay floats.
   * @throws OnebitError as {@link BitLinear.pack}
   */
  pack(): BitNetTransformer {
    requirePackable(this.shape);
    const packed = new Map(
      this.#projectionNames().map((name) => [name, new PackedMatrix(this.runtime, this.weightCodes(name), this.shape)]),
    );
    const layer = new BitNetTransformer(this.#options, packed);
    copyParameters(this, layer);
    return layer;
  }

  override train(): this {
    return this.#packed ? notOfPacked("train") : super.train();
  }

  override close(): void {
    if (!this.isClosed) for (const matrix of this.#packed?.values() ?? []) matrix.free();
    super.close();
  }
}

function shapeOf(options: BitNetTransformerOptions): TransformerShape {
  const {
    numTokens: vocabSize,
    dim,
    depth,
    heads = 8,
    kvHeads = heads,
    ffMult = 4,
    activation = "silu",
    glu = true,
    subNorms = true,
    tied = true,
  } = options;
  const { ropeTheta = 10_000, normEps = 1e-5, contextLength = 2048, weightBits = 1.58, activationBits = 8 } = options;
  return {
    vocabSize,
    dim,
    depth,
    heads,
    kvHeads,
    headDim: requireHeads(dim, heads, kvHeads),
    ffHidden: check("dim · ffMult", dim * ffMult, COUNT),
    activation,
    glu,
    ropeTheta,
    normEps,
    contextLength,
    weightBits,
    activationBits,
    subNorms,
    tied,
  };
}
