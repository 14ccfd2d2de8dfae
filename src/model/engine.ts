/**
 * A model in memory that turns token ids into logits: plan, load, compile, then walk the program for every batch.
 *
 * @module
 */
import { CONTEXT_HEAD_BYTES, STEP_BYTES } from "../../assembly/abi.ts";
import { type AbortState, OnebitError, fail, throwIfAborted } from "../core/errors.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import { type Breather, createBreather } from "../core/event-loop.ts";
import { CONTEXT_LENGTH_DEFAULT, WASM_PAGES_MAX, WASM_PAGE_BYTES } from "../core/limits.ts";
import type { Platform } from "../core/platform.ts";
import type { TensorInfo } from "../files/gguf.ts";
import type { DotProducts, TernaryKernel } from "../kernels/choices.ts";
import { type RowPlace, writePlaces } from "../kernels/attention-cache.ts";
import { padToTiles } from "../kernels/layouts.ts";
import { Machine, createMemory } from "../kernels/machine.ts";
import { type Numeric, createNumeric } from "../kernels/numeric.ts";
import { type ChosenKernels, type KernelBinaries, chooseKernels } from "../kernels/variant.ts";
import { requireFinite } from "./computed-row.ts";
import type { ModelConfig } from "./config.ts";
import type { BatchPart, Engine, EvaluateOptions, ModelWarning } from "./engine-interface.ts";
import type { EngineOptions } from "./engine-options.ts";
import { PlacedKvStore } from "./kv-store.ts";
import { KvPages, type Sequence } from "./kv-pages.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { type LoadedWeights, loadWeights } from "./loader.ts";
import { type MemoryPlan, type PlanOptions, memoryOf, planMemory } from "./plan.ts";
import { writeSigns } from "./placed-states.ts";
import { type Program, buildProgram } from "./program.ts";
import { requireHead } from "./require-head.ts";
import { placeRopeFrequencies } from "./rope-frequencies.ts";
import { type ThreadCount, createThreadCount } from "./thread-count.ts";
import { type ModelTensors, type StoredEncoding, type TensorNaming, findTensors } from "./weights.ts";

export type { EngineOptions } from "./engine-options.ts";

/** The parts of an engine. */
export interface EngineParts {
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly naming: TensorNaming;
  readonly platform: Platform;
  readonly binaries: KernelBinaries;
}

/**
 * Plans without loading. `planWith`: {@link planMemory}, which refuses, or one that does not. `fastest` applies where
 * the options name nothing. @throws as {@link createEngine}
 */
export function planEngine(
  { config, tensors, naming, platform }: Omit<EngineParts, "binaries">,
  options: EngineOptions,
  fastest: FastestKernels,
  planWith = planMemory,
): { plan: MemoryPlan; tensors: ModelTensors } {
  const found = findTensors(config, tensors, naming);
  const plan = planWith(config, found, {
    ternaryKernel: options.ternaryKernel ?? fastest.ternaryKernel,
    dots: options.dots ?? fastest.dots,
    activationMode: options.activationMode ?? config.activationMode,
    dense: options.dense ?? "auto",
    kvType: options.kvType ?? "f32",
    ...positionsOf(config, options),
    nThreads: threadsOf(platform, options),
    memoryLimitBytes: options.memoryLimitBytes ?? platform.availableMemoryBytes?.() ?? WASM_PAGES_MAX * WASM_PAGE_BYTES,
  });
  return { plan, tensors: found };
}

/**
 * Loads a model.
 * @throws OnebitError `engine/…`, `model/…`, `tensor/…`, `file/read`, `option/invalid`, `aborted`
 */
