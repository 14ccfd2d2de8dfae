/**
 * Worker threads that walk the same program over one shared memory. A worker instantiates the module, says it is
 * ready and stays inside `work` until told to stop: it never returns to its event loop between tokens.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { Platform, Thread } from "../core/platform.ts";
import type { KernelExports } from "./exports.ts";

/** Runs in the worker with `data` and `ready` in scope (`Platform.spawnThread`). */
const WORKER_SOURCE = `
const instance = await WebAssembly.instantiate(data.module, { env: { memory: data.memory } });
ready();
instance.exports.work(data.control, data.thread, 1);
`;

/** A thread is there in 50 ms. A browser that is out of them may never say so. */
const START_TIMEOUT_MS = 30_000;

export interface ThreadPool {
  readonly nThreads: number;
  close(): Promise<void>;
}

/**
 * Starts threads 1..nThreads−1; thread 0 is the caller.
 * @throws OnebitError `engine/thread-failed` when one does not start; those that did are stopped.
 */
export async function startPool(
  platform: Platform, kernels: KernelExports, module: WebAssembly.Module, memory: WebAssembly.Memory, control: number, nThreads: number,
): Promise<ThreadPool> {
  const spawn = platform.spawnThread ?? fail("engine/thread-failed", `${platform.name} has no threads; ask for one thread`);
  const threads: Thread[] = [];
  try {
    for (let thread = 1; thread < nThreads; thread++) threads.push(spawn(WORKER_SOURCE, { module, memory, control, thread }));
    await inTime(Promise.all(threads.map((thread) => thread.ready)));
  } catch (cause) {
    await Promise.all(threads.map((thread) => thread.terminate()));
    fail("engine/thread-failed", `thread start: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return {
    nThreads,
    async close() {
      if (threads.length > 0) kernels.stop(control, nThreads);
      await Promise.all(threads.map((thread) => thread.join()));
    },
  };
}

async function inTime(started: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not all threads have started in ${START_TIMEOUT_MS / 1000} s`)), START_TIMEOUT_MS);
  });
  try {
    await Promise.race([started, late]);
  } finally {
    clearTimeout(timer);
  }
}
