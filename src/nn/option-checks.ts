/**
 * What the options and arguments of layers may be.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { number, whole } from "../core/options.ts";

export const COUNT = whole(1);
/** Of dropout. */
export const RATE = number({ min: 0, below: 1 });
export const POSITIVE = number({ above: 0 });

/** @throws OnebitError `option/invalid`: what a packed layer has not */
export function notOfPacked(what: string): never {
  return fail(
    "option/invalid",
    `${what}: a packed layer is for inference and has no learned weights; use the layer it was packed from`,
  );
}
