/**
 * The worker that runs and keeps models for the page: from its file, from a text, or, where a browser allows neither,
 * something on the page's own thread that looks like one.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { StartedWorker } from "../worker-model.ts";
import type { StoreScope } from "./store-host.ts";

export type StartWorker = () => Promise<StartedWorker>;

/** @param url of the script, relative to the page */
export function workerFromFile(url: string): StartWorker {
  return async () => {
    try {
      const worker = new Worker(new URL(url, document.baseURI), { name: "onebit" });
      return { worker, started() {}, stop: () => worker.terminate() };
    } catch (cause) {
      return fail("engine/worker-failed", `${url}: this browser refused to start a worker: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
    }
  };
}

/** @throws whatever the browser says where Blob URLs are refused */
export function workerFromText(source: string): StartedWorker {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" })), worker = new Worker(url, { name: "onebit" });
  return { worker, started: () => URL.revokeObjectURL(url), stop: () => worker.terminate() };
}

/**
 * Whether a worker from this text lives: browsers refuse one by an event, not by throwing.
 * @param source must answer any message
 */
export async function livesAsWorker(source: string): Promise<boolean> {
  try {
    const { worker, started, stop } = workerFromText(source);
    const lives = await new Promise<boolean>((resolve) => {
      worker.onmessage = () => resolve(true);
      worker.onerror = () => resolve(false);
      worker.postMessage("hello");
    });
    started();
    stop();
    return lives;
  } catch {
    return false;
  }
}

/** What `serve` does in a worker's scope it does here, on this thread; to callers it is a Worker. */
export function workerOnThisThread(serve: (scope: StoreScope) => void): StartWorker {
  return async () => {
    const inside = new EventTarget(), outside = new EventTarget();
    const later = (target: EventTarget, data: unknown, ports: MessagePort[] = []): void =>
      queueMicrotask(() => target.dispatchEvent(new MessageEvent("message", { data, ports })));
    serve({
      addEventListener: (type, listener) => inside.addEventListener(type, listener as (event: Event) => void),
      postMessage: (message) => later(outside, message),
    });
    const worker = Object.assign(outside, {
      postMessage: (data: unknown, ports: MessagePort[] = []) => later(inside, data, ports),
      terminate() {}, onmessage: null, onmessageerror: null, onerror: null,
    }) as unknown as Worker;
    return { worker, started() {}, stop() {} };
  };
}
