/**
 * Counters as a token sees them: one that is larger than the longest token has bytes might as well be without end. So a
 * string of at most 5,000 characters has the masks of a free one until its last characters, and they are cached.
 *
 * @module
 */
import { FarCounters } from "./far-counters.ts";
import { BOTH, CHOICE, type Expression, REPEAT, SEQUENCE, UNLIMITED } from "./node.ts";
import type { Next } from "./stacks.ts";
import type { State, States } from "./states.ts";

export class CounterHorizon {
  readonly #states: States;
  /** No token has more bytes, and so none can complete more repetitions. */
  readonly #longest: number;
  readonly #far: FarCounters;
  #nodes = new Map<Expression, Expression>();
  #nexts = new Map<Next, Next>();
  #nearby = new Map<State, State>();

  constructor(states: States, longestBytes: number) {
    this.#states = states;
    this.#longest = longestBytes;
    this.#far = new FarCounters(states, longestBytes);
  }

  /** A state that allows the same tokens; the same for all states that differ in large counters alone. */
  nearby(state: State): State {
    let found = this.#nearby.get(state);
    if (found === undefined) this.#nearby.set(state, (found = this.#computed(state)));
    return found;
  }

  #computed(state: State): State {
    const heads = state.heads.map(({ expression, next }) => ({
      expression: this.expression(expression),
      next: this.#next(next, 0),
    }));
    const isSame = heads.every(
      (head, at) => head.expression === state.heads[at].expression && head.next === state.heads[at].next,
    );
    return isSame ? state : this.#states.stateOf(heads, state.isAccepting);
  }

  /** Drops what is cached. */
  forget(): void {
    this.#far.forget();
    this.#nodes = new Map();
    this.#nexts = new Map();
    this.#nearby = new Map();
  }

  /** Frames below the deepest that a token can reach are let be. */
  #next(next: Next, level: number): Next {
    if (next.frames.length === 0 || level > this.#longest) return next;
    let found = this.#nexts.get(next);
    if (found === undefined) this.#nexts.set(next, (found = this.#shortenedNext(next, level)));
    return found;
  }

  #shortenedNext(next: Next, level: number): Next {
    const { stacks } = this.#states;
    const frames = next.frames.map((frame) => ({
      expression: this.expression(frame.expression),
      next: this.#next(frame.next, level + 1),
    }));
    const isSame = frames.every(
      (frame, at) => frame.expression === next.frames[at].expression && frame.next === next.frames[at].next,
    );
    if (isSame) return next;
    const ways = frames.map((frame) => stacks.push(frame.expression, frame.next));
    return stacks.join(next.isEnd ? [...ways, stacks.end] : ways);
  }

  /** An expression whose beginnings of a token's length are the same. */
  expression(node: Expression): Expression {
    if (!node.hasCounter) return node;
    let found = this.#nodes.get(node);
    if (found === undefined) this.#nodes.set(node, (found = this.#shortened(node)));
    return found;
  }

  #shortened(node: Expression): Expression {
    const made = this.#states.expressions;
    switch (node.kind) {
      case REPEAT: {
        const min = Math.min(node.min, this.#longest + 1);
        const max = node.max > this.#longest ? UNLIMITED : node.max;
        return made.repeat(this.expression(node.parts[0]), min, max);
      }
      case CHOICE:
        return made.choice(node.parts.map((part) => this.expression(part)));
      case SEQUENCE: {
        const links: Expression[] = [];
        let rest = node;
        for (; rest.kind === SEQUENCE && rest.hasCounter && !this.#nodes.has(rest); rest = rest.parts[1])
          links.push(rest);
        // Ends are shared: an object has one for each member that may be its first.
        let whole = this.expression(rest);
        for (const link of links.reverse()) {
          whole = made.sequence(this.expression(link.parts[0]), whole);
          this.#nodes.set(link, whole);
        }
        return whole;
      }
      // Whether an intersection matches anything may hang on a far counter.
      case BOTH:
        return this.#far.shortened(node);
      default:
        return node;
    }
  }
}
