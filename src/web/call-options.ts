/**
 * Options of a call to a worker: those that cross, and the listeners that stay.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { FUNCTION, OBJECT, SIGNAL, check, optional } from "../core/options.ts";

/**
 * Splits options into those to send, which the worker checks, and the listeners that stay. @throws OnebitError
 * `option/invalid`
 */
export function split<
  Options extends { readonly signal?: AbortSignal; readonly onProgress?: (progress: never) => void },
>(
  what: string,
  options: Options,
): [others: Omit<Options, "signal" | "onProgress">, listener: Pick<Options, "signal" | "onProgress">] {
  return check(what, options, (value, name, code) => {
    const { signal, onProgress, ...others } = OBJECT(value, `${name}: options`, code) as Options;
    if ("logitsProcessor" in others && others.logitsProcessor !== undefined)
      fail(code, "logitsProcessor: a function cannot cross to a model in a worker: load the model on this side");
    return [
      others,
      {
        signal: optional(SIGNAL)(signal, "signal", code),
        onProgress: optional(FUNCTION)(onProgress, "onProgress", code),
      },
    ];
  });
}
