/**
 * A GGUF model opened as the engine opens it (src/model/engine.ts), whose program can be walked a few steps at a time.
 */
import { guardedSource } from "../../src/core/byte-source.ts";
import { openModelFile } from "../../src/files/model-file.ts";
import { CONTEXT_HEAD_BYTES } from "../../assembly/abi.ts";
import { writePlaces } from "../../src/kernels/attention-cache.ts";
import { KERNELS } from "../../src/kernels/binaries.ts";
import { Machine, createMemory } from "../../src/kernels/machine.ts";
import { chooseKernels } from "../../src/kernels/variant.ts";
import { configFromGguf } from "../../src/model/config-gguf.ts";
import { type EngineOptions, fastestKernels, planEngine } from "../../src/model/engine.ts";
import { loadWeights } from "../../src/model/loader.ts";
import { GGUF_NAMING } from "../../src/model/naming-gguf.ts";
import type { MemoryPlan } from "../../src/model/plan.ts";
import { type Program, buildProgram } from "../../src/model/program.ts";
import { placeRopeFrequencies } from "../../src/model/rope-frequencies.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";

export interface ProfiledModel {
  readonly plan: MemoryPlan;
  readonly program: Program;
  readonly memory: WebAssembly.Memory;
  readonly variant: string;
  /** Sets the input of the next steps: `rows` ids at `position`; logits of the last `headRows`. */
  prepare(rows: number, position: number, headRows: number): void;
  /** Runs the `nSteps` steps at address `at` on every thread. */
  run(at: number, nSteps: number): void;
  close(): Promise<void>;
}

export async function openProfiled(
  path: string,
  options: EngineOptions & { readonly threads: number },
): Promise<ProfiledModel> {
  const platform = nodePlatform(),
    file = await openModelFile(guardedSource(await platform.openFile(path)), () => {
      throw new Error("split files are not profiled");
    });
  if (file.format !== "gguf") throw new Error(`${path}: wanted a GGUF file`);
  const config = configFromGguf(file.metadata, file.tensors);
  const chosen = await chooseKernels(KERNELS, options.threads > 1, options.variant);
  const { plan, tensors } = planEngine(
    { config, tensors: file.tensors, naming: GGUF_NAMING, platform },
    options,
    fastestKernels(chosen),
  );
  const machine = await Machine.create(chosen.module, createMemory(plan.totalBytes, chosen.threads)),
    { kernels, memory } = machine;
  const weights = await loadWeights(kernels, memory, plan, tensors);
  const magnitude = placeRopeFrequencies(kernels, memory, config, plan, tensors, plan.buffers.ropeCos);
  const program = buildProgram(config, tensors, plan, weights, memory, magnitude);
  fillCache(memory, plan);
  machine.setScratch(plan.scratch, plan.scratchStrideBytes);
  await machine.startThreads(platform, options.threads);
  return {
    plan,
    program,
    memory,
    variant: chosen.variant,
    prepare(rows, position, headRows) {
      new Int32Array(memory.buffer, plan.buffers.ids, rows).forEach(
        (_, i, ids) => (ids[i] = (i * 7919 + 13) % config.vocabSize),
      );
      const { places, pageLists, heads } = plan.kv;
      const pages = pageLists + CONTEXT_HEAD_BYTES;
      new Int32Array(memory.buffer, pageLists, CONTEXT_HEAD_BYTES / 4).set([position, 0, 0]);
      new Int32Array(memory.buffer, pages, heads.nPages).forEach((_, i, numbers) => (numbers[i] = i));
      const rowPlaces = Array.from({ length: rows }, (_, i) => ({ position: position + i, pages }));
      writePlaces(memory, places, rowPlaces);
      machine.setBatch({ rows, places, headRowBegin: rows - headRows, headRows });
    },
    run: (at, nSteps) => machine.run(at, nSteps),
    async close() {
      await machine.close();
    },
  };
}

/**
 * Fills the cache, which is zero before a prompt, with random bytes that are ±[2^-8, 2^-7) as f32: ordinary numbers and
 * scales, so that no softmax weight is subnormal, which is slow.
 */
function fillCache(memory: WebAssembly.Memory, { kv: { layers, bytes } }: MemoryPlan): void {
  const words = new Uint32Array(memory.buffer, layers[0].k, bytes >> 2);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[i] = (state & 0x807fffff) | 0x3b800000;
  }
}
