/**
 * One conversation, as a Durable Object: there is one object of a name in the world, so one KV cache has all its turns.
 *
 *   in its storage, for good        the model's name, and the ids so far
 *   in its isolate, while there is  pages of the model's KV cache, with the keys and values of these ids
 *   room
 *
 * Ids are two bytes each in storage where keys and values take kilobytes, and a model computes the same bits from them
 * again. So the cache is not stored (README.md has what either costs): after an eviction the next turn costs the time
 * to read the ids again, and its answer is the one it would have been.
 */
import { OnebitError } from "onebit";
import { type Ask, readAsk } from "./ask.ts";
import type { DurableObjectState, Env } from "./cloudflare.ts";
import { eventStream, readerOf } from "./event-stream.ts";
import { Life } from "./life.ts";
import { type Lease, borrowModel } from "./model-room.ts";
import { r2Source } from "./r2-source.ts";
import { answerErrors } from "./answer-errors.ts";

export class Conversation {
  readonly #state: DurableObjectState;
  readonly #env: Env;
  /** The request that is being answered. */
  #answering: Life | undefined;

  constructor(state: DurableObjectState, env: Env) {
    this.#state = state;
    this.#env = env;
  }

  async fetch(request: Request): Promise<Response> {
    return await answerErrors(async () => {
      if (request.method === "GET")
        return Response.json({ model: await this.#state.storage.get("model"), ids: await this.#ids() });
      // Two at once would both go on from the same ids.
      if (this.#answering?.isOver === false)
        return Response.json({ code: "busy", message: "this conversation is being answered" }, { status: 409 });
      if (request.method !== "DELETE") return await this.#answer(request);
      await this.#state.storage.deleteAll();
      return new Response(null, { status: 204 });
    });
  }

  async #ids(): Promise<number[]> {
    return (await this.#state.storage.get<number[]>("ids")) ?? [];
  }

  async #answer(request: Request): Promise<Response> {
    const answering = (this.#answering = new Life()),
      stop = readerOf(request);
    let lease: Lease | undefined;
    const end = (): void => {
      lease?.release();
      answering.end();
    };
    try {
      const ask = await readAsk(request),
        ids = await this.#ids(),
        name = await this.#state.storage.get<string>("model");
      if (ids.length > 0 && ask.model !== name)
        throw new OnebitError(
          "option/invalid",
          `model: this conversation is with ${name ?? "the model in the package"}; DELETE it to change`,
        );
      lease = await borrowModel({ file: ask.model, open: (file) => r2Source(this.#env.MODELS, file) }, this.#state);
      return this.#stream(ask, ids, lease, stop, end);
    } catch (error) {
      end();
      throw error;
    }
  }

  #stream(
    { text, model: name, options }: Ask,
    ids: readonly number[],
    { model }: Lease,
    stop: AbortController,
    end: () => void,
  ): Response {
    const said = model.tokenizer.encode(text, { addSpecial: ids.length === 0 });
    const prompt = lastOf([...ids, ...said], model.contextLength - options.maxTokens);
    // Nobody else shares what its group has cached, so no count or time tells what was said here.
    const context = model.context({ cacheGroup: this.#state.id.toString() });
    const { response, done } = eventStream(
      context.generate(prompt, { ...options, signal: stop.signal }),
      stop,
      async ({ ids }) => {
        // What was written before a reader left belongs to the conversation; a text that nothing was written to can be
        // said again.
        if (ids.length === 0) return;
        // On the disk before anybody is told of the end.
        await this.#state.storage.put({ model: name, ids: [...prompt, ...ids] });
        await this.#state.storage.sync();
      },
    );
    this.#state.waitUntil(done.then(end));
    return response;
  }
}

/**
 * The end of a conversation that outgrew its model. Half of the room, not all: shifted ids are all computed again, so
 * seldom.
 */
function lastOf(ids: readonly number[], room: number): readonly number[] {
  if (room < 2) throw new OnebitError("option/invalid", `maxTokens: leaves no room for a prompt, ${room} positions`);
  return ids.length <= room ? ids : ids.slice(-Math.floor(room / 2));
}
