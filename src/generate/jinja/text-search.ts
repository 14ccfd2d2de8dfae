/**
 * Offsets in texts: Python counts code points, JavaScript UTF-16 units.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import type { MarkedText } from "./marked-text.ts";

/** Engines preprocess this much of a needle; with longer ones they may compare every character at every place. */
const FAST_NEEDLE_CHARS = 250;

/** The first place of `wanted` as a UTF-16 offset, or −1. */
export function search(text: MarkedText, wanted: MarkedText, budget: Budget): number {
  spendSearch(text, wanted, budget);
  return text.text.indexOf(wanted.text);
}

/** The cost of one whole search: at worst, short needles cost their length at each place. */
export function spendSearch(text: MarkedText, wanted: MarkedText, budget: Budget): void {
  const { length } = wanted;
  budget.spend(
    text.cost + wanted.cost + (text.length * (length > FAST_NEEDLE_CHARS ? length : Math.min(length, 16))) / 128,
  );
}

/** Engines searching backwards compare every character at every place. */
export function spendSearchBackwards(text: MarkedText, wanted: MarkedText, budget: Budget): void {
  budget.spend(text.cost + wanted.cost + (text.length * wanted.length) / 128);
}

/** True if UTF-16 offsets equal code point offsets here. */
export function isPlain(text: MarkedText): boolean {
  return !/[\ud800-\udbff]/.test(text.text);
}

/** Length in code points. */
export function codePointLength({ text }: MarkedText, end = text.length): number {
  let pairs = 0;
  for (let i = 0; i + 1 < end; i++) if (isPair(text, i)) pairs++;
  return end - pairs;
}

/** The UTF-16 offset of the code point `n`, or the text's length beyond its end. */
export function unitOffset({ text }: MarkedText, n: number): number {
  let at = 0;
  for (let i = 0; i < n && at < text.length; i++) at += isPair(text, at) ? 2 : 1;
  return at;
}

function isPair(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
}

/** Characters, counted as Python counts them: code points. */
export function codePoints(text: MarkedText, budget: Budget): MarkedText[] {
  // Each character becomes an object.
  budget.spend(2 * text.length + text.flips.length);
  let at = 0;
  return Array.from(text.text, (char) => text.slice(at, (at += char.length)));
}
