/**
 * How many guessed ids a walk should try, from what was measured: how often guesses came true, and how long walks took.
 *
 * A walk of r rows is expected to give 1 + p₁ + p₁p₂ + … ids (r terms; pᵢ: the chance of the i-th guess, if those
 * before it came true), so the best r gives the most ids a millisecond. Chances are learned without trying: a guess is
 * compared with the id that comes, whether it was part of a walk or not. Times are learned by walks alone, so a number
 * of rows that was never walked is tried when it would pay if it took no longer than fewer rows; after a while, again.
 *
 * @module
 */

/** Rows of a walk that tries a draft. Engines give at most 15 rows of logits at once for a large vocabulary. */
const ROWS = [2, 3, 4, 6, 8, 12, 15] as const;

/** The most ids a draft has. */
export const DRAFT_IDS_MAX = ROWS[ROWS.length - 1] - 1;

/** A draft must promise this much more speed: less is within the error of the measurement. */
const GAIN_MIN = 1.05;
/** And to find out how long so many rows take, this much. */
const TRIAL_GAIN_MIN = 1.2;

/** Walks after which times are measured anew: of one row, which costs what a draft would have gained, and of more. */
const STALE_WALKS = { one: 64, more: 1024 } as const;

/**
 * Drafts may lose this share of the time, and what they gained before, in walks of one row up to `max`. Nothing is
 * gained before anything was tried: `first`. A machine that changes its speed makes a draft seem to lose far more than
 * it does: no more than `min`.
 */
const LOSS_SHARE = 0.01,
  BALANCE = { min: -4, first: 4, max: 64 } as const;

/** Kept of each number of rows. */
const TIMES_MAX = 8;
/** The first walk of a kind may be slow by chance, and would not be repeated soon. */
const TIMES_MIN = 2;
/** A busy machine makes some walks slow, whatever their rows; the mean of the others is finer than a coarse clock. */
const FASTEST_SHARE = 5 / 8;

/** Guesses that a chance is made of: older ones fade. */
const GUESSES_MAX = 32;
/** And how many of those an earlier generation may count for. */
const GUESSES_KEPT = 4;
/** As many guesses count for a chance as it has in shorter matches. */
const SHORTER_WEIGHT = 2;
const CHANCE_UNKNOWN = 0.3;

/** Matches of these lengths and up to the next have a chance of their own. */
const CLASS_LENGTHS = [2, 3, 4, 6, 8, 12, 16, 23, 32] as const;
const N_CLASSES = CLASS_LENGTHS.length;

export class DraftSizer {
  /** Times of walks of one row. */
  readonly #oneMs = new Recent();
  #lastOneMs = 0;
  /** Times of walks, by their rows, in walks of one: so they hold when the machine becomes slower or faster. */
  readonly #costs = Array.from({ length: DRAFT_IDS_MAX + 2 }, () => new Recent());
  #nWalks = 0;
  /** What drafts gained, in walks of one row. */
  #balance: number = BALANCE.first;
  readonly #nGuesses = new Float64Array(N_CLASSES);
  readonly #nTrue = new Float64Array(N_CLASSES);
  readonly #chances = new Float64Array(N_CLASSES);

  /** A text of its own begins: what came true in others counts little. */
  begin(): void {
    for (let i = 0; i < N_CLASSES; i++) this.#fade(i, GUESSES_KEPT);
  }

  /** A guess after a match of `matchLength` ids came true, or did not. */
  guessed(matchLength: number, isTrue: boolean): void {
    const i = classOf(matchLength);
    this.#nGuesses[i]++;
    if (isTrue) this.#nTrue[i]++;
    this.#fade(i, GUESSES_MAX);
  }

