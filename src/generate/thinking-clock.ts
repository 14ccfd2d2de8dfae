/**
 * Counts the tokens of thinking, and ends it when there are enough.
 *
 * @module
 */
import type { Constraint } from "../grammar/constraint.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { ThinkingBudget } from "./reply.ts";

export class ThinkingClock {
  readonly #budget: ThinkingBudget;
  readonly #tokenizer: Tokenizer;
  readonly #stream: ReturnType<Tokenizer["stream"]>;
  /** The end of the thinking so far, as long as what ends it. */
  #tail = "";
  #nIds = 0;
  #isOver = false;

  constructor(budget: ThinkingBudget, tokenizer: Tokenizer) {
    this.#budget = budget;
    this.#tokenizer = tokenizer;
    this.#stream = tokenizer.stream();
  }

  /** Takes the next id of a reply that begins with thinking. */
  push(id: number): void {
    if (this.#isOver) return;
    const { end } = this.#budget,
      text = this.#tokenizer.isSpecial(id) ? this.#tokenizer.tokenText(id) : this.#stream.push(id),
      seen = this.#tail + text;
    this.#nIds++;
    this.#isOver = seen.includes(end);
    this.#tail = seen.slice(-end.length);
  }

  /** The ids that end the thinking now; none while it goes on. It does not end within a character. */
  ending(constraint: Constraint): readonly number[] {
    const { tokens, endIds } = this.#budget;
    if (this.#isOver || this.#nIds < tokens || !constraint.allowsAll(endIds)) return [];
    this.#isOver = true;
    return endIds;
  }
}
