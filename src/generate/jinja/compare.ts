/**
 * Python's `==`, `<` and `in`.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { MarkedText } from "./marked-text.ts";
import { search } from "./text-search.ts";
import { Dict, isHashable, isList, isNumber, raise, Stream, toNumber, Tuple, typeName, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

export function isEqual(a: Value, b: Value, budget: Budget): boolean {
  budget.spend(1);
  if (isNumber(a) && isNumber(b)) return toNumber(a) === toNumber(b);
  if (a instanceof MarkedText && b instanceof MarkedText) {
    if (a.length !== b.length) return false;
    budget.spend(a.cost);
    return a.text === b.text;
  }
  if (a instanceof Undefined && b instanceof Undefined) return true;
  budget.enter();
  const equal =
    isList(a) && isList(b)
      ? isEqualList(a, b, budget)
      : a instanceof Dict && b instanceof Dict
        ? isEqualDict(a, b, budget)
        : a === b;
  budget.leave();
  return equal;
}

function isEqualList(a: readonly Value[], b: readonly Value[], budget: Budget): boolean {
  const isSameKind = typeName(a) === typeName(b);
  return isSameKind && a.length === b.length && a.every((item, i) => isEqual(item, b[i], budget));
}

function isEqualDict(a: Dict, b: Dict, budget: Budget): boolean {
  budget.spend(a.size);
  return (
    a.size === b.size &&
    a.entries().every(([key, value]) => {
      budget.spend(key instanceof MarkedText ? key.cost : 1);
      const other = b.get(key);
      return other !== undefined && isEqual(value, other, budget);
    })
  );
}

/**
 * Negative, zero or positive; NaN for unordered numbers. @throws OnebitError `template/raised` for values without an
 * order
 */
export function compare(a: Value, b: Value, budget: Budget): number {
  budget.spend(1);
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [toNumber(a), toNumber(b)];
    // Not a difference: ∞ − ∞ is NaN.
    return x < y ? -1 : x > y ? 1 : x === y ? 0 : Number.NaN;
  }
  if (a instanceof MarkedText && b instanceof MarkedText) {
    budget.spend(Math.min(a.cost, b.cost));
    return compareText(a.text, b.text);
  }
  if (!isList(a) || !isList(b) || typeName(a) !== typeName(b))
    return raise(`cannot compare ${typeName(a)} with ${typeName(b)}`);
  budget.enter();
  let order = 0;
  for (let i = 0; i < a.length && i < b.length && order === 0; i++)
    order = isEqual(a[i], b[i], budget) ? 0 : compare(a[i], b[i], budget);
  budget.leave();
  return order !== 0 ? order : a.length - b.length;
}

/** By code points: JavaScript's own order puts characters beyond U+FFFF before U+E000. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const n = Math.min(a.length, b.length);
  let i = 0;
  while (i < n && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === n) return a.length - b.length;
  const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
  const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
  if (isSurrogate(x) !== isSurrogate(y)) return isSurrogate(x) ? (y >= 0xe000 ? 1 : x - y) : x >= 0xe000 ? -1 : x - y;
  return x - y;
}

/** `needle in haystack`. */
export function contains(haystack: Value, needle: Value, budget: Budget): boolean {
  if (haystack instanceof MarkedText) {
    return needle instanceof MarkedText
      ? search(haystack, needle, budget) >= 0
      : raise(`a str cannot contain a ${typeName(needle)}`);
  }
  if (isList(haystack)) return haystack.some((item) => isEqual(item, needle, budget));
  if (haystack instanceof Stream) return haystack.rest().some((item) => isEqual(item, needle, budget));
  if (haystack instanceof Dict) {
    budget.spend(needle instanceof MarkedText ? needle.cost : 1);
    // No dict here has a tuple as a key.
    if (needle instanceof Tuple) return false;
    return isHashable(needle) ? haystack.has(needle) : raise(`a ${typeName(needle)} cannot be the key of a dict`);
  }
  return haystack instanceof Undefined ? false : raise(`a ${typeName(haystack)} cannot contain anything`);
}
