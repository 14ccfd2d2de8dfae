/**
 * Conversations that have a name. What one has read stays in this process's cache while there is room, and a snapshot
 * of it lies where other processes find it: a conversation that moves is not read again.
 *
 * A snapshot is a cache. Whatever goes wrong with it, the prompt is read, and the answer is the same.
 *
 * @module
 */
import type { AnyContext, AnyModel } from "../any-model.ts";
import type { ContextOptions } from "../index.ts";
import { ApiError } from "./api-error.ts";
import { pause } from "./life.ts";
import type { Metrics } from "./metrics.ts";
import type { ServerSettings, SnapshotStore } from "./server-options.ts";

const HEADER = "x-conversation-id";
/** A UUID has 36. */
const NAME = /^[\w.:-]{1,128}$/;
/** Reading the prompt is the alternative, and takes about as long. */
const STORE_TIMEOUT_MS = 5000;
/** As many names are remembered for each model: their ids, of two to four bytes each. */
const KEPT_MAX = 1024;
/** Four pages of the cache: reading them takes seconds with a model of 2 billion weights, and a file less than one. */
const MIN_IDS_DEFAULT = 256;

/** The name in a request's header; undefined without one. @throws ApiError 400 */
export function conversationOf({ headers }: Request): string | undefined {
  const name = headers.get(HEADER);
  if (name === null || NAME.test(name)) return name ?? undefined;
  throw new ApiError(400, "invalid_value", `${HEADER}: wanted 1 to 128 letters, digits, dots, colons or dashes`, {
    param: HEADER,
  });
}

/** What a process knows of a conversation between its requests. */
interface Kept {
  readonly context: AnyContext;
  /** Ids that its snapshot has. */
  readonly nStored: number;
}

/** Of a request in a conversation. */
export interface OpenConversation {
  readonly context: AnyContext;
  /** To be called when the answer is whole: stores what is worth it. Never rejects. */
  keep(signal: AbortSignal): Promise<void>;
}

export class Conversations {
  readonly #store: SnapshotStore | undefined;
  readonly #minIds: number;
  readonly #onError: (error: unknown) => void;
  readonly #metrics: Metrics;
  readonly #kept = new WeakMap<AnyModel, Map<string, Kept>>();

  constructor({ snapshots, onError = () => {} }: ServerSettings, metrics: Metrics) {
    this.#store = snapshots;
    this.#minIds = snapshots?.minIds ?? MIN_IDS_DEFAULT;
    this.#onError = onError;
    this.#metrics = metrics;
  }

  /** Undefined where no snapshots are kept: the cache finds what it has without a name. */
  async open(
    model: AnyModel,
    names: readonly [modelName: string, conversation: string],
    options: ContextOptions,
    signal: AbortSignal,
  ): Promise<OpenConversation | undefined> {
    const store = this.#store;
    if (store === undefined) return undefined;
    const key = await keyOf([...names, options.cacheGroup ?? ""]),
      kept = this.#keptOf(model).get(key);
    const restored =
      kept !== undefined && (await isCached(kept.context)) ? undefined : this.#restore(model, key, options);
    const found = await inTime(restored, signal);
    // One that comes too late has no user.
    if (found === undefined) void restored?.then((late) => late?.close()).catch(() => {});
    const context = found ?? (await model.context(options)),
      nStored = found === undefined ? (kept?.nStored ?? 0) : (await found.ids).length;
    return { context, keep: (stop) => this.#keep(model, key, { context, nStored }, stop) };
  }

  #keptOf(model: AnyModel): Map<string, Kept> {
    const found = this.#kept.get(model) ?? new Map<string, Kept>();
    this.#kept.set(model, found);
    return found;
  }

  async #restore(model: AnyModel, key: string, options: ContextOptions): Promise<AnyContext | undefined> {
    try {
      const bytes = await this.#store?.read(key);
      if (bytes === undefined) return undefined;
      const context = await model.restore(bytes, options);
      this.#count("restored");
      return context;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  async #keep(model: AnyModel, key: string, { context, nStored }: Kept, signal: AbortSignal): Promise<void> {
    try {
      const { length } = await context.ids,
        // A conversation that lost its beginning is another one.
        isWorth = length - (length < nStored ? 0 : nStored) >= this.#minIds;
      if (isWorth && !signal.aborted) {
        const bytes = await context.save();
        await inTime(this.#store?.write(key, bytes), signal);
        this.#count("stored");
      }
      this.#remember(model, key, { context: await context.fork(), nStored: isWorth ? length : nStored });
    } catch (error) {
      this.#fail(error);
    }
  }

  #remember(model: AnyModel, key: string, kept: Kept): void {
    const all = this.#keptOf(model),
      before = all.get(key);
    all.delete(key);
    all.set(key, kept);
    const [oldest = ""] = all.keys();
    const gone = before ?? (all.size > KEPT_MAX ? all.get(oldest) : undefined);
    if (all.size > KEPT_MAX) all.delete(oldest);
    if (gone !== undefined) void Promise.resolve(gone.context.close()).catch(() => {});
  }

  #fail(error: unknown): void {
    this.#count("failed");
    this.#onError(error);
  }

  #count(outcome: string): void {
    this.#metrics.add("onebit_snapshots_total", 1, { outcome });
  }
}

/** Undefined where the store takes too long. */
async function inTime<T>(working: Promise<T> | undefined, signal: AbortSignal): Promise<T | undefined> {
  const timer = new AbortController(),
    end = (): void => timer.abort();
  signal.addEventListener("abort", end);
  try {
    if (signal.aborted) end();
    return await Promise.race([working, pause(STORE_TIMEOUT_MS, timer.signal).then(() => undefined)]);
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

/** Whether all that the conversation has read is still in the cache. */
async function isCached(context: AnyContext): Promise<boolean> {
  const [ids, cached] = await Promise.all([context.ids, context.cachedIds]);
  return cached.length === ids.length;
}

/** Fit for a file's name, and says nothing of its parts. */
async function keyOf(names: readonly string[]): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(names)));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
