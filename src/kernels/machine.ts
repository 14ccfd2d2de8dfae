/**
 * Runs programs: one instance of the kernels, its memory, and the threads that share it.
 *
 *   memory: | module | control block | run state | memory that the machine's owner places … |
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { WASM_PAGE_BYTES } from "../core/limits.ts";
import type { Platform } from "../core/platform.ts";
import type { MemoryCode } from "../core/refused-memory.ts";
import type { KernelExports } from "./exports.ts";
import { type ThreadPool, startPool } from "./pool.ts";

const CONTROL = abi.MODULE_RESERVED_BYTES;
const STATE = CONTROL + abi.CONTROL_BYTES;
/** Where the owner's own memory begins. */
export const MACHINE_BYTES = STATE + abi.STATE_BYTES;

/** The rows of one walk. */
export interface Batch {
  readonly rows: number;
  /** Address of the rows' places (attention-cache.ts); steps without positions need none. */
  readonly places: number;
  /** The rows that steps with FLAG_HEAD_ROWS work on. */
  readonly headRowBegin: number;
  readonly headRows: number;
}

export class Machine {
  readonly kernels: KernelExports;
  readonly memory: WebAssembly.Memory;
  readonly #module: WebAssembly.Module;
  #pool: ThreadPool | undefined;

  private constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, kernels: KernelExports) {
    this.#module = module;
    this.memory = memory;
    this.kernels = kernels;
  }

  /** Runs on the calling thread alone, until {@link startThreads}. */
  static async create(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Machine> {
    return new Machine(module, memory, await instantiateKernels(module, memory));
  }

  /** Synchronous {@link create}. */
  static createNow(module: WebAssembly.Module, memory: WebAssembly.Memory): Machine {
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    return new Machine(module, memory, instance.exports as unknown as KernelExports);
  }

  /** @throws OnebitError `engine/thread-failed` if one does not start; then none runs */
  async startThreads(platform: Platform, nThreads: number): Promise<void> {
    if (nThreads > 1)
      this.#pool = await startPool(platform, this.kernels, this.#module, this.memory, CONTROL, nThreads);
  }

  get nThreads(): number {
    return this.#pool?.nThreads ?? 1;
  }

  /** How often a thread has slept at a barrier. */
  get nSlept(): number {
    return new DataView(this.memory.buffer, CONTROL, abi.CONTROL_BYTES).getInt32(abi.CONTROL_SLEPT, true);
  }

  /** Each thread's own memory: thread t's begins t strides behind `address`. */
  setScratch(address: number, strideBytes: number): void {
    const state = this.#state();
    state.setUint32(abi.STATE_SCRATCH, address, true);
    state.setUint32(abi.STATE_SCRATCH_STRIDE_BYTES, strideBytes, true);
  }

  setBatch({ rows, places, headRowBegin, headRows }: Batch): void {
    const state = this.#state();
    state.setInt32(abi.STATE_ROWS, rows, true);
    state.setUint32(abi.STATE_PLACES, places, true);
    state.setInt32(abi.STATE_HEAD_ROW_BEGIN, headRowBegin, true);
    state.setInt32(abi.STATE_HEAD_ROWS, headRows, true);
  }

  /**
   * Walks `nSteps` steps at address `program`; returns when every thread is through.
   * @param nThreads how many of the threads share the work
   * @throws OnebitError `engine/thread-lost`
   */
  run(program: number, nSteps: number, nThreads = this.nThreads): void {
    const walk = (): void => this.kernels.run(CONTROL, program, nSteps, STATE, nThreads);
    if (this.#pool) this.#pool.run(walk);
    else walk();
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#pool?.close();
  }

  #state(): DataView {
    return new DataView(this.memory.buffer, STATE, abi.STATE_BYTES);
  }
}

/** The error for a memory that the engine refuses. */
type Refusal = readonly [code: MemoryCode, message: string];

/**
 * A memory of `bytes`, rounded up to pages, that may grow to `maximumBytes`. Default: it never grows.
 * @throws OnebitError `model/not-enough-memory`, or what `refusal` says, when the engine refuses it
 */
export function createMemory(
  bytes: number,
  shared: boolean,
  maximumBytes = bytes,
  [code, message]: Refusal = refusalOf(bytes),
): WebAssembly.Memory {
  const pages = (count: number) => Math.ceil(count / WASM_PAGE_BYTES);
  try {
    return new WebAssembly.Memory({ initial: pages(bytes), maximum: pages(maximumBytes), shared });
  } catch (cause) {
    return fail(code, message, cause);
  }
}

function refusalOf(bytes: number): Refusal {
  return [
    "model/not-enough-memory",
    `wanted ${(bytes / 1e6).toFixed(0)} MB of WebAssembly memory, but this engine refused it; use a shorter ` +
      "context, an 8-bit KV cache or a smaller model",
  ];
}

/** Instantiates `module` over `memory`. */
export async function instantiateKernels(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<KernelExports> {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  return instance.exports as unknown as KernelExports;
}
