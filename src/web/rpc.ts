/**
 * Calls over messages. A call has a number, and every further message about it carries that number:
 *
 *   caller   → { call, name, args, wantsPieces }   { call, abort }   { call, consumed }
 *   answerer → { call, progress }   { call, piece } …   { call, done }  or  { call, error }
 *
 * A signal stays with its caller and crosses as `abort`. Pieces are sent only to readers, a few ahead.
 *
 * @module
 */
import { OnebitError } from "../core/errors.ts";
import { type WireError, fromWire, toWire } from "./wire-error.ts";

/** The arguments, result, progress and pieces of a call. */
interface CallShape {
  args: readonly unknown[];
  done: unknown;
  progress?: unknown;
  piece?: unknown;
}

/** The calls of a service, by name. */
export type CallTable<Calls> = { readonly [Name in keyof Calls]: CallShape };

type NameOf<Calls> = keyof Calls & string;

export type ToAnswerer<Calls extends CallTable<Calls>> =
  | {
      [Name in NameOf<Calls>]: {
        readonly call: number;
        readonly name: Name;
        readonly args: Calls[Name]["args"];
        readonly wantsPieces: boolean;
      };
    }[NameOf<Calls>]
  | { readonly call: number; readonly abort: true }
  | { readonly call: number; readonly consumed: true };

export type ToCaller =
  | { readonly call: number; readonly progress: unknown }
  | { readonly call: number; readonly piece: unknown }
  | { readonly call: number; readonly done: unknown }
  | { readonly call: number; readonly error: WireError };

/** Pieces the answerer may be ahead of the reader: a page busy with a frame (16 ms) does not stop the model. */
const PIECES_AHEAD_MAX = 32;

/** Listeners while a call runs. */
export interface Listener<Shape extends CallShape = CallShape> {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: NonNullable<Shape["progress"]>) => void;
  /** Without it no pieces are sent: each would needlessly wake the page, on a core that computes. */
  readonly onPiece?: (piece: NonNullable<Shape["piece"]>) => void;
}

export interface Call<Done> {
  readonly done: Promise<Done>;
  /** Reports a read piece, so that another may be sent. */
  consumed(): void;
  abort(): void;
}

interface Pending {
  readonly listener: Listener<never>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** The calling side. */
export class Caller<Calls extends CallTable<Calls>> {
  readonly #post: (message: ToAnswerer<Calls>) => void;
  readonly #pending = new Map<number, Pending>();
  #end: OnebitError | undefined;
  #nCalls = 0;

  constructor(post: (message: ToAnswerer<Calls>) => void) {
    this.#post = post;
  }

