/**
 * Turns: a context takes one call at a time, and one call computes at a time, in the order they came.
 *
 * A call can vanish silently. A consumer may never ask for its next piece; in workerd a request whose reader has left
 * stops at its next `await`, and none of its code runs again, not even a `finally`. So no turn depends on another
 * call's promise. Ending a turn wakes the next call by a plain callback, without checking that it comes: waiting calls
 * also poll, and take a free turn. A holder that shows no sign of life for a second of polls loses its turn. If it was
 * only slow, it gets a new turn later and reads its ids again, with the same bits.
 *
 * @module
 */
import { AbortListeners } from "../core/abort-listeners.ts";
import { type AbortState, fail } from "../core/errors.ts";
import type { Platform } from "../core/platform.ts";

/** How a waiting call finds that its turn has come. */
interface Looking {
  /**
   * Interval of polls, on the call's own timer: workerd ends a request that waits for nothing of its own, and Node a
   * program.
   */
  readonly everyMs: number;
  /** Interval for the next in the queue. */
  readonly nextEveryMs: number;
  /** Whether ending a turn wakes the next call. */
  readonly isWoken: boolean;
}

const WOKEN: Looking = { everyMs: 100, nextEveryMs: 100, isWoken: true };

/**
 * For workerd, where waking would resolve another request's promise. That request continues by a signal, and a signal
 * that arrives while it serves the last one is lost: of 2,796 small requests of ten turns each, 30 at once, 996 hung. A
 * poll is cheap, and the next call polls only when the computing one lets the event loop run.
 */
const UNWOKEN: Looking = { everyMs: 20, nextEveryMs: 1, isWoken: false };

/**
 * A holder silent for this many milliseconds of polls loses its turn. Polls, not the clock: a live holder runs between
 * two polls, even after something blocked the event loop.
 */
const SILENT_MS = 1000;

/** Who takes turns with whom: a context, or all that compute. */
export type LaneKey = object;

/** Calls wait in lanes, each with one turn at a time. */
export class Turns {
  readonly #lanes = new Map<LaneKey, Lane>();
  readonly #signals = new AbortListeners();
  readonly #looking: Looking;
  #isClosed = false;

  constructor({ isolatesRequests = false }: Pick<Platform, "isolatesRequests"> = {}) {
    this.#looking = isolatesRequests ? UNWOKEN : WOKEN;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How many lanes have a call that holds its turn. */
  get nHeld(): number {
    return [...this.#lanes.values()].filter((lane) => lane.holder !== undefined).length;
  }

  /**
   * A call that stops with `signal`, `close`, or `stop` of its lane. Whoever opens it must call `end`.
   * @param lane default: one for all who name none
   */
  open(signal: AbortSignal | undefined, lane: LaneKey = this): Turn {
    const turn = new Turn(this, lane);
    if (signal !== undefined) turn.unlisten = this.#signals.listen(signal, () => turn.stop(signal.reason));
    return turn;
  }

  /** Stops every call and gives no more turns. */
  close(): void {
    this.#isClosed = true;
    for (const turn of this.#begun()) turn.stop(undefined);
    this.#lanes.clear();
  }

  /** Stops every call in a lane. */
  stop(lane: LaneKey): void {
    for (const turn of this.#lanes.get(lane)?.begun ?? []) turn.stop(undefined);
  }

  isHeldBy(turn: Turn): boolean {
    return this.#lanes.get(turn.lane)?.holder === turn;
  }

  /**
   * Waits until `turn` holds its lane, or until it need not: then false.
   * @throws OnebitError `aborted` when it is stopped
   */
  async take(turn: Turn, isDone?: () => boolean): Promise<boolean> {
    const lane = this.#lanes.get(turn.lane) ?? new Lane(this.#looking);
    this.#lanes.set(turn.lane, lane);
    lane.taking.add(turn);
    try {
      return await lane.take(turn, isDone);
    } finally {
      lane.taking.delete(turn);
      this.#tidy(turn.lane, lane);
    }
  }

  leave(turn: Turn): void {
    const lane = this.#lanes.get(turn.lane);
    lane?.leave(turn);
    this.#tidy(turn.lane, lane);
  }

  #begun(): Turn[] {
    return [...this.#lanes.values()].flatMap((lane) => lane.begun);
  }

  #tidy(key: LaneKey, lane: Lane | undefined): void {
    if (lane?.begun.length === 0) this.#lanes.delete(key);
  }
}

class Lane {
  holder: Turn | undefined;
  /** Calls that have asked for the turn: those that wait, and those that were woken and have not come yet. */
  readonly taking = new Set<Turn>();
  readonly #waiting: Turn[] = [];
  /** Calls that lost their turn, for `close` to stop. Weak: they may never come back. */
  #lost: WeakRef<Turn>[] = [];
  readonly #looking: Looking;

  constructor(looking: Looking) {
    this.#looking = looking;
  }

  /** Calls that hold the turn, wait for it or lost it. */
  get begun(): Turn[] {
    const lost = this.#lost.map((each) => each.deref());
    return [this.holder, ...this.taking, ...lost].filter((turn) => turn !== undefined);
  }

  async take(turn: Turn, isDone: (() => boolean) | undefined): Promise<boolean> {
    if (this.#waiting.length === 0 && this.holder === undefined) return this.#give(turn);
    this.#waiting.push(turn);
    const { everyMs, nextEveryMs, isWoken } = this.#looking,
      look = createLookout(),
      nLooksSeen = new WeakMap<Turn, number>();
    for (let isNext = false; ; ) {
      const ms = isNext || isDone !== undefined ? nextEveryMs : everyMs;
      await turn.wokenOr(ms, isWoken);
      turn.nLooks++;
      if (turn.isStopped) return this.#giveUp(turn);
      if (isDone?.()) return this.#pass(turn);
      if (this.holder !== undefined && look(this.holder, ms)) this.#evict(this.holder);
      // Woken or taken for gone, but another was faster: back to the head of the queue.
      if (!this.#waiting.includes(turn)) this.#waiting.unshift(turn);
      isNext = isWoken || this.#areGoneBefore(turn, nLooksSeen);
      if (this.holder === undefined && isNext) return this.#give(turn);
    }
  }

  leave(turn: Turn): void {
    if (this.holder !== turn) return;
    this.holder = undefined;
    this.#wakeNext();
  }

  #wakeNext(): void {
    if (this.#looking.isWoken) this.#waiting.shift()?.wake();
  }

  /** True if no call before `turn` has polled since `turn` last did. */
  #areGoneBefore(turn: Turn, nLooksSeen: WeakMap<Turn, number>): boolean {
    const before = this.#waiting.slice(0, this.#waiting.indexOf(turn)),
      areGone = before.every((other) => nLooksSeen.get(other) === other.nLooks);
    for (const other of before) nLooksSeen.set(other, other.nLooks);
    return areGone;
  }

  #give(turn: Turn): true {
    if (turn.isStopped) return this.#giveUp(turn);
    // Also drops the calls before it, which are gone.
    if (!this.#looking.isWoken) this.#waiting.splice(0, this.#waiting.indexOf(turn));
    this.#forget(turn);
    this.holder = turn;
    return true;
  }

  /** It may have been woken for this turn: the next one is. */
  #pass(turn: Turn): false {
    this.#forget(turn);
    if (this.holder === undefined) this.#wakeNext();
    return false;
  }

  #giveUp(turn: Turn): never {
    this.#pass(turn);
    return fail("aborted", "stopped by the caller's abort signal while waiting for the model", turn.reason);
  }

  #forget(turn: Turn): void {
    const place = this.#waiting.indexOf(turn);
    if (place >= 0) this.#waiting.splice(place, 1);
  }

  #evict(turn: Turn): void {
    this.holder = undefined;
    turn.lose();
    this.#lost = this.#lost.filter((lost) => lost.deref()?.isLost);
    // Without weak references (old workerd dates) such a call learns of `close` when it comes back.
    if (typeof WeakRef === "function") this.#lost.push(new WeakRef(turn));
  }
}

