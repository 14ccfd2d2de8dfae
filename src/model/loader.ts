/**
 * Streams a model's tensors, in file order, to their final places: a read fills one window of the staging area while
 * wasm repacks the other; bytes that need no repacking are read straight to their place.
 *
 * @module
 */
import { fail, throwIfAborted } from "../core/errors.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { type FloatTypeName, TENSOR_TYPES, kernelTypeId } from "../files/tensor-types.ts";
import type { KernelExports } from "../kernels/exports.ts";
import { type HashPart, createHash } from "../kernels/hash.ts";
import { roundUp } from "../kernels/layouts.ts";
import type { LoadOptions } from "./engine-options.ts";
import { WeightHashes } from "./fingerprint.ts";
import type { MemoryPlan, PlacedMatrix, PlacedVector } from "./plan.ts";
import type { LoadContext, ReadJob } from "./read-jobs.ts";
import { type LoadedScales, type Unpacking, createRepacker } from "./repack.ts";
import { fileRow } from "./row-order.ts";
import type {
  LinearTensors,
  LoadedChange,
  MatrixTensor,
  ModelTensors,
  ScalarTensor,
  StoredEncoding,
  VectorTensor,
} from "./weights.ts";
import { allLinears } from "./weights.ts";
import type { ModelWarning } from "./engine-interface.ts";
import { ZeroWatch } from "./zero-weights.ts";

export interface LoadedWeights {
  /** Every matrix in its final layout: the uniform twin if every row proved to have one scale. */
  readonly matrices: ReadonlyMap<MatrixTensor, PlacedMatrix>;
  /** The factor on a projection's result; 1 when the file has none. */
  outputScale(linear: LinearTensors): number;
  /** Layers whose weights are all zero, noticed while loading. */
  readonly warnings: readonly ModelWarning[];
  /** For bytes in memory; others go through the staging area. */
  readonly hash: HashPart;
  readonly hashes: WeightHashes;
  /** Scales that are tensors of one number, and those at the end of an I2_S tensor. */
  readonly scalars: ReadonlyMap<TensorInfo, number>;
  /** Matrices, by name, that do not hold what their beginnings promised. Unless it is empty, the rest is of no use. */
  readonly misread: ReadonlyMap<string, StoredEncoding>;
}

/**
 * Loads every tensor of the plan.
 * @throws OnebitError `file/read`, `tensor/bad-data`, `aborted`
 */
export async function loadWeights(
  kernels: KernelExports,
  memory: WebAssembly.Memory,
  plan: MemoryPlan,
  tensors: ModelTensors,
  options: LoadOptions = {},
): Promise<LoadedWeights> {
  const windowBytes = plan.windowBytes;
  const context: LoadContext = { kernels, memory, plan, windowBytes, unpackAt: plan.staging + 2 * windowBytes };
  const scalars = await readScalars(context, tensors),
    scales = { scalars, rows: await readRowScales(context, tensors) };
  const repacked = [...plan.matrices.values()].map((placed) => createRepacker(context, placed, scales));
  const jobs = inFileOrder([
    ...[...plan.vectors.values()].map((placed) => [vectorJob(context, placed)]),
    ...repacked.map((repacker) => repacker.jobs),
  ]);
  const zeros = new ZeroWatch(tensors),
    hash = createHash(kernels, memory, { window: plan.staging, windowBytes }),
    hashes = new WeightHashes(hash);
  for (const [tensor, values] of scales.rows) hashes.see(tensor, bytesOf(values), 0);
  const see = ({ tensor, position }: ReadJob, bytes: Uint8Array): void => {
    zeros.see(tensor, bytes);
    hashes.see(tensor, bytes, position - tensor.position);
  };
  await runJobs(context, jobs, see, options);
  new Uint8Array(memory.buffer, plan.staging, plan.stagingBytes).fill(
    0,
    0,
    Math.min(plan.stagingBytes, 2 * windowBytes),
  );
  return {
    matrices: new Map(repacked.map((repacker) => [repacker.placed.matrix, settleLayout(context, repacker)])),
    outputScale: (linear) => (linear.outputScale === undefined ? 1 : scalars.get(linear.outputScale.tensor)!),
    warnings: zeros.warnings((tensor) => scalars.get(tensor) === 0),
    hash,
    hashes,
    scalars,
    misread: new Map(
      repacked.flatMap(({ placed, misread }) => {
        const encoding = misread?.();
        return encoding === undefined ? [] : [[placed.matrix.tensor.name, encoding] as const];
      }),
    ),
  };
}

