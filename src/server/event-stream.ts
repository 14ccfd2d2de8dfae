/**
 * Server-sent events, computed when they are read.
 *
 * A stream begins with its first event, so that what fails before has a status. While there is nothing to say it sends
 * comments. A reader who takes nothing for long is cut off; what waits for it meanwhile is bounded.
 *
 * @module
 */
import { apiErrorOf } from "./api-error.ts";
import { pause } from "./life.ts";
import { fieldOfOption } from "./sampling-fields.ts";
import type { Visit } from "./visit.ts";

/** Some eighty tokens: enough for who reads in bursts. */
const BUFFER_BYTES = 16 * 1024;
const HEARTBEAT = ": waiting\n\n";

/** One event, as text. */
export function dataEvent(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

export function namedEvent(name: string, data: unknown): string {
  return `event: ${name}\n${dataEvent(data)}`;
}

export const DONE = "data: [DONE]\n\n";

/**
 * @param events of the visit, which ends with them
 * @param failed an error after the beginning, as an event
 * @throws whatever `events` throws before the first event
 */
export async function eventStream(
  visit: Visit,
  events: AsyncGenerator<string, void, void>,
  failed: (error: unknown) => string = errorEvent,
): Promise<Response> {
  const { heartbeatMs, slowReaderMs, onError } = visit.service.settings,
    encoder = new TextEncoder();
  let coming: Promise<IteratorResult<string, void>> | undefined, slow: ReturnType<typeof setTimeout> | undefined;
  /** The next event; a comment where it takes long; undefined at the end. */
  const next = async (): Promise<string | undefined> => {
    const event = (coming ??= events.next()),
      timer = new AbortController();
    const late = pause(heartbeatMs, timer.signal).then(() => undefined);
    try {
      const found = await Promise.race([event, late]);
      if (found === undefined) return HEARTBEAT;
      coming = undefined;
      return found.done ? undefined : found.value;
    } finally {
      timer.abort();
    }
  };
  let first: string | undefined = await next(),
    isOver = false;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(slow);
        let text: string | undefined;
        try {
          text = first ?? (await next());
          first = undefined;
        } catch (error) {
          visit.fail(error);
          if (apiErrorOf(error).status === 500) onError?.(error);
          if (!isOver) controller.enqueue(encoder.encode(failed(error)));
        }
        if (isOver) return;
        if (text === undefined) return controller.close();
        controller.enqueue(encoder.encode(text));
        slow = setTimeout(() => {
          isOver = true;
          visit.stop("slow");
          controller.close();
          void events.return();
        }, slowReaderMs);
      },
      async cancel() {
        isOver = true;
        clearTimeout(slow);
        visit.stop("left");
        await events.return();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }),
  );
  return new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" },
  });
}

function errorEvent(error: unknown): string {
  return dataEvent(apiErrorOf(error, fieldOfOption).body);
}
