/**
 * A session with a worker, from the page's side: how it is opened, and what happens when the worker dies.
 *
 * The page hands the worker a port, which the calls of one session go through ({@link Caller}); at last it says `end`.
 *
 * @module
 */
import { OnebitError, fail } from "../core/errors.ts";
import { type Call, type CallTable, Caller, type Listener, type ToCaller } from "./rpc.ts";

/** What a worker can do for a page: run a model, keep models. */
export type Service = "model" | "store";

export interface Connect {
  readonly onebit: Service;
  /** The worker holds the Web Lock of this name while the session lasts: the page sees it go when the worker dies. */
  readonly lock: string;
}

export interface Connected {
  readonly connected: true;
  /** False where there are no Web Locks: a page without a secure context. */
  readonly locked: boolean;
}

/**
 * The page has heard all it waited for. The worker gives its lock back only now: a lock's news may overtake a port's.
 */
export interface SessionEnd {
  readonly end: true;
}

/** The worker's script may be on its way over a slow network; after this something is wrong with it. */
const CONNECT_TIMEOUT_MS = 60_000;

/**
 * Opens a session.
 * @param lost what calls are told when the worker dies
 * @throws OnebitError `engine/worker-failed` when the worker does not start or does not answer; `aborted`
 */
export async function connect<Calls extends CallTable<Calls>>(
  worker: Worker,
  service: Service,
  lost: OnebitError,
  signal?: AbortSignal,
): Promise<Connection<Calls>> {
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
    worker.postMessage({ onebit: service, lock } satisfies Connect, [port2]);
    return new Connection<Calls>(port, lost, (await answer).locked ? lock : undefined);
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

export class Connection<Calls extends CallTable<Calls>> {
  /** Resolves when the session is over, whatever ended it. */
  readonly ended: Promise<void>;
  readonly #port: MessagePort;
  readonly #caller: Caller<Calls>;
  readonly #stopWatching = new AbortController();
  /** What later calls are told, once the session is being closed. */
  #closing: OnebitError | undefined;
  #isOver = false;
  #resolveEnded: () => void = () => {};

  /** @param lock that the worker holds while it lives; undefined where there are none */
  constructor(port: MessagePort, lost: OnebitError, lock: string | undefined) {
    this.#port = port;
    this.#caller = new Caller<Calls>((message) => port.postMessage(message));
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    port.onmessage = ({ data }: MessageEvent) => this.#caller.receive(data as ToCaller);
    if (lock !== undefined) this.#watch(lock, lost);
  }

  /** See {@link Caller.call}. */
  call<Name extends keyof Calls & string>(
    name: Name,
    args: Calls[Name]["args"],
    listener?: Listener<Calls[Name]>,
  ): Call<Calls[Name]["done"]> {
    return this.#caller.call(name, args, listener);
  }

  /** Ends the session after the call `last`. Later calls reject with `error`. */
  async close(error: OnebitError, last: () => Call<unknown>): Promise<void> {
    this.#closing = error;
    // A worker that is gone has freed everything.
    await last().done.catch(() => {});
    this.#finish(error);
  }

  #finish(error: OnebitError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopWatching.abort();
    this.#port.postMessage({ end: true } satisfies SessionEnd);
    this.#port.close();
    this.#caller.end(error);
    this.#resolveEnded();
  }

  /** A worker that is killed says nothing, but its locks are free from then on. */
  #watch(lock: string, lost: OnebitError): void {
    navigator.locks
      .request(lock, { signal: this.#stopWatching.signal }, () => this.#finish(this.#closing ?? lost))
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
