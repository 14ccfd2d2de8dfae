/**
 * The worker's side of the kept models: downloads, hashes and lists them, away from the page's own thread.
 *
 * @module
 */
import { type PullProgress, list, pull, remove } from "../../hub.ts";
import { toWire } from "../protocol.ts";
import type { FromStore, StoreCallName, StoreCalls, ToStore } from "./store-protocol.ts";

/** A dedicated worker's global scope. */
export interface StoreScope {
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  postMessage(message: FromStore): void;
}

/** A person who waits can press "Go on": four seconds of failures are told, not the library's sixteen. */
const PULL_ATTEMPTS = 4;

type Handlers = {
  readonly [Name in StoreCallName]: (
    argument: StoreCalls[Name]["argument"],
    context: { readonly signal: AbortSignal; readonly onProgress: (progress: PullProgress) => void },
  ) => Promise<StoreCalls[Name]["done"]>;
};

const HANDLERS: Handlers = {
  async pull(source, { signal, onProgress }) {
    const pulled = await pull(source, { signal, onProgress, attempts: PULL_ATTEMPTS });
    return { source, sizeBytes: pulled.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  },
  list: () => list(),
  remove: (source) => remove(source),
};

export function serveStore(scope: StoreScope): void {
  const running = new Map<number, AbortController>();
  scope.addEventListener("message", ({ data }: MessageEvent) => {
    if (!isToStore(data)) return;
    if ("storeLock" in data) hold(scope, data.storeLock);
    else if ("abort" in data) running.get(data.storeCall)?.abort();
    else void answer(scope, data, running);
  });
}

/** The worker's other messages are not for the store. */
function isToStore(message: unknown): message is ToStore {
  return typeof message === "object" && message !== null && ("storeLock" in message || "storeCall" in message);
}

/** Until this worker ends. Without locks the page is not told, and does not watch. */
function hold(scope: StoreScope, lock: string): void {
  const held = new Promise<never>(() => {});
  globalThis.navigator?.locks?.request(lock, () => (scope.postMessage({ storeLocked: lock }), held)).catch(() => {});
}

async function answer(
  scope: StoreScope,
  { storeCall, name, argument }: Extract<ToStore, { name: StoreCallName }>,
  running: Map<number, AbortController>,
): Promise<void> {
  const abort = new AbortController();
  running.set(storeCall, abort);
  // The compiler cannot know that a handler and the argument of the same name belong together.
  const handle = HANDLERS[name] as (argument: unknown, context: unknown) => Promise<unknown>;
  try {
    const onProgress = (progress: PullProgress): void => scope.postMessage({ storeCall, progress });
    scope.postMessage({ storeCall, done: await handle(argument, { signal: abort.signal, onProgress }) });
  } catch (error) {
    scope.postMessage({ storeCall, error: toWire(error) });
  } finally {
    running.delete(storeCall);
  }
}
