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
  readonly #ids: number[] = [];
  #forced: readonly number[] = [];
  /** A copy of logits, for what may not come to be taken out. */
  #logits = new Float32Array(0);
  #nForced = 0;

  constructor(sampling: Sampling, numeric: Numeric, endIds: ReadonlySet<number>, format: Format | undefined) {
    this.#sampler = createSampler(sampling, numeric);
    this.#endIds = endIds;
    this.#format = format;
    if (format?.takesForced) this.#forced = forcedIds(format.constraint, format.tokenizer, this.#ids);
  }

  /** Whether the next id is known without logits. */
  get knowsNext(): boolean {
    return this.#forced.length > 0;
  }

  /** Nothing can follow. */
  get isDone(): boolean {
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
    if (this.#format !== undefined) this.#goOn(id, this.#format);
    return id;
  }

  #goOn(id: number, { constraint, tokenizer, takesForced }: Format): void {
    if (!constraint.isText(id)) return;
    this.#ids.push(id);
    constraint.accept(id);
    if (takesForced && this.#forced.length === 0) this.#forced = forcedIds(constraint, tokenizer, this.#ids);
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
      for (let id = word << 5, end = Math.min(id + 32, kept.length); id < end && bits !== -1 >>> 0; id++)
        if (((bits >>> (id & 31)) & 1) === 0) kept[id] = -Infinity;
    }
    if (constraint.isAccepting) for (const id of this.#endIds) if (!constraint.isText(id)) kept[id] = logits[id]!;
    if (!isAny && !constraint.isAccepting)
      fail("grammar/unsupported", "format: no token of this model's vocabulary goes on with it");
    return kept;
  }
}
