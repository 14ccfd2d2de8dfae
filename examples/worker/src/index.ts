/**
 * A server of 1-bit models on Cloudflare Workers.
 *
 *   GET    /                    a page to try it
 *   POST   /generate            {"text": "ROMEO:", "model": "name in R2", "maxTokens": 200, "temperature": 0.8, "seed": 1, …}
 *   POST   /conversations/NAME  the same; goes on from what was said there
 *   GET    /conversations/NAME  its ids
 *   DELETE /conversations/NAME
 *
 * Answers are server-sent events.
 */
import { answerErrors } from "./answer-errors.ts";
import { readAsk } from "./ask.ts";
import type { Env, WaitUntil } from "./cloudflare.ts";
import { eventStream } from "./event-stream.ts";
import { borrowModel } from "./model-room.ts";
import { PAGE } from "./page.ts";
import { r2Source } from "./r2-source.ts";

export { Conversation } from "./conversation.ts";

export default {
  async fetch(request: Request, env: Env, context: WaitUntil): Promise<Response> {
    const { pathname } = new URL(request.url), conversation = /^\/conversations\/([\w-]{1,64})$/.exec(pathname)?.[1];
    if (conversation !== undefined) return await env.CONVERSATIONS.getByName(conversation).fetch(request);
    if (pathname === "/generate" && request.method === "POST") return await answerErrors(() => generate(request, env, context));
    if (pathname === "/") return new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8" } });
    return new Response("not found", { status: 404 });
  },
};

async function generate(request: Request, env: Env, context: WaitUntil): Promise<Response> {
  const { text, model: name, options } = await readAsk(request);
  // Loaded on the first request that wants it, not on import: an isolate has a second to start.
  const { model, release } = await borrowModel(`generate ${name ?? ""}`, async () => (name === undefined ? undefined : r2Source(env.MODELS, name)), context);
  const stop = new AbortController();
  request.signal.addEventListener("abort", () => stop.abort());
  const { response, done } = eventStream(model.generate(text, { ...options, signal: stop.signal }), stop);
  // A request that is cut off ends at once otherwise, in the middle of a token, and the model would wait for it for ever.
  context.waitUntil(done.then(release));
  return response;
}
