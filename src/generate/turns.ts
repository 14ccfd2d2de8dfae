/**
 * Whose turn it is: a model has one KV cache, so one call computes at a time, the others in the order they came.
 *
 * A call can vanish without a word. The consumer of a generation may never ask for its next piece; in workerd a request
 * whose reader has left is gone at its next `await`, and none of its code runs again, not even a `finally`. So no turn
 * hangs on a promise of another call. Whoever ends a turn wakes the next by a plain callback, and takes no notice of
 * whether it comes: a call that waits also looks by itself, and takes a turn that is free. A holder that shows no life
 * while somebody looks for a second has lost its turn. One that was only slow gets a new turn later, and reads its ids
 * again, with the same bits.
 *
 * @module
 */
import { AbortListeners } from "../core/abort-listeners.ts";
import { type AbortState, fail } from "../core/errors.ts";
import type { Platform } from "../core/platform.ts";

/** How a call that waits finds that it is its turn. */
interface Looking {
  /**
   * It looks this often, on a timer of its own: workerd ends a request that waits for nothing of its own, and Node a
   * program.
   */
  readonly everyMs: number;
  /** And this often when it is the next. */
  readonly nextEveryMs: number;
  /** Whoever ends a turn wakes the next. */
  readonly isWoken: boolean;
}

const WOKEN: Looking = { everyMs: 100, nextEveryMs: 100, isWoken: true };

/**
 * Where requests live apart: waking would resolve a promise of another. In workerd that request then goes on by a
 * signal, and one that comes while it serves the last is lost: of 2,796 small requests that took ten turns each, 30 at
 * once, 996 hung. A look is cheap, and the next looks only when the one who computes lets the event loop run.
 */
const UNWOKEN: Looking = { everyMs: 20, nextEveryMs: 1, isWoken: false };

/**
 * A holder that was silent for looks of so many milliseconds has lost its turn. Not for so long by the clock: a live
 * holder runs between two looks, also where something else blocked the event loop for long.
 */
const SILENT_MS = 1000;

export class Turns {
  #holder: Turn | undefined;
  readonly #waiting: Turn[] = [];
  /** Those that lost their turn, to hear of `close`. Weak, since nobody may ever come back for them. */
  #lost: WeakRef<Turn>[] = [];
  readonly #signals = new AbortListeners();
  readonly #looking: Looking;
  #isClosed = false;