/** Tensors file by file, front to back; each tensor's jobs keep their order. */
function inFileOrder(tensors: readonly (readonly ReadJob[])[]): ReadJob[] {
  const files = [...new Set(tensors.map(([job]) => job.source))];
  const file = new Map(files.map((source, i) => [source, i]));
  const order = (a: readonly ReadJob[], b: readonly ReadJob[]) =>
    file.get(a[0].source)! - file.get(b[0].source)! || a[0].position - b[0].position;
  return [...tensors].sort(order).flat();
}

/**
 * Two windows take turns: one fills while the other is processed.
 * @param see shown the bytes of each job
 */
async function runJobs(
  { memory, plan, windowBytes }: LoadContext,
  jobs: readonly ReadJob[],
  see: (job: ReadJob, bytes: Uint8Array) => void,
  { onProgress, signal }: LoadOptions,
): Promise<void> {
  const totalBytes = jobs.reduce((sum, job) => sum + job.sizeBytes, 0);
  const addressOf = (i: number) => jobs[i].target ?? plan.staging + (i % 2) * windowBytes;
  const start = (i: number): Promise<void> => {
    const { source, position, sizeBytes } = jobs[i];
    const reading = source.read(new Uint8Array(memory.buffer, addressOf(i), sizeBytes), position);
    // The failure surfaces where the read is awaited; until then it must not count as unhandled.
    reading.catch(() => {});
    return reading;
  };
  let loadedBytes = 0;
  let reading = jobs.length > 0 ? start(0) : undefined;
  for (let i = 0; i < jobs.length; i++) {
    await reading;
    throwIfAborted(signal);
    reading = i + 1 < jobs.length ? start(i + 1) : undefined;
    try {
      see(jobs[i], new Uint8Array(memory.buffer, addressOf(i), jobs[i].sizeBytes));
      jobs[i].process(addressOf(i));
    } catch (error) {
      await reading?.catch(() => {});
      throw error;
    }
    loadedBytes += jobs[i].sizeBytes;
    onProgress?.({ loadedBytes, totalBytes });
  }
}

/** A vector of any type becomes f32. */
function vectorJob({ kernels, memory }: LoadContext, { vector, at }: PlacedVector): ReadJob {
  const { tensor, length, order, change } = vector;
  return {
    tensor,
    source: tensor.source,
    position: tensor.position,
    sizeBytes: tensor.sizeBytes,
    target: undefined,
    process(from) {
      kernels.denseRow(kernelTypeId(tensor), from, length, at);
      const values = new Float32Array(memory.buffer, at, length);
      requireFiniteVector(tensor, values);
      if (change !== undefined) changeValues(values, change, kernels);
      if (order === undefined) return;
      const inFile = values.slice();
      for (let i = 0; i < length; i++) values[i] = inFile[fileRow(order, i)];
    },
  };
}

function changeValues(values: Float32Array, change: LoadedChange, { expF64 }: KernelExports): void {
  const inFile = values.slice();
  switch (change.kind) {
    case "add one":
      values.forEach((value, i) => (values[i] = value + 1));
      break;
    case "negative exponential":
      values.forEach((value, i) => (values[i] = -expF64(value)));
      break;
    case "transpose": {
      const nRows = values.length / change.columns;
      inFile.forEach((value, i) => (values[(i % change.columns) * nRows + Math.floor(i / change.columns)] = value));
    }
  }
}

