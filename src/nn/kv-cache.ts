/**
 * Keys and values of earlier positions, so that the next position can be computed alone.
 *
 *   k, v of a layer: f32 (nKvHeads, pages, 64 positions, headDim); sequence i has the i-th part of the pages
 *
 * @module
 */
import { PLACE_BYTES } from "../../assembly/abi.ts";
import { type CachedHeads, type RowPlace, kvCacheBytes, pagesFor, writePlaces } from "../kernels/attention-cache.ts";
import { fail } from "../core/errors.ts";
import { check, kind, whole } from "../core/options.ts";
import { GraphSlot, type RecordedGraph } from "./layer.ts";
import { COUNT } from "./option-checks.ts";
import type { Runtime } from "./runtime.ts";

/** Addresses of a layer's keys and values, f32 (kvHeads, pages, 64 positions, headDim) each. */
export interface CacheLayer {
  /** Of the keys. */
  readonly k: number;
  /** Of the values. */
  readonly v: number;
}

export interface CacheShape {
  readonly nLayers: number;
  readonly nKvHeads: number;
  readonly headDim: number;
}

/**
 * Keys and values of the positions that sequences have so far, so that the next is computed alone. `createCache` of a
 * layer makes it.
 */
export class KvCache {
  /** Sequences. */
  readonly batch: number;
  /** Positions there is room for. */
  readonly contextLength: number;
  /** A pair for each layer. */
  readonly layers: readonly CacheLayer[];
  /** @internal What the layers have. */
  readonly heads: CachedHeads;
  readonly #runtime: Runtime;
  /** The places of the rows of a pass, and the pages of each sequence. */
  readonly #places: number;
  readonly #pageLists: number;
  /** A graph for one position and one for several: prompts and generated ids alternate. */
  readonly #token = new GraphSlot();
  readonly #prompt = new GraphSlot();
  #position = 0;
  #isClosed = false;

  /**
   * @internal
   * @throws OnebitError `option/invalid`, `train/not-enough-memory`
   */
  constructor(runtime: Runtime, { nLayers, nKvHeads, headDim }: CacheShape, batch: number, contextLength: number) {
    this.#runtime = runtime;
    this.batch = check("batch", batch, COUNT);
    this.contextLength = check("contextLength", contextLength, COUNT);
    const nPages = batch * pagesFor(contextLength);
    this.heads = { nKvHeads, headDim, nPages };
    const { keyBytes, valueBytes } = kvCacheBytes("f32", this.heads),
      take = (bytes: number) => runtime.allocate(bytes, "keys and values");
    this.layers = Array.from({ length: nLayers }, () => ({ k: take(keyBytes), v: take(valueBytes) }));
    this.#places = take(batch * contextLength * PLACE_BYTES);
    this.#pageLists = take(nPages * 4);
    runtime.i32(this.#pageLists, nPages).forEach((_, i, pages) => (pages[i] = i));
  }

  /** Positions that every sequence has so far. */
  get position(): number {
    return this.#position;
  }

  /** Forgets everything from `position` on. @throws OnebitError `option/invalid` for a position that it has not */
  truncate(position: number): void {
    this.#position = check("position", position, whole(0, this.#position));
  }

  /**
   * @internal
   * Runs the graph of the next `length` positions and counts them.
   * @throws OnebitError `model/context-full` before anything is changed, `model/closed`, `model/bad-shape`
   */
  advance(
    batch: number,
    length: number,
    record: () => RecordedGraph,
    use: (recorded: RecordedGraph, places: number) => void,
  ): void {
    if (this.#isClosed) fail("model/closed", "this cache is closed");
    if (batch !== this.batch) fail("model/bad-shape", `cache: wanted ${this.batch} sequences, got ${batch}`);
    if (this.#position + length > this.contextLength) {
      fail(
        "model/context-full",
        `cache: ${this.#position} of ${this.contextLength} positions are taken, wanted ${length} more; make it ` +
          "with a longer contextLength",
      );
    }
    const recorded = (length === 1 ? this.#token : this.#prompt).get(String(length), record);
    writePlaces(this.#runtime.memory, this.#places, this.#rowPlaces(length));
    use(recorded, this.#places);
    this.#position += length;
  }

  *#rowPlaces(length: number): Iterable<RowPlace> {
    const listBytes = pagesFor(this.contextLength) * 4;
    for (let sequence = 0; sequence < this.batch; sequence++) {
      const pages = this.#pageLists + sequence * listBytes;
      for (let i = 0; i < length; i++) yield { position: this.#position + i, pages };
    }
  }

  /** Gives the memory back. Closing twice is fine. */
  close(): void {
    if (this.#isClosed) return;
    this.#token.free();
    this.#prompt.free();
    for (const { k, v } of this.layers) for (const address of [k, v]) this.#runtime.free(address);
    for (const address of [this.#places, this.#pageLists]) this.#runtime.free(address);
    this.#isClosed = true;
  }

  /** {@link KvCache.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

export const KV_CACHE = kind<KvCache>("what createCache made", (value) => value instanceof KvCache);
