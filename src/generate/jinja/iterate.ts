/**
 * The items of a value, as a loop sees them.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { join, MarkedText } from "./marked-text.ts";
import { toText } from "./print.ts";
import { codePoints } from "./text-search.ts";
import { costOf, Dict, isList, Parts, raise, Stream, typeName, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

/** Items of a list, keys of a dict, characters of a text. @throws OnebitError `template/raised` */
export function iterate(value: Value | undefined, budget: Budget): readonly Value[] {
  if (value === undefined) return raise("an argument is missing");
  budget.spend(costOf(value));
  if (value instanceof Parts) value.wasRead = true;
  if (isList(value)) return value;
  if (value instanceof Stream) return value.rest();
  if (value instanceof MarkedText) return codePoints(value.asMarkup(false), budget);
  if (value instanceof Dict) return value.keys();
  // Jinja treats an undefined name as an empty list here.
  return value instanceof Undefined ? [] : raise(`a ${typeName(value)} has no items to loop over`);
}

/** Items of `values` as text, with `separator` between them. */
export function joinValues(values: readonly Value[], separator: MarkedText, budget: Budget): MarkedText {
  const parts = Array.from(values, (value) => toText(value, budget));
  budget.spend(parts.reduce((cost, part) => cost + part.cost + separator.cost, 0));
  return join(parts, separator);
}
