/**
 * How much ordinary text an expression allows at its beginning, whatever text it is: known from its form, without a
 * look at any text.
 *
 * @module
 */
import { edgesOf } from "./edges.ts";
import type { Expressions } from "./expression.ts";
import { BOTH, CHOICE, COMPLEMENT, type Expression, REPEAT, SEQUENCE, UNLIMITED } from "./node.ts";

export class OrdinaryCheck {
  readonly #expressions: Expressions;
  readonly #ranges: readonly (readonly [number, number])[];
  #characters: Expression;
  /** Whether an expression matches every ordinary character. */
  #matching = new Map<Expression, boolean>();

  constructor(expressions: Expressions, ranges: readonly (readonly [number, number])[]) {
    this.#expressions = expressions;
    this.#ranges = ranges;
    this.#characters = expressions.characters(ranges);
  }

  /** A number of characters such that every ordinary text of so many can come first; 0 when it is not known. */
  length(node: Expression): number {
    switch (node.kind) {
      case CHOICE:
        return node.parts.reduce((most, part) => Math.max(most, this.length(part)), 0);
      case SEQUENCE:
        return node.parts[0].kind === REPEAT || node.parts[0].kind === BOTH ? this.length(node.parts[0]) : 0;
      case REPEAT:
        return this.#isMatching(node.parts[0]) ? node.max : 0;
      case BOTH:
        return this.#isAllButSome(node) ? UNLIMITED : 0;
      default:
        return 0;
    }
  }

  /** Call it when the expressions forget. */
  forget(): void {
    this.#matching = new Map();
    this.#characters = this.#expressions.characters(this.#ranges);
  }

  /** All strings of one part but a finite number: whatever comes first, one of those left goes on with it. */
  #isAllButSome(node: Expression): boolean {
    let nUnlimited = 0;
    for (const part of node.parts) {
      if (part.kind === COMPLEMENT && isFiniteSet(part.parts[0])) continue;
      if (this.length(part) < UNLIMITED || ++nUnlimited > 1) return false;
    }
    return nUnlimited === 1;
  }

  #isMatching(part: Expression): boolean {
    let known = this.#matching.get(part);
    if (known === undefined) this.#matching.set(part, (known = this.#matchesAll(part)));
    return known;
  }

  /** Walks both at once: where a character is complete, the part must be too. */
  #matchesAll(part: Expression): boolean {
    if (!part.isRegular) return false;
    const seen = new Set<string>();
    const waiting: [Expression, Expression][] = [[this.#characters, part]];
    for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
      const [character, node] = pair;
      if (character === this.#expressions.empty) {
        if (!node.isNullable) return false;
        continue;
      }
      const key = `${character.id},${node.id}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const ours = edgesOf(this.#expressions, character);
      const theirs = edgesOf(this.#expressions, node);
      for (let byte = 0; byte < 256; byte++) {
        const next = ours.targets[ours.classes[byte]];
        if (next === this.#expressions.nothing) continue;
        const reached = theirs.targets[theirs.classes[byte]];
        if (reached === this.#expressions.nothing) return false;
        waiting.push([next, reached]);
      }
    }
    return true;
  }
}

/** Whether it matches a finite number of strings, as far as its form tells. */
function isFiniteSet(node: Expression): boolean {
  if (node.kind === REPEAT) return node.max < UNLIMITED && isFiniteSet(node.parts[0]);
  if (node.kind === BOTH) return node.parts.some(isFiniteSet);
  return node.kind !== COMPLEMENT && node.parts.every(isFiniteSet);
}
