/**
 * Generates ids from a transformer of layers, greedily or sampled. For a tokenizer, stop strings and more, export the
 * transformer and load its file in the engine.
 *
 * @module
 */
import { type Numeric, RANDOM_STATE_BYTES, createNumeric } from "../kernels/numeric.ts";
import { fail } from "../core/errors.ts";
import { type OptionTable, check, checkOptions, number, whole } from "../core/options.ts";
import type { KvCache } from "./kv-cache.ts";
import { IDS, type IdArray, type NdArray, ids } from "./nd-array.ts";
import { COUNT } from "./option-checks.ts";
import type { Runtime } from "./runtime.ts";

/** Options of {@link BitNetTransformer.generate}. */
export interface GenerateOptions {
  /** The most ids to generate. Default 32. */
  readonly maxTokens?: number;
  /** 0: always the likeliest. Default 0. */
  readonly temperature?: number;
  /** Draws among this many likeliest. Default all. */
  readonly topK?: number;
  /** Same seed, same ids. Default 0. */
  readonly seed?: number;
  /** Ends the sequence, and is not part of it. Default none. */
  readonly eosId?: number;
}

export const GENERATE_OPTIONS: OptionTable<GenerateOptions> = {
  maxTokens: COUNT,
  temperature: number({ min: 0 }),
  topK: COUNT,
  seed: whole(0),
  eosId: whole(0),
};

/** The part of a transformer that generation needs. */
export interface StepsThroughIds {
  readonly runtime: Runtime;
  readonly numTokens: number;
  createCache(batch?: number, contextLength?: number): KvCache;
  step(x: IdArray, cache: KvCache): NdArray;
}

/** @throws OnebitError `option/invalid`, also where prompt and tokens exceed the context; `model/bad-token` */
export function generateIds(model: StepsThroughIds, given: ArrayLike<number>, options: GenerateOptions): number[] {
  const {
      maxTokens = 32,
      temperature = 0,
      topK = model.numTokens,
      seed = 0,
      eosId,
    } = checkOptions("generate", options, GENERATE_OPTIONS),
    { runtime, numTokens } = model;
  const prompt = check("prompt", given, IDS);
  if (prompt.length === 0) fail("option/invalid", "prompt: wanted at least one id, got none");
  const cache = model.createCache(1, prompt.length + maxTokens);
  const words = () => runtime.allocate(numTokens * 4, "logits to draw from");
  const arena = {
    vector: words(),
    ids: words(),
    values: words(),
    randomState: runtime.allocate(RANDOM_STATE_BYTES, "state of the random generator"),
    nMax: numTokens,
  };
  try {
    const numeric = createNumeric(runtime.kernels, runtime.memory, arena),
      random = numeric.random(seed),
      found: number[] = [];
    for (let next = ids(prompt); found.length < maxTokens; next = ids([found[found.length - 1]])) {
      const logits = model.step(next, cache).data.slice(-numTokens);
      const id = temperature === 0 ? numeric.argmax(logits) : draw(numeric, logits, temperature, topK, random.next());
      if (id === eosId) break;
      found.push(id);
    }
    return found;
  } finally {
    cache.close();
    for (const address of [arena.vector, arena.ids, arena.values, arena.randomState]) runtime.free(address);
  }
}

/** The id where the running sum of probabilities, likeliest first, passes `point`. */
function draw(numeric: Numeric, logits: Float32Array, temperature: number, topK: number, point: number): number {
  const top = numeric.topK(logits, topK),
    weights = Array.from(top.logits, (logit) => numeric.exp((logit - top.logits[0]) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let passed = 0;
  const at = weights.findIndex((weight) => (passed += weight) > point * total);
  return top.ids[at < 0 ? weights.length - 1 : at];
}