export async function createEngine(parts: EngineParts, options: EngineOptions = {}): Promise<Engine> {
  const { config, platform } = parts,
    nThreads = threadsOf(platform, options);
  const chosen = await chooseKernels(parts.binaries, nThreads > 1, options.variant);
  const { plan, tensors, machine, weights } = await loadEngine(parts, options, chosen),
    { kernels, memory } = machine;
  const ropeMagnitude = placeRopeFrequencies(kernels, memory, config, plan, tensors, plan.buffers.ropeCos);
  const rope = {
    frequencies: new Uint8Array(memory.buffer, plan.ropeFrequencies, (config.ropeDim / 2) * 8),
    magnitude: ropeMagnitude,
  };
  const fingerprint = fingerprintOf({ config, tensors, plan, weights, rope });
  const program = buildProgram(config, tensors, plan, weights, memory, ropeMagnitude);
  writeSigns(config, plan.signs, memory);
  machine.setScratch(plan.scratch, plan.scratchStrideBytes);
  const reason = nThreads > 1 ? await startThreads(machine, platform, nThreads, options) : platform.noThreadsReason;
  try {
    const engine = {
      variant: chosen.variant,
      ternaryKernel: plan.options.ternaryKernel,
      dots: plan.options.dots,
      threads: machine.nThreads,
      ...(options.threads === undefined && reason !== undefined ? { reason } : {}),
    };
    return new ProgramEngine(
      config,
      plan,
      program,
      machine,
      engine,
      weights.warnings,
      fingerprint,
      createBreather(platform),
    );
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/** A machine with the weights in its memory. */
interface LoadedMachine {
  readonly plan: MemoryPlan;
  readonly tensors: ModelTensors;
  readonly machine: Machine;
  readonly weights: LoadedWeights;
}

/**
 * Plans and loads. Matrices whose rest is not what their beginning was change the plan: then once more, from the
 * beginning, for memory cannot be laid out again under weights.
 */
async function loadEngine(parts: EngineParts, options: EngineOptions, chosen: ChosenKernels): Promise<LoadedMachine> {
  const known = new Map<string, StoredEncoding>(),
    encoding: TensorNaming["encoding"] = (matrix) => known.get(matrix.name) ?? parts.naming.encoding(matrix);
  for (;;) {
    const named = { ...parts, naming: { ...parts.naming, encoding } },
      { plan, tensors } = planEngine(named, options, fastestKernels(chosen));
    throwIfAborted(options.signal);
    const machine = await Machine.create(chosen.module, createMemory(plan.totalBytes, chosen.threads)),
      weights = await loadWeights(machine.kernels, machine.memory, plan, tensors, options);
    if (weights.misread.size === 0) return { plan, tensors, machine, weights };
    for (const [name, stored] of weights.misread) known.set(name, stored);
  }
}

/** The kernels that suit an engine. */
export interface FastestKernels {
  readonly ternaryKernel: TernaryKernel;
  readonly dots: DotProducts;
}

/**
 * A token of 2B4T takes 75 ms with fused dot products and 91 with tables, a token of its prompt 29 and 42 (Sapphire
 * Rapids, Node 24, one thread). On x86 without fused ones it takes 76 ms with pairs and 104 with tables, a token of its
 * prompt 29 and 44 (Zen 4).
 */
export function fastestKernels({ dots }: Pick<ChosenKernels, "dots">): FastestKernels {
  return { ternaryKernel: dots === undefined ? "tables" : "dot", dots: dots ?? "fused" };
}

/**
 * If the caller left the number open and the threads are refused (by a page's Content-Security-Policy, by system
 * limits), one thread does the work.
 * @returns why there are none
 */
async function startThreads(
  machine: Machine,
  platform: Platform,
  nThreads: number,
  { threads }: EngineOptions,
): Promise<string | undefined> {
  try {
    await machine.startThreads(platform, nThreads);
    return undefined;
  } catch (error) {
    if (threads !== undefined || !(error instanceof OnebitError)) throw error;
    return error.message;
  }
}

function positionsOf(
  { contextLengthTrained }: ModelConfig,
  {
    contextLength = Math.min(contextLengthTrained, CONTEXT_LENGTH_DEFAULT),
    kvPositions = contextLength,
  }: EngineOptions,
): Pick<PlanOptions, "contextLength" | "kvPositions"> {
  if (contextLength > contextLengthTrained) {
    fail(
      "option/invalid",
      `contextLength: wanted an integer from 1 to ${contextLengthTrained} (what the model was trained for), ` +
        `got ${contextLength}`,
    );
  }
  if (kvPositions < contextLength)
    fail("option/invalid", `kvPositions: wanted at least the ${contextLength} of contextLength, got ${kvPositions}`);
  return { contextLength, kvPositions };
}

function threadsOf(platform: Platform, { threads }: EngineOptions): number {
  const canSpawn = platform.spawnThread !== undefined;
  if (threads === undefined) return canSpawn ? Math.min(platform.nCores, DEFAULT_THREADS_MAX) : 1;
  if (threads > 1 && !canSpawn)
    fail(
      "option/invalid",
      `threads: ${platform.noThreadsReason ?? `${platform.name} has no threads here`}; wanted 1, got ${threads}`,
    );
  return threads;
}

/** Decoding is bound by memory bandwidth: more threads than this share the same bytes a second. */
const DEFAULT_THREADS_MAX = 8;

interface BatchRow extends RowPlace {
  readonly id: number;
}

class ProgramEngine implements Engine {
  readonly config: ModelConfig;
  readonly warnings: readonly ModelWarning[];
  readonly numeric: Numeric;
  readonly engine: Engine["engine"];
  readonly memory: Engine["memory"];
  readonly pages: KvPages;
  readonly kv: PlacedKvStore;
  private readonly plan: MemoryPlan;
  private readonly program: Program;
  private readonly threadCount: ThreadCount;
  /** One for all evaluations, so that a series of short ones yields to the event loop as often as one long one. */
  private readonly breather: Breather;
  /** Undefined once closed, so the memory can be collected while somebody still holds the engine. */
  private machine: Machine | undefined;

  constructor(
    config: ModelConfig,
    plan: MemoryPlan,
    program: Program,
    machine: Machine,
    engine: Engine["engine"],
    warnings: readonly ModelWarning[],
    fingerprint: bigint,
    breather: Breather,
  ) {
    this.breather = breather;
    this.config = config;
    this.plan = plan;
    this.program = program;
    this.machine = machine;
    this.engine = engine;
    this.warnings = warnings;
    this.threadCount = createThreadCount(machine.nThreads);
    this.numeric = createNumeric(machine.kernels, machine.memory, plan.numeric);
    this.memory = memoryOf(plan);
    this.kv = new PlacedKvStore(() => this.open(), plan, fingerprint);
    const { heads, states } = plan.kv;
    this.pages = new KvPages(heads.nPages, (from, to) => this.kv.copyPage(from, to), states.nStates);
  }

  get contextLength(): number {
    return this.plan.options.contextLength;
  }

  get rowsMax(): number {
    return this.plan.nBatch;
  }

  get logitsMax(): number {
    return this.plan.nHeadRows;
  }

  get vocabSize(): number {
    return this.config.vocabSize;
  }

  async compute(parts: readonly BatchPart[], signal?: AbortState): Promise<Float32Array[][]> {
    for (const { ids, sequence } of parts) this.check(ids, sequence);
    const headRows = parts.reduce((n, { nLogits }) => n + nLogits, 0);
    await this.walk(parts, headRows, headRows > 0 ? this.program.nSteps : this.program.nHiddenSteps - 1, signal);
    // A model closed meanwhile has no logits to read.
    throwIfAborted(signal);
    let row = 0;
    return parts.map(({ nLogits }) => Array.from({ length: nLogits }, () => this.logits(row++)));
  }

  async evaluate(
    ids: readonly number[],
    sequence: Sequence,
    { want = "last", onLogits, signal }: EvaluateOptions = {},
  ): Promise<Float32Array> {
    requireHead(this.config);
    this.check(ids, sequence);
    const size = want === "all" ? this.logitsMax : this.rowsMax;
    let logits: Float32Array = new Float32Array(0);
    for (let begin = 0; begin < ids.length; begin += size) {
      const some = ids.slice(begin, begin + size),
        position = sequence.length,
        isLast = begin + some.length === ids.length;
      const nLogits = want === "all" ? some.length : want === "last" && isLast ? 1 : 0;
      const [rows] = await this.compute([{ sequence, ids: some, nLogits }], signal);
      rows!.forEach((row, i) => {
        const at = some.length - nLogits + i;
        requireFinite(row, { model: this.config.name, what: "logits", id: some[at], position: position + at });
        if (want === "all") onLogits?.(begin + at, row);
        logits = row;
      });
    }
    return logits;
  }

  async hidden(
    ids: readonly number[],
    sequence: Sequence,
    { signal }: { readonly signal?: AbortState } = {},
  ): Promise<Float32Array> {
    this.check(ids, sequence);
    const { nEmbd } = this.config,
      { nBatch, buffers } = this.plan;
    const rows = withMemoryNow(
      "model/not-enough-memory",
      `hidden states of ${ids.length} ids, ${ids.length * nEmbd * 4} bytes`,
      () => new Float32Array(ids.length * nEmbd),
    );
    for (let begin = 0; begin < ids.length; begin += nBatch) {
      const n = Math.min(nBatch, ids.length - begin),
        position = sequence.length,
        part = { sequence, ids: ids.slice(begin, begin + n), nLogits: n };
      await this.walk([part], n, this.program.nHiddenSteps, signal);
      throwIfAborted(signal);
      rows.set(new Float32Array(this.open().memory.buffer, buffers.h, n * nEmbd), begin * nEmbd);
      for (let at = 0; at < n; at++) {
        const row = rows.subarray((begin + at) * nEmbd, (begin + at + 1) * nEmbd),
          id = ids[begin + at];
        requireFinite(row, { model: this.config.name, what: "hidden state", id, position: position + at });
      }
    }
    return rows;
  }

  async close(): Promise<void> {
    const { machine } = this;
    // First, so that no batch starts and no second call stops threads that are gone.
    this.machine = undefined;
    await machine?.close();
  }

  private check(ids: readonly number[], { length: position }: Sequence): void {
    this.open();
    const { vocabSize, name } = this.config;
    for (const id of ids) {
      if (!Number.isInteger(id) || id < 0 || id >= vocabSize)
        fail("model/bad-token", `model "${name}": wanted token ids in 0…${vocabSize - 1}, got ${id}`);
    }
    if (position + ids.length > this.contextLength) {
      fail(
        "model/context-full",
        `model "${name}": wanted ${ids.length} ids at position ${position}, the context ` +
          `holds ${this.contextLength}; load with a larger contextLength`,
      );
    }
  }

  /** Many rows take seconds on a slow machine, so the event loop runs between layers. */
  private async walk(
    parts: readonly BatchPart[],
    headRows: number,
    nSteps: number,
    signal: AbortState | undefined,
  ): Promise<void> {
    // Before anything else runs, which may close a sequence.
    for (const { sequence, ids } of parts) sequence.reserve(ids.length);
    const nRows = this.writeBatch(parts, headRows);
    await this.breathe(signal);
    for (const { sequence } of parts) sequence.begin();
    try {
      if (nRows === 1) this.runToken(nSteps);
      else await this.runLayers(nSteps, signal);
    } catch (error) {
      for (const { sequence } of parts) sequence.abandon();
      throw error;
    }
    for (const { sequence, ids } of parts) sequence.commit(ids);
  }

  private async runLayers(nSteps: number, signal: AbortState | undefined): Promise<void> {
    let done = 0;
    for (const end of this.program.layerEnds) {
      this.run(done, end, this.engine.threads);
      done = end;
      await this.breathe(signal);
    }
    this.run(done, nSteps, this.engine.threads);
  }

  private runToken(nSteps: number): void {
    const machine = this.open(),
      { nSlept } = machine,
      begin = performance.now();
    this.run(0, nSteps, this.threadCount.current);
    this.threadCount.took(performance.now() - begin, machine.nSlept !== nSlept);
  }

  private async breathe(signal: AbortState | undefined): Promise<void> {
    await this.breather.breathe();
    throwIfAborted(signal);
  }

  /** Steps [begin, end). */
  private run(begin: number, end: number, nThreads: number): void {
    this.open().run(this.plan.program + begin * STEP_BYTES, end - begin, nThreads);
  }

  /** Rows with logits stand behind the others, in the order of their parts. */
  private writeBatch(parts: readonly BatchPart[], headRows: number): number {
    const machine = this.open(),
      { buffer } = machine.memory,
      { places, pageLists, pageListBytes } = this.plan.kv;
    const plain: BatchRow[] = [],
      heads: BatchRow[] = [];
    parts.forEach(({ sequence: { length, pages: numbers, states }, ids, nLogits }, i) => {
      const head = pageLists + i * pageListBytes,
        pages = head + CONTEXT_HEAD_BYTES;
      new Int32Array(buffer, head, CONTEXT_HEAD_BYTES / 4 + numbers.length).set([
        length,
        states.from,
        states.to,
        ...numbers,
      ]);
      ids.forEach((id, at) => (at < ids.length - nLogits ? plain : heads).push({ id, position: length + at, pages }));
    });
    const rows = [...plain, ...heads],
      idWords = new Int32Array(buffer, this.plan.buffers.ids, rows.length);
    rows.forEach(({ id }, i) => (idWords[i] = id));
    writePlaces(machine.memory, places, rows);
    machine.setBatch({ rows: rows.length, places, headRowBegin: plain.length, headRows });
    return rows.length;
  }

  private logits(row: number): Float32Array {
    const { vocabSize } = this.config;
    return new Float32Array(
      this.open().memory.buffer,
      this.plan.buffers.logits + row * padToTiles(vocabSize) * 4,
      vocabSize,
    );
  }

  private open(): Machine {
    return this.machine ?? fail("model/closed", `model "${this.config.name}" was closed`);
  }
}
