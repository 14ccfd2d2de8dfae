/**
 * Retries: which failures are worth it, after what wait, how often.
 *
 * @module
 */
import { OnebitError, throwIfAborted } from "../core/errors.ts";
import { HUB_BACKOFF_MS_MAX } from "../core/limits.ts";

/** A failure that another try may cure. `error` is what to throw if none does. */
export class PassingFailure extends Error {
  readonly error: OnebitError;
  /** The wait that the server asked for; undefined leaves it to the backoff. */
  readonly waitMs: number | undefined;
  /** The host could not be reached at all. */
  readonly isUnreachable: boolean;

  constructor(
    error: OnebitError,
    { waitMs, isUnreachable = false }: { waitMs?: number; isUnreachable?: boolean } = {},
  ) {
    super(error.message, { cause: error });
    this.error = error;
    this.waitMs = waitMs;
    this.isUnreachable = isUnreachable;
  }
}

export interface RetryPolicy {
  /** Tries in a row without progress before giving up. */
  readonly attempts: number;
  /** The wait after the first failure; doubles with each further one. */
  readonly backoffMs: number;
}

export const ATTEMPTS_DEFAULT = 6;
/** 0.5, 1, 2, 4, 8 s. */
export const BACKOFF_MS_DEFAULT = 500;
/** A host that never answered is an unplugged cable or a wrong name: one more try tells. */
const UNREACHABLE_ATTEMPTS = 2;

/**
 * Runs `attempt` until it succeeds, fails for good, or has failed `attempts` times in a row without progress.
 *
 * @param attempt calls `progressed` once it has something that later tries need not fetch again
 * @param wasReached whether the host has answered before: then a failure to reach it is passing, like any other
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  signal: AbortSignal,
  attempt: (progressed: () => void) => Promise<T>,
  wasReached = false,
): Promise<T> {
  let reached = wasReached;
  for (let failures = 0; ; ) {
    try {
      return await attempt(() => {
        failures = 0;
        reached = true;
      });
    } catch (failure) {
      throwIfAborted(signal);
      if (!(failure instanceof PassingFailure)) throw failure;
      failures++;
      const attempts =
        failure.isUnreachable && !reached ? Math.min(policy.attempts, UNREACHABLE_ATTEMPTS) : policy.attempts;
      if (failures >= attempts) throw givenUp(failure.error, failures);
      await pause(failure.waitMs ?? Math.min(HUB_BACKOFF_MS_MAX, policy.backoffMs * 2 ** (failures - 1)), signal);
    }
  }
}

function givenUp(error: OnebitError, failures: number): OnebitError {
  return failures === 1
    ? error
    : new OnebitError(error.code, `${error.message}; tried ${failures} times`, { cause: error });
}

/** Resolves after `ms`. @throws OnebitError `aborted` */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  throwIfAborted(signal);
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    };
    const stop = (): void => {
      end();
      reject(new OnebitError("aborted", "stopped by the caller's abort signal", { cause: signal?.reason }));
    };
    const timer = setTimeout(() => (end(), resolve()), ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** `Retry-After`: seconds, or a date. Undefined if it is neither. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
