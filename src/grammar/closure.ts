/**
 * Expands stacks until all that is read next is regular.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { GRAMMAR_STACKS_MAX } from "../core/limits.ts";
import { CHOICE, type Expression, REPEAT, Rule, SEQUENCE } from "./node.ts";
import type { Analysis } from "./analysis.ts";
import type { Expressions } from "./expression.ts";
import type { Head, Next, Stacks } from "./stacks.ts";

/** What an automaton has beside its states. */
export interface Ground {
  readonly expressions: Expressions;
  readonly analysis: Analysis;
  readonly stacks: Stacks;
  /** A sequence in two: all regular parts at its front, or else its first part; and the rest. */
  regularFront(node: Expression): { head: Expression; tail: Expression };
}

export class Closure {
  readonly #ground: Ground;
  readonly #heads = new Map<Expression, Next[]>();
  /** By expression and what comes after it. */
  readonly #entered = new Map<Expression, Set<Next>>();
  readonly #left = new Set<Next>();
  readonly #waiting: [Expression, Next][] = [];
  #nEntered = 0;
  #isAccepting: boolean;

  constructor(ground: Ground, isAccepting = false) {
    this.#ground = ground;
    this.#isAccepting = isAccepting;
  }

  /** What may be read from here. */
  enter(expression: Expression, next: Next): void {
    this.#waiting.push([expression, next]);
    for (let item = this.#waiting.pop(); item !== undefined; item = this.#waiting.pop()) this.#expand(item[0], item[1]);
  }

  /** Each expression once, with all that comes after it; and those before the same as one. */
  finish(): { heads: Head[]; isAccepting: boolean } {
    const byNext = new Map<Next, Expression[]>();
    for (const [expression, nexts] of this.#heads) {
      const next = nexts.length === 1 ? nexts[0] : this.#ground.stacks.join(nexts);
      const group = byNext.get(next);
      if (group === undefined) byNext.set(next, [expression]);
      else group.push(expression);
    }
    const heads: Head[] = [];
    for (const [next, group] of byNext) {
      heads.push({ expression: group.length === 1 ? group[0] : this.#ground.expressions.choice(group), next });
    }
    if (heads.length > 1) heads.sort((a, b) => a.expression.id - b.expression.id || a.next.id - b.next.id);
    return { heads, isAccepting: this.#isAccepting };
  }

  #expand(node: Expression, next: Next): void {
    const { analysis, expressions } = this.#ground;
    if (node === expressions.nothing || analysis.isEmpty(node)) return;
    if (node.isRegular) {
      if (node.isNullable) this.#leave(next);
      if (node === expressions.empty) return;
      const nexts = this.#heads.get(node);
      if (nexts === undefined) this.#heads.set(node, [next]);
      else if (!nexts.includes(next)) nexts.push(next);
      return;
    }
    if (!this.#isNew(node, next)) return;
    if (node instanceof Rule) this.#waiting.push([node.expression, next]);
    else if (node.kind === CHOICE) for (const part of node.parts) this.#waiting.push([part, next]);
    else if (node.kind === REPEAT) this.#repeat(node, next);
    else if (node.kind === SEQUENCE) {
      const { head, tail } = this.#ground.regularFront(node);
      this.#waiting.push([head, this.#before(tail, next)]);
    }
  }

  #repeat(node: Expression, next: Next): void {
    const { analysis, expressions } = this.#ground;
    const isNullable = analysis.isNullable(node.parts[0]);
    const part = isNullable ? analysis.nonEmpty(node.parts[0]) : node.parts[0];
    const min = isNullable ? 0 : node.min;
    if (min === 0) this.#leave(next);
    const rest = expressions.repeat(part, Math.max(min - 1, 0), node.max - 1);
    this.#waiting.push([part, this.#before(rest, next)]);
  }

  #before(expression: Expression, next: Next): Next {
    return expression === this.#ground.expressions.empty ? next : this.#ground.stacks.push(expression, next);
  }

  /** What was being read is complete. */
  #leave(next: Next): void {
    if (this.#left.has(next)) return;
    this.#left.add(next);
    if (next.isEnd) this.#isAccepting = true;
    for (const { expression, next: below } of next.frames) this.#waiting.push([expression, below]);
  }

  #isNew(node: Expression, next: Next): boolean {
    let nexts = this.#entered.get(node);
    if (nexts === undefined) this.#entered.set(node, (nexts = new Set()));
    if (nexts.has(next)) return false;
    nexts.add(next);
    if (++this.#nEntered > GRAMMAR_STACKS_MAX) {
      fail(
        "grammar/too-large",
        `a text can be read in more than ${GRAMMAR_STACKS_MAX} ways at the same place; make the grammar less ambiguous`,
      );
    }
    return true;
  }
}
