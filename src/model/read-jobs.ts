/**
 * The unit of loading: one read from a file, and what to do with its bytes.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import type { TensorInfo } from "../files/gguf.ts";
import type { KernelExports } from "../kernels/exports.ts";
import { HASH_WORD_BYTES } from "../kernels/hash.ts";
import { roundUp } from "../kernels/layouts.ts";
import { checkFinite } from "./finite.ts";
import type { MemoryPlan, PlacedMatrix } from "./plan.ts";

/** One read, and what to do with it. */
export interface ReadJob {
  /** The tensor whose bytes these are. */
  readonly tensor: TensorInfo;
  readonly source: ByteSource;
  readonly position: number;
  readonly sizeBytes: number;
  /** Where the bytes stay; undefined: in a window, from which `process` takes them. */
  readonly target: number | undefined;
  process(at: number): void;
}

/** What the parts of loading share. */
export interface LoadContext {
  readonly kernels: KernelExports;
  readonly memory: WebAssembly.Memory;
  readonly plan: MemoryPlan;
  /** Size of a window, in bytes. */
  readonly windowBytes: number;
  /** Where a tile of rows is unpacked. */
  readonly unpackAt: number;
}

/** Jobs that read `rows` rows in turn, as many each as a window holds; `unit` rows belong together. */
export function rowJobs(
  { windowBytes }: LoadContext,
  tensor: TensorInfo,
  rows: number,
  rowBytes: number,
  unit: number,
  process: (at: number, row: number, nRows: number) => void,
  target?: number,
): ReadJob[] {
  // Whole words, so that the hash of a tensor is a sum over its jobs.
  const step = roundUp(unit, HASH_WORD_BYTES),
    perJob = Math.max(step, Math.floor(windowBytes / rowBytes / step) * step);
  const jobs: ReadJob[] = [];
  for (let row = 0; row < rows; row += perJob) {
    const nRows = Math.min(perJob, rows - row);
    jobs.push({
      tensor,
      source: tensor.source,
      position: tensor.position + row * rowBytes,
      sizeBytes: nRows * rowBytes,
      target: target === undefined ? undefined : target + row * rowBytes,
      process: (at) => process(at, row, nRows),
    });
  }
  return jobs;
}

/** A dense matrix that stays as in the file. */
export function keptJobs(context: LoadContext, { matrix, size, weightAt }: PlacedMatrix): ReadJob[] {
  return rowJobs(
    context,
    matrix.tensor,
    matrix.rows,
    size.rowBytes,
    1,
    (at, row, nRows) => {
      checkFinite(context.memory, matrix.tensor, at, row, nRows, size.rowBytes);
    },
    weightAt,
  );
}
