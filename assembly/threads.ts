// Jobs for the threads: a counter that workers wait on.
//
//   main: run ── job += 1, wake ──►  worker: work() sees a new job, walks the same program with its own thread number
import {
  CONTROL_JOB,
  CONTROL_JOB_SLEEPERS,
  CONTROL_PROGRAM,
  CONTROL_STATE,
  CONTROL_STEPS,
  CONTROL_THREADS,
} from "./abi";
import { SPINS, barrier, countUp, waitUntil } from "./barrier";
import { walk } from "./program";

/**
 * Walks `program` (nSteps steps) as thread 0, along with the workers of the control block, if any; returns when all are
 * through.
 */
export function run(control: usize, program: usize, nSteps: i32, state: usize, nThreads: i32): void {
  if (ASC_FEATURE_THREADS) {
    if (nThreads > 1) post(control, program, nSteps, state, nThreads);
  }
  walk(control, program, nSteps, state, 0, nThreads);
  barrier(control, nThreads);
}

/** Ends every worker's `work`. */
export function stop(control: usize, nThreads: i32): void {
  if (ASC_FEATURE_THREADS) post(control, 0, 0, 0, nThreads);
}

function post(control: usize, program: usize, nSteps: i32, state: usize, nThreads: i32): void {
  if (ASC_FEATURE_THREADS) {
    store<u32>(control + CONTROL_PROGRAM, program);
    store<i32>(control + CONTROL_STEPS, nSteps);
    store<u32>(control + CONTROL_STATE, state);
    store<i32>(control + CONTROL_THREADS, nThreads);
    countUp(control + CONTROL_JOB, control + CONTROL_JOB_SLEEPERS);
  }
}

/** A worker's loop: every job from number `job` on, until `stop`. */
export function work(control: usize, thread: i32, job: i32): void {
  if (ASC_FEATURE_THREADS) {
    for (; true; job++) {
      waitUntil(control + CONTROL_JOB, job, control + CONTROL_JOB_SLEEPERS, SPINS);
      const program = <usize>load<u32>(control + CONTROL_PROGRAM);
      if (program == 0) return;
      const nThreads = load<i32>(control + CONTROL_THREADS);
      walk(
        control,
        program,
        load<i32>(control + CONTROL_STEPS),
        <usize>load<u32>(control + CONTROL_STATE),
        thread,
        nThreads,
      );
      barrier(control, nThreads);
    }
  }
}
