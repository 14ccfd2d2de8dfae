/**
 * The automaton of a grammar, built as it is used. A state is a set of stacks; a stack is a regular expression that is
 * being read and what comes after it. Regular parts so become lazily built finite automata, and recursion lives in the
 * stacks.
 *
 * From every state but the dead one some accepted text can be reached.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import {
  GRAMMAR_DERIVED_NODES_MAX,
  GRAMMAR_STATES_MAX,
  GRAMMAR_STEP_NODES_MAX,
  GRAMMAR_WORK_STEPS_MAX,
} from "../core/limits.ts";
import { Analysis } from "./analysis.ts";
import { edgesOf } from "./edges.ts";
import { Closure } from "./closure.ts";
import type { Expressions } from "./expression.ts";
import { type Expression, SEQUENCE } from "./node.ts";
import { type Head, Stacks } from "./stacks.ts";

/** Where reading a text stands. Immutable for callers, and right as long as it is held. */
export interface State {
  readonly heads: readonly Head[];
  /** The text so far is accepted. */
  readonly isAccepting: boolean;
  /** The class of each byte: those of one class lead to the same state. */
  readonly classes: Uint8Array;
  /** Where each class leads, once asked for. */
  targets: (State | undefined)[];
}

/** Fewer make states be dropped more often, for tests. */
export interface StateLimits {
  states?: number;
  nodes?: number;
}

export class States {
  readonly expressions: Expressions;
  readonly dead: State;
  readonly start: State;
  readonly analysis: Analysis;
  readonly stacks = new Stacks();
  readonly #statesMax: number;
  #nodesMax: number;
  readonly #known = new Map<string, State>();
  readonly #fronts = new Map<Expression, { head: Expression; tail: Expression }>();
  #generation = 0;
  /** New steps since what is cached was dropped, and since the budget was renewed. */
  #age = 0;
  #steps = 0;
  #isWithinBudget = false;

  /**
   * @param start what texts must match
   * @throws OnebitError `grammar/unsupported`, `grammar/syntax`, `grammar/too-large`
   */
  constructor(expressions: Expressions, start: Expression, limits: StateLimits = {}) {
    this.#statesMax = limits.states ?? GRAMMAR_STATES_MAX;
    this.#nodesMax = limits.nodes ?? GRAMMAR_DERIVED_NODES_MAX;
    this.expressions = expressions;
    this.analysis = new Analysis(expressions);
    this.analysis.add(start);
    expressions.seal(this.#nodesMax + GRAMMAR_STEP_NODES_MAX);
    this.dead = this.#state([], false);
    const closure = new Closure(this);
    closure.enter(start, this.stacks.end);
    this.start = this.#closed(closure);
  }

  /** Rises whenever cached states were dropped: equal states may then be other objects than before. */
  get generation(): number {
    return this.#generation;
  }

  /** The state after a byte; {@link dead} when no accepted text goes on with it. */
  step(state: State, byte: number): State {
    return state.targets[state.classes[byte]] ?? this.#computed(state, byte);
  }

  /** The state after all bytes. */
  stepBytes(state: State, bytes: Uint8Array): State {
    let reached = state;
    for (let i = 0; i < bytes.length && reached !== this.dead; i++) reached = this.step(reached, bytes[i]);
    return reached;
  }

  /** The text so far is accepted. */
  isAccepting(state: State): boolean {
    return state.isAccepting;
  }

  /** The text so far is accepted, and nothing can follow. */
  isDone(state: State): boolean {
    return state.isAccepting && this.liveClasses(state).length === 0;
  }

  /** The classes of bytes that do not lead to {@link dead}. */
  liveClasses(state: State): number[] {
    const live: number[] = [];
    const seen = new Uint8Array(256);
    for (let byte = 0; byte < 256; byte++) {
      const byteClass = state.classes[byte];
      if (seen[byteClass] === 1) continue;
      seen[byteClass] = 1;
      if (this.step(state, byte) !== this.dead) live.push(byteClass);
    }
    return live;
  }

  /** A sequence in two: all regular parts at its front, or else its first part; and the rest. */
  regularFront(node: Expression): { head: Expression; tail: Expression } {
    let front = this.#fronts.get(node);
    if (front === undefined) this.#fronts.set(node, (front = regularFront(this.expressions, node)));
    return front;
  }

  #computed(state: State, byte: number): State {
    this.#trim();
    this.#spend();
    const closure = new Closure(this);
    for (const { expression, next } of state.heads) {
      const edges = edgesOf(this.expressions, expression);
      closure.enter(edges.targets[edges.classes[byte]], next);
    }
    const reached = this.#closed(closure);
    state.targets[state.classes[byte]] = reached;
    return reached;
  }

