/**
 * Whether a request still lives.
 *
 * In workerd requests share memory, and each can be cut off at any `await`: none of its code runs again, not even a
 * `finally`, and none may await another's promise. So what a request takes from the others (a slot, a model) it takes
 * with its life, and the others look whether that is over.
 *
 * @module
 */

const BEAT_MS = 500;
/** Ten beats: no computation between two awaits comes near it. */
const GONE_MS = 5000;
/** Two beats: behind a time in which nobody ran (the machine slept), the living beat again before this is over. */
const SURE_MS = 1000;

export class Life {
  #lastBeatMs = Date.now();
  /** When it was first seen to be late. */
  #lateMs: number | undefined;
  // A timer is its request's, and ends with it.
  #timer: ReturnType<typeof setInterval> | undefined = setInterval(() => (this.#lastBeatMs = Date.now()), BEAT_MS);

  get isOver(): boolean {
    if (this.#timer === undefined) return true;
    const now = Date.now(),
      isLate = now - this.#lastBeatMs > GONE_MS;
    this.#lateMs = isLate ? (this.#lateMs ?? now) : undefined;
    return this.#lateMs !== undefined && now - this.#lateMs > SURE_MS;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Resolves after `ms`, or when `signal` fires. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    else signal?.addEventListener("abort", done);
  });
}
