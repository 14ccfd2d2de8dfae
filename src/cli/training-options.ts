/**
 * The options of `onebit train`: one table for the parser, the help and the recipe.
 *
 * @module
 */
import { PRESETS } from "../train.ts";
import type { PresetName, Recipe, RecipeOptions, Settings } from "../train.ts";
import type { Command, Options } from "./command.ts";

type Kind = "whole" | "number" | "true" | "false" | readonly (string | number)[];

/** Option, the member it sets, its values, its help. */
type Row = readonly [option: string, member: keyof Recipe | keyof Settings, kind: Kind, help: string];

const MODEL: readonly Row[] = [
  ["vocab", "vocabSize", "whole", "256 for bytes, more for byte pairs learned from the text"],
  ["dim", "dim", "whole", "width of the model"],
  ["depth", "depth", "whole", "layers"],
  ["heads", "heads", "whole", "heads of attention"],
  ["kv-heads", "kvHeads", "whole", "heads of keys and values, a divisor of --heads"],
  ["head-dim", "headDim", "whole", "width of a head (default: dim / heads)"],
  ["ff", "ffHidden", "whole", "width of the feed-forward"],
  ["weight-bits", "weightBits", [1.58, 1, 32], "1.58 (ternary), 1 (binary) or 32 (floats, to compare with)"],
  ["activation-bits", "activationBits", [8, 1, 32], "8, 1 or 32 (default: 8, and 32 for weights of 32)"],
  ["activation", "activation", ["silu", "relu2", "gelu"], "silu, relu2 or gelu"],
  ["no-glu", "glu", "false", "a feed-forward without a gate"],
  ["no-sub-norms", "subNorms", "false", "without norms before the output projections"],
  ["untied", "tied", "false", "a separate head, instead of the embedding's weights"],
];

const COURSE: readonly Row[] = [
  ["seq", "seqLength", "whole", "tokens in a sequence, and positions of the model"],
  ["batch", "batch", "whole", "sequences in a pass"],
  ["accumulate", "accumulation", "whole", "passes in a step"],
  ["steps", "steps", "whole", "steps of the whole training"],
  ["lr", "learningRate", "number", "the highest learning rate"],
  ["floor", "floor", "number", "the learning rate at the end"],
  ["schedule", "schedule", ["constant", "linear", "cosine", "two-stage"], "constant, linear, cosine or two-stage"],
  ["warmup", "warmupSteps", "whole", "steps in which the rate rises"],
  ["weight-decay", "weightDecay", "number", "decay of matrices, decoupled"],
  ["beta1", "beta1", "number", "of AdamW"],
  ["beta2", "beta2", "number", "of AdamW"],
  ["clip", "clipNorm", "number", "clip the gradient's norm to this; 0 for no clipping"],
  ["dropout", "dropout", "number", "fraction of activations to drop"],
  ["seed", "seed", "whole", "seed of the initial weights"],
  ["data-seed", "dataSeed", "whole", "seed of the order of the text's windows"],
  ["validation", "validationFraction", "number", "fraction of the text, at its end, for validation"],
  ["validation-bytes", "validationBytes", "whole", "the same in bytes"],
  ["max-bytes", "maxBytes", "whole", "use only the beginning of the text"],
];

const REPORTS: readonly Row[] = [
  ["log-every", "logEvery", "whole", "steps between lines of metrics.jsonl"],
  ["validate-every", "validateEvery", "whole", "steps between validations; 0 for never"],
  ["validation-windows", "validationWindows", "whole", "sequences in a validation; 0 for all, as at the end"],
  ["sample-every", "sampleEvery", "whole", "steps between samples; 0 for never"],
  ["sample-tokens", "sampleTokens", "whole", "tokens of a sample"],
  ["checkpoint-every", "checkpointEvery", "whole", "steps between checkpoints"],
];

const ROWS = [...MODEL, ...COURSE, ...REPORTS];
const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];

const isSwitch = (kind: Kind): boolean => kind === "true" || kind === "false";

export const TRAINING_OPTION_TYPES: Command["optionTypes"] = Object.fromEntries([
  ["preset", { type: "string" as const }],
  ...ROWS.map(
    ([option, , kind]) => [option, { type: isSwitch(kind) ? ("boolean" as const) : ("string" as const) }] as const,
  ),
]);

export const TRAINING_OPTION_HELP: Command["optionHelp"] = [
  ...PRESET_NAMES.map(
    (name, i) =>
      [
        i === 0 ? `--preset ${name}` : `         ${name}`,
        `${PRESETS[name].summary}${i === 0 ? " (the default)" : ""}`,
      ] as const,
  ),
  ...ROWS.map(
    ([option, , kind, help]) =>
      [isSwitch(kind) ? `--${option}` : `--${option} ${typeof kind === "string" ? "N" : "KIND"}`, help] as const,
  ),
];

/** Options by the member they set. */
export const TRAINING_MEMBERS: Readonly<Record<string, string>> = Object.fromEntries(
  ROWS.map(([option, member]) => [member, option]),
);

/** @throws OnebitError `usage` */
export function recipeOptions(options: Options): RecipeOptions {
  const given = ROWS.map(([option, member, kind]) => [member, readOption(options, option, kind)]);
  return {
    preset: options.choice("preset", PRESET_NAMES),
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
  } as RecipeOptions;
}

function readOption(options: Options, option: string, kind: Kind): unknown {
  if (kind === "whole") return options.integer(option, 0);
  if (kind === "number") return options.number(option);
  if (typeof kind === "string") return options.flag(option) ? kind === "true" : undefined;
  const text = options.choice(option, kind.map(String));
  return kind.find((choice) => String(choice) === text);
}
