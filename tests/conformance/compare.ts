/** One model file, three engines: the exact pass, onebit, and llama.cpp where it is installed. */
import { load } from "../../src/load.ts";
import type { LoadModelOptions } from "../../src/load.ts";
import { divergence } from "./divergence.ts";
import type { Divergence } from "./divergence.ts";
import { exactLogits } from "./exact/forward.ts";
import { peerInstalled, peerLogits } from "./peer.ts";

export interface Comparison {
  readonly onebit: Divergence;
  /** Undefined where llama.cpp is not installed, or was not asked for. */
  readonly peer: Divergence | undefined;
}

export interface CompareOptions {
  /** Exact logits from an earlier run. */
  readonly exact?: readonly Float64Array[];
  readonly peer?: boolean;
  readonly load?: LoadModelOptions;
}

export async function compareEngines(
  path: string,
  ids: readonly number[],
  options: CompareOptions = {},
): Promise<Comparison> {
  const contextLength = options.load?.contextLength ?? CONTEXT_LENGTH;
  const exact = options.exact ?? (await exactLogits(path, ids, { contextLength }));
  const ours = await onebitLogits(path, ids, options.load);
  const peer =
    options.peer !== false && peerInstalled ? divergence(exact, peerLogits(path, ids, contextLength)) : undefined;
  return { onebit: divergence(exact, ours), peer };
}

/** Positions every engine allocates; llama.cpp rounds up to a multiple of 256. */
const CONTEXT_LENGTH = 256;

/** Logits after each id. */
export async function onebitLogits(
  path: string,
  ids: readonly number[],
  options?: LoadModelOptions,
): Promise<Float32Array[]> {
  const model = await load(path, { contextLength: CONTEXT_LENGTH, ...options });
  try {
    const all = await model.logits(ids);
    return ids.map((_, t) => all.slice(t * model.vocabSize, (t + 1) * model.vocabSize));
  } finally {
    await model.close();
  }
}

/** Ids that depend on nothing but their number: spread over the vocabulary, none special in the synthetic ones. */
export function spreadIds(count: number, nVocab: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 7919 + 13) % (nVocab - 300));
}
