/**
 * Visitors of examples/worker who behave as visitors do: they leave at any moment, send odd bodies, hold many
 * conversations, and ask for models whose bucket stalls. Every answer is compared with the one the library gives alone.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Random, seededRandom } from "../synthetic/random.ts";
import { type Model, load } from "../../src/index.ts";
import type { ServedWorker } from "./served-worker.ts";
import { readAnswer } from "./worker-answer.ts";

/** No answer takes a fraction of it, nor do all that a client asks at a time. */
const STUCK_MS = 120_000;
/**
 * A connection of its own for each request: workerd ends one that rests for 5 s, perhaps while the next request is on
 * its way. So a connection that ends without an answer is a failure, and nothing is asked twice.
 *
 * workerd also hangs up on a client that connects and says nothing for 15 s. These clients share their process with the
 * library that is asked for the same, so a report says how long that kept them from their sockets.
 */
const ALONE = { connection: "close" };
const TEXTS = ["ROMEO:", "\nJULIET:\nO", "KING HENRY V:\nOnce more", "It was", "é 😀", "\n\n"];
const MAX_TOKENS = [1, 2, 7, 20, 40];
/** A conversation is begun anew before it outgrows its model. */
const IDS_MAX = 180;

export interface VisitOptions {
  readonly worker: ServedWorker;
  readonly nRequests: number;
  readonly nClients: number;
  readonly seed: number;
  /** Files of the bucket, by name: their paths here. */
  readonly files: Readonly<Record<string, string>>;
  /** When the last request may be made, as `Date.now()`. */
  readonly untilMs?: number;
}

/** How often each kind of request came to each end. */
export type Outcomes = Readonly<Record<string, number>>;

export interface Visit {
  readonly outcomes: Outcomes;
  /** The longest time in which no client could do anything, as this process was computing. */
  readonly stalledMs: number;
}

/**
 * @throws Error when an answer is not the one given alone, a turn is lost, a connection ends or a request gets no
 *   answer: with what was going on
 */
export async function visit(options: VisitOptions): Promise<Visit> {
  const outcomes: Record<string, number> = {},
    oracle = new Oracle(options.files),
    delay = monitorEventLoopDelay(),
    stalledMs = (): number => Math.round(delay.max / 1e6);
  let nMade = 0;
  delay.enable();
  const client = async (number: number): Promise<void> => {
    const visitor = new Visitor(
      options.worker.url,
      Object.keys(options.files),
      seededRandom(options.seed * 1000 + number),
      oracle,
    );
    while (nMade < options.nRequests && Date.now() < (options.untilMs ?? Infinity)) {
      nMade++;
      const outcome = await notStuck(visitor.ask()).catch((cause: unknown) => {
        const seen = `the clients stood still for ${stalledMs()} ms at most; ${options.worker.state()}`;
        throw new Error(`client ${number}, request ${nMade}: ${visitor.doing}: ${String(cause)}; ${seen}`, { cause });
      });
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: options.nClients }, (_, number) => client(number)));
  await oracle.close();
  delay.disable();
  return { outcomes, stalledMs: stalledMs() };
}

/** A timer of its own: Node 20 collects a signal of `AbortSignal.timeout`, and then it never fires. */
async function notStuck<T>(asking: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stuck = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`stuck: no end within ${STUCK_MS / 1000} s`)), STUCK_MS);
  });
  return await Promise.race([asking, stuck]).finally(() => clearTimeout(timer));
}

interface Ask {
  readonly text: string;
  readonly maxTokens: number;
  readonly seed: number;
  readonly model?: string;
}

/** The library, asked for the same with nothing else going on. */
class Oracle {
  readonly #files: VisitOptions["files"];
  readonly #models = new Map<string | undefined, Promise<Model>>();
  readonly #answers = new Map<string, Promise<{ readonly ids: readonly number[]; readonly text: string }>>();

  constructor(files: VisitOptions["files"]) {
    this.#files = files;
  }

  model(name: string | undefined): Promise<Model> {
    const model =
      this.#models.get(name) ?? load(name === undefined ? undefined : this.#files[name], { kvType: "q8", threads: 1 });
    this.#models.set(name, model);
    return model;
  }