  constructor({ isolatesRequests = false }: Pick<Platform, "isolatesRequests"> = {}) {
    this.#looking = isolatesRequests ? UNWOKEN : WOKEN;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A call that ends with `signal`, or when the turns are closed. It must be told to `end`. */
  open(signal: AbortSignal | undefined): Turn {
    const turn = new Turn(this);
    if (signal !== undefined) turn.unlisten = this.#signals.listen(signal, () => turn.stop(signal.reason));
    return turn;
  }

  /** Stops every call: no turn is given any more. */
  close(): void {
    this.#isClosed = true;
    for (const turn of [this.#holder, ...this.#waiting, ...this.#lost.map((lost) => lost.deref())])
      turn?.stop(undefined);
    this.#lost = [];
  }

  isHeldBy(turn: Turn): boolean {
    return this.#holder === turn;
  }

  /** Waits until `turn` holds. @throws OnebitError `aborted` when it is stopped */
  async take(turn: Turn): Promise<void> {
    if (this.#waiting.length === 0 && this.#holder === undefined) return this.#give(turn);
    this.#waiting.push(turn);
    const { everyMs, nextEveryMs, isWoken } = this.#looking,
      look = createLookout(),
      nLooksSeen = new WeakMap<Turn, number>();
    for (let isNext = false; ; ) {
      const ms = isNext ? nextEveryMs : everyMs;
      await turn.wokenOr(ms, isWoken);
      turn.nLooks++;
      if (turn.isStopped) return this.#giveUp(turn);
      if (this.#holder !== undefined && look(this.#holder, ms)) this.#evict(this.#holder);
      // Woken, or taken for gone, and another was faster: first in the queue again.
      if (!this.#waiting.includes(turn)) this.#waiting.unshift(turn);
      isNext = isWoken || this.#areGoneBefore(turn, nLooksSeen);
      if (this.#holder === undefined && isNext) return this.#give(turn);
    }
  }

  leave(turn: Turn): void {
    if (this.#holder !== turn) return;
    this.#holder = undefined;
    this.#wakeNext();
  }

  #wakeNext(): void {
    if (this.#looking.isWoken) this.#waiting.shift()?.wake();
  }

  /** Whether nobody before `turn` in the queue has looked since it last did. */
  #areGoneBefore(turn: Turn, nLooksSeen: WeakMap<Turn, number>): boolean {
    const before = this.#waiting.slice(0, this.#waiting.indexOf(turn)),
      areGone = before.every((other) => nLooksSeen.get(other) === other.nLooks);
    for (const other of before) nLooksSeen.set(other, other.nLooks);
    return areGone;
  }

  #give(turn: Turn): void {
    if (turn.isStopped) return this.#giveUp(turn);
    // And those before it, who are gone.
    if (!this.#looking.isWoken) this.#waiting.splice(0, this.#waiting.indexOf(turn));
    this.#forget(turn);
    this.#holder = turn;
  }

  #giveUp(turn: Turn): never {
    this.#forget(turn);
    // It may have been woken for a turn that the next can have.
    if (this.#holder === undefined) this.#wakeNext();
    return fail("aborted", "stopped by the caller's abort signal while waiting for the model", turn.reason);
  }

  #forget(turn: Turn): void {
    const place = this.#waiting.indexOf(turn);
    if (place >= 0) this.#waiting.splice(place, 1);
  }

  #evict(turn: Turn): void {
    this.#holder = undefined;
    turn.lose();
    this.#lost = this.#lost.filter((lost) => lost.deref()?.isLost);
    // Where there are no weak references (workerd of an old date), such a call hears of the end when it comes back.
    if (typeof WeakRef === "function") this.#lost.push(new WeakRef(turn));
  }
}

/** Says, at each look and what it waited for that, whether the holder has been silent for too many of them. */
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

/** One call, from when it is made until it ends: it waits, computes, and rests while its consumer is away. */
export class Turn implements AbortState {
  reason: unknown;
  isLost = false;
  /** How often it was asked whether to go on, which happens at every breath of a computation. */
  nSigns = 0;
  /** How often it looked whether it is its turn. */
  nLooks = 0;
  wake = (): void => {};
  unlisten = (): void => {};
  readonly #turns: Turns;
  #isStopped = false;
  /** What stops it where it does not ask by itself. */
  #onStop = (): void => {};

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  get isStopped(): boolean {
    return this.#isStopped || this.#turns.isClosed;
  }

  /** Asked by what computes, between two steps. */
  get aborted(): boolean {
    this.nSigns++;
    return this.isStopped || this.isLost;
  }

  /** @throws OnebitError `aborted` */
  async begin(): Promise<void> {
    await this.#turns.take(this);
    this.isLost = false;
    this.nSigns++;
  }

  /** The consumer is away, perhaps for good: if the call is stopped now, `onStop` ends it. */
  rest(onStop: () => void): void {
    this.#onStop = onStop;
  }

  /** The consumer is back. False: the context may have been used by others. @throws OnebitError `aborted` */
  async goOn(): Promise<boolean> {
    this.#onStop = () => {};
    this.nSigns++;
    if (this.isStopped) fail("aborted", "stopped by the caller's abort signal", this.reason);
    if (this.#turns.isHeldBy(this)) return true;
    await this.begin();
    return false;
  }

  /** Nothing is left behind; twice is fine. */
  end(): void {
    this.#onStop = () => {};
    this.unlisten();
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
  }

  /** Resolves after `ms`, or when it is woken if it may be. */
  async wokenOr(ms: number, isWoken: boolean): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      if (isWoken) this.wake = resolve;
    });
    // Here and not by who wakes it: in workerd a timer is its own request's.
    clearTimeout(timer);
  }
}
