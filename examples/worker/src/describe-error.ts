/** What a client is told of an error. What it is not told is logged: `wrangler tail` shows it. */
import { OnebitError } from "onebit";

export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof OnebitError) return { code: error.code, message: error.message };
  console.error(error instanceof Error ? error.stack : error);
  return { code: "internal", message: "the server failed" };
}
