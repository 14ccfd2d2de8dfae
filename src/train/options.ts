/**
 * Resolves options and a preset to a complete, checked recipe.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { CONTEXT_LENGTH_MAX, LAYERS_MAX, MODEL_WIDTH_MAX, VOCABULARY_TOKENS_MAX } from "../core/limits.ts";
import {
  BOOLEAN,
  type Meanings,
  type OptionTable,
  check,
  checkOptions,
  notRequired,
  number,
  oneOf,
  required,
  whole,
} from "../core/options.ts";
import type { TransformerShape } from "../nn/shape.ts";
import { ACTIVATION_BITS, WEIGHT_BITS } from "../nn/projection.ts";
import { PRESETS, type PresetName } from "./presets.ts";
import { SCHEDULE_KINDS, createSchedule } from "./schedule.ts";
import type { Preset, Recipe, Settings } from "./recipe.ts";

/**
 * Everything a preset says can be said anew. Left out beside what they go with: `headDim` is dim / heads,
 * `activationBits` 8 (32 where weights are floats), `warmupSteps` at most a tenth of `steps`.
 */
export interface RecipeOptions extends Partial<Recipe>, Partial<Settings> {
  /** What everything else is a change of. Default "shakespeare". */
  readonly preset?: PresetName;
}

/** A whole recipe, and settings. */
export interface ResolvedOptions {
  /** What decides the weights. */
  readonly recipe: Recipe;
  /** What is reported and kept. */
  readonly settings: Settings;
}

/**
 * From what a caller says, and a preset, to a whole recipe that is known to make sense.
 *
 * @throws OnebitError `train/bad-option` naming the option, `option/unknown`
 * @example
 * ```ts
 * import { resolveOptions } from "onebit/train";
 *
 * const { recipe } = resolveOptions({ preset: "tiny", steps: 1000, dim: 128 });
 * console.log(recipe.headDim, recipe.warmupSteps); // 32 20
 * ```
 */
export function resolveOptions(options: RecipeOptions = {}): ResolvedOptions {
  return resolveChecked(
    checkOptions("resolveOptions", options, RECIPE_OPTIONS, { code: "train/bad-option", meanings: RECIPE_MEANINGS }),
  );
}

/**
 * @param given checked by their table. @throws OnebitError `train/bad-option` for options that contradict each other
 */
export function resolveChecked(given: RecipeOptions): ResolvedOptions {
  const base = PRESETS[given.preset ?? "shakespeare"],
    all = { ...base, ...derived(base, given), ...given };
  if (given.validationBytes !== undefined && given.validationFraction !== undefined) {
    fail("train/bad-option", "validation: wanted validationFraction or validationBytes, found both");
  }
  const usesBytes = given.validationFraction === undefined && all.validationBytes !== undefined;
  const validation = usesBytes
    ? { validationBytes: all.validationBytes }
    : { validationFraction: all.validationFraction };
  const secondPeak = all.secondPeak === undefined ? {} : { secondPeak: all.secondPeak };
  const recipe = { ...pick(all, RECIPE_NAMES), ...secondPeak, ...validation } as unknown as Recipe;
  checkRecipe(recipe);
  return { recipe, settings: pick(all, Object.keys(SETTINGS)) as unknown as Settings };
}

/** The model's shape. */
export function shapeOf(recipe: Recipe): TransformerShape {
  const {
    vocabSize,
    dim,
    depth,
    heads,
    kvHeads,
    headDim,
    ffHidden,
    activation,
    glu,
    ropeTheta,
    normEps,
    weightBits,
    activationBits,
    subNorms,
    tied,
    seqLength,
  } = recipe;
  return {
    vocabSize,
    dim,
    depth,
    heads,
    kvHeads,
    headDim,
    ffHidden,
    activation,
    glu,
    ropeTheta,
    normEps,
    contextLength: seqLength,
    weightBits,
    activationBits,
    subNorms,
    tied,
  };
}

