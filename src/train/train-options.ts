/**
 * From what a caller says, and a preset, to a whole recipe that is known to make sense.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { CONTEXT_LENGTH_MAX, LAYERS_MAX, MODEL_WIDTH_MAX, VOCABULARY_TOKENS_MAX } from "../core/limits.ts";
import type { TransformerShape } from "../nn/shape.ts";
import { PRESETS, type PresetName } from "./presets.ts";
import { createSchedule } from "./schedule.ts";
import type { Preset, Recipe, Settings } from "./train-recipe.ts";

/**
 * Everything a preset says can be said anew. Left out beside what they go with: `headDim` is dim / heads,
 * `activationBits` 8 (32 where weights are floats), `warmupSteps` at most a tenth of `steps`.
 */
export interface RecipeOptions extends Partial<Recipe>, Partial<Settings> {
  /** Default "shakespeare". */
  readonly preset?: PresetName;
}

export interface ResolvedOptions {
  readonly recipe: Recipe;
  readonly settings: Settings;
}

/** @throws OnebitError `train/bad-option` naming the option */
export function resolveOptions(options: RecipeOptions = {}): ResolvedOptions {
  const { preset = "shakespeare" } = options;
  if (!Object.hasOwn(PRESETS, preset)) fail("train/bad-option", `preset: wanted ${Object.keys(PRESETS).join(", ")}, found ${JSON.stringify(preset)}`);
  const base = PRESETS[preset], given = withoutUndefined(options), all = { ...base, ...derived(base, given), ...given };
  if (given.validationBytes !== undefined && given.validationFraction !== undefined) {
    fail("train/bad-option", "validation: wanted validationFraction or validationBytes, found both");
  }
  const usesBytes = given.validationFraction === undefined && all.validationBytes !== undefined;
  const validation = usesBytes ? { validationBytes: all.validationBytes } : { validationFraction: all.validationFraction };
  const secondPeak = all.secondPeak === undefined ? {} : { secondPeak: all.secondPeak };
  const recipe = { ...pick(all, RECIPE_NAMES), ...secondPeak, ...validation } as unknown as Recipe;
  const settings = pick(all, Object.keys(SETTING_MINIMA)) as unknown as Settings;
  checkRecipe(recipe);
  for (const [name, min] of Object.entries(SETTING_MINIMA)) checkWhole(name, settings[name as keyof Settings], min, Number.MAX_SAFE_INTEGER);
  return { recipe, settings };
}

/** The model's shape. */
export function shapeOf(recipe: Recipe): TransformerShape {
  const { vocabSize, dim, depth, heads, kvHeads, headDim, ffHidden, activation, glu, ropeTheta, normEps, weightBits, activationBits, subNorms, tied, seqLength } = recipe;
  return { vocabSize, dim, depth, heads, kvHeads, headDim, ffHidden, activation, glu, ropeTheta, normEps, contextLength: seqLength, weightBits, activationBits, subNorms, tied };
}

const SETTING_MINIMA: Readonly<Record<keyof Settings, number>> = {
  logEvery: 1, validateEvery: 0, validationWindows: 0, sampleEvery: 0, sampleTokens: 1, checkpointEvery: 0, maxBytes: 0,
};

/** Whole numbers of a recipe and their ranges. */
const COUNTS: Readonly<Partial<Record<keyof Recipe, readonly [min: number, max: number]>>> = {
  // One token a byte; or bytes, one pair at least, and the token that ends a text.
  vocabSize: [256, VOCABULARY_TOKENS_MAX],
  dim: [1, MODEL_WIDTH_MAX],
  depth: [1, LAYERS_MAX],
  heads: [1, MODEL_WIDTH_MAX],
  kvHeads: [1, MODEL_WIDTH_MAX],
  headDim: [8, MODEL_WIDTH_MAX],
  ffHidden: [1, MODEL_WIDTH_MAX],
  seqLength: [1, CONTEXT_LENGTH_MAX],
  batch: [1, 1 << 20],
  accumulation: [1, 1 << 20],
  // Dropout counts passes in 32 bits.
  steps: [1, 1 << 30],
  warmupSteps: [0, 1 << 30],
  seed: [0, Number.MAX_SAFE_INTEGER],
  dataSeed: [0, Number.MAX_SAFE_INTEGER],
};