  /** @param args must be cloneable; otherwise the call rejects with `option/invalid`. */
  call<Name extends NameOf<Calls>>(
    name: Name,
    args: Calls[Name]["args"],
    listener: Listener<Calls[Name]> = {},
  ): Call<Calls[Name]["done"]> {
    const call = this.#nCalls++,
      { signal } = listener;
    const abort = (): void => this.#send({ call, abort: true });
    const done = new Promise<unknown>((resolve, reject) => {
      if (this.#end) return reject(this.#end);
      this.#pending.set(call, { listener, resolve, reject });
      try {
        this.#send({ call, name, args, wantsPieces: listener.onPiece !== undefined } as ToAnswerer<Calls>);
      } catch (cause) {
        this.#pending.delete(call);
        return reject(unsendable(name, cause));
      }
      if (signal?.aborted) abort();
      signal?.addEventListener("abort", abort);
    }).finally(() => signal?.removeEventListener("abort", abort)) as Promise<Calls[Name]["done"]>;
    // The iterating consumer gets the error too; an unawaited result must not count as unhandled.
    done.catch(() => {});
    return { done, abort, consumed: () => this.#send({ call, consumed: true }) };
  }

  receive(message: ToCaller): void {
    const pending = this.#pending.get(message.call);
    if (!pending) return;
    const { listener, resolve, reject } = pending;
    if ("progress" in message) return listener.onProgress?.(message.progress as never);
    if ("piece" in message) return listener.onPiece?.(message.piece as never);
    this.#pending.delete(message.call);
    if ("error" in message) reject(fromWire(message.error));
    else resolve(message.done);
  }

  /** Rejects all waiting and later calls with `error`. */
  end(error: OnebitError): void {
    if (this.#end) return;
    this.#end = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #send(message: ToAnswerer<Calls>): void {
    if (!this.#end) this.#post(message);
  }
}

function unsendable(name: string, cause: unknown): OnebitError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new OnebitError("option/invalid", `${name}: wanted arguments that can be sent to a worker: ${why}`, { cause });
}

/** The context of a handler. */
interface CallContext<Shape extends CallShape> {
  readonly signal: AbortSignal;
  onProgress(progress: NonNullable<Shape["progress"]>): void;
  /** Sends a piece once there is room; absent without a reader. */
  readonly sendPiece?: (piece: NonNullable<Shape["piece"]>) => Promise<void>;
  /** Aborts all other running calls, and waits for their answers. */
  endOthers(): Promise<void>;
}

export type Handlers<Calls extends CallTable<Calls>> = {
  readonly [Name in NameOf<Calls>]: (
    args: Calls[Name]["args"],
    context: CallContext<Calls[Name]>,
  ) => Promise<Calls[Name]["done"]> | Calls[Name]["done"];
};

/** A running call. */
interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<void>;
  /** One more piece may be sent. */
  consumed(): void;
}

/** The answering side. */
export class Answerer<Calls extends CallTable<Calls>> {
  readonly #post: (message: ToCaller) => void;
  readonly #handlers: Handlers<Calls>;
  readonly #running = new Map<number, Running>();

  constructor(handlers: Handlers<Calls>, post: (message: ToCaller) => void) {
    this.#handlers = handlers;
    this.#post = post;
  }

  receive(message: ToAnswerer<Calls>): void {
    if ("abort" in message) this.#running.get(message.call)?.abort.abort();
    else if ("consumed" in message) this.#running.get(message.call)?.consumed();
    else this.#start(message);
  }

  #start({ call, name, args, wantsPieces }: Extract<ToAnswerer<Calls>, { name: string }>): void {
    const abort = new AbortController(),
      { room, consumed } = createWindow(abort.signal),
      send = (message: ToCaller): void => this.#post(message);
    const sendPiece = async (piece: unknown): Promise<void> => {
      await room();
      send({ call, piece });
    };
    const context: CallContext<CallShape> = {
      signal: abort.signal,
      onProgress: (progress) => send({ call, progress }),
      ...(wantsPieces ? { sendPiece } : {}),
      endOthers: () => this.#endOthers(call),
    };
    // The compiler cannot know that a handler and the arguments of the same name belong together.
    const handle: (args: never, context: never) => unknown = this.#handlers[name];
    const work = async (): Promise<void> => {
      try {
        send({ call, done: await handle(args as never, context as never) });
      } catch (error) {
        send({ call, error: toWire(error) });
      } finally {
        this.#running.delete(call);
      }
    };
    // One turn later, when the call is in the map that its work reads.
    this.#running.set(call, { abort, ended: Promise.resolve().then(work), consumed });
  }

  async #endOthers(own: number): Promise<void> {
    const others = [...this.#running].filter(([call]) => call !== own).map(([, running]) => running);
    for (const { abort } of others) abort.abort();
    await Promise.all(others.map(({ ended }) => ended));
  }
}

/** Counts unread pieces. */
function createWindow(signal: AbortSignal): { room(): Promise<void>; consumed(): void } {
  let ahead = 0,
    wake = (): void => {};
  signal.addEventListener("abort", () => wake());
  return {
    async room() {
      while (ahead >= PIECES_AHEAD_MAX && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      ahead++;
    },
    consumed() {
      ahead--;
      wake();
    },
  };
}
