/**
 * Locks between the tabs of a site: the browser's own, which end with the tab that holds them.
 *
 * @module
 */
import { throwIfAborted } from "../../core/errors.ts";
import type { LockOptions, ModelStore, StoreLock } from "../../core/model-store.ts";
import { attempt } from "./failures.ts";

/** @param name of the store: the same in every tab */
export function browserLocks(locks: Pick<LockManager, "request">, name: string): ModelStore["lock"] {
  async function lock(path: string, options: LockOptions & { readonly wait: false }): Promise<StoreLock | undefined>;
  async function lock(path: string, options: LockOptions): Promise<StoreLock>;
  async function lock(path: string, { wait = true, signal, onWait }: LockOptions): Promise<StoreLock | undefined> {
    throwIfAborted(signal);
    const lockName = `onebit:${name}/${path}`;
    return await attempt(`${name}/${path}`, "file/write", async () => {
      const free = await take(locks, lockName, { ifAvailable: true });
      if (free !== undefined || !wait) return free;
      onWait?.();
      return await take(locks, lockName, signal === undefined ? {} : { signal }).catch((error: unknown) => {
        throwIfAborted(signal);
        throw error;
      });
    });
  }
  return lock;
}

/** A browser holds a lock while a promise is pending. Undefined if `wait` is false and the lock is taken. */
function take(
  locks: Pick<LockManager, "request">,
  name: string,
  options: { ifAvailable?: boolean; signal?: AbortSignal },
): Promise<StoreLock | undefined> {
  return new Promise((resolve, reject) => {
    const whileHeld = (lock: unknown): Promise<void> | undefined => {
      if (lock !== null)
        return new Promise<void>((release) => resolve({ isHeld: async () => true, release: async () => release() }));
      resolve(undefined);
      return undefined;
    };
    locks.request(name, options, whileHeld).catch(reject);
  });
}