  async answer(
    promptIds: readonly number[],
    { maxTokens, seed, model: name }: Ask,
  ): Promise<{ readonly ids: readonly number[]; readonly text: string }> {
    const key = JSON.stringify([promptIds, maxTokens, seed, name]),
      model = await this.model(name);
    const answer = this.#answers.get(key) ?? model.generate(promptIds, { maxTokens, seed }).result();
    this.#answers.set(key, answer);
    return await answer;
  }

  async close(): Promise<void> {
    for (const model of this.#models.values()) await (await model).close();
  }
}

interface Conversation {
  readonly path: string;
  readonly model: string | undefined;
  /** What must stand there; after a turn that was left, what must at least. */
  ids: readonly number[];
  wasLeft: boolean;
}

type Leave = { readonly afterMs: number } | { readonly afterChunks: number };

class Visitor {
  readonly #url: string;
  readonly #models: readonly (string | undefined)[];
  readonly #random: Random;
  readonly #oracle: Oracle;
  #conversation: Conversation | undefined;
  #last: { readonly request: string; readonly begunMs: number } | undefined;

  constructor(url: string, files: readonly string[], random: Random, oracle: Oracle) {
    this.#url = url;
    // The model in the package most of the time.
    this.#models = [undefined, undefined, undefined, ...files];
    this.#random = random;
    this.#oracle = oracle;
  }

  /** One request; returns what it was and how it ended. */
  async ask(): Promise<string> {
    const kind = this.#random.u32() % 100;
    if (kind < 30) return await this.#generate(undefined);
    if (kind < 50) return await this.#generate(this.#leave());
    if (kind < 70) return await this.#turn(undefined);
    if (kind < 85) return await this.#turn(this.#leave());
    return kind < 95 ? await this.#odd() : await this.#forget();
  }

  /** The last request it made. */
  get doing(): string {
    const { request, begunMs } = this.#last ?? { request: "nothing", begunMs: performance.now() };
    return `${request}, begun ${Math.round(performance.now() - begunMs)} ms ago`;
  }

  /** Each request is made here. */
  async #fetch(path: string, method: string, body?: BodyInit, signal?: AbortSignal): Promise<Response> {
    const text = typeof body === "string" ? body.slice(0, 200) : body === undefined ? "" : "a body of bytes";
    this.#last = { request: `${method} ${path} ${text}`, begunMs: performance.now() };
    // "half" is for a body that is a stream.
    return await fetch(this.#url + path, { method, headers: ALONE, body, duplex: "half", signal } as RequestInit);
  }

  #one<T>(values: readonly T[]): T {
    return values[this.#random.u32() % values.length];
  }

