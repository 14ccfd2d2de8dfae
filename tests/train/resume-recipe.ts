/**
 * The training that is killed: small, so that kills fall into every part of it, with all that has a state: dropout,
 * accumulation, validation, a log between checkpoints.
 */
import type { RecipeOptions } from "../../src/train/options.ts";
import { grammarText } from "./train-text.ts";

export const RESUMED: RecipeOptions & { readonly text: Uint8Array } = {
  preset: "tiny",
  depth: 1,
  seqLength: 32,
  batch: 2,
  accumulation: 2,
  dropout: 0.1,
  steps: 60,
  checkpointEvery: 3,
  logEvery: 4,
  validateEvery: 10,
  validationWindows: 6,
  text: grammarText(20_000),
};
