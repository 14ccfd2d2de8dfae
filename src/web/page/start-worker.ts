/**
 * Starts the worker that runs and keeps models: from its file, from a text, or, if the browser allows neither, as a
 * stand-in on the page's own thread.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { StartedWorker } from "../worker-model.ts";
import type { ConnectionScope } from "../sessions.ts";

export type StartWorker = () => Promise<StartedWorker>;

/** The first message of the page's worker. */
export const STARTED = "started";

/**
 * @param url of the script, relative to the page
 * @throws OnebitError `engine/worker-failed` when the script is missing, forbidden or broken
 */
export function workerFromFile(url: string): StartWorker {
  return async () => {
    try {
      const worker = new Worker(new URL(url, document.baseURI), { name: "onebit" });
      await hasStarted(worker);
      return { worker, started() {}, stop: () => worker.terminate() };
    } catch (cause) {
      return fail(
        "engine/worker-failed",
        `${url}: the worker did not start: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      );
    }
  };
}

/** Browsers refuse a worker by an event, not by throwing. */
async function hasStarted(worker: Worker): Promise<void> {
  const over = new AbortController(),
    { signal } = over;
  try {
    await new Promise<void>((resolve, reject) => {
      worker.addEventListener("message", ({ data }) => data === STARTED && resolve(), { signal });
      worker.addEventListener(
        "error",
        (event) => {
          // The page tells the person, so keep it off the console.
          event.preventDefault();
          reject(new Error(event.message || "its script is missing or forbidden"));
        },
        { signal },
      );
    });
  } finally {
    over.abort();
  }
}

/** @throws whatever the browser says where Blob URLs are refused */
export function workerFromText(source: string): StartedWorker {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" })),
    worker = new Worker(url, { name: "onebit" });
  return { worker, started: () => URL.revokeObjectURL(url), stop: () => worker.terminate() };
}

/** True if this browser runs workers from a text. @param source must say {@link STARTED} */
export async function livesAsWorker(source: string): Promise<boolean> {
  try {
    const { worker, started, stop } = workerFromText(source);
    await hasStarted(worker).finally(() => (started(), stop()));
    return true;
  } catch {
    return false;
  }
}

/** Looks like a Worker to callers, but runs `serve` on this thread. */
export function workerOnThisThread(serve: (scope: ConnectionScope) => void): StartWorker {
  return async () => {
    const inside = new EventTarget();
    serve({
      addEventListener: (type, listener) => inside.addEventListener(type, listener as (event: Event) => void),
    });
    // It never fails, so it sends nothing outside: answers go through the ports.
    const worker = Object.assign(new EventTarget(), {
      postMessage: (data: unknown, ports: MessagePort[] = []) =>
        queueMicrotask(() => inside.dispatchEvent(new MessageEvent("message", { data, ports }))),
      terminate() {},
      onmessage: null,
      onmessageerror: null,
      onerror: null,
    }) as unknown as Worker;
    return { worker, started() {}, stop() {} };
  };
}