  #leave(): Leave {
    // While it loads, waits, or writes.
    return this.#random.u32() % 2 === 0
      ? { afterMs: this.#random.u32() % 60 }
      : { afterChunks: 1 + (this.#random.u32() % 4) };
  }

  #newAsk(model: string | undefined): Ask {
    return { text: this.#one(TEXTS), maxTokens: this.#one(MAX_TOKENS), seed: this.#random.u32() % 4, model };
  }

  async #generate(leave: Leave | undefined): Promise<string> {
    const ask = this.#newAsk(this.#one(this.#models)),
      response = await this.#send("/generate", ask, leave);
    if (typeof response === "string") return `generate: ${response}`;
    const answer = await readAnswer(response),
      model = await this.#oracle.model(ask.model);
    assert.equal(
      answer.text,
      (await this.#oracle.answer(model.tokenizer.encode(ask.text), ask)).text,
      JSON.stringify(ask),
    );
    return "generate: answered";
  }

  async #turn(leave: Leave | undefined): Promise<string> {
    if (this.#conversation === undefined || this.#conversation.ids.length > IDS_MAX)
      this.#conversation = {
        path: `/conversations/${randomUUID()}`,
        model: this.#one(this.#models),
        ids: [],
        wasLeft: false,
      };
    const { path, model: name } = this.#conversation,
      ask = this.#newAsk(name),
      response = await this.#send(path, ask, leave);
    if (response === "left") this.#conversation.wasLeft = true;
    if (typeof response === "string") return `turn: ${response}`;
    const { text, end } = await readAnswer(response),
      stored = await this.#storedIds(path),
      prompt = stored.slice(0, end.promptTokens);
    const begin = this.#conversation.ids,
      said = (await this.#oracle.model(name)).tokenizer.encode(ask.text, { addSpecial: begin.length === 0 });
    if (this.#conversation.wasLeft)
      assert.deepEqual(prompt.slice(0, begin.length), begin, "a turn before the one that was left is lost");
    else assert.deepEqual(prompt, [...begin, ...said], "a turn is lost");
    const alone = await this.#oracle.answer(prompt, ask);
    assert.equal(text, alone.text, JSON.stringify(ask));
    assert.deepEqual(stored, [...prompt, ...alone.ids], "the turn itself is lost");
    Object.assign(this.#conversation, { ids: stored, wasLeft: false });
    return "turn: answered";
  }

  async #storedIds(path: string): Promise<number[]> {
    return ((await (await this.#fetch(path, "GET")).json()) as { ids: number[] }).ids;
  }

  async #forget(): Promise<string> {
    if (this.#conversation === undefined) return "forget: nothing";
    const { path } = this.#conversation;
    for (;;) {
      const { status } = await this.#fetch(path, "DELETE");
      if (status === 204) break;
      assert.equal(status, 409);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(await this.#storedIds(path), []);
    this.#conversation = undefined;
    return "forget: done";
  }

  /** A response that begins an answer, or the word for what happened instead. */
  async #send(path: string, ask: Ask, leave: Leave | undefined): Promise<Response | string> {
    for (; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const abort = new AbortController(),
        timer = leave !== undefined && "afterMs" in leave ? setTimeout(() => abort.abort(), leave.afterMs) : undefined;
      try {
        const response = await this.#fetch(path, "POST", JSON.stringify(ask), abort.signal);
        // Its own last turn, which it left, is being ended.
        if (response.status === 409) continue;
        if (!response.ok) return this.#refused(response);
        if (leave === undefined) return response;
        const reader = response.body!.getReader();
        for (let i = 0; i < ("afterChunks" in leave ? leave.afterChunks : Infinity); i++)
          if ((await reader.read()).done) break;
        abort.abort();
        return "left";
      } catch (error) {
        if (abort.signal.aborted) return "left";
        throw error;
      } finally {
        clearTimeout(timer);
      }
    }
  }

  async #refused(response: Response): Promise<string> {
    const { code, message } = (await response.json()) as { code: string; message: string };
    // No room beside those that answer, or a bucket that stalled too often.
    assert.ok([503, 504].includes(response.status), `${response.status} ${code}: ${message}`);
    return code;
  }

  async #odd(): Promise<string> {
    const wrong = this.#one<() => { readonly body: BodyInit; readonly leaves?: true }>([
        () => ({ body: "{" }),
        () => ({ body: "[]" }),
        () => ({ body: "null" }),
        () => ({ body: '"text"' }),
        () => ({ body: "" }),
        () => ({ body: JSON.stringify({ text: 5 }) }),
        () => ({ body: JSON.stringify({ text: "x".repeat(20_001) }) }),
        () => ({ body: JSON.stringify({ text: "a", maxTokens: 1e9 }) }),
        () => ({ body: new Uint8Array([0xff, 0xfe, 0]) }),
        () => ({ body: chunks("x".repeat(64_000), 40) }),
        () => ({ body: chunks(" ", 3) }),
        () => ({ body: chunks('{"text": "', 1, true), leaves: true }),
      ])(),
      path = this.#random.u32() % 2 === 0 ? "/generate" : `/conversations/${randomUUID()}`;
    const abort = new AbortController(),
      timer = wrong.leaves && setTimeout(() => abort.abort(), 30);
    try {
      const response = await this.#fetch(path, "POST", wrong.body, abort.signal);
      assert.equal(response.status, 400, await response.text());
      return "odd: refused";
    } catch (error) {
      if (wrong.leaves && abort.signal.aborted) return "odd: left";
      throw error;
    } finally {
      clearTimeout(timer || undefined);
    }
  }
}

/** A body without a length: `text`, so many times. */
export function chunks(text: string, count: number, neverEnds = false): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if (sent++ < count) controller.enqueue(new TextEncoder().encode(text));
      else if (!neverEnds) controller.close();
      else await new Promise(() => {});
    },
  });
}
