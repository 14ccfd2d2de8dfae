/**
 * The page's side of the kept models. Its worker starts with the first call.
 *
 * @module
 */
import { OnebitError } from "../../../core/errors.ts";
import type { PullProgress } from "../../../hub.ts";
import { fromWire } from "../../protocol.ts";
import type { StartWorker } from "../start-worker.ts";
import type { FromStore, StoreCallName, StoreCalls, ToStore } from "../store-protocol.ts";

interface Listener {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
}

interface Pending {
  readonly onProgress: Listener["onProgress"];
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export class StoreClient {
  readonly #startWorker: StartWorker;
  readonly #pending = new Map<number, Pending>();
  #worker: Promise<Worker> | undefined;
  #nCalls = 0;

  constructor(startWorker: StartWorker) {
    this.#startWorker = startWorker;
  }

  /** @throws OnebitError as `pull`, `list` and `remove` of onebit/hub; `engine/worker-failed`, `hub/worker-lost` */
  async call<Name extends StoreCallName>(
    name: Name,
    argument: StoreCalls[Name]["argument"],
    { signal, onProgress }: Listener = {},
  ): Promise<StoreCalls[Name]["done"]> {
    const worker = await (this.#worker ??= this.#start()),
      storeCall = this.#nCalls++;
    const abort = (): void => worker.postMessage({ storeCall, abort: true } satisfies ToStore);
    const done = new Promise<unknown>((resolve, reject) =>
      this.#pending.set(storeCall, { onProgress, resolve, reject }),
    );
    worker.postMessage({ storeCall, name, argument } as ToStore);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    return (await done.finally(() => signal?.removeEventListener("abort", abort))) as StoreCalls[Name]["done"];
  }

  async #start(): Promise<Worker> {
    try {
      const { worker, started } = await this.#startWorker();
      if (globalThis.navigator?.locks !== undefined)
        worker.postMessage({ storeLock: `onebit-store-${crypto.randomUUID()}` } satisfies ToStore);
      let isLost = false;
      // Once: a worker that failed may end later, when another is in its place.
      const lose = (message: string): void => {
        if (!isLost) this.#lose(message);
        isLost = true;
      };
      worker.addEventListener("message", ({ data }: MessageEvent) => this.#receive(data as FromStore, lose));
      worker.addEventListener("error", ({ message }) => lose(message || "its script is missing or forbidden"));
      started();
      return worker;
    } catch (error) {
      this.#worker = undefined;
      throw error;
    }
  }

  #receive(message: FromStore, lose: (message: string) => void): void {
    if ("storeLocked" in message) return watch(message.storeLocked, lose);
    const pending = this.#pending.get(message.storeCall);
    if (pending === undefined) return;
    if ("progress" in message) return pending.onProgress?.(message.progress);
    this.#pending.delete(message.storeCall);
    if ("error" in message) pending.reject(fromWire(message.error));
    else pending.resolve(message.done);
  }

  /** The next call starts another worker. */
  #lose(message: string): void {
    this.#worker = undefined;
    for (const { reject } of this.#pending.values())
      reject(new OnebitError("hub/worker-lost", `the worker that keeps models has ended: ${message}`));
    this.#pending.clear();
  }
}

/** A worker that is killed says nothing, but its lock is free from then on. */
function watch(lock: string, lose: (message: string) => void): void {
  navigator.locks.request(lock, () => lose("terminated, or out of memory")).catch(() => {});
}
