/**
 * Where layers compute: one instance of the training kernels, its memory, and the threads that share it.
 *
 *   memory: | module | control block | run state | blocks, handed out by `allocate` … |
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { THREADS_MAX, WASM_PAGES_MAX, WASM_PAGE_BYTES } from "../core/limits.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import { type OptionTable, TEXT, check, checkOptions, kind, number, whole } from "../core/options.ts";
import { PLATFORM, type Platform } from "../core/platform.ts";
import type { KernelExports } from "../kernels/exports.ts";
import { type ThreadPool, startPool } from "../kernels/pool.ts";
import { TRAIN_KERNELS } from "../kernels/train-binaries.ts";
import { BlockAllocator } from "./block-allocator.ts";

export interface RuntimeOptions {
  /** Default 1. More need a platform that starts threads. The results are the same bits. */
  readonly threads?: number;
  readonly platform?: Platform;
  /** Most bytes of memory to take; default 4 GB, all that WebAssembly can address. */
  readonly memoryLimitBytes?: number;
}

const RUNTIME_OPTIONS: OptionTable<RuntimeOptions> = {
  threads: whole(1, THREADS_MAX),
  platform: PLATFORM,
  memoryLimitBytes: number({ above: 0, max: Infinity }),
};
const ADDRESS = whole(0);

const CONTROL = abi.MODULE_RESERVED_BYTES;
const STATE = CONTROL + abi.CONTROL_BYTES;
const FIRST_BLOCK = STATE + abi.STATE_BYTES;

interface Instance {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly kernels: KernelExports;
}

export class Runtime {
  readonly kernels: KernelExports;
  readonly memory: WebAssembly.Memory;
  readonly #pool: ThreadPool | undefined;
  readonly #blocks: BlockAllocator;
  #scratchBytes = 0;
  #scratch = 0;

