/**
 * Sends errors between a page and its worker: structured clone would drop the code.
 *
 * @module
 */
import { type ErrorCode, OnebitError } from "../core/errors.ts";
import { typedRefusal } from "../core/refused-memory.ts";

export interface WireError {
  readonly message: string;
  /** Absent for other errors than {@link OnebitError}: a bug of ours, whose report needs the stack. */
  readonly code?: ErrorCode;
  readonly stack?: string;
}

export function toWire(thrown: unknown): WireError {
  const error = typedRefusal(thrown, "model/not-enough-memory", "a message of the worker");
  if (error instanceof OnebitError) return { code: error.code, message: error.message };
  return error instanceof Error
    ? { message: `${error.name}: ${error.message}`, stack: error.stack }
    : { message: String(error) };
}

export function fromWire({ code, message, stack }: WireError): Error {
  if (code !== undefined) return new OnebitError(code, message);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
