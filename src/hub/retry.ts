/**
 * Trying again: which failures are worth it, after how long, how often.
 *
 * @module
 */
import { OnebitError, throwIfAborted } from "../core/errors.ts";
import { HUB_BACKOFF_MS_MAX } from "../core/limits.ts";

/** A failure that another try may mend. `error` is what to throw when none does. */
export class PassingFailure extends Error {
  readonly error: OnebitError;
  /** What the server asked for; undefined leaves it to the backoff. */
  readonly waitMs: number | undefined;
  /** The host was not reached at all. */
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
  /** Tries in a row that bring nothing before giving up. */
  readonly attempts: number;
  /** The wait after the first failure; it doubles with each further one. */
  readonly backoffMs: number;
}

export const ATTEMPTS_DEFAULT = 6;
/** 0.5, 1, 2, 4, 8 s. */
export const BACKOFF_MS_DEFAULT = 500;
/** A host that was never reached is an unplugged cable or a wrong name: one more try tells. */
const UNREACHABLE_ATTEMPTS = 2;

/**
 * Runs `attempt` until it succeeds, fails for good, or has failed `attempts` times in a row without progress.
 *
 * @param attempt calls `progressed` when it has brought something that later tries need not bring again
 * @param wasReached whether the host has answered before: then being unreachable is passing, like all else
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

/** `Retry-After`: seconds, or a date. Undefined when it is neither. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