/** Called at each poll with the time waited: true once the holder has been silent for SILENT_MS. */
function createLookout(): (holder: Turn, waitedMs: number) => boolean {
  let watched: Turn | undefined,
    nSigns = 0,
    silentMs = 0;
  return (holder, waitedMs) => {
    silentMs = holder === watched && holder.nSigns === nSigns ? silentMs + waitedMs : 0;
    watched = holder;
    nSigns = holder.nSigns;
    return silentMs >= SILENT_MS;
  };
}

/** One call from start to end: it waits, computes, and rests while its consumer is away. */
export class Turn implements AbortState {
  reason: unknown;
  isLost = false;
  /** Calls of higher ones are computed first, where not all can be. */
  priority = 0;
  /** Signs of life: reads of `aborted`, one at every breath of a computation. */
  nSigns = 0;
  /** Its polls so far. */
  nLooks = 0;
  wake = (): void => {};
  unlisten = (): void => {};
  readonly lane: LaneKey;
  readonly #turns: Turns;
  #isStopped = false;
  /** Ends the call while it rests and reads nothing. */
  #onStop = (): void => {};
  #release = (): void => {};

  constructor(turns: Turns, lane: LaneKey) {
    this.#turns = turns;
    this.lane = lane;
  }

  get isStopped(): boolean {
    return this.#isStopped || this.#turns.isClosed;
  }

  /** Computations read this between two steps. */
  get aborted(): boolean {
    this.nSigns++;
    return this.isStopped || this.isLost;
  }

  /**
   * Waits for the turn; false if `isDone` says meanwhile that it is not needed.
   * @throws OnebitError `aborted`
   */
  async begin(isDone?: () => boolean): Promise<boolean> {
    const isHeld = await this.#turns.take(this, isDone);
    this.isLost = false;
    this.nSigns++;
    return isHeld;
  }

  /** `release` gives back what the call uses only in its turn; called when that ends or is lost. */
  hold(release: () => void): void {
    this.#release = release;
  }

  /** The consumer is away, perhaps for good: a stop now ends the call by `onStop`. */
  rest(onStop: () => void): void {
    this.#onStop = onStop;
  }

  /** The consumer is back. False if others may have used the context. @throws OnebitError `aborted` */
  async goOn(): Promise<boolean> {
    this.#onStop = () => {};
    this.nSigns++;
    if (this.isStopped) fail("aborted", "stopped by the caller's abort signal", this.reason);
    if (this.#turns.isHeldBy(this)) return true;
    await this.begin();
    return false;
  }

  /** Releases everything; calling it twice is fine. */
  end(): void {
    this.#onStop = () => {};
    this.unlisten();
    if (this.#turns.isHeldBy(this)) this.#release();
    this.#turns.leave(this);
  }

  stop(reason: unknown): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.reason = reason;
    this.wake();
    this.#onStop();
  }

  lose(): void {
    this.isLost = true;
    this.#release();
  }

  /** Resolves after `ms`, or when woken if `isWoken`. */
  async wokenOr(ms: number, isWoken: boolean): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      if (isWoken) this.wake = resolve;
    });
    // Cleared here, not by the waker: in workerd a timer belongs to its request.
    clearTimeout(timer);
  }
}
