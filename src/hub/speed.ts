/**
 * Measures the speed of a download over the last seconds, and estimates the time left.
 *
 * @module
 */

/** Long enough to bridge the gap between two parts, short enough to follow a change of network. */
const WINDOW_MS = 5000;

export interface Speed {
  readonly bytesPerSecond: number;
  /** Undefined while unknown. */
  readonly remainingMs: number | undefined;
}

/** Takes counts of bytes with the time, gives the speed. Times are milliseconds of any clock that only goes forward. */
export class SpeedMeter {
  readonly #beginMs: number;
  #samples: { readonly ms: number; readonly bytes: number }[] = [];

  constructor(nowMs: number) {
    this.#beginMs = nowMs;
  }

  add(bytes: number, nowMs: number): void {
    this.#samples.push({ ms: nowMs, bytes });
    this.#forget(nowMs);
  }

  speed(leftBytes: number, nowMs: number): Speed {
    this.#forget(nowMs);
    const bytes = this.#samples.reduce((sum, sample) => sum + sample.bytes, 0);
    const ms = Math.min(WINDOW_MS, nowMs - this.#beginMs);
    const bytesPerSecond = ms > 0 ? (bytes * 1000) / ms : 0;
    return { bytesPerSecond, remainingMs: bytesPerSecond > 0 ? (leftBytes * 1000) / bytesPerSecond : undefined };
  }

  #forget(nowMs: number): void {
    const first = this.#samples.findIndex(({ ms }) => ms > nowMs - WINDOW_MS);
    if (first !== 0) this.#samples = first < 0 ? [] : this.#samples.slice(first);
  }
}
