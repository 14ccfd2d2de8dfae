/**
 * What only a whole grammar tells of its rules: which match "", which match anything at all, and that none begins with
 * itself.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { GRAMMAR_EMPTINESS_NODES_MAX } from "../core/limits.ts";
import { edgesOf } from "./edges.ts";
import type { Expressions } from "./expression.ts";
import { BOTH, CHOICE, COMPLEMENT, type Expression, REPEAT, Rule, SEQUENCE } from "./node.ts";

export class Analysis {
  readonly #expressions: Expressions;
  /** Every rule that was looked at, and whether it matches "". */
  readonly #nullable = new Map<Rule, boolean>();
  /** Whether a rule matches anything. */
  readonly #productive = new Map<Rule, boolean>();
  /** What was found of other nodes with rules within. */
  readonly #nullableNodes = new Map<Expression, boolean>();
  readonly #nonEmptyRules = new Map<Rule, Rule>();
  readonly #nonEmpty = new Map<Expression, Expression>();

  /** Nodes searched for a text since the budget was renewed. */
  #searched = 0;

  constructor(expressions: Expressions) {
    this.#expressions = expressions;
  }

  /**
   * Looks at all rules that an expression reaches.
   * @throws OnebitError `grammar/unsupported` for a rule that begins with itself, `grammar/syntax` for an undefined one
   */
  add(start: Expression): void {
    const found = this.#reachable(start);
    const users = new Map<Rule, Rule[]>();
    for (const rule of found) {
      for (const used of rulesWithin(rule.expression)) {
        const list = users.get(used);
        if (list === undefined) users.set(used, [rule]);
        else list.push(rule);
      }
    }
    settle(found, users, this.#nullable, (rule) => this.#isNullable(rule.expression, new Map()));
    settle(found, users, this.#productive, (rule) => !this.#isEmpty(rule.expression, new Map()));
    this.#refuseLeftRecursion(found);
  }

  /** Whether an expression matches "". */
  isNullable(node: Expression): boolean {
    return this.#isNullable(node, this.#nullableNodes);
  }

  #isNullable(node: Expression, known: Map<Expression, boolean>): boolean {
    if (node.isRegular) return node.isNullable;
    if (node instanceof Rule) return this.#nullable.get(node) ?? false;
    let found = known.get(node);
    if (found === undefined) known.set(node, (found = this.#areNullable(node, known)));
    return found;
  }

  #areNullable(node: Expression, known: Map<Expression, boolean>): boolean {
    if (node.kind === REPEAT) return node.min === 0 || this.#isNullable(node.parts[0], known);
    if (node.kind === CHOICE) return node.parts.some((part) => this.#isNullable(part, known));
    let rest = node;
    for (; rest.kind === SEQUENCE; rest = rest.parts[1]) if (!this.#isNullable(rest.parts[0], known)) return false;
    return this.#isNullable(rest, known);
  }

  /**
   * Whether an expression matches no string.
   * @throws OnebitError `grammar/too-large` when it takes too long to find that out
   */
  isEmpty(node: Expression): boolean {
    if (!node.mayBeEmpty) return false;
    return (node.emptiness ??= this.#isEmpty(node, undefined));
  }

  /** @param known what was found in this call, while rules are still being settled; undefined: on the nodes */
  #isEmpty(node: Expression, known: Map<Expression, boolean> | undefined): boolean {
    const within = (part: Expression): boolean => {
      if (known === undefined || part.isRegular) return this.isEmpty(part);
      let found = known.get(part);
      if (found === undefined) known.set(part, (found = this.#isEmpty(part, known)));
      return found;
    };
    if (node instanceof Rule) return !(this.#productive.get(node) ?? false);
    if (node.kind === CHOICE) return node.parts.every(within);
    if (node.kind === REPEAT) return node.min > 0 && within(node.parts[0]);
    if (node.kind === BOTH || node.kind === COMPLEMENT) return this.#matchesNothing(node);
    let rest = node;
    for (; rest.kind === SEQUENCE; rest = rest.parts[1]) if (within(rest.parts[0])) return true;
    return rest !== node && within(rest);
  }

  /** From here, as many nodes may be searched as at first. */
  renewBudget(): void {
    this.#searched = 0;
  }

  /**
   * Searches the derivatives for one that matches "": deepest first, so that a counter of thousands is one straight
   * way.
   */
  #matchesNothing(node: Expression): boolean {
    const waiting = [node];
    const from = new Map<Expression, Expression | undefined>([[node, undefined]]);
    if (node.isNullable) return markNonEmpty(node, from);
    for (let current = waiting.pop(); current !== undefined; current = waiting.pop()) {
      this.#searched += Math.max(current.parts.length, 1);
      if (this.#searched > GRAMMAR_EMPTINESS_NODES_MAX) {
        fail(
          "grammar/too-large",
          `${GRAMMAR_EMPTINESS_NODES_MAX} steps found no text that fits all conditions at once; make them simpler`,
        );
      }
      // The last is looked at first: the class of the lowest bytes, as characters of one byte are the shorter way.
      const { targets } = edgesOf(this.#expressions, current);
      for (let i = targets.length - 1; i >= 0; i--) {
        const target = targets[i];
        if (target === this.#expressions.nothing || target.emptiness === true || from.has(target)) continue;
        const isSearched = target.emptiness === undefined && (target.kind === BOTH || target.kind === COMPLEMENT);
        if (target.isNullable || (!isSearched && !this.isEmpty(target))) return markNonEmpty(current, from);
        if (!isSearched) continue;
        from.set(target, current);
        waiting.push(target);
      }
    }
    for (const empty of from.keys()) empty.emptiness = true;
    return true;
  }

  /** The same without "": what a repetition may repeat without end. */
  nonEmpty(node: Expression): Expression {
    if (!this.isNullable(node)) return node;
    let found = this.#nonEmpty.get(node);
    if (found === undefined) {
      this.#nonEmpty.set(node, (found = this.#withoutEmpty(node)));
      this.add(found);
    }
    return found;
  }

  #withoutEmpty(node: Expression): Expression {
    const made = this.#expressions;
    if (!this.isNullable(node)) return node;
    if (node.isRegular) return made.both([node, made.complement(made.empty)]);
    if (node instanceof Rule) return this.#ruleWithoutEmpty(node);
    if (node.kind === CHOICE) return made.choice(node.parts.map((part) => this.#withoutEmpty(part)));
    if (node.kind === REPEAT) {
      const [part] = node.parts;
      return made.sequence(this.#withoutEmpty(part), made.repeat(part, Math.max(node.min - 1, 0), node.max - 1));
    }
    // The first part that is not empty, and all behind it; those before it are.
    const alternatives: Expression[] = [];
    let rest = node;
    for (; rest.kind === SEQUENCE; rest = rest.parts[1]) {
      alternatives.push(made.sequence(this.#withoutEmpty(rest.parts[0]), rest.parts[1]));
    }
    return made.choice([...alternatives, this.#withoutEmpty(rest)]);
  }

  #ruleWithoutEmpty(rule: Rule): Rule {
    const known = this.#nonEmptyRules.get(rule);
    if (known !== undefined) return known;
    const made = this.#expressions.rule(`${rule.name} (not empty)`);
    this.#nonEmptyRules.set(rule, made);
    made.define(this.#withoutEmpty(rule.expression));
    return made;
  }

  /** Rules reached and not looked at before. */
  #reachable(start: Expression): Rule[] {
    const found = new Set<Rule>();
    const waiting = rulesWithin(start);
    for (let rule = waiting.pop(); rule !== undefined; rule = waiting.pop()) {
      if (found.has(rule) || this.#nullable.has(rule)) continue;
      found.add(rule);
      waiting.push(...rulesWithin(rule.expression));
    }
    return [...found].reverse();
  }

  #refuseLeftRecursion(rules: readonly Rule[]): void {
    const done = new Set<Rule>();
    for (const start of rules) {
      const path: { rule: Rule; next: Rule[] }[] = [];
      const onPath = new Set<Rule>();
      const enter = (rule: Rule): void => {
        if (onPath.has(rule)) {
          fail(
            "grammar/unsupported",
            `rule ${quoted(rule.name)}: begins with itself (left recursion); write it as a repetition`,
          );
        }
        if (done.has(rule)) return;
        onPath.add(rule);
        path.push({ rule, next: this.#firstRules(rule.expression) });
      };
      enter(start);
      while (path.length > 0) {
        const { rule, next } = path[path.length - 1];
        const first = next.pop();
        if (first !== undefined) {
          enter(first);
          continue;
        }
        path.pop();
        onPath.delete(rule);
        done.add(rule);
      }
    }
  }

  /** Rules with which an expression can begin. */
  #firstRules(start: Expression): Rule[] {
    const found = new Set<Rule>();
    const seen = new Set<Expression>();
    const waiting = [start];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (node.isRegular || seen.has(node)) continue;
      seen.add(node);
      if (node instanceof Rule) found.add(node);
      else if (node.kind !== SEQUENCE) waiting.push(...node.parts);
      else {
        waiting.push(node.parts[0]);
        if (this.isNullable(node.parts[0])) waiting.push(node.parts[1]);
      }
    }
    return [...found];
  }
}

/** Marks the nodes on the way to `node` as matching something. */
function markNonEmpty(node: Expression, from: ReadonlyMap<Expression, Expression | undefined>): false {
  for (let at: Expression | undefined = node; at !== undefined; at = from.get(at)) at.emptiness = false;
  return false;
}

/** Finds what is true of rules when nothing is assumed: asks again for those that use a rule that became true. */
function settle(
  rules: readonly Rule[],
  users: ReadonlyMap<Rule, readonly Rule[]>,
  known: Map<Rule, boolean>,
  isTrue: (rule: Rule) => boolean,
): void {
  for (const rule of rules) known.set(rule, false);
  const waiting = new Set(rules);
  for (const rule of waiting) {
    waiting.delete(rule);
    if (known.get(rule) === true || !isTrue(rule)) continue;
    known.set(rule, true);
    for (const user of users.get(rule) ?? []) if (known.get(user) === false) waiting.add(user);
  }
}

/** The rules in an expression itself, not those in their definitions. */
function rulesWithin(start: Expression): Rule[] {
  const found = new Set<Rule>();
  const seen = new Set<Expression>();
  const waiting = [start];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.isRegular || seen.has(node)) continue;
    seen.add(node);
    if (node instanceof Rule) found.add(node);
    for (const part of node.parts) waiting.push(part);
  }
  return [...found];
}