/** Scales that are tensors of one number, and those at the end of an I2_S tensor. */
async function readScalars(
  { kernels, memory, plan }: LoadContext,
  tensors: ModelTensors,
): Promise<Map<TensorInfo, number>> {
  const scalars = new Map<TensorInfo, number>();
  const read = async (tensor: TensorInfo, position: number, type: FloatTypeName) => {
    const at = plan.staging,
      out = at + 64;
    await tensor.source.read(new Uint8Array(memory.buffer, at, TENSOR_TYPES[type].blockBytes), position);
    kernels.denseRow(kernelTypeId({ name: tensor.name, type }), at, 1, out);
    const value = new Float32Array(memory.buffer, out, 1)[0];
    if (!Number.isFinite(value))
      fail("tensor/bad-data", `tensor "${tensor.name}": its scale is ${value}; the file is damaged`);
    scalars.set(tensor, value);
  };
  const one = ({ tensor, type }: ScalarTensor) => read(tensor, tensor.position, type);
  const atEnd = async ({ tensor, rows, k }: MatrixTensor) =>
    tensor.type === "I2_S" ? read(tensor, tensor.position + (rows * k) / 4, "F32") : undefined;
  for (const linear of allLinears(tensors)) {
    const { encoding } = linear.matrix;
    if (linear.outputScale) await one(linear.outputScale);
    if (encoding.kind === "packed") {
      await one(encoding.scale);
      const { tensor } = encoding.scale,
        scale = scalars.get(tensor)!;
      if (encoding.divide && !Number.isFinite(Math.fround(1 / scale))) {
        fail(
          "tensor/bad-data",
          `tensor "${tensor.name}": its scale is ${scale}, by which no weight can be divided; the file is damaged`,
        );
      }
    } else await atEnd(linear.matrix);
  }
  for (const matrix of [tensors.tokenEmbd, tensors.output]) {
    if (matrix) await atEnd(matrix);
  }
  return scalars;
}

/** Numbers for each row of a matrix: read before the matrix, whose scales they become part of. */
async function readRowScales(context: LoadContext, tensors: ModelTensors): Promise<LoadedScales["rows"]> {
  const found = new Map<TensorInfo, Float32Array>();
  for (const { matrix } of allLinears(tensors)) {
    if (matrix.encoding.kind !== "unpacked" || matrix.encoding.rowScales === undefined) continue;
    const { rowScales } = matrix.encoding;
    found.set(rowScales.tensor, await readFloats(context, rowScales));
  }
  return found;
}

/** @throws OnebitError `tensor/bad-data` */
async function readFloats({ kernels, memory, plan }: LoadContext, vector: VectorTensor): Promise<Float32Array> {
  const { tensor, length } = vector,
    // Twice its largest size at most: less than the two windows.
    out = plan.staging + roundUp(tensor.sizeBytes, 64);
  await tensor.source.read(new Uint8Array(memory.buffer, plan.staging, tensor.sizeBytes), tensor.position);
  kernels.denseRow(kernelTypeId(tensor), plan.staging, length, out);
  const values = new Float32Array(memory.buffer, out, length).slice();
  requireFiniteVector(tensor, values);
  return values;
}

function requireFiniteVector({ name }: TensorInfo, values: Float32Array): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) fail("tensor/bad-data", `tensor "${name}": value ${bad} is not a finite number; the file is damaged`);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The uniform twin if every row has one scale: one f32 per row then replaces the f16 scales. */
function settleLayout({ memory }: LoadContext, { placed, rowScales }: Unpacking): PlacedMatrix {
  const scales = rowScales(),
    { uniformTwin } = placed.layout;
  if (uniformTwin === undefined || scales === undefined) return placed;
  new Float32Array(memory.buffer, placed.scaleAt, scales.length).set(scales);
  return { ...placed, layout: uniformTwin, scaleBlock: 0 };
}
