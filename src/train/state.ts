/**
 * The state of a training in a checkpoint, and the check that a training may continue from it.
 *
 * A checkpoint holds all that decides later bits: weights, both moments, the step, the state of the random windows, the
 * recipe and the vocabulary; and the sums since the last log line, so that the log continues seamlessly.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { isJsonObject } from "../files/json.ts";
import type { JsonObject, JsonValue } from "../files/json.ts";
import type { Runtime } from "../nn/runtime.ts";
import {
  type Checkpoint,
  type CheckpointArray,
  type CheckpointContents,
  type LoadedCheckpoint,
  restoreArray,
} from "./checkpoint.ts";
import type { Dataset } from "./dataset.ts";
import { RANDOM_STATE_BYTES } from "./random.ts";
import type { Recipe } from "./recipe.ts";
import type { TransformerTrainer } from "./transformer-trainer.ts";
import type { TrainedVocabulary } from "./vocabulary.ts";

/** Counts that continue over interruptions. */
export interface Progress {
  /** Optimiser steps done. */
  step: number;
  /** The last step validated, sampled and logged. A run stopped in the middle of a report repeats it. */
  reportedStep: number;
  /** Sum of the losses since the last log line, and its number of steps. */
  lossSum: number;
  lossSteps: number;
  /** Gradient norm of the last step. */
  gradientNorm: number;
  /** Time of those steps, and of all steps. */
  sinceMs: number;
  elapsedMs: number;
}

export function newProgress(): Progress {
  return { step: 0, reportedStep: 0, lossSum: 0, lossSteps: 0, gradientNorm: 0, sinceMs: 0, elapsedMs: 0 };
}

/** What identifies a training: equal in every run that resumes it. */
export interface TrainingIdentity {
  readonly recipe: Recipe;
  readonly textBytes: number;
  /** {@link fingerprint} of the text. */
  readonly textHash: string;
}

const ARRAY_NAMES = {
  values: "weights",
  first: "first moments",
  second: "second moments",
  windows: "windows",
} as const;
const FORMAT = 1;
const PROGRESS_NAMES: readonly (keyof Progress)[] = [
  "step",
  "reportedStep",
  "lossSum",
  "lossSteps",
  "gradientNorm",
  "sinceMs",
  "elapsedMs",
];

/** The parts whose state a checkpoint holds. */
export interface StatefulParts {
  readonly runtime: Runtime;
  readonly trainer: TransformerTrainer;
  readonly dataset: Dataset;
}

/** Returns views of the training's memory: save them before the next step. */
export function checkpointContents(
  parts: StatefulParts,
  identity: TrainingIdentity,
  vocabulary: TrainedVocabulary,
  progress: Progress,
): CheckpointContents {
  const { recipe, textBytes, textHash } = identity,
    arrays = new Map<string, CheckpointArray>();
  for (const [name, array] of Object.entries(arraysOf(parts)))
    arrays.set(ARRAY_NAMES[name as keyof typeof ARRAY_NAMES], array);
  arrays.set(ARRAY_NAMES.windows, parts.dataset.state());
  const state = {
    format: FORMAT,
    recipe: { ...recipe },
    textBytes,
    textHash,
    progress: { ...progress },
    vocabulary: vocabularyState(vocabulary),
  };
  return { state: state as unknown as JsonObject, arrays };
}

function arraysOf({ runtime, trainer }: StatefulParts): {
  values: Float32Array;
  first: Float32Array;
  second: Float32Array;
} {
  const { parameters, optimizer } = trainer;
  return { values: runtime.f32(parameters.values, parameters.total), ...optimizer.moments };
}

/** @throws OnebitError `train/not-finite` for a NaN or infinite weight: such a state must not replace a good one */
export function requireFinite(parts: StatefulParts, step: number): void {
  for (const [name, parameter] of parts.trainer.parameters.byName) {
    for (const value of parameter.value) {
      if (!Number.isFinite(value))
        fail(
          "train/not-finite",
          `step ${step}: "${name}" has a weight that is ${value}; use a lower learning rate or a smaller clipNorm`,
        );
    }
  }
}

