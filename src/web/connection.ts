/**
 * The page's side of one session with a worker: calls out, answers in, and what happens when the worker dies.
 *
 * @module
 */
import { OnebitError, fail } from "../core/errors.ts";
import type { Piece } from "../index.ts";
import { fromWire } from "./protocol.ts";
import type { CallName, Calls, Connect, Connected, SessionEnd, ToPage, ToWorker } from "./protocol.ts";

/** The worker's script may be on its way over a slow network; after this something is wrong with it. */
const CONNECT_TIMEOUT_MS = 60_000;

/** What a page hears while a call runs. */
export interface Listener {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: never) => void;
  /** Without it no piece is sent: each would wake the page for nothing, on a core that computes. */
  readonly onPiece?: (piece: Piece) => void;
}

export interface Call<Done> {
  readonly done: Promise<Done>;
  /** A piece was read: the worker may send another. */
  consumed(): void;
  abort(): void;
}

interface Pending {
  readonly listener: Listener;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Opens a session.
 * @throws OnebitError `engine/worker-failed` when the worker does not start or does not answer; `aborted`
 */
export async function connect(worker: Worker, signal?: AbortSignal): Promise<Connection> {
  const { port1: port, port2 } = new MessageChannel(),
    lock = `onebit-${randomName()}`;
  const stop = new AbortController();
  try {
    const answer = new Promise<Connected>((resolve, reject) => {
      const refuse = (code: "engine/worker-failed" | "aborted", message: string): void =>
        reject(new OnebitError(code, message));
      port.onmessage = ({ data }: MessageEvent) => resolve(data as Connected);
      const failed = (event: ErrorEvent): void =>
        refuse("engine/worker-failed", `the worker did not start: ${event.message || NOT_ALLOWED}`);
      worker.addEventListener("error", failed as (event: Event) => void, { signal: stop.signal });
      const onAbort = (): void => refuse("aborted", "stopped by the caller's abort signal");
      if (signal?.aborted) onAbort();
      signal?.addEventListener("abort", onAbort, { signal: stop.signal });
      const timer = setTimeout(
        () =>
          refuse(
            "engine/worker-failed",
            `the worker did not answer within ${CONNECT_TIMEOUT_MS / 1000} s; does its script call serve() of ` +
              `"onebit/worker-host"?`,
          ),
        CONNECT_TIMEOUT_MS,
      );
      stop.signal.addEventListener("abort", () => clearTimeout(timer));
    });
    worker.postMessage({ onebit: "connect", lock } satisfies Connect, [port2]);
    return new Connection(port, (await answer).locked ? lock : undefined);
  } catch (error) {
    // A worker that answers later must not keep a session that nobody will end.
    port.postMessage({ end: true } satisfies SessionEnd);
    port.close();
    throw error;
  } finally {
    stop.abort();
  }
}

/** An error event without a message is all a page sees of a worker that its policy forbids. */
export const NOT_ALLOWED =
  "its script is missing or forbidden; a Content-Security-Policy must have worker-src blob:, or give " +
  "loadInWorker a worker of your own";

export class Connection {
  readonly #port: MessagePort;
  readonly #pending = new Map<number, Pending>();
  readonly #stopWatching = new AbortController();
  #end: OnebitError | undefined;
  /** What later calls are told, once the session is being closed. */
  #closing: string | undefined;
  #nCalls = 0;

  constructor(port: MessagePort, lock: string | undefined) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent) => this.#receive(data as ToPage);
    if (lock !== undefined) this.#watch(lock);
  }

  /** @param args must be what a worker can be sent; what cannot (`option/invalid`) rejects the call. */
  call<Name extends CallName>(
    name: Name,
    args: Calls[Name]["args"],
    listener: Listener = {},
  ): Call<Calls[Name]["done"]> {
    const call = this.#nCalls++,
      { signal } = listener;
    const abort = (): void => this.#send({ call, abort: true });
    const done = new Promise<unknown>((resolve, reject) => {
      if (this.#end) return reject(this.#end);
      this.#pending.set(call, { listener, resolve, reject });
      try {
        this.#send({ call, name, args, wantsPieces: listener.onPiece !== undefined } as ToWorker);
      } catch (cause) {
        this.#pending.delete(call);
        return reject(
          new OnebitError(
            "option/invalid",
            `${name}: what it is given cannot be sent to a ` +
              `worker: ${cause instanceof Error ? cause.message : String(cause)}`,
            { cause },
          ),
        );
      }
      if (signal?.aborted) abort();
      signal?.addEventListener("abort", abort);
    }).finally(() => signal?.removeEventListener("abort", abort)) as Promise<Calls[Name]["done"]>;
    // An error also reaches the one who iterates; a result nobody asked for must not count as unhandled.
    done.catch(() => {});
    return { done, abort, consumed: () => this.#send({ call, consumed: true }) };
  }

  /** Ends what runs and frees the model. Later calls reject with `model/closed` and `message`. */
  async close(message: string): Promise<void> {
    this.#closing = message;
    // A worker that is gone has freed everything.
    await this.call("close", []).done.catch(() => {});
    this.#finish("model/closed", message);
  }

  /** Every call that waits, and every later one, rejects with this. */
  #finish(code: "model/closed" | "engine/worker-lost", message: string): void {
    if (this.#end) return;
    this.#end = new OnebitError(code, message);
    this.#stopWatching.abort();
    this.#port.postMessage({ end: true } satisfies SessionEnd);
    this.#port.close();
    for (const { reject } of this.#pending.values()) reject(this.#end);
    this.#pending.clear();
  }

  #send(message: ToWorker): void {
    if (!this.#end) this.#port.postMessage(message);
  }

  #receive(message: ToPage): void {
    const pending = this.#pending.get(message.call);
    if (!pending) return;
    const { listener, resolve, reject } = pending;
    if ("progress" in message) return listener.onProgress?.(message.progress as never);
    if ("piece" in message) return listener.onPiece?.(message.piece);
    this.#pending.delete(message.call);
    if ("error" in message) reject(fromWire(message.error));
    else resolve(message.done);
  }

  /** A worker that is killed says nothing, but its locks are free from then on. */
  #watch(lock: string): void {
    navigator.locks
      .request(lock, { signal: this.#stopWatching.signal }, () => {
        if (this.#closing === undefined)
          this.#finish(
            "engine/worker-lost",
            "the worker that ran the model has ended (terminated, or out of memory): load the model again",
          );
        else this.#finish("model/closed", this.#closing);
      })
      // Refused when the session ends first: then there is nothing left to watch.
      .catch(() => {});
  }
}

/** Other pages of the same origin see the same locks. */
function randomName(): string {
  return [...globalThis.crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(36)).join("-");
}

/** What the page gives, in a form that can be sent. @throws OnebitError `option/invalid` */
export function toWireSource(source: unknown): string | Blob | Uint8Array {
  if (source instanceof URL) return source.href;
  if (source instanceof Blob || source instanceof Uint8Array) return source;
  if (typeof source !== "string")
    fail(
      "option/invalid",
      "model: wanted a URL, a Blob or File, or a Uint8Array of a file's bytes; nothing else can be sent to a worker",
    );
  // The worker's own address is another: what is relative is so to the page.
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  return URL.canParse(source, base) ? new URL(source, base).href : source;
}
