/**
 * Far counters of intersections. A text of at most 300 characters that has at most 30 words is, until near its end, one
 * of any length: but only if what can still follow a token is short enough to fit.
 *
 * Let `N` be the least counter taken as endless. Then both expressions match the same strings of up to `N` bytes, as
 * every repetition takes one. If a token has up to `L` bytes, and each beginning that the endless one allows can be
 * completed within `R` bytes, they allow the same tokens when `L + R <= N`; the endless one allows all that the other
 * does, as there is no complement.
 *
 * @module
 */
import { GRAMMAR_DERIVED_NODES_MAX } from "../core/limits.ts";
import { edgesOf } from "./edges.ts";
import { BOTH, CHOICE, COMPLEMENT, type Expression, REPEAT, SEQUENCE, UNLIMITED } from "./node.ts";
import type { States } from "./states.ts";

/** An expression with endless counters, and the least of those that were taken so. */
interface Endless {
  readonly expression: Expression;
  readonly least: number;
}

/** Beginnings looked at in search of the longest completion: two patterns with a counter of 30 have some 600. */
const BEGINNINGS_MAX = 2000;
/** Searches in vain, of some 10 ms each, before the others are let be, for as long as the grammar is used. */
const FAILURES_MAX = 4;

export class FarCounters {
  readonly #states: States;
  readonly #longest: number;
  readonly #endless = new Map<Expression, Endless | undefined>();
  /** By the endless expression. */
  readonly #completions = new Map<Expression, number | undefined>();
  #nFailures = 0;

  constructor(states: States, longestBytes: number) {
    this.#states = states;
    this.#longest = longestBytes;
  }

  /** An intersection that allows the same tokens, with counters that none can reach as endless. */
  shortened(both: Expression): Expression {
    const endless = this.#endlessOf(both);
    if (endless === undefined || endless.expression === both) return both;
    const completion = this.#longestCompletion(endless.expression);
    return completion !== undefined && this.#longest + completion <= endless.least ? endless.expression : both;
  }

  /** Drops what is cached. */
  forget(): void {
    this.#endless.clear();
    this.#completions.clear();
  }

  /** Undefined for what has a counter within a complement: there, endless is not more. */
  #endlessOf(node: Expression): Endless | undefined {
    if (!node.hasCounter) return { expression: node, least: Infinity };
    if (!this.#endless.has(node)) this.#endless.set(node, this.#computed(node));
    return this.#endless.get(node);
  }

  #computed(node: Expression): Endless | undefined {
    const made = this.#states.expressions;
    if (node.kind === COMPLEMENT) return undefined;
    if (node.kind === SEQUENCE) return this.#ofSequence(node);
    const parts: Expression[] = [];
    let least = Infinity;
    for (const part of node.parts) {
      const endless = this.#endlessOf(part);
      if (endless === undefined) return undefined;
      parts.push(endless.expression);
      least = Math.min(least, endless.least);
    }
    if (node.kind === CHOICE) return { expression: made.choice(parts), least };
    if (node.kind === BOTH) return { expression: made.both(parts), least };
    if (node.kind !== REPEAT) return { expression: node, least };
    if (node.max <= this.#longest || node.max === UNLIMITED)
      return { expression: made.repeat(parts[0], node.min, node.max), least };
    return { expression: made.repeat(parts[0], node.min), least: Math.min(least, node.max) };
  }

  #ofSequence(node: Expression): Endless | undefined {
    const parts: Expression[] = [];
    let least = Infinity,
      rest = node;
    for (; rest.kind === SEQUENCE; rest = rest.parts[1]) parts.push(rest.parts[0]);
    parts.push(rest);
    for (const [i, part] of parts.entries()) {
      const endless = this.#endlessOf(part);
      if (endless === undefined) return undefined;
      parts[i] = endless.expression;
      least = Math.min(least, endless.least);
    }
    return { expression: this.#states.expressions.sequence(...parts), least };
  }

  #longestCompletion(node: Expression): number | undefined {
    if (!this.#completions.has(node)) {
      const isTried = this.#nFailures < FAILURES_MAX,
        found = isTried ? this.#searched(node) : undefined;
      if (isTried && found === undefined) this.#nFailures++;
      this.#completions.set(node, found);
    }
    return this.#completions.get(node);
  }

  /** The most bytes that the shortest completion of a beginning takes; undefined when these take too much. */
  #searched(node: Expression): number | undefined {
    const { expressions } = this.#states;
    const befores = new Map<Expression, Expression[]>([[node, []]]),
      // Enumerations of thousands have as many nodes in a few beginnings.
      nodesMax = expressions.derivedNodes + GRAMMAR_DERIVED_NODES_MAX;
    // A Map goes on to what is added meanwhile.
    for (const current of befores.keys()) {
      if (expressions.derivedNodes > nodesMax) return undefined;
      for (const target of edgesOf(expressions, current).targets) {
        if (target === expressions.nothing) continue;
        const before = befores.get(target);
        if (before !== undefined) before.push(current);
        else if (befores.size >= BEGINNINGS_MAX) return undefined;
        else befores.set(target, [current]);
      }
    }
    const distances = new Map<Expression, number>();
    for (const beginning of befores.keys()) if (beginning.isNullable) distances.set(beginning, 0);
    let most = 0;
    for (const [beginning, distance] of distances) {
      most = Math.max(most, distance);
      for (const before of befores.get(beginning)!) if (!distances.has(before)) distances.set(before, distance + 1);
    }
    return most;
  }
}
