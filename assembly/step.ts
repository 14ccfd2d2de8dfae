// A thread's share of the work of a step.
import { FLAG_OWN_INPUT, FLAG_OWN_ROW } from "./abi";
import { Step } from "./steps";

export function hasFlag(step: Step, flag: i32): bool {
  return (step.flags & flag) != 0;
}

/** Whether each thread makes the step's one row for itself. */
export function isOwnRow(step: Step, n: i32): bool {
  return n == 1 && hasFlag(step, FLAG_OWN_ROW);
}

/** How many rows into the input this thread's one row lies. */
export function ownInput(step: Step, n: i32, thread: i32): usize {
  return n == 1 && hasFlag(step, FLAG_OWN_INPUT) ? <usize>thread : 0;
}

/** First item of thread `t`'s share of `n` items, in whole multiples of `unit`. Share t is [share(t), share(t + 1)). */
export function share(n: i32, unit: i32, t: i32, nThreads: i32): i32 {
  const units = (n + unit - 1) / unit;
  return min(n, <i32>((<i64>units * t) / nThreads) * unit);
}

/** Rows of activations that a thread takes at least where rows are what is shared out. */
const OWN_ROWS_MIN: i32 = 16;

/**
 * Whether threads share a batch out by its rows, each with all weights, where its rows were prepared with much that is
 * read often: tables. Shared out by weights, half of them would come from the other core's cache.
 */
export function isSharedByRows(n: i32, nThreads: i32): bool {
  return n >= OWN_ROWS_MIN * nThreads;
}
