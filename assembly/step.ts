// A thread's share of the work of a step.
import { FLAG_OWN_INPUT, FLAG_OWN_ROW } from "./abi";
import { RowsStep, Step } from "./steps";

export function hasFlag(step: Step, flag: i32): bool {
  return (step.flags & flag) != 0;
}

/** Whether each thread makes its own copy of the step's one row. */
export function isOwnRow(step: Step, n: i32): bool {
  return n == 1 && hasFlag(step, FLAG_OWN_ROW);
}

/** Index of this thread's row in the input, if a step has one row. */
export function ownInput(step: Step, n: i32, thread: i32): usize {
  return n == 1 && hasFlag(step, FLAG_OWN_INPUT) ? <usize>thread : 0;
}

/** Address of row i of a step's input. */
export function inputRow(step: RowsStep, i: i32): usize {
  return step.x + ((<usize>i * step.xStride) << 2);
}

/** First item of thread `t`'s share of `n` items, in whole multiples of `unit`. Share t is [share(t), share(t + 1)). */
export function share(n: i32, unit: i32, t: i32, nThreads: i32): i32 {
  const units = (n + unit - 1) / unit;
  return min(n, <i32>((<i64>units * t) / nThreads) * unit);
}

/** The least number of activation rows per thread when threads share rows. */
const OWN_ROWS_MIN: i32 = 16;

/**
 * Whether threads share a batch by rows, each with all weights: for rows whose preparation is large and read often,
 * such as tables. When sharing by weights, half of it would come from the other core's cache.
 */
export function isSharedByRows(n: i32, nThreads: i32): bool {
  return n >= OWN_ROWS_MIN * nThreads;
}
