/**
 * The worker's side: runs models for the pages that connect.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { Generation, GenerationResult, Model, load as Load } from "../index.ts";
import { PIECES_AHEAD_MAX, toWire } from "./protocol.ts";
import type { CallName, Calls, Connect, Connected, ModelFacts, ToPage, ToWorker } from "./protocol.ts";

/** Where connections arrive: a dedicated worker's global scope. */
export interface ConnectionScope {
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

/** Answers every page that connects to this worker; each connection has a model of its own. */
export function serveWith(load: typeof Load, scope: ConnectionScope): void {
  scope.addEventListener("message", ({ data, ports }: MessageEvent) => {
    if (data?.onebit === "connect" && ports[0] !== undefined) void connect(ports[0], data as Connect, load);
  });
}

async function connect(port: MessagePort, { lock }: Connect, load: typeof Load): Promise<void> {
  const session = new Session(port, load);
  port.onmessage = ({ data }: MessageEvent) => session.receive(data as ToWorker);
  const hello = (locked: boolean): void => port.postMessage({ connected: true, locked } satisfies Connected);
  const { locks } = globalThis.navigator ?? {};
  if (locks === undefined) hello(false);
  else await locks.request(lock, () => (hello(true), session.closed));
}

/** A call that runs. */
interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<void>;
  /** One piece more may be sent. */
  consumed(): void;
}

/** What a call's work is given. */
interface CallContext {
  readonly signal: AbortSignal;
  onProgress(progress: unknown): void;
  /** Sends every piece as the page reads them; returns the result. */
  stream(generation: Generation): Promise<GenerationResult>;
}

type Handlers = {
  readonly [Name in CallName]: (
    session: Session,
    args: Calls[Name]["args"],
    context: CallContext,
  ) => Promise<Calls[Name]["done"]> | Calls[Name]["done"];
};

const HANDLERS: Handlers = {
  load: (session, [source, options], { signal, onProgress }) =>
    session.load(source, { ...options, signal, onProgress }),
  generate: ({ model }, [prompt, options], { signal, onProgress, stream }) =>
    stream(model.generate(prompt, { ...options, signal, onProgress })),
  chat: ({ model }, [messages, options], { signal, onProgress, stream }) =>
    stream(model.chat(messages, { ...options, signal, onProgress })),
  embed: ({ model }, [texts, options], { signal, onProgress }) =>
    model.embed(texts, { ...options, signal, onProgress }),
  logits: ({ model }, [ids, options], { signal }) => model.logits(ids, { ...options, signal }),
  encode: ({ model }, [text]) => model.tokenizer.encode(text),
  decode: ({ model }, [ids]) => model.tokenizer.decode(ids),
  close: (session) => session.close(),
};

class Session {
  /** Resolves when the page has closed the session. */
  readonly closed: Promise<void>;
  readonly #port: MessagePort;
  readonly #load: typeof Load;
  readonly #running = new Map<number, Running>();
  #model: Model | undefined;
  #end: () => void = () => {};

  constructor(port: MessagePort, load: typeof Load) {
    this.#port = port;
    this.#load = load;
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get model(): Model {
    return this.#model ?? fail("model/closed", "this worker's model is not loaded or was closed: load it again");
  }

  async load(...[source, options]: Parameters<typeof Load>): Promise<ModelFacts> {
    if (this.#model !== undefined)
      fail("model/busy", "this session has loaded a model already: load the next one in a session of its own");
    const model = await this.#load(source, options);
    this.#model = model;
    const { config, contextLength, vocabSize, memory, engine, warnings, hasTokenizer, loadMs } = model;
    return { config, contextLength, vocabSize, memory, engine, warnings, hasTokenizer, loadMs };
  }

  receive(message: ToWorker): void {
    if ("end" in message) this.#finish();
    else if ("abort" in message) this.#running.get(message.call)?.abort.abort();
    else if ("consumed" in message) this.#running.get(message.call)?.consumed();
    else this.#start(message);
  }

  /** Ends what runs, then frees the model: the answers to the calls that were ended leave before that to `close`. */
  async close(): Promise<undefined> {
    // The call to close is in the map itself, as the last one.
    const others = [...this.#running.values()].slice(0, -1);
    for (const { abort } of others) abort.abort();
    await Promise.all(others.map(({ ended }) => ended));
    await this.#model?.close();
    this.#model = undefined;
  }

  #finish(): void {
    this.#end();
    this.#port.close();
  }

  #start({ call, name, args, wantsPieces }: Extract<ToWorker, { name: CallName }>): void {
    const abort = new AbortController(),
      window = createWindow(abort.signal);
    const send = (message: ToPage): void => this.#port.postMessage(message);
    const context: CallContext = {
      signal: abort.signal,
      onProgress: (progress) => send({ call, progress }),
      async stream(generation) {
        if (!wantsPieces) return generation.result();
        for await (const piece of generation) {
          await window.room();
          send({ call, piece });
        }
        return generation.result();
      },
    };
    // The compiler cannot know that a handler and the arguments of the same name belong together.
    const handle = HANDLERS[name] as (session: Session, args: unknown, context: CallContext) => unknown;
    const work = async (): Promise<void> => {
      try {
        send({ call, done: await handle(this, args, context) });
      } catch (error) {
        send({ call, error: toWire(error) });
      } finally {
        this.#running.delete(call);
      }
    };
    // A turn later: the call is in the map before its work looks there.
    const ended = Promise.resolve().then(work);
    this.#running.set(call, { abort, ended, consumed: window.consumed });
  }
}

/** Counts pieces that nobody has read yet. */
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
