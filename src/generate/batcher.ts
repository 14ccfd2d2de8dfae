/**
 * Computes what all contexts of a model ask for, together.
 *
 *   walk:  | next id of context 1 | next id of context 2 | … | piece of the oldest prompt |
 *
 * Whoever has the turn walks once, for itself and for all who wait. So nothing runs without a call that wants it, and
 * no call depends on another's promise (turns.ts). A walk takes the next id of every context that writes, and of
 * prompts, in the order they came, as many as keep the others from waiting longer than `maxStallMs`. No result depends
 * on which rows are walked together.
 *
 * @module
 */
import { throwIfAborted } from "../core/errors.ts";
import { requireFinite } from "../model/computed-row.ts";
import type { BatchPart, Engine } from "../model/engine-interface.ts";
import type { CacheGroup, Sequence } from "../model/kv-pages.ts";
import type { Turn, Turns } from "./turns.ts";

/** What a call wants computed. */
export interface Wanted {
  /** All ids from position 0 on; the longest beginning that is cached costs nothing. */
  readonly ids: readonly number[];
  /** Of so many of the last ids the logits after them; at least 1. */
  readonly nLogits: number;
  /** The call's turn among those of its context, which wrote the ids. */
  readonly turn: Turn;
  /** Whom it shares what is cached with. */
  readonly group?: CacheGroup;
  /** Told how many ids are read. */
  readonly onProgress?: (done: number) => void;
}

export interface Computed {
  /** Ids at the beginning that were cached. */
  readonly nCached: number;
  /** A row for each of the last `nLogits` ids; what the same call wants next overwrites it. */
  readonly logits: readonly Float32Array[];
}

export interface BatcherOptions {
  /** How long a walk with a piece of a prompt may keep other contexts from their next id. */
  readonly maxStallMs: number;
  /** Lets the event loop run. */
  readonly nextTurn: () => Promise<void>;
}

/** Rows of a prompt that go with others before a walk was measured. */
const FIRST_ROWS = 8;
/** Walks aim below the limit: with its mean, one in a hundred took 12 % longer (Bonsai 1.7B, a prompt of 2,000). */
const STALL_SHARE = 0.8;
/** Weight of the latest walk in the mean time of a row. */
const LATEST_WEIGHT = 0.3;
/** Turns held while one context computes: its own, and that to compute. */
const HELD_ALONE = 2;

interface Job extends Wanted {
  readonly logits: Float32Array[];
  /** While a walk may have rows of it. */
  sequence: Sequence | undefined;
  /** What was cached when the sequence was opened, and when the first was. */
  nFound: number;
  nCached: number;
  nRead: number;
  isDone: boolean;
  error: unknown;
}

interface JobPart extends BatchPart {
  readonly job: Job;
}

export class Batcher {
  readonly #engine: Engine;
  readonly #turns: Turns;
  readonly #options: BatcherOptions;
  readonly #jobs = new Set<Job>();
  /** The copies that calls were given. */
  readonly #rows = new WeakMap<Turn, Float32Array[]>();
  #rowMs: number | undefined;

  constructor(engine: Engine, turns: Turns, options: BatcherOptions) {
    this.#engine = engine;
    this.#turns = turns;
    this.#options = options;
  }

  /** A call that computes alone, without the others. */
  openAlone(signal: AbortSignal | undefined): Turn {
    return this.#turns.open(signal, this.#engine);
  }

