/** What went wrong before an answer began, as a status and JSON. */
import { OnebitError } from "onebit";
import { describeError } from "./event-stream.ts";
import { usedBytes } from "./model-room.ts";

/** By the beginning of the error's code. */
const STATUSES: readonly (readonly [string, number])[] = [
  ["option/", 400],
  ["model/bad-token", 400],
  ["model/context-full", 400],
  ["file/not-found", 404],
  ["model/not-enough-memory", 507],
];

export async function answerErrors(answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    const code = error instanceof OnebitError ? error.code : "";
    const status = STATUSES.find(([begin]) => code.startsWith(begin))?.[1] ?? 500, bytesInUse = usedBytes();
    // It might fit where no other model is answering: in a moment, or in another isolate.
    if (status === 507 && bytesInUse > 0) return Response.json({ ...describeError(error), bytesInUse }, { status: 503, headers: { "retry-after": "5" } });
    return Response.json(describeError(error), { status });
  }
}
