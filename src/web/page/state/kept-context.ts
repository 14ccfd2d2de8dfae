/**
 * Keeps what a model has read of a conversation (a saved context) in a Cache of the browser. After a reload, a crash or
 * a rest the model goes on from it instead of reading everything again. Whatever goes wrong here costs only that time.
 *
 * A Cache replaces an entry whole, in every browser and on every thread; files of the origin private file system are
 * written in place, by workers only, and could end half written.
 *
 * @module
 */
import { OnebitError } from "../../../core/errors.ts";
import type { WorkerContext } from "../../worker-context.ts";
import type { WorkerModel } from "../../worker-model.ts";
import type { Memory } from "./memory.ts";

/** The used part of the Cache standard. */
export type ContextCache = Pick<Cache, "match" | "put" | "delete" | "keys">;

export interface ContextStorage {
  open(): Promise<ContextCache>;
  /** Bytes the browser still grants this page; undefined where it does not say. */
  freeBytes(): Promise<number | undefined>;
}

/** A cache's entries need URLs; no host has this name. */
const ENTRIES = "https://contexts.onebit.invalid/";
/** Of this many tabs, those that wrote last. */
const KEPT_MAX = 3;
/** A second or two of writing on a phone; 3,000 positions of BitNet 2B4T in 8 bits. */
const BYTES_MAX = 128 * 2 ** 20;
/** A model opens without a storage that stalls: reading again takes about as long. */
const RESTORE_TIMEOUT_MS = 5000;
/** Models and conversations need the storage more. */
const SHARE_OF_FREE = 1 / 4;

export class KeptContext {
  readonly #storage: ContextStorage;
  readonly #memory: Pick<Memory, "contextId" | "ownContextId">;
  /** The last thing asked for: what is begun ends before the next. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(storage: ContextStorage, memory: Pick<Memory, "contextId" | "ownContextId">) {
    this.#storage = storage;
    this.#memory = memory;
  }

  /** @returns false when it was not kept: too large, no storage, or the model was closed meanwhile */
  keep(model: Pick<WorkerModel, "memory" | "contextLength">, context: WorkerContext): Promise<boolean> {
    return this.#next(false, async () => {
      const { length } = await context.cachedIds,
        bytesWanted = (length * model.memory.kvBytes) / model.contextLength,
        free = (await this.#storage.freeBytes()) ?? Infinity;
      if (length === 0 || bytesWanted > Math.min(BYTES_MAX, free * SHARE_OF_FREE)) return false;
      const bytes = await context.save(),
        cache = await this.#storage.open();
      await cache.put(entryOf(this.#memory.ownContextId()), new Response(bytes as Uint8Array<ArrayBuffer>));
      const entries = await cache.keys();
      for (const entry of entries.slice(0, -KEPT_MAX)) await cache.delete(entry);
      return true;
    });
  }

  /** The context this tab kept, or the last tab's; undefined when there is none for this model, or it takes long. */
  async restore(model: WorkerModel): Promise<WorkerContext | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, RESTORE_TIMEOUT_MS, undefined);
    });
    const restored = this.#restored(model),
      found = await Promise.race([restored, late]).finally(() => clearTimeout(timer));
    // One that comes too late has no user.
    if (found === undefined) void restored.then((context) => context?.close()).catch(() => {});
    return found;
  }

  #restored(model: WorkerModel): Promise<WorkerContext | undefined> {
    return this.#next(undefined, async () => {
      const id = this.#memory.contextId;
      if (id === undefined) return undefined;
      const cache = await this.#storage.open(),
        kept = await cache.match(entryOf(id));
      if (kept === undefined) return undefined;
      try {
        return await model.restore(new Uint8Array(await kept.arrayBuffer()));
      } catch (error) {
        // Of another model it waits for that one.
        if (error instanceof OnebitError && error.code === "snapshot/corrupt") await cache.delete(entryOf(id));
        throw error;
      }
    });
  }

  /** Removes this tab's, and leaves that of another to it. */
  forget(): Promise<void> {
    return this.#next(undefined, async () => {
      const id = this.#memory.ownContextId();
      await (await this.#storage.open()).delete(entryOf(id));
    });
  }

  #next<T>(otherwise: T, run: () => Promise<T>): Promise<T> {
    const done = this.#last.then(run).catch(() => otherwise);
    this.#last = done;
    return done;
  }
}

function entryOf(id: string): string {
  return ENTRIES + encodeURIComponent(id);
}

/** The browser's storage. Where there is none, every call of it rejects. */
export function browserContexts(): ContextStorage {
  return {
    open: () => globalThis.caches.open("onebit-contexts"),
    async freeBytes() {
      const { quota, usage } = await globalThis.navigator.storage.estimate();
      return quota === undefined || usage === undefined ? undefined : quota - usage;
    },
  };
}
