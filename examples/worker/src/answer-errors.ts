/** What went wrong before an answer began, as a status and JSON. */
import { OnebitError } from "onebit";
import { describeError } from "./describe-error.ts";
import { NoRoomNow } from "./model-room.ts";

/** By the beginning of the error's code. */
const STATUSES: readonly (readonly [string, number])[] = [
  ["option/", 400],
  ["model/bad-token", 400],
  ["model/context-full", 400],
  ["file/not-found", 404],
  ["hub/timeout", 504],
  ["model/not-enough-memory", 507],
];

export async function answerErrors(answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    // It fits where no other model is answering: in a moment, or in another isolate.
    if (error instanceof NoRoomNow)
      return Response.json(
        { ...describeError(error), bytesInUse: error.bytesInUse },
        { status: 503, headers: { "retry-after": "5" } },
      );
    const code = error instanceof OnebitError ? error.code : "";
    return Response.json(describeError(error), {
      status: STATUSES.find(([begin]) => code.startsWith(begin))?.[1] ?? 500,
    });
  }
}
