// Waiting for other threads over one shared memory.
//
// Every word waited on only counts up, so "has it happened?" is one comparison that stays true, and nothing is reset
// while somebody may still look. A wait spins first, because the others usually come within microseconds, then sleeps.
// A waker notifies only when somebody sleeps.
//
// How long to spin depends on whether the others run. If they do, sleeping is the worst choice: waking a core takes
// longer than most steps, and a token of 424 steps takes 27 ms instead of 18. If another program has their core,
// spinning is the worst: it holds the core on which they could go on, 60 ms instead of 36 (Bonsai 1.7B, two cores). So
// after a sleep, the next HASTY_SLEEPS sleeps come soon; then threads spin for long again: 20 ms and 38.
import { CONTROL_ARRIVED, CONTROL_HASTE, CONTROL_LOST, CONTROL_SLEEPERS, CONTROL_SLEPT } from "./abi";

/**
 * Half a millisecond: two cores that share memory differ by that much after a head of 300 MB, and between two tokens.
 * With 0.03 ms threads slept at each of these: 58 tokens a second instead of 65 (Bonsai 1.7B).
 */
export const SPINS: i32 = 1_600_000;
const SPINS_HASTY: i32 = 2000;
const HASTY_SLEEPS: i32 = 8;
/** A sleeper looks again after a second, so a lost wake-up costs time and never hangs. */
const SLEEP_NS: i64 = 1_000_000_000;
/**
 * Sleeps at one barrier, half a minute: a thread that has not come by then was killed without notice. A share of a step
 * takes seconds at most.
 */
const SLEEPS_MAX: i32 = 32;

/**
 * Waits until the counter at `address` has reached `target`, both modulo 2^32; sleeps after `spins` looks. Returns
 * whether it slept. Traps when the word at `lost` is not 0, or after too many sleeps; with `lost` 0 it waits forever.
 *
 * V8 11.3 (Node 20) compiles a wait wrongly in its first tier: it puts the address, as 8 bytes, into the 4-byte slot of
 * an operand, which zeroes the slot before it. That is the function's last local, such as `target`, unless an operand
 * stands there. So the wait is the right side of a subtraction whose left side may be lost.
 */
export function waitUntil(address: usize, target: i32, sleepers: usize, spins: i32, lost: usize = 0): bool {
  if (ASC_FEATURE_THREADS) {
    for (let spin = 0; spin < spins; spin++) {
      if (atomic.load<i32>(address) - target >= 0) return false;
    }
    atomic.add<i32>(sleepers, 1);
    let nSleeps = 0;
    for (let seen = atomic.load<i32>(address); seen - target < 0; seen = atomic.load<i32>(address)) {
      // Never true: see above. V8 11.3 zeroes the count of sleepers, which nobody needs any more.
      if (atomic.load<i32>(sleepers) - atomic.wait<i32>(address, seen, SLEEP_NS) == i32.MIN_VALUE) return true;
      if (lost != 0 && (atomic.load<i32>(lost) != 0 || ++nSleeps > SLEEPS_MAX)) unreachable();
    }
    atomic.sub<i32>(sleepers, 1);
  }
  return true;
}

/** Adds one to the counter at `address` and wakes its waiters; returns the old value. */
export function countUp(address: usize, sleepers: usize): i32 {
  if (ASC_FEATURE_THREADS) {
    const before = atomic.add<i32>(address, 1);
    if (atomic.load<i32>(sleepers) > 0) atomic.notify(address, -1);
    return before;
  }
  return 0;
}

/** Returns when all `nThreads` have called it: the k-th barrier ends when k · nThreads have arrived in all. */
export function barrier(control: usize, nThreads: i32): void {
  if (ASC_FEATURE_THREADS) {
    if (nThreads == 1) return;
    const before = countUp(control + CONTROL_ARRIVED, control + CONTROL_SLEEPERS);
    const target = (<i32>(<u32>before / <u32>nThreads) + 1) * nThreads;
    // Two threads may overwrite each other's counts: they are hints, not locks.
    const haste = load<i32>(control, CONTROL_HASTE);
    const slept = waitUntil(
      control + CONTROL_ARRIVED,
      target,
      control + CONTROL_SLEEPERS,
      haste > 0 ? SPINS_HASTY : SPINS,
      control + CONTROL_LOST,
    );
    if (!slept) return;
    store<i32>(control, haste > 0 ? haste - 1 : HASTY_SLEEPS, CONTROL_HASTE);
    store<i32>(control, load<i32>(control, CONTROL_SLEPT) + 1, CONTROL_SLEPT);
  }
}
