/**
 * Checks of layers' options and arguments.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { number, whole } from "../core/options.ts";

export const COUNT = whole(1);
/** Dropout's rate. */
export const RATE = number({ min: 0, below: 1 });
export const POSITIVE = number({ above: 0 });

/** @throws OnebitError `option/invalid`: for what a packed layer lacks */
export function notOfPacked(what: string): never {
  return fail(
    "option/invalid",
    `${what}: a packed layer has no learned weights, it is for inference; use the layer it was packed from`,
  );
}
