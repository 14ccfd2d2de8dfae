/**
 * Visitors of examples/worker who behave as visitors do: they leave at any moment, send odd bodies, hold many
 * conversations, and ask for models whose bucket stalls. Every answer is compared with the one the library gives alone,
 * also where its conversation goes on from a snapshot.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Random, seededRandom } from "../synthetic/random.ts";
import { type Model, load } from "../../src/index.ts";
import type { ServedWorker } from "./served-worker.ts";
import { type CompletionAsk, completionRequest, readAnswer } from "./worker-answer.ts";

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
/** What conversations with the model in the package begin with, so that some are long enough for a snapshot. */
const OPENING = "KING HENRY V:\nOnce more unto the breach, dear friends, once more;\n".repeat(3);
const MAX_TOKENS = [1, 2, 7, 20, 40];
/** Of a model's context, for another turn: a conversation is begun anew before it outgrows its model. */
const IDS_LEFT = 80;

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
 * @throws Error when an answer is not the one given alone, a connection ends or a request gets no answer: with what was
 *   going on
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

/** The library, asked for the same with nothing else going on. */
class Oracle {
  readonly #files: VisitOptions["files"];
  readonly #models = new Map<string | undefined, Promise<Model>>();
  readonly #answers = new Map<string, Promise<string>>();

  constructor(files: VisitOptions["files"]) {
    this.#files = files;
  }

  model(name: string | undefined): Promise<Model> {
    const model =
      this.#models.get(name) ?? load(name === undefined ? undefined : this.#files[name], { kvType: "q8", threads: 1 });
    this.#models.set(name, model);
    return model;
  }

  async answer(ask: CompletionAsk): Promise<string> {
    const { prompt, max_tokens: maxTokens, seed, model: name } = ask,
      key = JSON.stringify(ask),
      model = await this.model(name);
    const answer = this.#answers.get(key) ?? model.generate(prompt, { maxTokens, seed }).text();
    this.#answers.set(key, answer);
    return await answer;
  }

  async close(): Promise<void> {
    for (const model of this.#models.values()) await (await model).close();
  }
}

interface Conversation {
  readonly name: string;
  readonly model: string | undefined;
  said: string;
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
    if (kind < 25) return await this.#complete(undefined);
    if (kind < 40) return await this.#complete(this.#leave());
    if (kind < 75) return await this.#turn(undefined);
    return kind < 90 ? await this.#turn(this.#leave()) : await this.#odd();
  }

  /** The last request it made. */
  get doing(): string {
    const { request, begunMs } = this.#last ?? { request: "nothing", begunMs: performance.now() };
    return `${request}, begun ${Math.round(performance.now() - begunMs)} ms ago`;
  }

  /** Each request is made here. */
  async #fetch(init: RequestInit, signal?: AbortSignal): Promise<Response> {
    const { body } = init;
    this.#last = {
      request: typeof body === "string" ? body.slice(0, 200) : "a body of bytes",
      begunMs: performance.now(),
    };
    // "half" is for a body that is a stream.
    const more = { headers: { ...init.headers, ...ALONE }, duplex: "half", signal } as RequestInit;
    return await fetch(`${this.#url}/v1/completions`, { method: "POST", ...init, ...more });
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

  #newAsk(model: string | undefined, said = ""): CompletionAsk {
    const prompt = said + this.#one(TEXTS);
    return { prompt, max_tokens: this.#one(MAX_TOKENS), seed: this.#random.u32() % 4, model };
  }

  async #complete(leave: Leave | undefined): Promise<string> {
    const ask = this.#newAsk(this.#one(this.#models)),
      response = await this.#send(ask, leave);
    if (typeof response === "string") return `complete: ${response}`;
    assert.equal((await readAnswer(response)).text, await this.#oracle.answer(ask), JSON.stringify(ask));
    return "complete: answered";
  }

  async #turn(leave: Leave | undefined): Promise<string> {
    if (this.#conversation === undefined || (await this.#isLong(this.#conversation)))
      this.#conversation = this.#begin();
    const conversation = this.#conversation,
      ask = this.#newAsk(conversation.model, conversation.said),
      response = await this.#send(ask, leave, conversation.name);
    if (typeof response === "string") return `turn: ${response}`;
    const { text } = await readAnswer(response);
    assert.equal(text, await this.#oracle.answer(ask), JSON.stringify(ask));
    conversation.said = ask.prompt + text;
    return "turn: answered";
  }

  #begin(): Conversation {
    const model = this.#one(this.#models);
    return { name: randomUUID(), model, said: model === undefined ? OPENING : "" };
  }

  async #isLong({ said, model: name }: Conversation): Promise<boolean> {
    const { tokenizer, contextLength } = await this.#oracle.model(name);
    return tokenizer.encode(said).length > contextLength - IDS_LEFT;
  }

  /** A response that begins an answer, or the word for what happened instead. */
  async #send(ask: CompletionAsk, leave: Leave | undefined, conversation?: string): Promise<Response | string> {
    const abort = new AbortController(),
      timer = leave !== undefined && "afterMs" in leave ? setTimeout(() => abort.abort(), leave.afterMs) : undefined,
      headers = conversation === undefined ? {} : { "x-conversation-id": conversation };
    try {
      const response = await this.#fetch(completionRequest(ask, headers), abort.signal);
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

  async #refused(response: Response): Promise<string> {
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    // No room beside those that answer, or a bucket that stalled too often.
    assert.ok(response.status === 503, `${response.status} ${error.code}: ${error.message}`);
    return error.code;
  }

  async #odd(): Promise<string> {
    const wrong = this.#one<() => { readonly body: BodyInit; readonly leaves?: true }>([
        () => ({ body: "{" }),
        () => ({ body: "[]" }),
        () => ({ body: "null" }),
        () => ({ body: '"text"' }),
        () => ({ body: "" }),
        () => ({ body: JSON.stringify({ prompt: 5.5 }) }),
        () => ({ body: JSON.stringify({ prompt: "x".repeat(20_001) }) }),
        () => ({ body: JSON.stringify({ prompt: "a", max_tokens: 1e99 }) }),
        () => ({ body: new Uint8Array([0xff, 0xfe, 0]) }),
        () => ({ body: chunks("x".repeat(64_000), 10) }),
        () => ({ body: chunks(" ", 3) }),
        () => ({ body: chunks('{"prompt": "', 1, true), leaves: true }),
      ])(),
      conversation: Record<string, string> = this.#random.u32() % 2 === 0 ? {} : { "x-conversation-id": randomUUID() };
    const abort = new AbortController(),
      timer = wrong.leaves && setTimeout(() => abort.abort(), 30),
      headers = { "content-type": "application/json", ...conversation };
    try {
      const response = await this.#fetch({ body: wrong.body, headers }, abort.signal);
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
