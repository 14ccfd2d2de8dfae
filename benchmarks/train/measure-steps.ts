/**
 * Whole training steps (forward, backward, optimiser) of one model: onebit, tfjs in its two ways, and onebit's ternary
 * model, in turns.
 */
import { median, medianRatio } from "./median.ts";
import type { ModelFigures, OptimizerOptions } from "./onebit-contestant.ts";
import type { Programs, Started } from "./programs.ts";
import {
  ENWIK8_TRAINING,
  FLOAT_TRAINING,
  TERNARY_TRAINING,
  type Training,
  exampleBatch,
  parameterCount,
  stepFlops,
} from "./sizes.ts";

export interface StepRow {
  readonly name: string;
  readonly threads: number;
  readonly parameters: number;
  readonly tokens: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
  readonly flops: number;
  /** onebit's float model's speed over this one's: median of the rounds' ratios. */
  readonly ratio: number;
}

export interface StepOptions {
  readonly rounds: number;
  readonly steps: number;
  readonly optimizer: OptimizerOptions;
}

type Name = "onebit, float" | "tfjs, fast products" | "tfjs, its own gradients" | "onebit, ternary";

interface Entry {
  readonly name: Name;
  readonly training: Training;
  readonly contestant: Started;
}

export async function measureSteps(programs: Programs, threads: number, options: StepOptions): Promise<StepRow[]> {
  const entries = await startEntries(programs, threads, options.optimizer),
    rounds: Record<Name, number>[] = [];
  for (let round = 0; round <= options.rounds; round++) {
    process.stderr.write(`${threads} threads, steps, ${round === 0 ? "warm-up" : `round ${round}`}\n`);
    const seconds: Partial<Record<Name, number>> = {};
    for (const { name, training, contestant } of entries) {
      seconds[name] = (
        await contestant.call<{ seconds: number }>("steps", { times: options.steps, ...exampleBatch(training) })
      ).seconds;
    }
    if (round > 0) rounds.push(seconds as Record<Name, number>);
  }
  for (const { contestant } of entries) await contestant.stop();
  return entries.map(({ name, training }) => {
    const seconds = median(rounds.map((round) => round[name])),
      tokens = training.batch * training.seqLength,
      flops = stepFlops(training) / seconds;
    return {
      name,
      threads,
      parameters: parameterCount(training),
      tokens,
      seconds,
      tokensPerSecond: tokens / seconds,
      flops,
      ratio: medianRatio(rounds, name, "onebit, float"),
    };
  });
}

async function startEntries(programs: Programs, threads: number, optimizer: OptimizerOptions): Promise<Entry[]> {
  const own = async (name: Name, training: Training): Promise<Entry & { figures: ModelFigures }> => {
    const contestant = await programs.start("onebit", threads);
    return {
      name,
      training,
      contestant,
      figures: await contestant.call<ModelFigures>("model", { training, optimizer }),
    };
  };
  const peer = async (name: Name, way: string, weights: ModelFigures["weights"]): Promise<Entry> => {
    const contestant = await programs.start("tfjs", threads),
      training = FLOAT_TRAINING;
    await contestant.call("model", { ...training, optimizer, weights, way });
    return { name, training, contestant };
  };
  const float = await own("onebit, float", FLOAT_TRAINING),
    { weights } = float.figures;
  const peers = programs.peerInstalled
    ? [await peer("tfjs, fast products", "fast", weights), await peer("tfjs, its own gradients", "library", weights)]
    : [];
  return [float, ...peers, await own("onebit, ternary", TERNARY_TRAINING)];
}

export interface Enwik8Figures {
  readonly threads: number;
  readonly parameters: number;
  readonly tokens: number;
  /** Values and gradients of a pass, and all memory, with parameters and moments. */
  readonly passBytes: number;
  readonly memoryBytes: number;
  readonly seconds: number;
  readonly flops: number;
}

/** Memory and step time of a full-size model. */
export async function measureEnwik8(
  programs: Programs,
  threads: number,
  { steps, optimizer }: StepOptions,
): Promise<Enwik8Figures> {
  const training = ENWIK8_TRAINING,
    contestant = await programs.start("onebit", threads);
  process.stderr.write(`${threads} threads, the model of enwik8\n`);
  const { passBytes, memoryBytes } = await contestant.call<ModelFigures>("model", { training, optimizer });
  const { seconds } = await contestant.call<{ seconds: number }>("steps", { times: steps, ...exampleBatch(training) });
  await contestant.stop();
  return {
    threads,
    parameters: parameterCount(training),
    tokens: training.batch * training.seqLength,
    passBytes,
    memoryBytes,
    seconds,
    flops: stepFlops(training) / seconds,
  };
}
