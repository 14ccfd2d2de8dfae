/**
 * Perplexity: exp of the mean negative log-likelihood a model gives a text.
 *
 * Cuts the ids into windows without overlap. Each starts fresh (after BOS, for models that use one), and every id but
 * its first is scored. Shorter windows give higher values: compare only equal `context`.
 *
 * @module
 */
import { type AbortState, fail } from "../core/errors.ts";
import { FUNCTION, type OptionTable, SIGNAL, check, whole } from "../core/options.ts";
import type { Engine } from "../model/engine-interface.ts";
import type { Sequence } from "../model/kv-pages.ts";
import { checkIds } from "./options.ts";
import type { PromptProgress } from "./options.ts";

/** Options of {@link Model.perplexity}. */
export interface PerplexityOptions {
  /** Ids a window, BOS included; default and most: the model's context length. */
  context?: number;
  /** Stops it, which then throws `aborted`. */
  signal?: AbortSignal;
  /** Ids scored so far, of all. */
  onProgress?: (progress: PromptProgress) => void;
}

/** The model bounds `context` later. */
export const PERPLEXITY_OPTIONS: OptionTable<PerplexityOptions> = {
  context: whole(2),
  signal: SIGNAL,
  onProgress: FUNCTION,
};

/** How well a model predicts a text. */
export interface Perplexity {
  /** exp(meanNll): 1 for a text that it knows by heart, the size of the vocabulary for a guess. */
  readonly perplexity: number;
  /** Mean negative log-likelihood an id, in nats. */
  readonly meanNll: number;
  /** Ids scored. */
  readonly tokens: number;
  /** Windows the text was cut into. */
  readonly windows: number;
  /** Ids a window. */
  readonly context: number;
}

/**
 * @param sequence where the windows are computed, one after another
 * @param bosId put before each window, when given
 * @throws OnebitError `option/invalid` for a context outside [2, contextLength] or fewer than 2 ids; `model/bad-token`
 */
export async function measurePerplexity(
  engine: Engine,
  sequence: Sequence,
  ids: readonly number[],
  bosId: number | undefined,
  options: Omit<PerplexityOptions, "signal"> & { readonly signal?: AbortState },
): Promise<Perplexity> {
  const { numeric } = engine;
  const context = check("context", options.context ?? engine.contextLength, whole(2, engine.contextLength));
  checkIds("ids", ids, engine.vocabSize, "model/bad-token");
  const windows = cutWindows(ids, context, bosId);
  const total = windows.reduce((n, window) => n + window.length - 1, 0);
  if (total === 0) fail("option/invalid", `perplexity needs at least 2 ids, got ${ids.length}`);
  let nll = 0;
  let done = 0;
  for (const window of windows) {
    options.onProgress?.({ done, total });
    const onLogits = (row: number, logits: Float32Array): void => {
      // The last row predicts an id that is not in the window.
      if (row + 1 < window.length) nll += numeric.logSumExp(logits) - logits[window[row + 1]];
    };
    sequence.truncate(0);
    await engine.evaluate(window, sequence, { want: "all", onLogits, signal: options.signal });
    done += window.length - 1;
  }
  options.onProgress?.({ done, total });
  const meanNll = nll / total;
  return { perplexity: numeric.exp(meanNll), meanNll, tokens: total, windows: windows.length, context };
}

function cutWindows(ids: readonly number[], context: number, bosId: number | undefined): number[][] {
  const stride = bosId === undefined ? context : context - 1;
  const windows: number[][] = [];
  for (let begin = 0; begin < ids.length; begin += stride) {
    const window = ids.slice(begin, begin + stride);
    if (bosId !== undefined) window.unshift(bosId);
    if (window.length > 1) windows.push(window);
  }
  return windows;
}
