/**
 * The runtime of layers: a machine with the training kernels and a memory that grows.
 *
 *   memory: | machine | blocks, handed out by `allocate` … |
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { THREADS_MAX, WASM_PAGES_MAX, WASM_PAGE_BYTES } from "../core/limits.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import { type OptionTable, TEXT, check, checkOptions, kind, number, whole } from "../core/options.ts";
import { PLATFORM, type Platform } from "../core/platform.ts";
import { PLACE_BYTES } from "../../assembly/abi.ts";
import { writePlaces } from "../kernels/attention-cache.ts";
import type { KernelExports } from "../kernels/exports.ts";
import { MACHINE_BYTES, Machine, createMemory } from "../kernels/machine.ts";
import { TRAIN_KERNELS } from "../kernels/train-binaries.ts";
import { BlockAllocator } from "./block-allocator.ts";

/** Options of {@link Runtime}. */
export interface RuntimeOptions {
  /** Default 1. More need a platform that starts threads. The results are the same bits. */
  readonly threads?: number;
  /** Starts the threads; `nodePlatform()` of "onebit" does on Node. Default: none, and one thread. */
  readonly platform?: Platform;
  /** Most bytes of memory to take; default 4 GB, all that WebAssembly can address. */
  readonly memoryLimitBytes?: number;
}

const RUNTIME_OPTIONS: OptionTable<RuntimeOptions> = {
  threads: whole(1, THREADS_MAX),
  platform: PLATFORM,
  memoryLimitBytes: number({ above: 0, max: Infinity }),
};
/** The rows of a pass. */
export interface RunRows {
  /** How many. Default 1. */
  readonly rows?: number;
  /** Address of their places, which steps with positions read. Default: none. */
  readonly places?: number;
  /** How many of them steps recorded with `headRows` work on. Default: all. */
  readonly headRows?: number;
}

const ADDRESS = whole(0);
/** WebAssembly's whole address space. */
const ADDRESSABLE_BYTES = WASM_PAGES_MAX * WASM_PAGE_BYTES;

/**
 * Where layers compute: the training kernels and their memory, which grows. Layers of one runtime can be put together.
 *
 * @example
 * ```ts
 * import { nodePlatform } from "onebit";
 * import { BitLinear, Runtime, array } from "onebit/nn";
 *
 * const runtime = await Runtime.open({ threads: 2, platform: nodePlatform() });
 * console.log(new BitLinear(4, 2, { runtime }).forward(array([1, 2, 3, 4])).data, runtime.usedBytes);
 * await runtime.close();
 * ```
 */
export class Runtime {
  /** @internal */
  readonly kernels: KernelExports;
  /** The WebAssembly memory. */
  readonly memory: WebAssembly.Memory;
  readonly #machine: Machine;
  readonly #blocks: BlockAllocator;
  #scratchBytes = 0;
  #scratch = 0;
  #places = 0;
  #nPlaces = 0;

  /**
   * On the calling thread alone, ready at once. With threads: {@link Runtime.open}.
   * @throws OnebitError `engine/unsupported` without WebAssembly SIMD; `engine/forbidden`, `option/…`
   */
  constructor(options: Pick<RuntimeOptions, "memoryLimitBytes"> = {}, machine = createMachine(false)) {
    const { memoryLimitBytes } = checkOptions("Runtime", options, {
      memoryLimitBytes: RUNTIME_OPTIONS.memoryLimitBytes,
    });
    this.memory = machine.memory;
    this.kernels = machine.kernels;
    this.#machine = machine;
    this.#blocks = new BlockAllocator(MACHINE_BYTES, Math.min(memoryLimitBytes ?? Infinity, ADDRESSABLE_BYTES));
  }

  /**
   * With as many threads as wanted.
   * @throws OnebitError `engine/unsupported`, `engine/thread-failed`, `option/…`
   */
  static async open(options: RuntimeOptions = {}): Promise<Runtime> {
    const { threads = 1, platform, memoryLimitBytes } = checkOptions("Runtime.open", options, RUNTIME_OPTIONS);
    if (threads === 1) return new Runtime({ memoryLimitBytes });
    if (!platform)
      return fail("option/invalid", `threads: wanted the option platform, which starts ${threads} threads, got none`);
    const machine = createMachine(true);
    await machine.startThreads(platform, threads);
    return new Runtime({ memoryLimitBytes }, machine);
  }

