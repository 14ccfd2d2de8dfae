/**
 * Chooses the build of the kernels that an engine gets.
 *
 * `relaxed` needs relaxed SIMD and right answers from it: V8 11.3 accepts the instructions behind a flag and computes
 * them wrongly in its first tier. So `WebAssembly.validate` asks for support, and a self-test checks it.
 *
 * @module
 */
import { DOT_FUSED, DOT_PAIRS, MODULE_RESERVED_BYTES } from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { WASM_PAGE_BYTES } from "../core/limits.ts";
import { isRefusedMemory } from "../core/refused-memory.ts";
import type { DotProducts } from "./choices.ts";
import type { KernelExports } from "./exports.ts";
import { createMemory, instantiateKernels } from "./machine.ts";

/**
 * A build of the kernels: `simd` for WebAssembly's 128-bit SIMD, `relaxed` for relaxed SIMD. Both give the same bits.
 */
export type Variant = "simd" | "relaxed";

export type KernelBinary = Uint8Array<ArrayBuffer> | WebAssembly.Module;

/**
 * The builds of one source, as bytes, or as modules where code cannot be compiled at run time. An absent build counts
 * as one that this engine does not accept.
 */
export type KernelBinaries = Readonly<Partial<Record<Variant | `${Variant}-threads`, KernelBinary>>>;

export interface ChosenKernels {
  readonly variant: Variant;
  readonly module: WebAssembly.Module;
  /** Built for threads: its memory must be shared. */
  readonly threads: boolean;
  /** What this engine's dot products of bytes become; undefined: neither. */
  readonly dots: DotProducts | undefined;
}

const DOT_KINDS: ReadonlyMap<number, DotProducts> = new Map([
  [DOT_FUSED, "fused"],
  [DOT_PAIRS, "pairs"],
]);

/**
 * Compiles the wanted build, or the best one this engine runs correctly.
 * @throws OnebitError `engine/unsupported` without SIMD, or when `wanted` is not available; `engine/forbidden`;
 *   `engine/self-test-failed` when `wanted` computes wrongly here.
 */
export async function chooseKernels(
  binaries: KernelBinaries,
  threads: boolean,
  wanted?: Variant,
): Promise<ChosenKernels> {
  for (const variant of wanted ? [wanted] : (["relaxed", "simd"] as const)) {
    const binary = binaries[threads ? (`${variant}-threads` as const) : variant];
    if (binary === undefined || (!(binary instanceof WebAssembly.Module) && !WebAssembly.validate(binary))) continue;
    const module = binary instanceof WebAssembly.Module ? binary : await allowed(() => WebAssembly.compile(binary));
    const memory = createMemory(MODULE_RESERVED_BYTES + WASM_PAGE_BYTES, threads),
      kernels = await allowed(() => instantiateKernels(module, memory));
    if (passesSelfTest(kernels))
      return { variant, module, threads, dots: DOT_KINDS.get(kernels.dotKind(MODULE_RESERVED_BYTES)) };
    if (wanted)
      fail(
        "engine/self-test-failed",
        `kernels "${wanted}": this engine computes their SIMD instructions wrongly; choose another variant`,
      );
  }
  if (wanted)
    fail(
      "engine/unsupported",
      `kernels "${wanted}": this engine does not accept their instructions; choose another variant`,
    );
  return fail(
    "engine/unsupported",
    "this engine has no WebAssembly SIMD (every browser since 2023 and Node 16 have it)",
  );
}

/** Code that is valid and still refused is forbidden here. WebKit throws where others reject. */
async function allowed<Made>(make: () => Promise<Made>): Promise<Made> {
  try {
    return await make();
  } catch (cause) {
    if (isRefusedMemory(cause)) throw cause;
    return fail(
      "engine/forbidden",
      "compiling WebAssembly is forbidden here (a page's Content-Security-Policy must have script-src " +
        "'wasm-unsafe-eval'; workerd wants the build of the exports condition " +
        `"workerd"): ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
}

function passesSelfTest(kernels: KernelExports): boolean {
  return kernels.heapBase() >>> 0 <= MODULE_RESERVED_BYTES && kernels.selfTest(MODULE_RESERVED_BYTES) === 0;
}
