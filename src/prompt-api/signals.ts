/**
 * One signal of several: `AbortSignal.any` came to Node 20.3, and collects what nobody holds.
 *
 * @module
 */

export interface JoinedSignal {
  /** Fires with the first, for its reason. */
  readonly signal: AbortSignal;
  /** To be called at the end: long-lived signals would keep all they were joined with. */
  done(): void;
}

export function joinedSignal(signals: readonly (AbortSignal | undefined)[]): JoinedSignal {
  const joined = new AbortController(),
    given = signals.filter((signal) => signal !== undefined);
  const listeners = given.map((signal) => {
    const stop = (): void => joined.abort(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
    return () => signal.removeEventListener("abort", stop);
  });
  return { signal: joined.signal, done: () => listeners.forEach((unlisten) => void unlisten()) };
}
