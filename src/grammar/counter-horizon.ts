/**
 * Counters as a token sees them: one that is larger than the longest token has bytes might as well be without end. So a
 * string of at most 5,000 characters has the masks of a free one until its last characters, and they are cached.
 *
 * @module
 */
import { CHOICE, type Expression, REPEAT, SEQUENCE, UNLIMITED } from "./expression.ts";
import type { Frame, State, States } from "./states.ts";

export class CounterHorizon {
  readonly #states: States;
  /** No token has more bytes, and so none can complete more repetitions. */
  readonly #longest: number;
  #nodes = new Map<Expression, Expression>();
  #frames = new Map<Frame, Frame>();
  #nearby = new Map<State, State>();

  constructor(states: States, longestBytes: number) {
    this.#states = states;
    this.#longest = longestBytes;
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
      next: next === undefined ? undefined : this.#frame(next),
    }));
    const isSame = heads.every(
      (head, at) => head.expression === state.heads[at].expression && head.next === state.heads[at].next,
    );
    return isSame ? state : this.#states.stateOf(heads, state.isAccepting);
  }

  /** Drops what is cached. */
  forget(): void {
    this.#nodes = new Map();
    this.#frames = new Map();
    this.#nearby = new Map();
  }

  /** Frames below the deepest that a token can reach are let be. */
  #frame(frame: Frame): Frame {
    const path: Frame[] = [];
    let below: Frame | undefined = frame;
    for (; below !== undefined && !this.#frames.has(below) && path.length <= this.#longest; below = below.next) {
      path.push(below);
    }
    let made = below === undefined ? undefined : (this.#frames.get(below) ?? below);
    for (let i = path.length - 1; i >= 0; i--) {
      made = this.#states.frame(this.expression(path[i].expression), made);
      this.#frames.set(path[i], made);
    }
    return made ?? frame;
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
        const parts: Expression[] = [];
        let rest = node;
        for (; rest.kind === SEQUENCE; rest = rest.parts[1]) parts.push(this.expression(rest.parts[0]));
        return made.sequence(...parts, this.expression(rest));
      }
      // Whether an intersection matches anything may hang on a far counter.
      default:
        return node;
    }
  }
}
