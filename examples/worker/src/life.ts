/**
 * Whether a request still lives.
 *
 * Requests of one isolate share its memory, and each can be cut off at any `await`, when its reader leaves or its time
 * is over: none of its code runs again, not even a `finally`. So what a request takes from the others it takes together
 * with its life, and they look whether it is over; nobody awaits a promise of another request.
 */

const BEAT_MS = 500;
/** Ten beats: no computation between two awaits comes near it. */
const GONE_MS = 5000;

export class Life {
  #lastBeatMs = Date.now();
  // A timer is its request's, and ends with it.
  #timer: ReturnType<typeof setInterval> | undefined = setInterval(() => (this.#lastBeatMs = Date.now()), BEAT_MS);

  get isOver(): boolean {
    return this.#timer === undefined || Date.now() - this.#lastBeatMs > GONE_MS;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
