/** onebit as a contestant: its products as single steps of a graph, its training step as the trainer does it. */
import * as abi from "../../assembly/abi.ts";
import { Runtime } from "../../src/nn/runtime.ts";
import type { Graph } from "../../src/nn/graph.ts";
import { Tape } from "../../src/nn/tape.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { TransformerTrainer } from "../../src/train/transformer-trainer.ts";
import { CLOCKS, type Clock } from "./clock.ts";
import { type OpenOptions, answer } from "./contestant.ts";
import type { Form, ProductSize, Training } from "./sizes.ts";

export interface Batch {
  readonly ids: Int32Array;
  readonly targets: Int32Array;
}

export interface OptimizerOptions {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export interface Weights {
  readonly [name: string]: { readonly shape: readonly number[]; readonly values: Float32Array };
}

export interface ModelFigures {
  readonly weights: Weights;
  /** Values and gradients of a pass, and all memory taken. */
  readonly passBytes: number;
  readonly memoryBytes: number;
}

interface Model {
  readonly trainer: TransformerTrainer;
  readonly optimizer: OptimizerOptions;
  steps: number;
}

export function answerOnebit(): void {
  let runtime: Runtime, clock: Clock, graph: Graph | undefined, model: Model;
  const trainStep = (batch: Batch, learningRate = model.optimizer.learningRate): number => {
    const fill = (ids: Int32Array, targets: Int32Array): void => (ids.set(batch.ids), targets.set(batch.targets));
    return model.trainer.step(++model.steps, { learningRate, weightDecay: model.optimizer.weightDecay }, fill).loss;
  };
  answer({
    async open({ threads, clock: name }: OpenOptions) {
      clock = CLOCKS[name];
      runtime = await Runtime.open({ threads, platform: nodePlatform() });
      return `onebit, training kernels with SIMD, ${threads} thread${threads > 1 ? "s" : ""}`;
    },
    product(options: ProductSize & { form: Form }) {
      graph?.free();
      graph = productGraph(runtime, options);
    },
    time: ({ times }: { times: number }) => secondsOf(clock, times, () => graph!.forward()),
    model({ training, optimizer }: { training: Training; optimizer: OptimizerOptions }): ModelFigures {
      model = { trainer: new TransformerTrainer(runtime, { ...training, ...optimizer }), optimizer, steps: 0 };
      const weights = [...model.trainer.parameters.byName].map(([name, { shape, value }]) => [
        name,
        { shape, values: value.slice() },
      ]);
      return {
        weights: Object.fromEntries(weights),
        passBytes: model.trainer.passBytes,
        memoryBytes: runtime.memoryBytes,
      };
    },
    lossAndGradients(batch: Batch) {
      const loss = trainStep(batch, 0);
      return {
        loss,
        gradients: Object.fromEntries(
          [...model.trainer.parameters.byName].map(([name, { gradient }]) => [name, gradient.slice()]),
        ),
      };
    },
    steps({ times, ...batch }: Batch & { times: number }) {
      const losses: number[] = [],
        seconds = secondsOf(clock, times, () => void losses.push(trainStep(batch)));
      return { seconds, losses };
    },
  });
}

/** One product of training, its operands filled with numbers in [-1, 1). */
function productGraph(runtime: Runtime, { form, rows, inputs, outputs }: ProductSize & { form: Form }): Graph {
  const tape = new Tape(runtime),
    x = tape.input([rows, inputs]),
    w = tape.input([outputs, inputs]),
    dy = tape.input([rows, outputs]);
  const result = { forward: dy, input: x, weight: w }[form];
  const fields = {
    forward: {
      form: abi.FORM_FORWARD,
      a: x,
      aStride: inputs,
      b: w,
      bStride: inputs,
      c: dy,
      cStride: outputs,
      m: rows,
      n: outputs,
      k: inputs,
    },
    input: {
      form: abi.FORM_INPUT,
      a: dy,
      aStride: outputs,
      b: w,
      bStride: inputs,
      c: x,
      cStride: inputs,
      m: rows,
      n: inputs,
      k: outputs,
    },
    weight: {
      form: abi.FORM_WEIGHT,
      a: dy,
      aStride: outputs,
      b: x,
      bStride: inputs,
      c: w,
      cStride: inputs,
      m: outputs,
      n: inputs,
      k: rows,
    },
  }[form];
  const plain = { add: false, kScale: undefined, scale: undefined, rowScale: undefined, codes: false };
  tape.step("matmulF32", { ...fields, ...plain }, { scratchBytes: abi.MATMUL_SCRATCH_BYTES });
  const graph = tape.compile({ outputs: [result] });
  for (const operand of [x, w, dy]) graph.f32(operand).forEach((_, i, values) => (values[i] = Math.random() * 2 - 1));
  return graph;
}

function secondsOf(clock: Clock, times: number, run: () => void): number {
  const begin = clock();
  for (let i = 0; i < times; i++) run();
  return (clock() - begin) / times;
}
