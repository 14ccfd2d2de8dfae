/**
 * Ids as callers give them to `decode`.
 *
 * @module
 */
import { type Kind, list } from "./options.ts";

/** The vocabulary checks the ids themselves. */
const ANY_IDS = list("ids, in a list or anything else to iterate", (id) => id as number);
/** A list of ids from a list, a typed array, or anything else to iterate. */
export const ID_ITERABLE: Kind<readonly number[]> = (value, name, code) => {
  const isOther =
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    Symbol.iterator in value;
  return ANY_IDS(isOther ? [...(value as Iterable<number>)] : value, name, code);
};