  /** For who computes alone and may need all pages: prompts that are half read find what is still cached. */
  giveBackPages(): void {
    for (const job of this.#jobs) giveBack(job);
  }

  /** Runs `task`, which may need all pages, while no one computes. @throws OnebitError `aborted` as `call` */
  async whileNoneComputes(call: Turn, task: () => void): Promise<void> {
    const turn = this.openAlone(undefined);
    call.wake = () => turn.wake();
    try {
      await turn.begin(() => call.aborted);
      throwIfAborted(call);
      this.giveBackPages();
      task();
    } finally {
      turn.end();
    }
  }

  /**
   * @throws OnebitError `model/context-full` when the KV cache has too few pages, `model/not-finite`, `model/closed`,
   *   `engine/thread-lost`, `aborted`
   */
  async compute(wanted: Wanted): Promise<Computed> {
    const turn = this.openAlone(undefined),
      job = newJob(wanted);
    // A stop of the call ends its waiting here.
    wanted.turn.wake = () => turn.wake();
    this.#jobs.add(job);
    wanted.onProgress?.(this.#engine.pages.count(wanted.ids.slice(0, -wanted.nLogits), wanted.group));
    try {
      while (!job.isDone) {
        const isWalker = await turn.begin(() => wanted.turn.aborted || job.isDone);
        if (isWalker) await this.#walkFor(job, turn);
        throwIfAborted(wanted.turn);
        wanted.onProgress?.(job.nRead);
      }
      if (job.error !== undefined) throw job.error;
      return job;
    } finally {
      turn.end();
      this.#jobs.delete(job);
      job.sequence?.close();
    }
  }

  async #walkFor(job: Job, turn: Turn): Promise<void> {
    try {
      // Contexts that write have just been given their ids, and ask for the next in this turn of the event loop.
      if (this.#turns.nHeld > HELD_ALONE) await this.#options.nextTurn();
      if (!job.isDone && !turn.isLost) await this.#walk(job, turn);
    } finally {
      turn.end();
    }
  }

  /** One walk for all who wait, `walker` among them. */
  async #walk(walker: Job, turn: Turn): Promise<void> {
    const parts = this.#partsOf(inOrder(this.#jobs).filter((job) => !isOver(job)));
    if (parts.length === 0) return;
    const signal = {
      // Also the sign of life of both turns.
      get aborted(): boolean {
        return (turn.aborted && turn.isLost) || (walker.turn.aborted && parts.every(({ job }) => isOver(job)));
      },
      reason: undefined,
    };
    const beginMs = performance.now();
    try {
      const logits = await this.#engine.compute(parts, signal);
      this.#measure(parts, performance.now() - beginMs);
      parts.forEach((part, i) => this.#take(part, logits[i]!));
    } catch (error) {
      // Whoever lost its turn asks again; the others have not waited for it.
      if (!signal.aborted) for (const { job } of parts) finish(job, error);
    }
  }

  /** The rows of a walk. */
  #partsOf(jobs: readonly Job[]): JobPart[] {
    const parts: JobPart[] = [];
    let rowsLeft = this.#engine.rowsMax,
      logitsLeft = this.#engine.logitsMax;
    const add = (job: Job, rowsMost: number): number => {
      const part = this.#partOf(job, Math.min(rowsMost, rowsLeft), logitsLeft, parts);
      if (part === undefined) return 0;
      parts.push(part);
      rowsLeft -= part.ids.length;
      logitsLeft -= part.nLogits;
      return part.ids.length;
    };
    for (const job of jobs) this.#find(job);
    const [short, long] = [jobs.filter(isShort), jobs.filter((job) => !isShort(job))];
    for (const job of short) add(job, rowsLeft);
    const isAlone = parts.length === 0 && this.#turns.nHeld <= HELD_ALONE;
    let promptLeft = isAlone ? rowsLeft : this.#promptRows();
    for (const job of long) {
      // What begins alike is computed once: a later walk finds it.
      if (!parts.some((part) => goesOnAlike(part.job, job))) promptLeft -= add(job, promptLeft);
    }
    for (const job of jobs) if (!parts.some((part) => part.job === job)) giveBack(job);
    return parts;
  }

  /** What is cached, until it has rows of its own. */
  #find(job: Job): void {
    if (job.sequence !== undefined && job.sequence.length > job.nFound) return;
    job.sequence?.close();
    const { ids, nLogits, turn, group } = job;
    job.sequence = this.#engine.pages.open(ids.slice(0, -nLogits), { author: turn.lane, group });
    job.nFound = job.sequence.length;
    // All rows with logits are computed anew.
    job.logits.length = 0;
    if (job.nRead === 0) job.nCached = job.nFound;
  }

