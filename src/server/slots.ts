/**
 * How many requests are answered at once, and how many wait for it. First come, first served.
 *
 * @module
 */
import { ApiError } from "./api-error.ts";
import { type Life, pause } from "./life.ts";

/** How often the next in the queue looks; those behind it look more seldom, up to the second figure. */
const LOOK_MS = 5;
const LOOK_MS_MAX = 100;
/** About the time of a short answer. */
const RETRY_AFTER_S = 1;

export class Slots {
  readonly #nSlots: number;
  readonly #nWaitingMax: number;
  #holders: Life[] = [];
  #waiting: Life[] = [];

  constructor(nSlots: number, nWaitingMax: number) {
    this.#nSlots = nSlots;
    this.#nWaitingMax = nWaitingMax;
  }

  get nHeld(): number {
    this.#bury();
    return this.#holders.length;
  }

  get nWaiting(): number {
    return this.#waiting.length;
  }

  /**
   * Waits for a slot, which ends with `life`; false when `signal` fired first.
   * @throws ApiError 429 when too many wait
   */
  async take(life: Life, signal: AbortSignal): Promise<boolean> {
    this.#bury();
    if (this.#waiting.length === 0 && this.#holders.length < this.#nSlots) return this.#give(life);
    if (this.#waiting.length >= this.#nWaitingMax)
      throw new ApiError(429, "queue_full", `${this.#waiting.length} requests are waiting: try again in a moment`, {
        type: "rate_limit_error",
        headers: { "retry-after": String(RETRY_AFTER_S) },
      });
    this.#waiting.push(life);
    try {
      for (;;) {
        await pause(Math.min(LOOK_MS * (1 + this.#waiting.indexOf(life)), LOOK_MS_MAX), signal);
        if (signal.aborted) return false;
        this.#bury();
        if (this.#waiting[0] === life && this.#holders.length < this.#nSlots) return this.#give(life);
      }
    } finally {
      this.#waiting = this.#waiting.filter((other) => other !== life);
    }
  }

  #give(life: Life): true {
    this.#holders.push(life);
    return true;
  }

  #bury(): void {
    this.#holders = this.#holders.filter((life) => !life.isOver);
    this.#waiting = this.#waiting.filter((life) => !life.isOver);
  }
}
