/**
 * Plans the memory of a training before taking any.
 *
 * @module
 */
import { SUM_CHUNK } from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { THREADS_MAX, WASM_PAGES_MAX, WASM_PAGE_BYTES } from "../core/limits.ts";
import { type OptionTable, check, checkOptions, whole } from "../core/options.ts";
import { PLATFORM, type Platform } from "../core/platform.ts";
import { crossEntropy } from "../nn/ops.ts";
import { Parameter } from "../nn/parameter.ts";
import { Runtime } from "../nn/runtime.ts";
import { Tape } from "../nn/tape.ts";
import { transformerLogits } from "../nn/transformer-graph.ts";
import { countParameters, parameterShapes } from "../nn/transformer-parameters.ts";
import type { Recipe } from "./recipe.ts";
import { checkedRecipe, shapeOf } from "./options.ts";

/** What a training will take. */
export interface TrainingPlan {
  /** Weights, gains and embedding. */
  readonly parameters: number;
  /** Tokens of a step: batch · seqLength · accumulation. */
  readonly tokensPerStep: number;
  /** Weights, gradients and two moments: 16 bytes a parameter, of which a checkpoint holds 12. */
  readonly stateBytes: number;
  /** Values and gradients of one pass forward and backward. */
  readonly passBytes: number;
  /** Values of one pass of validation. */
  readonly validationBytes: number;
  /** Scratch of the threads, tables, and the codes of a matrix that is exported. */
  readonly otherBytes: number;
  /** All of WebAssembly's memory; beside it the program holds the text and its ids. */
  readonly totalBytes: number;
}

/** Options of {@link planTraining}. */
export interface PlanOptions {
  /** Default 1. */
  readonly threads?: number;
  /** Whose memory there must be. Default: only what WebAssembly can address. */
  readonly platform?: Platform;
}

const PLAN_OPTIONS: OptionTable<PlanOptions> = { threads: whole(1, THREADS_MAX), platform: PLATFORM };

/** Upper bound of the module, its stack, and the rounding of blocks. */
const RUNTIME_BYTES = 256 * 1024;

/**
 * What a training of this recipe will take, computed before any of it is taken.
 *
 * @throws OnebitError `train/not-enough-memory` when WebAssembly or the platform has less than it takes, with both
 *   numbers; `train/bad-option`, `option/…`
 * @example
 * ```ts
 * import { planTraining, resolveOptions } from "onebit/train";
 *
 * const { recipe } = resolveOptions({ preset: "tiny" });
 * const { parameters, totalBytes } = planTraining(recipe);
 * console.log(parameters, totalBytes);
 * ```
 */
export function planTraining(given: Recipe, options: PlanOptions = {}): TrainingPlan {
  const { threads = 1, platform } = checkOptions("planTraining", options, PLAN_OPTIONS),
    recipe = checkedRecipe(given);
  const { batch, seqLength, accumulation, headDim } = recipe,
    shape = shapeOf(recipe);
  const parameters = countParameters(shape),
    stateBytes = parameters * 16,
    limitBytes = WASM_PAGES_MAX * WASM_PAGE_BYTES;
  // Checked before laying out graphs, which takes long at such sizes.
  if (stateBytes > limitBytes)
    failForMemory(recipe, parameters, stateBytes, limitBytes, "more than WebAssembly can address");
  const runtime = new Runtime(),
    training = measurePass(runtime, recipe, true),
    validation = measurePass(runtime, recipe, false);
  const largest = Math.max(
    ...parameterShapes(shape)
      .filter(([name]) => name.startsWith("blk."))
      .map(([, extents]) => (extents.length > 1 ? extents[0] * (extents[1] + 1) : 0)),
  );
  const codesBytes = shape.weightBits === 32 ? 0 : 2 * largest + 16 * Math.ceil(largest / SUM_CHUNK);
  const rotaryBytes = 4 * seqLength * headDim,
    sumsBytes = 8 * Math.ceil(parameters / SUM_CHUNK);
  const otherBytes = training.scratchBytes * threads + rotaryBytes + sumsBytes + codesBytes + RUNTIME_BYTES;
  const totalBytes = stateBytes + training.blockBytes + validation.blockBytes + otherBytes;
  if (totalBytes > limitBytes)
    failForMemory(recipe, parameters, totalBytes, limitBytes, "more than WebAssembly can address");
  const availableBytes = platform?.availableMemoryBytes?.();
  if (availableBytes !== undefined && totalBytes > availableBytes)
    failForMemory(recipe, parameters, totalBytes, availableBytes, "more than is free");
  return {
    parameters,
    tokensPerStep: batch * seqLength * accumulation,
    stateBytes,
    passBytes: training.blockBytes,
    validationBytes: validation.blockBytes,
    otherBytes,
    totalBytes,
  };
}

/**
 * Multiplications a pass (one a parameter and token) from which threads pay: a pass has hundreds of barriers, each may
 * cost a time slice on busy processors, and below this one thread takes 0.1 s.
 */
const THREADS_PAY_FROM = 1e9;

/**
 * As many threads as a training gains from: 1 for a small one. The weights are the same bits with any number.
 *
 * @throws OnebitError `train/bad-option`, `option/…`
 * @example
 * ```ts
 * import { nodePlatform } from "onebit";
 * import { defaultThreads, resolveOptions } from "onebit/train";
 *
 * console.log(defaultThreads(resolveOptions({ preset: "tiny" }).recipe, nodePlatform())); // 1
 * ```
 */
export function defaultThreads(given: Recipe, platform: Platform): number {
  const recipe = checkedRecipe(given);
  if (check("platform", platform, PLATFORM).spawnThread === undefined) return 1;
  const products = countParameters(shapeOf(recipe)) * recipe.batch * recipe.seqLength;
  return products < THREADS_PAY_FROM ? 1 : Math.min(platform.nCores, THREADS_MAX);
}

/** Records the graph of one pass like the trainer, over parameters without memory. */
function measurePass(
  runtime: Runtime,
  recipe: Recipe,
  isTraining: boolean,
): { readonly blockBytes: number; readonly scratchBytes: number } {
  const { batch, seqLength, dropout } = recipe,
    shape = shapeOf(recipe),
    tape = new Tape(runtime);
  const nowhere = { value: 0, gradient: 0 };
  const parameters = new Map(
    parameterShapes(shape).map(([name, extents]) => [name, new Parameter(runtime, name, extents, nowhere)]),
  );
  const ids = tape.input([batch * seqLength]),
    targets = tape.input([batch * seqLength]);
  const rate = isTraining ? dropout : 0;
  const logits = transformerLogits(
    tape,
    { shape, parameters, rotary: { cos: 0, sin: 0 }, dropout: { rate, state: { address: 0 } } },
    ids,
    seqLength,
  );
  const loss = crossEntropy(tape, logits, targets, 1);
  return tape.measure({ outputs: [loss.total], fromLoss: isTraining });
}

function failForMemory(
  { batch, seqLength }: Recipe,
  parameters: number,
  wantedBytes: number,
  haveBytes: number,
  why: string,
): never {
  fail(
    "train/not-enough-memory",
    `training ${parameters} parameters on ${batch} × ${seqLength} tokens a pass: wanted ${wantedBytes} bytes of ` +
      `memory, ${why} (${haveBytes} bytes); use a smaller batch (with more accumulation), sequence or model`,
  );
}
