/**
 * Worker threads that walk the same program over one shared memory. A worker instantiates the module, reports ready and
 * stays inside `work` until told to stop: it never returns to its event loop between tokens.
 *
 * @module
 */
import { CONTROL_LOST } from "../../assembly/abi.ts";
import { OnebitError, fail } from "../core/errors.ts";
import type { Platform, Thread } from "../core/platform.ts";
import type { KernelExports } from "./exports.ts";

/**
 * Runs in the worker with `data` and `ready` in scope (`Platform.spawnThread`). A worker that traps sets the flag that
 * the others check while they wait inside WebAssembly.
 */
const WORKER_SOURCE = `
const instance = await WebAssembly.instantiate(data.module, { env: { memory: data.memory } });
ready();
try {
  instance.exports.work(data.control, data.thread, 1);
} catch (error) {
  Atomics.store(new Int32Array(data.memory.buffer), (data.control + ${CONTROL_LOST}) >> 2, 1);
  throw error;
}
`;

/** A thread starts in 50 ms. A browser that has run out of them may never say so. */
const START_TIMEOUT_MS = 30_000;

export interface ThreadPool {
  readonly nThreads: number;
  /**
   * Walks steps by calling `run` of the kernels.
   * @throws OnebitError `engine/thread-lost` once a thread has ended, now and on every later call
   */
  run(walk: () => void): void;
  close(): Promise<void>;
}

/**
 * Starts threads 1..nThreads−1; thread 0 is the caller.
 * @throws OnebitError `engine/thread-failed` if one does not start, after stopping those that did
 */
export async function startPool(
  platform: Platform,
  kernels: KernelExports,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  control: number,
  nThreads: number,
): Promise<ThreadPool> {
  const spawn =
    platform.spawnThread ?? fail("engine/thread-failed", `${platform.name} has no threads; ask for one thread`);
  const threads: Thread[] = [];
  try {
    for (let thread = 1; thread < nThreads; thread++)
      threads.push(spawn(WORKER_SOURCE, { module, memory, control, thread }));
    await inTime(Promise.all(threads.map((thread) => thread.ready)));
  } catch (cause) {
    await Promise.all(threads.map((thread) => thread.terminate()));
    fail("engine/thread-failed", `thread start: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return new Threads(kernels, memory, control, threads);
}

class Threads implements ThreadPool {
  readonly nThreads: number;
  readonly #kernels: KernelExports;
  readonly #memory: WebAssembly.Memory;
  readonly #control: number;
  readonly #threads: readonly Thread[];
  #isClosing = false;
  /** Why no more steps can run. */
  #loss: OnebitError | undefined;

  constructor(kernels: KernelExports, memory: WebAssembly.Memory, control: number, threads: readonly Thread[]) {
    this.nThreads = threads.length + 1;
    this.#kernels = kernels;
    this.#memory = memory;
    this.#control = control;
    this.#threads = threads;
    for (const thread of threads) void thread.ended?.then(() => this.#isClosing || this.#lose("a thread has ended"));
  }

  run(walk: () => void): void {
    if (this.#loss) throw this.#loss;
    try {
      walk();
    } catch (cause) {
      // A trap: another thread has trapped, or has not come for half a minute.
      this.#lose("a thread has ended in the middle of a step", cause);
      throw this.#loss;
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#loss) return void (await this.#terminate());
    if (this.#threads.length > 0) this.#kernels.stop(this.#control, this.nThreads);
    await Promise.all(this.#threads.map((thread) => thread.join()));
  }

  #lose(what: string, cause?: unknown): void {
    if (this.#loss) return;
    this.#loss = new OnebitError(
      "engine/thread-lost",
      `${what} (killed, or out of memory): close the model and load it again`,
      { cause },
    );
    // Threads waiting for the lost one at a barrier end within a second.
    Atomics.store(new Int32Array(this.#memory.buffer), (this.#control + CONTROL_LOST) >> 2, 1);
  }

  async #terminate(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}

async function inTime(started: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not all threads have started in ${START_TIMEOUT_MS / 1000} s`)),
      START_TIMEOUT_MS,
    );
  });
  try {
    await Promise.race([started, late]);
  } finally {
    clearTimeout(timer);
  }
}
