/**
 * Checks that both sides do the same work: from the same weights and batch, the same loss, the same gradients, and the
 * same losses over three steps of Adam.
 */
import type { Batch, ModelFigures, OptimizerOptions } from "./onebit-contestant.ts";
import type { Programs } from "./programs.ts";
import { CHECKED_TRAINING, exampleBatch } from "./sizes.ts";

export interface Agreement {
  readonly threads: number;
  readonly way: string;
  readonly losses: { readonly onebit: readonly number[]; readonly peer: readonly number[] };
  /** The largest ‖difference‖ / ‖gradient‖ of a parameter, and which it is. */
  readonly gradientDifference: number;
  readonly worstParameter: string;
}

interface Gradients {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Float32Array>>;
}

const TOLERANCE = 1e-3;
const STEPS = 3;

/** @throws when they differ by more than 1e-3 */
export async function checkAgreement(
  programs: Programs,
  threads: number,
  way: string,
  optimizer: OptimizerOptions,
): Promise<Agreement> {
  const training = CHECKED_TRAINING,
    batch = exampleBatch(training);
  const onebit = await programs.start("onebit", threads),
    peer = await programs.start("tfjs", threads);
  const { weights } = await onebit.call<ModelFigures>("model", { training, optimizer });
  await peer.call("model", { ...training, weights, optimizer, way });
  const own = await onebit.call<Gradients>("lossAndGradients", batch),
    theirs = await peer.call<Gradients>("lossAndGradients", batch);
  // Start over: computing gradients has moved onebit's moments.
  await onebit.call("model", { training, optimizer });
  const losses = { onebit: await lossesOf(onebit, batch), peer: await lossesOf(peer, batch) };
  for (const contestant of [onebit, peer]) await contestant.stop();
  const [worstParameter, gradientDifference] = worst(own.gradients, theirs.gradients);
  const result = {
    threads,
    way,
    losses: { onebit: [own.loss, ...losses.onebit], peer: [theirs.loss, ...losses.peer] },
    gradientDifference,
    worstParameter,
  };
  const lossDifference = Math.max(...result.losses.onebit.map((loss, i) => Math.abs(loss - result.losses.peer[i])));
  if (!(lossDifference < TOLERANCE && gradientDifference < TOLERANCE))
    throw new Error(`onebit and tfjs do not do the same work: ${JSON.stringify(result)}`);
  return result;
}

async function lossesOf(
  contestant: { call<Result>(name: string, args: object): Promise<Result> },
  batch: Batch,
): Promise<number[]> {
  return (await contestant.call<{ losses: number[] }>("steps", { times: STEPS, ...batch })).losses;
}

function worst(own: Gradients["gradients"], theirs: Gradients["gradients"]): [name: string, difference: number] {
  let found: [string, number] = ["", -1];
  for (const [name, gradient] of Object.entries(own)) {
    const difference = relativeDifference(gradient, theirs[name]);
    if (!(difference <= found[1])) found = [name, difference];
  }
  return found;
}

/** ‖a − b‖ / ‖b‖. */
function relativeDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  let difference = 0,
    norm = 0;
  for (let i = 0; i < a.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}
