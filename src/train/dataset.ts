/**
 * Training data as ids: random windows from the first part for training, all of the last part for validation.
 *
 *   ids:        [ training ──────────────────────────────── | validation ───── ]
 *   a window:        x x x x x        inputs  = its first seqLength ids
 *                      y y y y y      targets = the ids one further on
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { createWindowRandom } from "./random.ts";

/** Ids; bytes for vocabularies of at most 256. */
export type TokenIds = Uint8Array | Uint16Array | Int32Array;

export interface DatasetOptions {
  /** Ids are 0 to vocabSize − 1. */
  readonly vocabSize: number;
  /** Seed of the windows' order. Default 0. */
  readonly seed?: number;
  /** Fraction of the ids, at the end, kept for validation. [0, 1), default 0.1. */
  readonly validationFraction?: number;
  /** A number of ids instead of the fraction: bytes, for a vocabulary of bytes. */
  readonly validationTokens?: number;
}

/** The target of positions that predict nothing, after the end of the last validation window. */
export const NO_TARGET = -1;

export interface Dataset {
  readonly nTrainTokens: number;
  readonly nValidationTokens: number;
  /**
   * Fills (batch, seqLength) inputs and targets with random windows. @throws OnebitError `train/bad-data` when the text
   * is too short
   */
  nextBatch(batch: number, seqLength: number, inputs: Int32Array, targets: Int32Array): void;
  /** Number of validation windows: neighbours share one id, so that each id but the first is predicted once. */
  validationWindows(seqLength: number): number;
  /**
   * Fills (batch, seqLength) inputs and targets with the validation windows from `first` on.
   * @param lengths (batch) targets of each window: seqLength, fewer in the last, 0 past it. After them inputs are 0 and
   *   targets {@link NO_TARGET}
   * @returns the number of targets; over all windows nValidationTokens − 1
   */
  validationBatch(
    first: number,
    batch: number,
    seqLength: number,
    inputs: Int32Array,
    targets: Int32Array,
    lengths: Int32Array,
  ): number;
  /** The state of the random windows, 16 bytes for a checkpoint. */
  state(): Uint8Array;
  /** @throws OnebitError `checkpoint/mismatch` */
  restore(state: Uint8Array): void;
}

const VALIDATION_FRACTION_DEFAULT = 0.1;

/**
 * @param tokens not copied: they must not change
 * @throws OnebitError `train/bad-data` for an id outside the vocabulary or too few ids to split, `train/bad-option`
 */
export function createDataset(tokens: TokenIds, options: DatasetOptions): Dataset {
  checkIds(tokens, options.vocabSize);
  const random = createWindowRandom(options.seed ?? 0);
  const nValidationTokens = validationSize(tokens.length, options),
    nTrainTokens = tokens.length - nValidationTokens;
  const nTargets = Math.max(0, nValidationTokens - 1);
  return {
    nTrainTokens,
    nValidationTokens,
    nextBatch(batch, seqLength, inputs, targets) {
      checkBatch(batch, seqLength, inputs, targets);
      const nStarts = nTrainTokens - seqLength;
      if (nStarts < 1)
        fail(
          "train/bad-data",
          `training data: wanted more than ${seqLength} tokens (the sequence length), found ${nTrainTokens} in ` +
            "the training part",
        );
      for (let row = 0; row < batch; row++)
        copyWindow(tokens, random.below(nStarts), seqLength, row * seqLength, inputs, targets);
    },
    validationWindows(seqLength) {
      checkCount("seqLength", seqLength, 1);
      return Math.ceil(nTargets / seqLength);
    },
    validationBatch(first, batch, seqLength, inputs, targets, lengths) {
      checkCount("first", first, 0);
      checkBatch(batch, seqLength, inputs, targets);
      if (lengths.length !== batch)
        fail("train/bad-option", `lengths: wanted ${batch}, one per window, found ${lengths.length}`);
      let filled = 0;
      for (let row = 0; row < batch; row++) {
        const from = (first + row) * seqLength,
          length = Math.max(0, Math.min(seqLength, nTargets - from));
        copyWindow(tokens, nTrainTokens + from, length, row * seqLength, inputs, targets);
        inputs.fill(0, row * seqLength + length, (row + 1) * seqLength);
        targets.fill(NO_TARGET, row * seqLength + length, (row + 1) * seqLength);
        lengths[row] = length;
        filled += length;
      }
      return filled;
    },
    state: random.state,
    restore: random.restore,
  };
}

function copyWindow(
  tokens: TokenIds,
  start: number,
  length: number,
  to: number,
  inputs: Int32Array,
  targets: Int32Array,
): void {
  for (let i = 0; i < length; i++) {
    inputs[to + i] = tokens[start + i];
    targets[to + i] = tokens[start + i + 1];
  }
}

function validationSize(nTokens: number, { validationFraction, validationTokens }: DatasetOptions): number {
  if (validationFraction !== undefined && validationTokens !== undefined) {
    fail("train/bad-option", "validation: wanted validationFraction or validationTokens, found both; give one");
  }
  const fraction = validationFraction ?? VALIDATION_FRACTION_DEFAULT;
  if (!(fraction >= 0 && fraction < 1))
    fail("train/bad-option", `validationFraction: wanted 0 or more and below 1, found ${fraction}`);
  if (validationTokens !== undefined) checkCount("validationTokens", validationTokens, 0);
  const size = validationTokens ?? Math.floor(nTokens * fraction);
  // A single id predicts nothing: it would be neither training nor validation.
  if (size === 1) fail("train/bad-data", "validation: wanted no tokens or at least 2, found 1");
  if (size > nTokens - 2)
    fail(
      "train/bad-data",
      `training data: wanted at least 2 tokens besides ${size} for validation, found ${nTokens} in all`,
    );
  return size;
}

function checkIds(tokens: TokenIds, vocabSize: number): void {
  checkCount("vocabSize", vocabSize, 1);
  if (tokens instanceof Uint8Array && vocabSize >= 256) return;
  // One pass over hundreds of millions of ids a second prevents a read outside the embedding later.
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] < 0 || tokens[i] >= vocabSize)
      fail("train/bad-data", `training data: wanted ids from 0 to ${vocabSize - 1}, found ${tokens[i]} at token ${i}`);
  }
}

function checkBatch(batch: number, seqLength: number, inputs: Int32Array, targets: Int32Array): void {
  checkCount("batch", batch, 1);
  checkCount("seqLength", seqLength, 1);
  if (inputs.length !== batch * seqLength || targets.length !== batch * seqLength) {
    fail(
      "train/bad-option",
      `batch: wanted room for ${batch} × ${seqLength} ids, found ${inputs.length} inputs and ${targets.length} targets`,
    );
  }
}

function checkCount(name: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min)
    fail("train/bad-option", `${name}: wanted a whole number of ${min} or more, found ${value}`);
}
