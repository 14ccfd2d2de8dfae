/**
 * The feed-forward layer of a low-bit transformer.
 *
 * @module
 */
import { BOOLEAN, type Meanings, type OptionTable, check, checkOptions, number, oneOf } from "../core/options.ts";
import { BIT_OPTIONS, BitLinear, type BitOptions, packedParts } from "./bit-linear.ts";
import { Dropout } from "./dropout.ts";
import { recordFeedForward } from "./feed-forward-graph.ts";
import { ArrayLayer, LAYER_OPTIONS, type LayerOptions, copyParameters, partSeed } from "./layer.ts";
import { requireColumns } from "./nd-array.ts";
import { LayerNorm, type NormKind, RMSNorm } from "./norm-layers.ts";
import type { ActivationKind } from "./ops.ts";
import { COUNT, RATE, notOfPacked } from "./option-checks.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@link BitFeedForward}. */
export interface BitFeedForwardOptions extends LayerOptions, BitOptions {
  /** Default dim. */
  readonly dimOut?: number;
  /** Hidden columns are dim · mult. Default 4. */
  readonly mult?: number;
  /** Multiplies `up` by the activation of a third projection. Default false. */
  readonly glu?: boolean;
  /** GELU (arXiv 1606.08415) by its tanh formula, SiLU, or squared ReLU (arXiv 2109.08668, §3). Default "gelu". */
  readonly activation?: ActivationKind;
  /**
   * What norms the input, without a gain, before it is rounded; the hidden columns too where `postActNorm` does not.
   * Default "rms".
   */
  readonly norm?: "rms" | "none";
  /** A norm with a gain behind the activation. Default "none". */
  readonly postActNorm?: NormKind;
  /** Rate behind the activation. Default 0. */
  readonly dropout?: number;
  /** Whether projections have a bias. Default true. */
  readonly bias?: boolean;
  /** Whether the layer starts as zero: a residual block then starts as identity. Default false. */
  readonly zeroInitOutput?: boolean;
}

interface Parts {
  readonly up: BitLinear;
  readonly gate: BitLinear | undefined;
  readonly down: BitLinear;
}

export const BIT_FEED_FORWARD_OPTIONS: OptionTable<BitFeedForwardOptions> = {
  ...LAYER_OPTIONS,
  ...BIT_OPTIONS,
  dimOut: COUNT,
  mult: number({ above: 0 }),
  glu: BOOLEAN,
  activation: oneOf("gelu", "silu", "relu2"),
  norm: oneOf("rms", "none"),
  postActNorm: oneOf("rms", "layer", "none"),
  dropout: RATE,
  bias: BOOLEAN,
  zeroInitOutput: BOOLEAN,
};

/** Names from the PyTorch layer this one follows. */
const MEANINGS: Meanings = { swish: 'activation: "silu"', post_act_ln: 'postActNorm: "layer"', no_bias: "bias: false" };

/**
 * The feed-forward of a transformer of few bits, (…, dim) → (…, dimOut): down(act(up(x))), or with `glu`
 * down(act(gate(x)) · up(x)) (Shazeer, 2020, arXiv 2002.05202, §2).
 *
 * Parameters: `up.weight`, `down.weight`, `gate.weight` with `glu`, their biases, and `post_act_norm.…`.
 *
 * @example
 * ```ts
 * import { BitFeedForward, array } from "onebit/nn";
 *
 * const layer = new BitFeedForward(16, { activation: "silu", glu: true });
 * console.log(layer.forward(array(new Float32Array(32).fill(1), [2, 16])).shape); // 2, 16
 * ```
 */
export class BitFeedForward extends ArrayLayer {
  /** Columns that go in. */
  readonly dim: number;
  /** Columns that come out. */
  readonly dimOut: number;
  /** Columns between the projections. */
  readonly hidden: number;
  /** The function between them. */
  readonly activation: ActivationKind;
  readonly #options: BitFeedForwardOptions;
  readonly #norm: RMSNorm | undefined;
  readonly #parts: Parts;
  readonly #postActNorm: RMSNorm | LayerNorm | undefined;
  readonly #innerNorm: RMSNorm | undefined;
  readonly #dropout: Dropout;

