/**
 * One holder at a time, the others in the order they came: a model has one KV cache, so its users take turns.
 *
 * @module
 */
import { fail } from "../core/errors.ts";

export class Exclusive {
  #tail: Promise<void> = Promise.resolve();

  /**
   * Waits its turn; the caller must call the function it gets, exactly when done.
   * @throws OnebitError `aborted` when the signal fires while waiting
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    let release = (): void => {};
    const before = this.#tail;
    this.#tail = new Promise<void>((resolve) => {
      release = resolve;
    });
    try {
      await waitOrAbort(before, signal);
    } catch (error) {
      // The turn given up still has to pass on, after those before it.
      void before.then(release);
      throw error;
    }
    return release;
  }

  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal);
    try {
      return await task();
    } finally {
      release();
    }
  }
}

async function waitOrAbort(turn: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return turn;
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      try {
        fail("aborted", "stopped by the caller's abort signal while waiting for the model", signal.reason);
      } catch (error) {
        reject(error);
      }
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    await Promise.race([turn, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