/** Numbers of a recipe that need not be whole; the upper bounds are not reached. */
const AMOUNTS: Readonly<Partial<Record<keyof Recipe, readonly [min: number, below: number]>>> = {
  learningRate: [0, Infinity], floor: [0, Infinity], weightDecay: [0, Infinity], clipNorm: [0, Infinity],
  beta1: [0, 1], beta2: [0, 1], epsilon: [Number.MIN_VALUE, Infinity], dropout: [0, 1],
  ropeTheta: [1, Infinity], normEps: [0, 1], validationFraction: [0, 1],
};

const CHOICES: Readonly<Partial<Record<keyof Recipe, readonly unknown[]>>> = {
  weightBits: [1.58, 1, 32],
  activationBits: [8, 1, 32],
  activation: ["silu", "relu2", "gelu"],
  glu: [true, false],
  subNorms: [true, false],
  tied: [true, false],
};

/** Every member that a recipe always has, in the order checkpoints list them. */
const RECIPE_NAMES: readonly string[] = [...Object.keys(COUNTS), ...Object.keys(AMOUNTS).filter((name) => name !== "validationFraction"), ...Object.keys(CHOICES), "schedule"];

function checkRecipe(recipe: Recipe): void {
  for (const [name, [min, max]] of Object.entries(COUNTS)) checkWhole(name, recipe[name as keyof Recipe], min, max);
  for (const [name, [min, below]] of Object.entries(AMOUNTS)) {
    const value = recipe[name as keyof Recipe];
    if (name === "validationFraction" && value === undefined) continue;
    if (!(typeof value === "number" && value >= min && value < below)) {
      fail("train/bad-option", `${name}: wanted a number from ${min}${below === Infinity ? "" : ` to below ${below}`}, found ${JSON.stringify(value)}`);
    }
  }
  for (const [name, choices] of Object.entries(CHOICES)) {
    const value = recipe[name as keyof Recipe];
    if (!choices.includes(value)) fail("train/bad-option", `${name}: wanted ${choices.join(" or ")}, found ${JSON.stringify(value)}`);
  }
  const { heads, kvHeads, headDim, vocabSize, validationBytes } = recipe;
  if (heads % kvHeads !== 0) fail("train/bad-option", `kvHeads: wanted a divisor of the ${heads} heads, found ${kvHeads}`);
  // Eight values a step of the attention kernels.
  if (headDim % 8 !== 0) fail("train/bad-option", `headDim: wanted a multiple of 8, found ${headDim} (dim / heads unless it is given)`);
  if (vocabSize === 257) fail("train/bad-option", "vocabSize: wanted 256, for bytes, or 258 and more, for byte pairs and a token that ends a text, found 257");
  if (validationBytes !== undefined) checkWhole("validationBytes", validationBytes, 0, Number.MAX_SAFE_INTEGER);
  createSchedule(scheduleOptions(recipe));
}

export function scheduleOptions(recipe: Recipe): Parameters<typeof createSchedule>[0] {
  const { schedule: kind, steps: totalSteps, learningRate: peak, warmupSteps, floor, secondPeak, weightDecay } = recipe;
  return { kind, totalSteps, peak, warmupSteps, floor, weightDecay, ...(secondPeak === undefined ? {} : { secondPeak }) };
}

/** What follows from options that were given beside a preset, where it is not given itself. */
function derived(base: Preset, given: RecipeOptions): Partial<Recipe> {
  const dim = given.dim ?? base.dim, heads = given.heads ?? base.heads, steps = given.steps ?? base.steps;
  const weightBits = given.weightBits ?? base.weightBits;
  return {
    ...(given.dim !== undefined || given.heads !== undefined ? { headDim: dim / heads } : {}),
    ...(given.weightBits !== undefined ? { activationBits: weightBits === 32 ? (32 as const) : (8 as const) } : {}),
    ...(given.steps !== undefined ? { warmupSteps: Math.min(base.warmupSteps, Math.floor(steps / 10)) } : {}),
  };
}

function withoutUndefined(options: RecipeOptions): RecipeOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as RecipeOptions;
}

function pick(from: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, (from as Readonly<Record<string, unknown>>)[name]]));
}

function checkWhole(name: string, value: unknown, min: number, max: number): void {
  if (!(typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max)) {
    fail("train/bad-option", `${name}: wanted a whole number from ${min} to ${max}, found ${JSON.stringify(value)}`);
  }
}
