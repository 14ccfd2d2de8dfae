/**
 * A generation as server-sent events: `text` for each piece, then one `end`, or one `error`.
 *
 * It is computed as fast as it can be, whatever the reader's pace: a model serves one at a time, and what waits here is
 * at most the text of one answer. A reader who leaves ends it.
 */
import type { Generation, GenerationResult } from "onebit";
import { describeError } from "./describe-error.ts";

export interface EventStream {
  readonly response: Response;
  /** Resolves when the model is free again. */
  readonly done: Promise<void>;
}

/** @param keep what must have happened before the reader is told of the end; it runs for a reader who has left, too */
export function eventStream(
  generation: Generation,
  stop: AbortController,
  keep: (result: GenerationResult) => Promise<void> = async () => {},
): EventStream {
  // Of the runtime itself: from a stream of JavaScript that is filled faster than it is read, the oldest workerd does
  // not tell that the reader has left.
  const { readable, writable } = new IdentityTransformStream(),
    writer = createWriter(writable, () => stop.abort());
  const done = pump(generation, writer.send, keep);
  void done.then(writer.close);
  return {
    response: new Response(readable, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } }),
    done,
  };
}

/**
 * Fires when the reader of the answer leaves, or has left. To be asked for at once: some runtimes tell it once only.
 */
export function readerOf({ signal }: Request): AbortController {
  const stop = new AbortController();
  if (signal.aborted) stop.abort();
  signal.addEventListener("abort", () => stop.abort());
  return stop;
}

/** Never rejects. */
async function pump(
  generation: Generation,
  send: (event: string, data: unknown) => void,
  keep: (result: GenerationResult) => Promise<void>,
): Promise<void> {
  try {
    for await (const { text } of generation) if (text !== "") send("text", text);
    const result = await generation.result(),
      { promptTokens, cachedTokens, tokens } = result.timings;
    await keep(result);
    send("end", { stopReason: result.stopReason, promptTokens, cachedTokens, tokens });
  } catch (error) {
    send("error", describeError(error));
  }
}

/** Writes what has come together while the last chunk was read. */
function createWriter(
  stream: WritableStream<Uint8Array>,
  onLeft: () => void,
): { send(event: string, data: unknown): void; close(): Promise<void> } {
  const writer = stream.getWriter(),
    encoder = new TextEncoder();
  let waiting = "",
    writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    while (waiting !== "") {
      const chunk = encoder.encode(waiting);
      waiting = "";
      await writer.write(chunk);
    }
    writing = undefined;
  };
  return {
    send(event, data) {
      waiting += `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
      writing ??= write().catch(onLeft);
    },
    async close() {
      await writing;
      await writer.close().catch(onLeft);
    },
  };
}
