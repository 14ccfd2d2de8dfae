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
import type { Sampling } from "./options.ts";
import { type Sampler, createSampler } from "./sampler.ts";

/** A word of a mask that bans nothing. */
const ALL_OF_WORD = 0xffffffff;

/** What keeps a reply to its format. */
export interface Format {
  readonly constraint: Constraint;
  readonly tokenizer: Tokenizer;
  /** Take forced tokens as they are, without the logits before them. */
  readonly takesForced: boolean;
}

export class Chooser {
  readonly #sampler: Sampler;
  readonly #format: Format | undefined;
  readonly #endIds: ReadonlySet<number>;
  /** Never taken, forced or not. */
  readonly #bannedIds: ReadonlySet<number>;
  readonly #ids: number[] = [];
  #forced: readonly number[] = [];
  /** A copy of logits, for what may not come to be taken out. */
  #logits = new Float32Array(0);
  #nForced = 0;
  #isEnd = false;

  constructor(sampling: Sampling, numeric: Numeric, endIds: ReadonlySet<number>, format: Format | undefined) {
    this.#sampler = createSampler(sampling, numeric);
    this.#bannedIds = new Set(sampling.logitBias.flatMap(([id, bias]) => (bias === -Infinity ? [id] : [])));
    this.#endIds = endIds;
    this.#format = format;
    if (format !== undefined) this.#force(format);
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
      id = known ?? this.#sampler.next(this.#format === undefined ? logits : this.#allowed(logits), history);
    this.#forced = others;
    if (known !== undefined) this.#nForced++;
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
    if (!constraint.isText(id)) return;
    this.#ids.push(id);
    constraint.accept(id);
    if (this.#forced.length === 0) this.#force(format);
  }

  #force({ constraint, tokenizer, takesForced }: Format): void {
    if (!takesForced) return;
    const ids = forcedIds(constraint, tokenizer, this.#ids),
      banned = ids.findIndex((id) => this.#bannedIds.has(id));
    this.#forced = banned < 0 ? ids : ids.slice(0, banned);
  }

  /** Logits with −∞ for what may not come. */
  #allowed(logits: Float32Array): Float32Array {
    const { constraint } = this.#format!;
    if (this.#logits.length !== logits.length) this.#logits = new Float32Array(logits.length);
    const kept = this.#logits;
    kept.set(logits);
    let isAny = false;
    const { allowed } = constraint;
    for (let word = 0; word << 5 < kept.length; word++) {
      const bits = word < allowed.length ? allowed[word]! : 0;
      if (bits !== 0) isAny = true;
      for (let id = word << 5, end = Math.min(id + 32, kept.length); id < end && bits !== ALL_OF_WORD; id++)
        if (((bits >>> (id & 31)) & 1) === 0) kept[id] = -Infinity;
    }
    if (constraint.isAccepting) for (const id of this.#endIds) kept[id] = logits[id]!;
    if (!isAny && !constraint.isAccepting)
      fail("grammar/unsupported", "format: no token of this model's vocabulary goes on with it");
    return kept;
  }
}
