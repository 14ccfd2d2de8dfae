/**
 * One conversation. There is one object of a name in the world, and it stays in one isolate while it is used: what the
 * conversation has said so far lies in the KV cache of a model there. After an eviction its snapshot is taken from R2
 * where it has one, and else the prompt is read again: it always comes with the request.
 */
import type { Env, WaitUntil } from "./cloudflare.ts";
import { handlerOf } from "./handler.ts";

export class Conversation {
  readonly #state: WaitUntil;
  readonly #env: Env;

  constructor(state: WaitUntil, env: Env) {
    this.#state = state;
    this.#env = env;
  }

  async fetch(request: Request): Promise<Response> {
    const answering = handlerOf(this.#env)(request);
    this.#state.waitUntil(answering);
    return await answering;
  }
}
