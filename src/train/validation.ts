/**
 * Validation: how well a model in training predicts text it never trains on.
 *
 * @module
 */
import { throwIfAborted } from "../core/errors.ts";
import type { Breather } from "../core/event-loop.ts";
import type { TrainingData } from "./data.ts";
import { NO_TARGET } from "./dataset.ts";
import type { Recipe } from "./recipe.ts";
import type { TransformerTrainer } from "./transformer-trainer.ts";

/** How well a model in training predicts text that it never sees. */
export interface Validation {
  /** Mean natural-log loss for each token. */
  readonly loss: number;
  /** The same for each byte of text, in bits: comparable between vocabularies. */
  readonly bitsPerByte: number;
  /** Tokens predicted. */
  readonly tokens: number;
  /** Whether that was all of the validation part. */
  readonly isWhole: boolean;
}

export interface ValidationParts {
  readonly trainer: TransformerTrainer;
  readonly data: TrainingData;
  readonly recipe: Recipe;
  readonly breather: Breather;
  readonly signal?: AbortSignal;
}

/**
 * @param maxWindows windows of seqLength to judge, from the first on; 0 for all
 * @returns undefined when there is nothing to validate on
 * @throws OnebitError `aborted`
 */
export async function validate(
  { trainer, data, recipe, breather, signal }: ValidationParts,
  maxWindows: number,
): Promise<Validation | undefined> {
  const { dataset, bytesOfToken } = data,
    { batch, seqLength } = recipe;
  const nAll = dataset.validationWindows(seqLength),
    nWindows = maxWindows === 0 ? nAll : Math.min(maxWindows, nAll);
  if (nWindows === 0) return undefined;
  const lengths = new Int32Array(batch);
  let sum = 0,
    tokens = 0,
    bytes = 0;
  for (let first = 0; first < nWindows; first += batch) {
    await breather.breathe();
    throwIfAborted(signal);
    const result = trainer.evaluate((inputs, targets) => {
      dataset.validationBatch(first, batch, seqLength, inputs, targets, lengths);
      // The last batch may hold more windows than requested.
      for (let row = nWindows - first; row < batch; row++)
        targets.fill(NO_TARGET, row * seqLength, (row + 1) * seqLength);
      for (const id of targets) if (id !== NO_TARGET) bytes += bytesOfToken[id];
    });
    sum += result.sum;
    tokens += result.count;
  }
  return { loss: sum / tokens, bitsPerByte: sum / Math.LN2 / bytes, tokens, isWhole: nWindows === nAll };
}
