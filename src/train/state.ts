/**
 * The state of a training as a checkpoint holds it, and whether one goes on with another.
 *
 * A checkpoint has all that decides the bits of what follows: weights, both moments, the step, where the random windows
 * stand, the recipe, the vocabulary; and, so that the log goes on as if nothing had happened, what was added up since
 * its last line.
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

/** Counts that go on over interruptions. */
export interface Progress {
  /** Optimiser steps done. */
  step: number;
  /**
   * The last step that was reported: judged, sampled, logged. A run stopped in the middle of a report does it again.
   */
  reportedStep: number;
  /** Losses since the last line of the log, and of how many steps. */
  lossSum: number;
  lossSteps: number;
  /** Of the last step. */
  gradientNorm: number;
  /** Time of those steps, and of all. */
  sinceMs: number;
  elapsedMs: number;
}

export function newProgress(): Progress {
  return { step: 0, reportedStep: 0, lossSum: 0, lossSteps: 0, gradientNorm: 0, sinceMs: 0, elapsedMs: 0 };
}

/** What a training is of: these must be equal for one to go on with the other. */
export interface TrainingIdentity {
  readonly recipe: Recipe;
  readonly textBytes: number;
  /** Of the text ({@link fingerprint}). */
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

/** What has a state that a checkpoint keeps. */
export interface StatefulParts {
  readonly runtime: Runtime;
  readonly trainer: TransformerTrainer;
  readonly dataset: Dataset;
}

/** Views of the training's own memory: save them before the next step. */
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

/**
 * @throws OnebitError `train/not-finite` when a weight is no number: such a state must not take the place of a good one
 */
export function requireFinite(parts: StatefulParts, step: number): void {
  for (const [name, parameter] of parts.trainer.parameters.byName) {
    for (const value of parameter.value) {
      if (!Number.isFinite(value))
        fail(
          "train/not-finite",
          `step ${step}: "${name}" has a weight that is ${value}; a lower learning rate or a smaller clipNorm ` +
            "keeps weights finite",
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

/** What a checkpoint says besides its arrays. */
export interface RestoredState {
  readonly progress: Progress;
  readonly vocabulary: TrainedVocabulary | undefined;
}

/**
 * Checks that `checkpoint` is of this very training.
 * @throws OnebitError `checkpoint/mismatch` naming everything that differs
 */
export function readState(checkpoint: LoadedCheckpoint, identity: TrainingIdentity): RestoredState {
  const { state, path, step } = checkpoint,
    { recipe, progress, vocabulary } = state;
  const wrong = (what: string): never => fail("checkpoint/mismatch", `${path}: ${what}`);
  if (state.format !== FORMAT || !isJsonObject(recipe) || !isJsonObject(progress))
    return wrong("wanted a checkpoint of `train`, found one of something else");
  const differences = [
    ...(state.textHash === identity.textHash
      ? []
      : [
          `the text: wanted ${identity.textBytes} bytes of hash ${identity.textHash.slice(0, 12)}…, it ` +
            `has ${String(state.textBytes)} of ${String(state.textHash).slice(0, 12)}…`,
        ]),
    ...differencesOf(recipe, identity.recipe),
  ];
  if (differences.length > 0)
    wrong(
      `it is of another training:\n${differences.map((line) => `  ${line}`).join("\n")}\ngive the options it was ` +
        "begun with, or another folder",
    );
  const counts = Object.fromEntries(
    PROGRESS_NAMES.map((name) => {
      const value = progress[name];
      return [name, typeof value === "number" ? value : wrong(`its progress has no ${name}`)];
    }),
  ) as unknown as Progress;
  if (counts.step !== step) wrong(`its state is of step ${counts.step}, its header of ${step}`);
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

/** The 256 bytes need not be written down. */
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
      `its vocabulary has ${tokens.length} tokens, or one twice; wanted at most ${vocabSize} different ones`,
    );
  const isUpTo = (id: JsonValue | undefined, most: number): id is number =>
    typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= most;
  if (!isUpTo(firstControlId, tokens.length) || !isUpTo(eosId, tokens.length - 1))
    return wrong("its vocabulary does not say which tokens are text, or which ends one");
  return { tokens, merges, preTokenizer, firstControlId, eosId };
}
