/**
 * Lets many calls share one listener on a signal: Node warns of a leak from the eleventh listener on.
 *
 * @module
 */

export class AbortListeners {
  readonly #listenerOf = new WeakMap<AbortSignal, SharedListener>();

  /** Calls `stop` when `signal` fires, or now if it has fired. Returns a function that removes the listener. */
  listen(signal: AbortSignal, stop: () => void): () => void {
    if (signal.aborted) {
      stop();
      return () => {};
    }
    const shared = this.#listenerOf.get(signal) ?? new SharedListener(),
      own = (): void => stop();
    this.#listenerOf.set(signal, shared);
    if (shared.stops.size === 0) signal.addEventListener("abort", shared);
    shared.stops.add(own);
    return () => {
      shared.stops.delete(own);
      if (shared.stops.size === 0) signal.removeEventListener("abort", shared);
    };
  }
}

class SharedListener implements EventListenerObject {
  readonly stops = new Set<() => void>();

  handleEvent(): void {
    for (const stop of [...this.stops]) stop();
  }
}