/** @throws OnebitError `checkpoint/mismatch` */
export function restoreTraining(checkpoint: Checkpoint, parts: StatefulParts): void {
  for (const [name, array] of Object.entries(arraysOf(parts)))
    restoreArray(checkpoint, ARRAY_NAMES[name as keyof typeof ARRAY_NAMES], array);
  const windows = new Uint8Array(RANDOM_STATE_BYTES);
  restoreArray(checkpoint, ARRAY_NAMES.windows, windows);
  parts.dataset.restore(windows);
}

/** A checkpoint's state besides its arrays. */
export interface RestoredState {
  readonly progress: Progress;
  readonly vocabulary: TrainedVocabulary | undefined;
}

/**
 * Checks that `checkpoint` belongs to this training.
 * @throws OnebitError `checkpoint/mismatch` naming everything that differs
 */
export function readState(checkpoint: LoadedCheckpoint, identity: TrainingIdentity): RestoredState {
  const { state, path, step } = checkpoint,
    { recipe, progress, vocabulary } = state;
  const wrong = (what: string): never => fail("checkpoint/mismatch", `${path}: ${what}`);
  if (state.format !== FORMAT || !isJsonObject(recipe) || !isJsonObject(progress))
    return wrong("wanted a checkpoint of `train`, found another kind");
  const differences = [
    ...(state.textHash === identity.textHash
      ? []
      : [
          `the text: wanted ${identity.textBytes} bytes with hash ${identity.textHash.slice(0, 12)}…, it ` +
            `has ${String(state.textBytes)} with ${String(state.textHash).slice(0, 12)}…`,
        ]),
    ...differencesOf(recipe, identity.recipe),
  ];
  if (differences.length > 0)
    wrong(
      `it is of another training:\n${differences.map((line) => `  ${line}`).join("\n")}\ngive the options it was ` +
        "started with, or use another folder",
    );
  const counts = Object.fromEntries(
    PROGRESS_NAMES.map((name) => {
      const value = progress[name];
      return [name, typeof value === "number" ? value : wrong(`its progress has no ${name}`)];
    }),
  ) as unknown as Progress;
  if (counts.step !== step) wrong(`its state has step ${counts.step}, its header ${step}`);
  return {
    progress: counts,
    vocabulary: vocabulary === null ? undefined : readVocabulary(vocabulary, identity.recipe.vocabSize, wrong),
  };
}

function differencesOf(found: JsonObject, wanted: Recipe): string[] {
  const now = wanted as unknown as Readonly<Record<string, JsonValue | undefined>>;
  return [...new Set([...Object.keys(found), ...Object.keys(now)])]
    .filter((name) => found[name] !== now[name])
    .map(
      (name) =>
        `${quoted(name).slice(1, -1)}: wanted ${JSON.stringify(now[name]) ?? "none"}, it ` +
        `has ${JSON.stringify(found[name]) ?? "none"}`,
    );
}

/** The 256 bytes need no list. */
function vocabularyState({ tokens, merges, preTokenizer, firstControlId, eosId }: TrainedVocabulary): JsonValue {
  return merges.length === 0 ? null : { tokens: [...tokens], merges: [...merges], preTokenizer, firstControlId, eosId };
}

function readVocabulary(
  value: JsonValue | undefined,
  vocabSize: number,
  wrong: (what: string) => never,
): TrainedVocabulary {
  const { tokens, merges, preTokenizer, firstControlId, eosId } = isJsonObject(value)
    ? value
    : wrong("it has no vocabulary");
  const isStrings = (list: JsonValue | undefined): list is string[] =>
    Array.isArray(list) && list.every((item) => typeof item === "string");
  if (!isStrings(tokens) || !isStrings(merges) || typeof preTokenizer !== "string")
    return wrong("its vocabulary has no tokens or merges");
  if (tokens.length > vocabSize || new Set(tokens).size < tokens.length)
    return wrong(
      `wanted a vocabulary of at most ${vocabSize} different tokens, found ${tokens.length}, or a duplicate`,
    );
  const isUpTo = (id: JsonValue | undefined, most: number): id is number =>
    typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= most;
  if (!isUpTo(firstControlId, tokens.length) || !isUpTo(eosId, tokens.length - 1))
    return wrong("its vocabulary lacks the first control token or the end token");
  return { tokens, merges, preTokenizer, firstControlId, eosId };
}
