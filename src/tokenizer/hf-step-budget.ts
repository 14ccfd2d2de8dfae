/**
 * Limits of the steps of a tokenizer.json: how many there are, how long their texts, how much they may lengthen a text.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { REPLACED_GROWTH_MAX, STEP_TEXT_UNITS_MAX, TOKENIZER_STEPS_MAX } from "../core/limits.ts";
import type { JsonReader } from "./json-reader.ts";
import { badEntry } from "./json-reader.ts";

export class StepBudget {
  #steps = 0;
  #growth = 1;

  /** Counts a step. @throws OnebitError `tokenizer/bad-vocabulary` past the limit */
  take(step: JsonReader): void {
    this.#steps += 1;
    if (this.#steps > TOKENIZER_STEPS_MAX)
      fail("tokenizer/bad-vocabulary", `${step.path}: more than ${TOKENIZER_STEPS_MAX} steps, the limit`);
  }

  /** A text of a step: there, and not longer than the limit. */
  text(step: JsonReader, key: string): string {
    const text = step.string(key) ?? badEntry(step.at(key), "a string", undefined);
    return text.length <= STEP_TEXT_UNITS_MAX
      ? text
      : badEntry(step.at(key), `at most ${STEP_TEXT_UNITS_MAX} characters`, text);
  }

  /** Counts how much longer replacing makes a text at most. */
  grow(step: JsonReader, found: string, replacement: string): void {
    this.#growth *= Math.max(1, replacement.length / found.length);
    if (this.#growth > REPLACED_GROWTH_MAX) {
      fail(
        "tokenizer/bad-vocabulary",
        `${step.path}: the steps make a text ${this.#growth} times as long, the limit is ${REPLACED_GROWTH_MAX}`,
      );
    }
  }
}
