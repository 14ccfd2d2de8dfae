/**
 * The next id of a reply: the one that its format leaves no choice about, else one that the sampler draws.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { Constraint } from "../grammar/constraint.ts";
import type { Numeric } from "../kernels/numeric.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { forcedIds } from "./forced-ids.ts";
import type { LogitsProcessor, Sampling } from "./options.ts";
import type { ThinkingBudget } from "./reply.ts";
import { type Sampler, createSampler } from "./sampler.ts";
import { ThinkingClock } from "./thinking-clock.ts";

/** A word of a mask that bans nothing. */
const ALL_OF_WORD = 0xffffffff;

/** What keeps a reply to its format. */
export interface Format {
  readonly constraint: Constraint;
  readonly tokenizer: Tokenizer;
  /** Take forced tokens as they are, without the logits before them. */
  readonly takesForced: boolean;
  /** Ends thinking that may last no longer. */
  readonly budget?: ThinkingBudget;
}

/** How one generation chooses. */
export interface Choosing {
  readonly sampling: Sampling;
  readonly numeric: Numeric;
  readonly tokenizer: Tokenizer | undefined;
  readonly endIds: ReadonlySet<number>;
  readonly format?: Format | undefined;
  readonly logitsProcessor?: LogitsProcessor | undefined;
}

export class Chooser {
  readonly #sampler: Sampler;
  readonly #process: LogitsProcessor | undefined;
  readonly #format: Format | undefined;
  readonly #endIds: ReadonlySet<number>;
  /** Never taken, forced or not. */
  readonly #bannedIds: ReadonlySet<number>;
  readonly #ids: number[] = [];
  #forced: readonly number[] = [];
  readonly #clock: ThinkingClock | undefined;
  /** Come next, whatever the logits are. */
  #due: readonly number[] = [];
  /** A copy of logits, to be changed. */
  #logits = new Float32Array(0);
  #nForced = 0;
  #isEnd = false;

  constructor({ sampling, numeric, tokenizer, endIds, format, logitsProcessor }: Choosing) {
    this.#sampler = createSampler(sampling, numeric, tokenizer);
    this.#process = logitsProcessor;
    this.#bannedIds = new Set(sampling.logitBias.flatMap(([id, bias]) => (bias === -Infinity ? [id] : [])));
    this.#endIds = endIds;
    this.#format = format;
    this.#clock = format?.budget && new ThinkingClock(format.budget, format.tokenizer);
    if (format !== undefined) this.#goOnFrom(format);
  }

  /** Whether the next id is known without logits. */
  get knowsNext(): boolean {
    return this.#forced.length > 0;
  }

  /** The last id ends the reply, or nothing can follow it. */
  get isDone(): boolean {
    return this.#isEnd || this.isComplete;
  }

  /** The last id ends the reply: it is no part of its text. */
  get isEnd(): boolean {
    return this.#isEnd;
  }

  /** The text fits the format, and nothing can follow. */
  get isComplete(): boolean {
    return this.#format?.constraint.isDone ?? false;
  }

  /** Ids that needed no logits; undefined without a format. */
  get nForced(): number | undefined {
    return this.#format && this.#nForced;
  }

  /**
   * @param logits after `history`; not looked at when the next id is known
   * @throws OnebitError `option/invalid` when nothing can be drawn, `grammar/unsupported` when no token of the
   *   vocabulary goes on with the format
   */
  next(logits: Float32Array, history: readonly number[]): number {
    const [known, ...others] = this.#forced,
      [due, ...later] = this.#due,
      id = known ?? due ?? this.#sampler.next(this.#changed(logits, history), history);
    this.#forced = others;
    if (known !== undefined) this.#nForced++;
    else this.#due = later;
    this.#isEnd = this.#endIds.has(id) && !this.#isTextOnly(id);
    if (this.#format !== undefined && !this.#isEnd) this.#goOn(id, this.#format);
    return id;
  }

  /** Some models end their turns at a newline. Where a format is not complete, that is a newline. */
  #isTextOnly(id: number): boolean {
    if (this.#format === undefined) return false;
    const { constraint, tokenizer } = this.#format;
    return !constraint.isAccepting && constraint.isText(id) && tokenizer.endOfTurnIds.has(id);
  }

  #goOn(id: number, format: Format): void {
    const { constraint } = format;
    if (!constraint.isPart(id)) return;
    this.#ids.push(id);
    constraint.accept(id);
    this.#clock?.push(id);
    if (this.#forced.length === 0 && this.#due.length === 0) this.#goOnFrom(format);
  }

  #goOnFrom(format: Format): void {
    const ending = this.#clock?.ending(format.constraint) ?? [];
    if (ending.length === 0) this.#force(format);
    else if (format.takesForced) this.#forced = ending;
    else this.#due = ending;
  }

  #force({ constraint, tokenizer, takesForced }: Format): void {
    if (!takesForced) return;
    const ids = forcedIds(constraint, tokenizer, this.#ids),
      banned = ids.findIndex((id) => this.#bannedIds.has(id));
    this.#forced = banned < 0 ? ids : ids.slice(0, banned);
  }

  /** The logits as the caller's function and the format leave them. */
  #changed(logits: Float32Array, history: readonly number[]): Float32Array {
    if (this.#process === undefined && this.#format === undefined) return logits;
    if (this.#logits.length !== logits.length) this.#logits = new Float32Array(logits.length);
    const changed = this.#logits;
    changed.set(logits);
    // A copy of the ids: a caller's mistake must not reach what the context has read.
    const answer: unknown = this.#process?.(changed, [...history]);
    if (answer !== undefined)
      fail("option/invalid", "logitsProcessor: wanted a function that changes the logits in place and returns nothing");
    if (this.#format !== undefined) this.#ban(changed, this.#format);
    return changed;
  }

  /** Writes −∞ for what may not come. */
  #ban(logits: Float32Array, { constraint }: Format): void {
    const ends = [...this.#endIds].map((id) => [id, logits[id]!] as const),
      { allowed } = constraint;
    let isAny = false;
    for (let word = 0; word << 5 < logits.length; word++) {
      const bits = word < allowed.length ? allowed[word]! : 0;
      if (bits !== 0) isAny = true;
      for (let id = word << 5, end = Math.min(id + 32, logits.length); id < end && bits !== ALL_OF_WORD; id++)
        if (((bits >>> (id & 31)) & 1) === 0) logits[id] = -Infinity;
    }
    if (constraint.isAccepting) for (const [id, logit] of ends) logits[id] = logit;
    if (!isAny && !constraint.isAccepting)
      fail("grammar/unsupported", "format: no token of this model's vocabulary goes on with it");
  }
}