  /** The state of some heads, closed anew: they may have become equal or empty. */
  stateOf(heads: readonly Head[], isAccepting: boolean): State {
    const closure = new Closure(this, isAccepting);
    for (const { expression, next } of heads) closure.enter(expression, next);
    return this.#closed(closure);
  }

  #closed(closure: Closure): State {
    const { heads, isAccepting } = closure.finish();
    if (heads.length === 0 && !isAccepting && this.dead !== undefined) return this.dead;
    const key = `${heads.map(({ expression, next }) => `${expression.id}:${next.id}`).join()}${isAccepting}`;
    let state = this.#known.get(key);
    if (state === undefined) this.#known.set(key, (state = this.#state(heads, isAccepting)));
    return state;
  }

  #state(heads: readonly Head[], isAccepting: boolean): State {
    const { sets } = this.expressions;
    let classes: Uint8Array | undefined;
    for (const { expression } of heads) {
      const own = edgesOf(this.expressions, expression).classes;
      classes = classes === undefined ? own : sets.refined(classes, own).classes;
    }
    classes ??= sets.shared(new Uint8Array(256)).classes;
    return { heads, isAccepting, classes, targets: [] };
  }

  /** Runs what makes many steps at once, within the budget of {@link GRAMMAR_WORK_STEPS_MAX} new ones. */
  withBudget<T>(work: () => T): T {
    this.#renewBudget();
    this.#isWithinBudget = true;
    try {
      return work();
    } finally {
      this.#isWithinBudget = false;
    }
  }

  #renewBudget(): void {
    this.#steps = 0;
    this.analysis.renewBudget();
  }

  #spend(): void {
    this.stacks.renewBudget();
    if (!this.#isWithinBudget) this.#renewBudget();
    if (++this.#steps > GRAMMAR_WORK_STEPS_MAX) {
      fail(
        "grammar/too-large",
        `the grammar takes more than ${GRAMMAR_WORK_STEPS_MAX} steps to find the tokens that may come; make it simpler`,
      );
    }
  }

  /** Drops what is cached when it has become too much. What was needed again soon gets more room. */
  #trim(): void {
    this.#age++;
    const isFull = this.#known.size > this.#statesMax || this.stacks.size > 4 * this.#statesMax;
    if (!isFull && this.expressions.derivedNodes <= this.#nodesMax) return;
    if (this.#age < GRAMMAR_WORK_STEPS_MAX) this.#nodesMax = Math.min(2 * this.#nodesMax, GRAMMAR_STEP_NODES_MAX / 2);
    this.#age = 0;
    for (const state of this.#known.values()) state.targets = [];
    this.#known.clear();
    this.stacks.forget();
    this.#fronts.clear();
    this.expressions.forget();
    this.#generation++;
  }
}

function regularFront(expressions: Expressions, node: Expression): { head: Expression; tail: Expression } {
  const heads: Expression[] = [];
  let tail = node;
  for (; tail.kind === SEQUENCE && tail.parts[0].isRegular; tail = tail.parts[1]) heads.push(tail.parts[0]);
  return heads.length === 0
    ? { head: node.parts[0], tail: node.parts[1] }
    : { head: expressions.sequence(...heads), tail };
}