  /** Threads, the caller's own among them. */
  get threads(): number {
    return this.#machine.nThreads;
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
   * @param what for the message when there is not enough
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
          `${what}: wanted ${megabytes(bytes)} more, this engine refused it with ${megabytes(this.memoryBytes)} in use`,
          cause,
        );
      }
    }
    new Uint8Array(this.memory.buffer, address, bytes).fill(0);
    return address;
  }

  /** Gives a block of `allocate` back. */
  free(address: number): void {
    this.#blocks.free(check("address", address, ADDRESS));
  }

  /** Gives each thread at least `bytes` of scratch. */
  reserveScratch(bytes: number): void {
    if (check("bytes", bytes, whole(0)) <= this.#scratchBytes) return;
    if (this.#scratch !== 0) this.free(this.#scratch);
    this.#scratchBytes = Math.ceil(bytes / 64) * 64;
    this.#scratch = this.allocate(this.#scratchBytes * this.threads, "scratch memory of the threads");
    this.#machine.setScratch(this.#scratch, this.#scratchBytes);
  }

  /** Walks a program of a graph. Default: one row without a place. */
  run(program: number, nSteps: number, { rows = 1, places = 0, headRows = rows }: RunRows = {}): void {
    this.#machine.setBatch({ rows, places, headRowBegin: 0, headRows });
    this.#machine.run(program, nSteps);
  }

  /** Room for the places of `count` rows. */
  reservePlaces(count: number): void {
    if (check("count", count, whole(0)) <= this.#nPlaces) return;
    if (this.#places !== 0) this.free(this.#places);
    this.#places = this.allocate(count * PLACE_BYTES, "positions of rows");
    this.#nPlaces = count;
  }

  /** Address of the places of `count` rows at positions from `position` on, in no context; the next call reuses it. */
  placesFrom(position: number, count: number): number {
    this.reservePlaces(count);
    writePlaces(
      this.memory,
      this.#places,
      Array.from({ length: count }, (_, i) => ({ position: position + i, pages: 0 })),
    );
    return this.#places;
  }

  /**
   * A view of `length` numbers: good until memory grows.
   * @throws OnebitError `option/invalid` outside the memory
   */
  f32(address: number, length: number): Float32Array {
    this.#checkView(address, length, 4);
    return new Float32Array(this.memory.buffer, address, length);
  }

  /** As {@link Runtime.f32}, of 64 bits. */
  f64(address: number, length: number): Float64Array {
    this.#checkView(address, length, 8);
    return new Float64Array(this.memory.buffer, address, length);
  }

  /** As {@link Runtime.f32}, of integers. */
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
    await this.#machine.close();
  }
}

export const RUNTIME = kind<Runtime>("a Runtime", (value) => value instanceof Runtime);

function createMachine(shared: boolean): Machine {
  return withMemoryNow("train/not-enough-memory", "the kernels of training", () =>
    Machine.createNow(compileKernels(shared), createMemory(MACHINE_BYTES, shared, ADDRESSABLE_BYTES, refusal(shared))),
  );
}

function compileKernels(shared: boolean): WebAssembly.Module {
  const binary = TRAIN_KERNELS[shared ? "simd-threads" : "simd"];
  if (binary === undefined)
    return fail("engine/unsupported", "threads: this JavaScript runtime has none; leave the option out");
  if (binary instanceof WebAssembly.Module) return binary;
  if (!WebAssembly.validate(binary)) {
    fail(
      "engine/unsupported",
      `this engine has no WebAssembly SIMD${shared ? " with threads" : ""} (every browser since 2023 and Node 16 ` +
        "have it)",
    );
  }
  return new WebAssembly.Module(binary);
}

/** A shared memory is reserved whole, so phones refuse one that may grow to 4 GB. */
function refusal(shared: boolean) {
  return [
    "train/not-enough-memory",
    `this engine refused ${shared ? "a shared" : "a"} WebAssembly memory of up to 4 ` +
      `GB${shared ? "; try one thread" : ""}`,
  ] as const;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
