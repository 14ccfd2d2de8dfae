// Waiting for other threads over one shared memory.
//
// Every word waited on only counts up, so "has it happened?" is one comparison that stays true, and nothing is ever
// reset while somebody may still be looking. A wait spins first, because a barrier is usually reached within
// microseconds of the others (0.23 µs against 3–30 µs for a futex), and sleeps after SPINS looks, because on an
// oversubscribed machine the thread waited for may not be running at all. A waker only notifies when somebody sleeps.
import { CONTROL_ARRIVED, CONTROL_SLEEPERS } from "./abi";

const SPINS: i32 = 20000;
/** A sleeper looks again after a second, so a lost wake-up costs time and never hangs. */
const SLEEP_NS: i64 = 1_000_000_000;

/**
 * Waits until the counter at `address` has reached `target`, both taken modulo 2^32.
 *
 * V8 11.3 (Node 20) compiles a wait wrongly in its first tier: it puts the address, as 8 bytes, into the 4-byte slot of
 * an operand, which zeroes the slot before it. That is the last local of the function, `target` for one, unless an
 * operand stands there: so the wait is the right side of a subtraction whose left side may be lost.
 */
export function waitUntil(address: usize, target: i32, sleepers: usize): void {
  if (ASC_FEATURE_THREADS) {
    for (let spin = 0; spin < SPINS; spin++) {
      if (atomic.load<i32>(address) - target >= 0) return;
    }
    atomic.add<i32>(sleepers, 1);
    for (let seen = atomic.load<i32>(address); seen - target < 0; seen = atomic.load<i32>(address)) {
      // Never true: see above. What V8 11.3 zeroes is the count of sleepers, which nobody needs any more.
      if (atomic.load<i32>(sleepers) - atomic.wait<i32>(address, seen, SLEEP_NS) == i32.MIN_VALUE) return;
    }
    atomic.sub<i32>(sleepers, 1);
  }
}

/** Counts the counter at `address` up by one and wakes those who wait for it; returns what it was. */
export function countUp(address: usize, sleepers: usize): i32 {
  if (ASC_FEATURE_THREADS) {
    const before = atomic.add<i32>(address, 1);
    if (atomic.load<i32>(sleepers) > 0) atomic.notify(address, -1);
    return before;
  }
  return 0;
}

/** Returns when all `nThreads` have called it: the k-th barrier is over when k · nThreads have arrived in all. */
export function barrier(control: usize, nThreads: i32): void {
  if (ASC_FEATURE_THREADS) {
    if (nThreads == 1) return;
    const before = countUp(control + CONTROL_ARRIVED, control + CONTROL_SLEEPERS);
    const target = (<i32>(<u32>before / <u32>nThreads) + 1) * nThreads;
    waitUntil(control + CONTROL_ARRIVED, target, control + CONTROL_SLEEPERS);
  }
}
