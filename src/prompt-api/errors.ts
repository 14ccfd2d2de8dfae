/**
 * Failures as the Prompt API names them.
 *
 * @module
 */
import { OnebitError } from "../core/errors.ts";

/** The name of the exception for codes that begin so; the first that fits. */
const NAMES: readonly (readonly [code: string, name: string])[] = [
  ["grammar/", "NotSupportedError"],
  ["template/", "NotSupportedError"],
  ["tokenizer/", "NotSupportedError"],
  ["option/", "NotSupportedError"],
  ["model/closed", "InvalidStateError"],
  ["engine/", "InvalidStateError"],
];

/** As the web has it where it does; DOMException alone cannot say how much was wanted. */
class QuotaExceeded extends DOMException {
  readonly requested: number;
  readonly quota: number;

  constructor(message: string, { requested, quota }: Quota) {
    super(message, "QuotaExceededError");
    this.requested = requested;
    this.quota = quota;
  }
}

interface Quota {
  readonly requested: number;
  readonly quota: number;
}

export function quotaExceeded(requested: number, quota: number): DOMException {
  return new QuotaExceeded(`the prompt takes ${requested} tokens, the session has ${quota}`, { requested, quota });
}

export function notSupported(message: string): DOMException {
  return new DOMException(message, "NotSupportedError");
}

export function destroyed(): DOMException {
  return new DOMException("the session was destroyed", "AbortError");
}

/** What a caller is told of a failure inside. */
export function exceptionOf(error: unknown): unknown {
  if (!(error instanceof OnebitError)) return error;
  const name = NAMES.find(([code]) => error.code.startsWith(code))?.[1] ?? "UnknownError";
  return Object.assign(new DOMException(error.message, name), { cause: error });
}