  /**
   * @param packed projections of {@link pack}, which this layer then owns
   * @throws OnebitError `option/invalid`, `train/not-enough-memory`
   */
  constructor(dim: number, given: BitFeedForwardOptions = {}, packed?: Parts) {
    const options = checkOptions("BitFeedForward", given, BIT_FEED_FORWARD_OPTIONS, { meanings: MEANINGS }),
      { norm = "rms", postActNorm = "none" } = options;
    check("packed", packed, packedParts<Parts>("up", "down"));
    super(options);
    this.dim = check("dim", dim, COUNT);
    this.dimOut = options.dimOut ?? dim;
    this.hidden = check("dim · mult", dim * (options.mult ?? 4), COUNT);
    this.activation = options.activation ?? "gelu";
    this.#options = { ...options, runtime: this.runtime };
    const { runtime, seed, hidden } = this,
      { weightBits, activationBits, bias } = options;
    const linear = (columns: number, rows: number, i: number) =>
      new BitLinear(columns, rows, {
        runtime,
        seed: partSeed(seed, i),
        weightBits,
        activationBits,
        bias,
        norm: "none",
      });
    this.#parts = packed ?? {
      up: linear(dim, hidden, 0),
      gate: options.glu ? linear(dim, hidden, 1) : undefined,
      down: linear(hidden, this.dimOut, 2),
    };
    for (const [name, part] of Object.entries(this.#parts)) if (part) this.addChild(name, part as BitLinear);
    if (norm === "rms") this.#norm = this.addChild("norm", new RMSNorm(dim, { runtime, gain: false }));
    if (postActNorm !== "none")
      this.#postActNorm = this.addChild(
        "post_act_norm",
        new (postActNorm === "rms" ? RMSNorm : LayerNorm)(hidden, { runtime }),
      );
    // After postActNorm "rms" a second RMSNorm would change only the gain.
    if (norm === "rms" && postActNorm !== "rms")
      this.#innerNorm = this.addChild("inner_norm", new RMSNorm(hidden, { runtime, gain: false }));
    this.#dropout = this.addChild("dropout", new Dropout(options.dropout ?? 0, { runtime, seed: partSeed(seed, 3) }));
    if (options.zeroInitOutput && !packed) this.#parts.down.weight.value.fill(0);
    if (packed) this.eval();
  }

  outputShape(shape: readonly number[]): readonly number[] {
    requireColumns(shape, this.dim, "BitFeedForward");
    return [...shape.slice(0, -1), this.dimOut];
  }

  record(tape: Tape, x: Tensor): Tensor {
    const { up, gate, down } = this.#parts;
    return recordFeedForward(
      tape,
      {
        activation: this.activation,
        norm: (_, h) => this.#norm?.record(tape, h) ?? h,
        up: up.linear,
        gate: gate?.linear,
        innerNorm: (_, h) => {
          const normed = this.#dropout.record(tape, this.#postActNorm?.record(tape, h) ?? h);
          return this.#innerNorm?.record(tape, normed) ?? normed;
        },
        down: down.linear,
      },
      x,
    );
  }

  /** Whether `pack` made it. */
  get isPacked(): boolean {
    return this.#parts.up.isPacked;
  }

  /** Bytes of the weights as they are multiplied. */
  get weightBytes(): number {
    return Object.values(this.#parts as unknown as Record<string, BitLinear | undefined>).reduce(
      (sum, part) => sum + (part?.weightBytes ?? 0),
      0,
    );
  }

  /**
   * The layer for inference, as {@link BitLinear.pack}.
   * @throws OnebitError as {@link BitLinear.pack}
   */
  pack(): BitFeedForward {
    const { up, gate, down } = this.#parts;
    const layer = new BitFeedForward(this.dim, this.#options, { up: up.pack(), gate: gate?.pack(), down: down.pack() });
    copyParameters(this, layer);
    return layer;
  }

  override train(): this {
    return this.isPacked ? notOfPacked("train") : super.train();
  }
}
