/**
 * Text to one vector: the model's last hidden states, pooled and brought to length 1.
 *
 * @module
 */
import { BOOLEAN, FUNCTION, type OptionTable, SIGNAL, oneOf } from "../core/options.ts";

/** `last`: the state of the last id (what embedding models of decoder type are trained for); `mean`: of all ids. */
export type Pooling = "last" | "mean";

/** Options of {@link Model.embed}. */
export interface EmbedOptions {
  /** Default: the model's own, `last` when it says nothing. */
  pooling?: Pooling;
  /** Divide by the Euclidean length, so that dot products are cosines. Default true. */
  normalize?: boolean;
  /** End the text with EOS, whose state is then the one `last` takes. Default: as the model was trained. */
  appendEos?: boolean;
  /** Stops it, which then throws `aborted`. */
  signal?: AbortSignal;
  /** Texts done, of all. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

export const EMBED_OPTIONS: OptionTable<EmbedOptions> = {
  pooling: oneOf("last", "mean"),
  normalize: BOOLEAN,
  appendEos: BOOLEAN,
  signal: SIGNAL,
  onProgress: FUNCTION,
};

/**
 * @param hidden (nIds, nEmbd), row-major
 * @returns (nEmbd); sums run in f64 from the first row to the last, so the bits are the same everywhere
 */
export function pool(hidden: Float32Array, nEmbd: number, pooling: Pooling, normalize: boolean): Float32Array {
  const nIds = hidden.length / nEmbd;
  const sums = new Float64Array(nEmbd);
  const first = pooling === "last" ? nIds - 1 : 0;
  for (let row = first; row < nIds; row++) {
    for (let i = 0; i < nEmbd; i++) sums[i] += hidden[row * nEmbd + i];
  }
  let scale = 1 / (nIds - first);
  if (normalize) {
    let squares = 0;
    for (const sum of sums) squares += sum * sum;
    // A vector of zeros has no direction: it stays as it is.
    scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
  }
  return Float32Array.from(sums, (sum) => sum * scale);
}