  /**
   * On the calling thread alone, ready at once: `new Runtime()`. With threads: {@link Runtime.open}.
   * @throws OnebitError `engine/unsupported` without WebAssembly SIMD
   */
  constructor(
    options: Pick<RuntimeOptions, "memoryLimitBytes"> = {},
    instance: Instance = instantiate(false),
    pool?: ThreadPool,
  ) {
    const { memoryLimitBytes } = checkOptions("Runtime", options, {
      memoryLimitBytes: RUNTIME_OPTIONS.memoryLimitBytes,
    });
    this.memory = instance.memory;
    this.kernels = instance.kernels;
    this.#pool = pool;
    this.#blocks = new BlockAllocator(
      FIRST_BLOCK,
      Math.min(memoryLimitBytes ?? Infinity, WASM_PAGES_MAX * WASM_PAGE_BYTES),
    );
  }

  /** @throws OnebitError `engine/unsupported`, `engine/thread-failed`, `option/invalid` */
  static async open(options: RuntimeOptions = {}): Promise<Runtime> {
    const { threads = 1, platform, memoryLimitBytes } = checkOptions("Runtime.open", options, RUNTIME_OPTIONS);
    if (threads === 1) return new Runtime({ memoryLimitBytes });
    if (!platform)
      return fail("option/invalid", `threads: wanted a platform that starts them, got none for ${threads} threads`);
    const instance = instantiate(true);
    const pool = await startPool(platform, instance.kernels, instance.module, instance.memory, CONTROL, threads);
    return new Runtime({ memoryLimitBytes }, instance, pool);
  }

  get threads(): number {
    return this.#pool?.nThreads ?? 1;
  }

  /** Bytes of it that layers, graphs and the threads' scratch have now. */
  get usedBytes(): number {
    return this.#blocks.takenBytes;
  }

  /** Bytes of WebAssembly memory taken so far: it never shrinks, what is freed is used again. */
  get memoryBytes(): number {
    return this.memory.buffer.byteLength;
  }

  /**
   * Address of `bytes` zeroed bytes, a multiple of 64. Views made before may be of a memory that has since grown.
   * @throws OnebitError `train/not-enough-memory` before anything is taken
   */
  allocate(bytes: number, what: string): number {
    check("bytes", bytes, whole(0));
    check("what", what, TEXT);
    const address = this.#blocks.allocate(bytes, what),
      missing = this.#blocks.endBytes - this.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
      } catch (cause) {
        this.#blocks.free(address);
        fail(
          "train/not-enough-memory",
          `${what}: wanted ${megabytes(bytes)} more, this engine refused it with ${megabytes(this.memoryBytes)} taken`,
          cause,
        );
      }
    }
    new Uint8Array(this.memory.buffer, address, bytes).fill(0);
    return address;
  }

  free(address: number): void {
    this.#blocks.free(check("address", address, ADDRESS));
  }

  /** Gives each thread at least `bytes` of scratch. */
  reserveScratch(bytes: number): void {
    if (check("bytes", bytes, whole(0)) <= this.#scratchBytes) return;
    if (this.#scratch !== 0) this.free(this.#scratch);
    this.#scratchBytes = Math.ceil(bytes / 64) * 64;
    this.#scratch = this.allocate(this.#scratchBytes * this.threads, "scratch memory of the threads");
    const state = new DataView(this.memory.buffer, STATE, abi.STATE_BYTES);
    state.setUint32(abi.STATE_SCRATCH, this.#scratch, true);
    state.setUint32(abi.STATE_SCRATCH_STRIDE_BYTES, this.#scratchBytes, true);
  }

  /** Walks a program; the rest is for the steps of inference: `headRows` for those with FLAG_HEAD_ROWS. */
  run(program: number, nSteps: number, rows = 1, position = 0, headRows = rows): void {
    const state = new DataView(this.memory.buffer, STATE, abi.STATE_BYTES);
    state.setInt32(abi.STATE_ROWS, rows, true);
    state.setInt32(abi.STATE_POSITION, position, true);
    state.setInt32(abi.STATE_HEAD_ROW_BEGIN, 0, true);
    state.setInt32(abi.STATE_HEAD_ROWS, headRows, true);
    const walk = (): void => this.kernels.run(CONTROL, program, nSteps, STATE, this.threads);
    if (this.#pool) this.#pool.run(walk);
    else walk();
  }

  /** Views of the memory as it is now. */
  f32(address: number, length: number): Float32Array {
    this.#checkView(address, length, 4);
    return new Float32Array(this.memory.buffer, address, length);
  }

  f64(address: number, length: number): Float64Array {
    this.#checkView(address, length, 8);
    return new Float64Array(this.memory.buffer, address, length);
  }

  i32(address: number, length: number): Int32Array {
    this.#checkView(address, length, 4);
    return new Int32Array(this.memory.buffer, address, length);
  }

  #checkView(address: number, length: number, itemBytes: number): void {
    check("length", length, whole(0));
    check(
      "address",
      address,
      kind<number>(
        `a multiple of ${itemBytes} with ${length} items behind it in memory`,
        (value) =>
          Number.isSafeInteger(value) &&
          (value as number) >= 0 &&
          (value as number) % itemBytes === 0 &&
          (value as number) + length * itemBytes <= this.memoryBytes,
      ),
    );
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#pool?.close();
  }
}

export const RUNTIME = kind<Runtime>("a Runtime", (value) => value instanceof Runtime);

function instantiate(shared: boolean): Instance {
  return withMemoryNow("train/not-enough-memory", "the kernels of training", () => instantiateKernels(shared));
}

function instantiateKernels(shared: boolean): Instance {
  const binary = TRAIN_KERNELS[shared ? "simd-threads" : "simd"];
  if (binary === undefined) return fail("engine/unsupported", "threads: this runtime has none; leave the option out");
  if (!(binary instanceof WebAssembly.Module) && !WebAssembly.validate(binary)) {
    fail(
      "engine/unsupported",
      `this engine has no WebAssembly SIMD${shared ? " with threads" : ""} (every browser since 2023 and Node 16 ` +
        "have it)",
    );
  }
  const module = binary instanceof WebAssembly.Module ? binary : new WebAssembly.Module(binary);
  const initial = Math.ceil(FIRST_BLOCK / WASM_PAGE_BYTES);
  const memory = reserveMemory(initial, shared);
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return { module, memory, kernels: instance.exports as unknown as KernelExports };
}

/** Phones refuse a shared memory that may grow to 4 GB, as it is reserved whole. */
function reserveMemory(initial: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial, maximum: WASM_PAGES_MAX, shared });
  } catch (cause) {
    return fail(
      "train/not-enough-memory",
      `this engine refused ${shared ? "a shared" : "a"} WebAssembly memory of up to 4 ` +
        `GB${shared ? "; one thread may do with less" : ""}`,
      cause,
    );
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