/** Checkpoints list them in this order. */
const RECIPE: OptionTable<Recipe> = {
  // 256 bytes; or bytes, at least one pair, and the end token.
  vocabSize: required(whole(256, VOCABULARY_TOKENS_MAX)),
  dim: required(whole(1, MODEL_WIDTH_MAX)),
  depth: required(whole(1, LAYERS_MAX)),
  heads: required(whole(1, MODEL_WIDTH_MAX)),
  kvHeads: required(whole(1, MODEL_WIDTH_MAX)),
  headDim: required(whole(8, MODEL_WIDTH_MAX)),
  ffHidden: required(whole(1, MODEL_WIDTH_MAX)),
  seqLength: required(whole(1, CONTEXT_LENGTH_MAX)),
  batch: required(whole(1, 1 << 20)),
  accumulation: required(whole(1, 1 << 20)),
  // Dropout counts passes in 32 bits.
  steps: required(whole(1, 1 << 30)),
  warmupSteps: required(whole(0, 1 << 30)),
  seed: required(whole(0)),
  dataSeed: required(whole(0)),
  learningRate: required(number({ min: 0 })),
  floor: required(number({ min: 0 })),
  weightDecay: required(number({ min: 0 })),
  clipNorm: required(number({ min: 0 })),
  beta1: required(number({ min: 0, below: 1 })),
  beta2: required(number({ min: 0, below: 1 })),
  epsilon: required(number({ above: 0 })),
  dropout: required(number({ min: 0, below: 1 })),
  ropeTheta: required(number({ min: 1 })),
  normEps: required(number({ min: 0, below: 1 })),
  weightBits: required(oneOf(...WEIGHT_BITS)),
  activationBits: required(oneOf(...ACTIVATION_BITS)),
  activation: required(oneOf("silu", "relu2", "gelu")),
  glu: required(BOOLEAN),
  subNorms: required(BOOLEAN),
  tied: required(BOOLEAN),
  schedule: required(oneOf(...SCHEDULE_KINDS)),
  secondPeak: number({ min: 0 }),
  validationFraction: number({ min: 0, below: 1 }),
  validationBytes: whole(0),
};

/** The members every recipe has. */
const RECIPE_NAMES = Object.entries(RECIPE)
  .filter(([, kind]) => "isRequired" in kind)
  .map(([name]) => name);

const SETTINGS: OptionTable<Settings> = {
  logEvery: required(whole(1)),
  validateEvery: required(whole(0)),
  validationWindows: required(whole(0)),
  sampleEvery: required(whole(0)),
  sampleTokens: required(whole(1)),
  checkpointEvery: required(whole(0)),
  maxBytes: required(whole(0)),
};

export const RECIPE_OPTIONS: OptionTable<RecipeOptions> = {
  preset: oneOf(...(Object.keys(PRESETS) as PresetName[])),
  ...notRequired(RECIPE),
  ...notRequired(SETTINGS),
};

/** Names of these options in other programs. */
export const RECIPE_MEANINGS: Meanings = {
  lr: "learningRate",
  batch_size: "batch",
  block_size: "seqLength",
  contextLength: "seqLength",
  n_layer: "depth",
  n_head: "heads",
  n_embd: "dim",
};

/** Checks a recipe from outside. @throws OnebitError `train/bad-option`, `option/unknown` */
export function checkedRecipe(given: unknown): Recipe {
  const recipe = checkOptions("recipe", given, RECIPE, { code: "train/bad-option" });
  checkRecipe(recipe);
  return recipe;
}

function checkRecipe(recipe: Recipe): void {
  // By default computed from two other numbers.
  check("headDim", recipe.headDim, whole(1), "train/bad-option");
  const { heads, kvHeads, headDim, vocabSize } = recipe;
  if (heads % kvHeads !== 0)
    fail("train/bad-option", `kvHeads: wanted a divisor of the ${heads} heads, found ${kvHeads}`);
  // The attention kernels take eight values at a step.
  if (headDim % 8 !== 0)
    fail("train/bad-option", `headDim: wanted a multiple of 8, found ${headDim} (dim / heads unless it is given)`);
  if (vocabSize === 257)
    fail("train/bad-option", "vocabSize: wanted 256 (bytes), or at least 258 (byte pairs and an end token), found 257");
  createSchedule(scheduleOptions(recipe));
}

export function scheduleOptions(recipe: Recipe): Parameters<typeof createSchedule>[0] {
  const { schedule: kind, steps: totalSteps, learningRate: peak, warmupSteps, floor, secondPeak, weightDecay } = recipe;
  return {
    kind,
    totalSteps,
    peak,
    warmupSteps,
    floor,
    weightDecay,
    ...(secondPeak === undefined ? {} : { secondPeak }),
  };
}

/** Options that follow from others given with a preset, unless given themselves. */
function derived(base: Preset, given: RecipeOptions): Partial<Recipe> {
  const dim = given.dim ?? base.dim,
    heads = given.heads ?? base.heads,
    steps = given.steps ?? base.steps;
  const weightBits = given.weightBits ?? base.weightBits;
  return {
    ...(given.dim !== undefined || given.heads !== undefined ? { headDim: dim / heads } : {}),
    ...(given.weightBits !== undefined ? { activationBits: weightBits === 32 ? (32 as const) : (8 as const) } : {}),
    ...(given.steps !== undefined ? { warmupSteps: Math.min(base.warmupSteps, Math.floor(steps / 10)) } : {}),
  };
}

function pick(from: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, (from as Readonly<Record<string, unknown>>)[name]]));
}
