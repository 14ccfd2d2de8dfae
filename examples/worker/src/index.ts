/**
 * A server of 1-bit models on Cloudflare Workers.
 *
 *   GET    /                    a page to try it
 *   POST   /generate            {"text": "ROMEO:", "model": "name in R2", "maxTokens": 200, "seed": 1, …}
 *   POST   /conversations/UUID  the same; goes on from what was said there
 *   GET    /conversations/UUID  its ids
 *   DELETE /conversations/UUID
 *
 * Answers are server-sent events.
 */
import { answerErrors } from "./answer-errors.ts";
import { readAsk } from "./ask.ts";
import type { Env, WaitUntil } from "./cloudflare.ts";
import { eventStream, readerOf } from "./event-stream.ts";
import { borrowModel } from "./model-room.ts";
import { PAGE } from "./page.ts";
import { r2Source } from "./r2-source.ts";

export { Conversation } from "./conversation.ts";

/**
 * Who knows the name has the conversation, so it must be one that nobody guesses: 122 random bits
 * (`crypto.randomUUID()`).
 */
const CONVERSATION = /^\/conversations\/([\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12})$/;

export default {
  async fetch(request: Request, env: Env, context: WaitUntil): Promise<Response> {
    const { pathname } = new URL(request.url),
      conversation = CONVERSATION.exec(pathname)?.[1];
    if (isFromAnotherSite(request))
      return Response.json({ code: "cross-site", message: "asked from the page of another site" }, { status: 403 });
    if (conversation !== undefined)
      return await answerErrors(() => env.CONVERSATIONS.getByName(conversation).fetch(request));
    if (pathname === "/generate" && request.method === "POST")
      return await answerErrors(() => generate(request, env, context));
    if (pathname === "/") return new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8" } });
    return new Response("not found", { status: 404 });
  },
};

/**
 * Or any page could let its visitors' browsers work here, and speak as them where Access knows them. Programs send
 * neither header.
 */
function isFromAnotherSite({ method, headers, url }: Request): boolean {
  if (method === "GET" || method === "HEAD") return false;
  const origin = headers.get("origin"),
    site = headers.get("sec-fetch-site") ?? "none";
  return (origin !== null && origin !== new URL(url).origin) || (site !== "same-origin" && site !== "none");
}

async function generate(request: Request, env: Env, context: WaitUntil): Promise<Response> {
  const stop = readerOf(request),
    { text, model: file, options } = await readAsk(request);
  // Loaded on the first request that wants it, not on import: an isolate has a second to start.
  const { model, release } = await borrowModel({ file, open: (name) => r2Source(env.MODELS, name) }, context);
  // A context a request: they are computed together.
  const generation = model.context().generate(text, { ...options, signal: stop.signal }),
    { response, done } = eventStream(generation, stop);
  // A request whose reader leaves ends at once otherwise, before its generation does.
  context.waitUntil(done.then(release));
  return response;
}
