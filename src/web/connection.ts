/**
 * The page's side of a session with a worker: opens it, and notices when the worker dies.
 *
 * The page sends the worker a port for the calls of one session ({@link Caller}), and finally `end`.
 *
 * @module
 */
import { OnebitError, fail } from "../core/errors.ts";
import { type Call, type CallTable, Caller, type Listener, type ToCaller } from "./rpc.ts";

/** What a worker can do for a page: run a model, keep models. */
export type Service = "model" | "store";

export interface Connect {
  readonly onebit: Service;
  /** The worker holds the Web Lock of this name during the session; its release tells the page that the worker died. */
  readonly lock: string;
}

export interface Connected {
  readonly connected: true;
  /** False without Web Locks, as outside secure contexts. */
  readonly locked: boolean;
}

/**
 * The page has all its answers. Only now does the worker release its lock: its release may overtake the port's
 * messages.
 */
export interface SessionEnd {
  readonly end: true;
}

/** Long enough to fetch the worker's script over a slow network. */
const CONNECT_TIMEOUT_MS = 60_000;

/**
 * Opens a session.
 * @param lost the error of calls when the worker dies
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
    // A worker that answers late must not keep a session open.
    port.postMessage({ end: true } satisfies SessionEnd);
    port.close();
    throw error;
  } finally {
    stop.abort();
  }
}

/** For a worker forbidden by policy the page gets only an error event without a message. */
export const NOT_ALLOWED =
  "its script is missing or forbidden; a Content-Security-Policy must have worker-src blob:, or give " +
  "loadInWorker a worker of your own";

export class Connection<Calls extends CallTable<Calls>> {
  /** Resolves when the session is over, whatever ended it. */
  readonly ended: Promise<void>;
  readonly #port: MessagePort;
  readonly #caller: Caller<Calls>;
  readonly #stopWatching = new AbortController();
  /** The error of later calls, once the session closes. */
  #closing: OnebitError | undefined;
  #isOver = false;
  #resolveEnded: () => void = () => {};

  /** @param lock held by the worker while it lives; undefined without Web Locks */
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
    // A dead worker has freed everything.
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

  /** A killed worker sends nothing, but releases its locks. */
  #watch(lock: string, lost: OnebitError): void {
    navigator.locks
      .request(lock, { signal: this.#stopWatching.signal }, () => this.#finish(this.#closing ?? lost))
      // Rejects if the session ends first: nothing is left to watch.
      .catch(() => {});
  }
}

/** Other pages of the same origin see the same locks. */
function randomName(): string {
  return [...globalThis.crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(36)).join("-");
}

/** The page's source in a form that can be sent. @throws OnebitError `option/invalid` */
export function toWireSource(source: unknown): string | Blob | Uint8Array {
  if (source instanceof URL) return source.href;
  if (source instanceof Blob || source instanceof Uint8Array) return source;
  if (typeof source !== "string")
    fail(
      "option/invalid",
      "model: wanted a URL, a Blob or File, or a Uint8Array of a file's bytes; nothing else can be sent to a worker",
    );
  // Resolves relative URLs against the page: the worker's own address differs.
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  return URL.canParse(source, base) ? new URL(source, base).href : source;
}
