// Waiting for other threads over one shared memory.
//
// A wait spins first, because a barrier is usually reached within microseconds of the others (0.23 µs against 3–30 µs
// for a futex), and sleeps after SPINS looks, because on an oversubscribed machine the thread waited for may not be
// running at all. A waker only notifies when somebody sleeps.
import { CONTROL_ARRIVED, CONTROL_GENERATION, CONTROL_SLEEPERS } from "./abi";

const SPINS: i32 = 20000;
/** A sleeper looks again after a second, so a lost wake-up costs time and never hangs. */
const SLEEP_NS: i64 = 1_000_000_000;

/** Waits until the word at `address` is no longer `value`. */
export function waitWhile(address: usize, value: i32, sleepers: usize): void {
  if (ASC_FEATURE_THREADS) {
    for (let spin = 0; spin < SPINS; spin++) {
      if (atomic.load<i32>(address) != value) return;
    }
    atomic.add<i32>(sleepers, 1);
    while (atomic.load<i32>(address) == value) atomic.wait<i32>(address, value, SLEEP_NS);
    atomic.sub<i32>(sleepers, 1);
  }
}

/** Returns when all `nThreads` have called it. */
export function barrier(control: usize, nThreads: i32): void {
  if (ASC_FEATURE_THREADS) {
    if (nThreads == 1) return;
    const generation = atomic.load<i32>(control + CONTROL_GENERATION);
    if (atomic.add<i32>(control + CONTROL_ARRIVED, 1) == nThreads - 1) {
      atomic.store<i32>(control + CONTROL_ARRIVED, 0);
      atomic.store<i32>(control + CONTROL_GENERATION, generation + 1);
      if (atomic.load<i32>(control + CONTROL_SLEEPERS) > 0) {
        atomic.notify(control + CONTROL_GENERATION, nThreads);
      }
    } else {
      waitWhile(control + CONTROL_GENERATION, generation, control + CONTROL_SLEEPERS);
    }
  }
}
