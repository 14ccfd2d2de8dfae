/**
 * Text to one vector: the model's last hidden states, pooled and brought to length 1.
 *
 * @module
 */
import { BOOLEAN, FUNCTION, type OptionTable, SIGNAL, oneOf, whole } from "../core/options.ts";

/** Of all ids: the state of the last (what embedding models of decoder type are trained for) or first, or the mean. */
export type Pooling = "last" | "mean" | "cls";

/** Options of {@link Model.embed}. */
export interface EmbedOptions {
  /** Default: the model's own, `last` when it says nothing. */
  pooling?: Pooling;
  /** Keep only so many of the first numbers, for models trained so that these say most (Matryoshka). Default: all. */
  dimensions?: number;
  /** Divide by the Euclidean length, so that dot products are cosines. Default true. */
  normalize?: boolean;
  /** End the text with EOS, whose state is then the one `last` takes. Default: as the model was trained. */
  appendEos?: boolean;
  /** Stops it, which then throws `aborted`. */
  signal?: AbortSignal;
  /** Texts done, of all. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** The model bounds `dimensions` later. */
export const EMBED_OPTIONS: OptionTable<EmbedOptions> = {
  pooling: oneOf("last", "mean", "cls"),
  dimensions: whole(1),
  normalize: BOOLEAN,
  appendEos: BOOLEAN,
  signal: SIGNAL,
  onProgress: FUNCTION,
};

/** How to make one vector of a text's states. */
export interface Pool {
  readonly pooling: Pooling;
  readonly dimensions: number;
  readonly normalize: boolean;
}

/**
 * @param hidden (nIds, nEmbd), row-major
 * @returns (dimensions); sums run in f64 from the first row to the last, so the bits are the same everywhere
 */
export function pool(hidden: Float32Array, nEmbd: number, { pooling, dimensions, normalize }: Pool): Float32Array {
  const nIds = hidden.length / nEmbd;
  const sums = new Float64Array(dimensions);
  const first = pooling === "last" ? nIds - 1 : 0,
    end = pooling === "cls" ? 1 : nIds;
  for (let row = first; row < end; row++) {
    for (let i = 0; i < dimensions; i++) sums[i] += hidden[row * nEmbd + i];
  }
  let scale = 1 / (end - first);
  if (normalize) {
    let squares = 0;
    for (const sum of sums) squares += sum * sum;
    // A vector of zeros has no direction: it stays as it is.
    scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
  }
  return Float32Array.from(sums, (sum) => sum * scale);
}
