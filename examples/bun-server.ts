/**
 * A server that goes on with texts, in Bun.
 *
 *   bun add onebit
 *   PORT=3000 bun bun-server.ts
 *   curl -N localhost:3000 -d "ROMEO:"
 */
import { load } from "onebit";

declare const Bun: {
  serve(options: { port: number; idleTimeout: number; fetch(request: Request): Promise<Response> }): { url: URL };
};

/** Of a request's text, and of the answer: what one visitor may take of the processor. */
const CHARS_MAX = 2000,
  TOKENS_MAX = 300;

// One model for all: it takes one request after another, and holds its memory once.
const model = await load();

const server = Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  // Seconds without a byte; a visitor who waits for others hears nothing until it is their turn.
  idleTimeout: 120,
  async fetch(request) {
    if (request.method !== "POST")
      return new Response("POST a text; what follows it comes back as it is written\n", { status: 405 });
    const prompt = (await request.text()).slice(0, CHARS_MAX),
      stop = new AbortController();
    const pieces = model.generate(prompt, { maxTokens: TOKENS_MAX, temperature: 0.8, signal: stop.signal });
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      async start(controller) {
        try {
          for await (const { text } of pieces) controller.enqueue(encoder.encode(text));
          controller.close();
        } catch (error) {
          // An empty text, for one.
          if (!stop.signal.aborted) controller.error(error);
        }
      },
      // A visitor who leaves costs nothing more.
      cancel: () => stop.abort(),
    });
    return new Response(body, { headers: { "content-type": "text/plain; charset=utf-8" } });
  },
});
console.log(`listening on ${server.url}`);