  /** A walk of `rows` rows took `ms` and gave `nIds` ids. */
  walked(rows: number, ms: number, nIds: number): void {
    this.#nWalks++;
    let gain = LOSS_SHARE;
    if (rows === 1) this.#oneMs.add(ms, this.#nWalks);
    else if (this.#lastOneMs > 0) {
      this.#costs[rows].add(ms / this.#lastOneMs, this.#nWalks);
      // Not the cost of this walk alone: on a busy machine some take ten times as long as others.
      gain = nIds - (this.#costOf(rows) ?? rows);
    }
    this.#balance = Math.max(BALANCE.min, Math.min(this.#balance + gain, BALANCE.max));
  }

  /** How many ids to draft after a match of `matchLength` ids, at most `max`. */
  sizeFor(matchLength: number, max: number): number {
    this.#lastOneMs = this.#oneMs.mean(this.#nWalks - STALE_WALKS.one) ?? 0;
    // No time: not measured, or by a clock that stands still while a program computes, or is too coarse to tell.
    if (this.#lastOneMs === 0 || matchLength === 0 || this.#balance <= 0) return 0;
    this.#learnChances();
    let size = 0,
      bestRate = GAIN_MIN,
      leastCost = 1,
      chance = 1,
      nExpected = 1,
      n = 0;
    for (const rows of ROWS) {
      if (rows - 1 > max) break;
      for (; n < rows - 1; n++) nExpected += chance *= this.#chances[classOf(matchLength + n)];
      const cost = this.#costOf(rows);
      if (cost === undefined) return nExpected / leastCost > Math.max(TRIAL_GAIN_MIN, bestRate) ? rows - 1 : size;
      if (nExpected / cost > bestRate) {
        size = rows - 1;
        bestRate = nExpected / cost;
      }
      leastCost = Math.max(leastCost, cost);
    }
    return size;
  }

  /** Undefined if not known. */
  #costOf(rows: number): number | undefined {
    return this.#costs[rows].mean(this.#nWalks - STALE_WALKS.more);
  }

  /** Of few guesses, a class has the chance of the shorter matches. */
  #learnChances(): void {
    let shorter = CHANCE_UNKNOWN;
    for (let i = 0; i < N_CLASSES; i++) {
      shorter = (this.#nTrue[i] + SHORTER_WEIGHT * shorter) / (this.#nGuesses[i] + SHORTER_WEIGHT);
      this.#chances[i] = shorter;
    }
  }

  #fade(i: number, nMax: number): void {
    const n = this.#nGuesses[i];
    if (n <= nMax) return;
    this.#nGuesses[i] = nMax;
    this.#nTrue[i] *= nMax / n;
  }
}

/** The latest measurements of a kind. */
class Recent {
  readonly #values = new Float64Array(TIMES_MAX);
  readonly #sorted = new Float64Array(TIMES_MAX);
  #n = 0;
  #lastWalk = 0;
  #mean = 0;

  /** `walk` is the number of the walk that was measured. */
  add(value: number, walk: number): void {
    this.#values[this.#n++ % TIMES_MAX] = value;
    this.#lastWalk = walk;
    const length = Math.min(this.#n, TIMES_MAX),
      nFastest = Math.floor(length * FASTEST_SHARE),
      sorted = this.#sorted;
    // By insertion: it runs for every id, and an array's own sort takes a hundredth of a small model's walk.
    for (let n = 0, i = 0; n < length; n++) {
      for (i = n; i > 0 && sorted[i - 1] > this.#values[n]; i--) sorted[i] = sorted[i - 1];
      sorted[i] = this.#values[n];
    }
    let sum = 0;
    for (let i = 0; i < nFastest; i++) sum += sorted[i];
    this.#mean = sum / nFastest;
  }

  /** Of the fastest; undefined if too few were measured, or none after walk `since`. */
  mean(since: number): number | undefined {
    if (this.#lastWalk <= since) this.#n = 0;
    return this.#n < TIMES_MIN ? undefined : this.#mean;
  }
}

function classOf(matchLength: number): number {
  let i = N_CLASSES - 1;
  while (i > 0 && matchLength < CLASS_LENGTHS[i]) i--;
  return i;
}