  #partOf(job: Job, rowsMost: number, logitsMost: number, parts: readonly JobPart[]): JobPart | undefined {
    const { sequence, ids, nLogits } = job;
    if (sequence === undefined) return undefined;
    const begin = sequence.length,
      firstWanted = ids.length - nLogits;
    const most = Math.min(ids.length, begin + rowsMost, Math.max(begin, firstWanted) + logitsMost),
      lastPage = lastPageBegin(ids.length, this.#engine.kv.pagePositions),
      isWhole = !this.#engine.pages.hasStates || begin >= lastPage,
      end = isWhole ? most : Math.min(most, lastPage);
    if (end <= begin || !this.#reserve(job, end - begin, begin === lastPage && begin > 0 && !isShort(job), parts))
      return undefined;
    return { job, sequence, ids: ids.slice(begin, end), nLogits: Math.max(0, end - Math.max(begin, firstWanted)) };
  }

  /** Jobs that are not in this walk give up their pages for it, the last in order first. */
  #reserve(job: Job, n: number, keepsState: boolean, parts: readonly JobPart[]): boolean {
    const others = inOrder(this.#jobs).filter((other) => other !== job && !parts.some((part) => part.job === other));
    for (;;) {
      try {
        job.sequence?.reserve(n, keepsState);
        return true;
      } catch (error) {
        const other = others.pop();
        if (other !== undefined) giveBack(other);
        else {
          if (parts.length === 0) finish(job, error);
          return false;
        }
      }
    }
  }

  #take({ job, sequence, ids }: JobPart, rows: readonly Float32Array[]): void {
    job.nRead = sequence.length;
    const { name } = this.#engine.config,
      first = ids.length - rows.length,
      position = sequence.length - rows.length;
    try {
      rows.forEach((row, i) => {
        requireFinite(row, { model: name, what: "logits", id: ids[first + i], position: position + i });
        job.logits.push(this.#keep(row, job.logits.length, job.turn));
      });
    } catch (error) {
      return finish(job, error);
    }
    if (sequence.length === job.ids.length) finish(job, undefined);
  }

  /**
   * A copy, in the place of what the same call was given last time: workerd collects garbage late, and the 200 KB of a
   * token of TriLM 99M made its process take 62 MB more after six answers.
   */
  #keep(row: Float32Array, i: number, turn: Turn): Float32Array {
    const rows = this.#rows.get(turn) ?? [],
      place = (rows[i] ??= new Float32Array(row.length));
    this.#rows.set(turn, rows);
    place.set(row);
    return place;
  }

  #promptRows(): number {
    const { maxStallMs } = this.#options;
    return this.#rowMs === undefined ? FIRST_ROWS : Math.max(1, Math.floor((maxStallMs * STALL_SHARE) / this.#rowMs));
  }

  /** Walks of one row are other kernels. */
  #measure(parts: readonly JobPart[], tookMs: number): void {
    const nRows = parts.reduce((n, { ids }) => n + ids.length, 0),
      rowMs = tookMs / nRows;
    if (nRows > 1)
      this.#rowMs = this.#rowMs === undefined ? rowMs : this.#rowMs + LATEST_WEIGHT * (rowMs - this.#rowMs);
  }
}

/** By priority; among equals, first come first served. */
function inOrder(jobs: Iterable<Job>): Job[] {
  return [...jobs].sort((a, b) => b.turn.priority - a.turn.priority);
}

/**
 * Where the last page of so many ids begins. There a model with states keeps a copy of its own: the next prompt of a
 * conversation often leaves this one in its last ids, and then reads no more than a page again.
 */
function lastPageBegin(nIds: number, pagePositions: number): number {
  return nIds - 1 - ((nIds - 1) % pagePositions);
}

function newJob(wanted: Wanted): Job {
  return {
    ...wanted,
    logits: [],
    sequence: undefined,
    nFound: 0,
    nCached: 0,
    nRead: 0,
    isDone: false,
    error: undefined,
  };
}

function isOver({ isDone, turn }: Job): boolean {
  return isDone || turn.isStopped || turn.isLost;
}

/** A context that writes: all it still wants are rows with logits. */
function isShort({ sequence, ids, nLogits }: Job): boolean {
  return sequence !== undefined && ids.length - sequence.length <= nLogits;
}

/** True if `job` will find some of what `other` computes in this walk. */
function goesOnAlike(other: Job, job: Job): boolean {
  const at = job.sequence?.length ?? 0;
  return job.group === other.group && at >= (other.sequence?.length ?? 0) && isPrefix(job.ids, other.ids, at + 1);
}

function isPrefix(a: readonly number[], b: readonly number[], n: number): boolean {
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return false;
  return true;
}

function finish(job: Job, error: unknown): void {
  job.error = error;
  job.isDone = true;
  giveBack(job);
}

/** Its pages stay cached while nobody needs the room. */
function giveBack(job: Job): void {
  job.sequence?.close();
  job.sequence = undefined;
}
