/**
 * Worker threads that walk the same program over one shared memory. A worker instantiates the module, says it is
 * ready and stays inside `work` until told to stop: it never returns to its event loop between tokens.
 *
 * @module
 */
import { CONTROL_LOST } from "../../assembly/abi.ts";
import { OnebitError, fail } from "../core/errors.ts";
import type { Platform, Thread } from "../core/platform.ts";
import type { KernelExports } from "./exports.ts";

/**
 * Runs in the worker with `data` and `ready` in scope (`Platform.spawnThread`). One that traps says so where the
 * others, who wait for it inside WebAssembly, look.
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

/** A thread is there in 50 ms. A browser that is out of them may never say so. */
const START_TIMEOUT_MS = 30_000;

export interface ThreadPool {
  readonly nThreads: number;
  /**
   * Walks steps by `run` of the kernels.
   * @throws OnebitError `engine/thread-lost` when a thread has ended: this time, and ever after
   */
  run(walk: () => void): void;
  close(): Promise<void>;
}

/**
 * Starts threads 1..nThreads−1; thread 0 is the caller.
 * @throws OnebitError `engine/thread-failed` when one does not start; those that did are stopped.
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
  /** Why no step can be walked any more. */
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
      // A trap: another thread has trapped, or not come for half a minute.
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
    // Those that wait for it at a barrier end within a second.
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
