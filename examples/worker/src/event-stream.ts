/**
 * A generation as server-sent events: `text` for each piece, then one `end`, or one `error`.
 *
 * It is computed as fast as it can be, whatever the reader's pace: a model serves one at a time, and what waits here is at
 * most the text of one answer. A reader who leaves ends it.
 */
import { type Generation, type GenerationResult, OnebitError } from "onebit";

export interface EventStream {
  readonly response: Response;
  /** Resolves when the model is free again; of a generation that failed, to undefined. */
  readonly done: Promise<GenerationResult | undefined>;
}

export function eventStream(generation: Generation, stop: AbortController): EventStream {
  const encoder = new TextEncoder();
  let finish: (result: GenerationResult | undefined) => void;
  const done = new Promise<GenerationResult | undefined>((resolve) => (finish = resolve));
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (event: string, data: unknown): void => {
        if (!stop.signal.aborted) controller.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
      };
      void pump(generation, send).then((result) => {
        finish(result);
        if (!stop.signal.aborted) controller.close();
      });
    },
    cancel: () => stop.abort(),
  });
  return { response: new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } }), done };
}

async function pump(generation: Generation, send: (event: string, data: unknown) => void): Promise<GenerationResult | undefined> {
  try {
    for await (const { text } of generation) if (text !== "") send("text", text);
    const result = await generation.result(), { promptTokens, cachedTokens, tokens } = result.timings;
    send("end", { stopReason: result.stopReason, promptTokens, cachedTokens, tokens });
    return result;
  } catch (error) {
    send("error", describeError(error));
    return undefined;
  }
}

export function describeError(error: unknown): { code: string; message: string } {
  return error instanceof OnebitError ? { code: error.code, message: error.message } : { code: "internal", message: "the server failed" };
}
