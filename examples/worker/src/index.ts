/**
 * 1-bit language models behind OpenAI's interface, on Cloudflare Workers.
 *
 *   GET  /                      a page to try it
 *   POST /v1/chat/completions   and all else of `onebit/server`
 *
 * A request with the header `x-conversation-id` goes to the Durable Object of that name.
 */
import type { Env, WaitUntil } from "./cloudflare.ts";
import { handlerOf } from "./handler.ts";
import { PAGE } from "./page.ts";

export { Conversation } from "./conversation.ts";

export default {
  async fetch(request: Request, env: Env, context: WaitUntil): Promise<Response> {
    const { pathname } = new URL(request.url),
      conversation = request.headers.get("x-conversation-id");
    if (pathname === "/") return new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8" } });
    if (conversation !== null) return await env.CONVERSATIONS.getByName(conversation).fetch(request);
    const answering = handlerOf(env)(request);
    // A model goes on loading when the one who asked leaves: others wait for it.
    context.waitUntil(answering);
    return await answering;
  },
};
