/**
 * A transformer in training: its parameters, graphs for a training and a validation batch, and the optimiser. A step
 * depends only on the parameters, the moments, its number and the batch, so a resumed run gives the same bits.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { AdamW, type AdamWOptions } from "../nn/adam-w.ts";
import { crossEntropy } from "../nn/ops.ts";
import type { Loss, RotaryTable } from "../nn/ops.ts";
import { createRotaryTable } from "../nn/rotary-table.ts";
import type { Runtime } from "../nn/runtime.ts";
import type { TransformerShape } from "../nn/shape.ts";
import type { Graph } from "../nn/graph.ts";
import { Tape } from "../nn/tape.ts";
import type { Tensor } from "../nn/tensor.ts";
import { transformerLogits } from "../nn/transformer-graph.ts";
import { type TransformerParameters, createParameters, parameterRanges } from "../nn/transformer-parameters.ts";
import type { StepRates } from "./schedule.ts";

export interface TransformerTrainerOptions extends AdamWOptions {
  readonly shape: TransformerShape;
  /** Sequences in a forward and backward pass. */
  readonly batch: number;
  /** Passes whose gradients add up to one step. Default 1. */
  readonly accumulation?: number;
  /** Ids in a sequence; at most shape.contextLength. */
  readonly seqLength: number;
  /** Default 0. */
  readonly dropout?: number;
  /** Seed of the first weights. Default 0. */
  readonly seed?: number;
}

export interface StepResult {
  /** Mean cross-entropy, nats. */
  readonly loss: number;
  /** Norm before clipping. */
  readonly gradientNorm: number;
}

/** Fills the inputs and targets of one pass, i32 (batch, seqLength) each. */
export type FillBatch = (inputs: Int32Array, targets: Int32Array) => void;

interface BatchGraph {
  readonly graph: Graph;
  readonly ids: Tensor;
  readonly targets: Tensor;
  readonly loss: Loss;
}

export class TransformerTrainer {
  readonly shape: TransformerShape;
  readonly parameters: TransformerParameters;
  readonly optimizer: AdamW;
  readonly tokensPerStep: number;
  readonly #runtime: Runtime;
  readonly #options: Required<Pick<TransformerTrainerOptions, "batch" | "accumulation" | "seqLength" | "dropout">>;
  readonly #dropoutState: number;
  readonly #training: BatchGraph;
  readonly #validation: BatchGraph;

  /** @throws OnebitError `train/not-enough-memory`, `train/bad-option` */
  constructor(runtime: Runtime, options: TransformerTrainerOptions) {
    const { shape, batch, seqLength, accumulation = 1, dropout = 0, seed = 0, ...optimiser } = options;
    this.#runtime = runtime;
    this.shape = shape;
    this.#options = { batch, seqLength, accumulation, dropout };
    this.tokensPerStep = batch * seqLength * accumulation;
    this.parameters = createParameters(runtime, shape, seed);
    this.optimizer = new AdamW(runtime, parameterRanges(this.parameters), optimiser);
    this.#dropoutState = runtime.allocate(abi.DROPOUT_BYTES, "state of dropout");
    const rotary = createRotaryTable(runtime, seqLength, shape.headDim, shape.ropeTheta);
    this.#training = this.#batchGraph(rotary, dropout, true);
    this.#validation = this.#batchGraph(rotary, 0, false);
  }

  /** Bytes of values and gradients of one training pass. */
  get passBytes(): number {
    return this.#training.graph.valueBytes;
  }

  #batchGraph(rotary: RotaryTable, dropout: number, isTraining: boolean): BatchGraph {
    const { batch, seqLength, accumulation } = this.#options,
      tape = new Tape(this.#runtime);
    const ids = tape.input([batch * seqLength]),
      targets = tape.input([batch * seqLength]);
    const parts = {
      shape: this.shape,
      parameters: this.parameters.byName,
      rotary,
      dropout: { rate: dropout, state: { address: this.#dropoutState } },
    };
    const logits = transformerLogits(tape, parts, ids, seqLength);
    const loss = crossEntropy(tape, logits, targets, 1 / (batch * seqLength * accumulation));
    const graph = tape.compile({ outputs: [loss.total], fromLoss: isTraining });
    return { graph, ids, targets, loss };
  }

  /**
   * One optimiser step. @param step 1 for the first
   * @throws OnebitError `train/not-finite` before the parameters are touched
   */
  step(step: number, rates: StepRates, fill: FillBatch): StepResult {
    const { accumulation } = this.#options,
      { graph, ids, targets, loss } = this.#training;
    this.optimizer.zeroGradients();
    let sum = 0,
      count = 0;
    for (let pass = 0; pass < accumulation; pass++) {
      const state = new DataView(this.#runtime.memory.buffer, this.#dropoutState, abi.DROPOUT_BYTES);
      state.setUint32(abi.DROPOUT_SEED, (step * accumulation + pass) >>> 0, true);
      state.setUint32(abi.DROPOUT_ACTIVE, 1, true);
      fill(graph.i32(ids), graph.i32(targets));
      graph.forwardBackward();
      const [passSum, passCount] = this.#runtime.f64(loss.total.address, 2);
      sum += passSum;
      count += passCount;
    }
    const gradientNorm = this.optimizer.gradientNorm();
    if (!Number.isFinite(sum) || !Number.isFinite(gradientNorm)) {
      fail(
        "train/not-finite",
        `step ${step}: the loss is ${sum / count} and the norm of its gradient ${gradientNorm}; use a lower learning ` +
          "rate, a longer warm-up or a smaller clipNorm",
      );
    }
    this.optimizer.update(step, rates, gradientNorm);
    return { loss: sum / count, gradientNorm };
  }

  /** Sum of the losses of one batch (nats) and its number of targets. */
  evaluate(fill: FillBatch): { readonly sum: number; readonly count: number } {
    const { graph, ids, targets, loss } = this.#validation;
    fill(graph.i32(ids), graph.i32(targets));
    graph.forward();
    const [sum, count] = this.#runtime.f64(loss.total.address, 2);
    return { sum, count };
  }
}
