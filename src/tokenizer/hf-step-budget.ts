/**
 * Limits the steps of a tokenizer.json: their number, the length of their texts, how much they lengthen a text.
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

  /** A step's text: present, and within the limit. */
  text(step: JsonReader, key: string): string {
    const text = step.string(key) ?? badEntry(step.at(key), "a string", undefined);
    return text.length <= STEP_TEXT_UNITS_MAX
      ? text
      : badEntry(step.at(key), `at most ${STEP_TEXT_UNITS_MAX} characters`, text);
  }

  /** Counts how much longer a replacement can make a text. */
  grow(step: JsonReader, found: string, replacement: string): void {
    this.#growth *= Math.max(1, replacement.length / found.length);
    if (this.#growth > REPLACED_GROWTH_MAX) {
      fail(
        "tokenizer/bad-vocabulary",
        `${step.path}: the steps could make a text ${this.#growth} times as long, the limit is ${REPLACED_GROWTH_MAX}`,
      );
    }
  }
}
