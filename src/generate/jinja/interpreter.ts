/**
 * Runs a parsed chat template. Every statement and expression pays from the budget, so a hostile template ends with an
 * error after a bounded amount of work and memory.
 *
 * @module
 */
import { calculate, checkItems, slice } from "./arithmetic.ts";
import type { Arguments, Expression, FilterCall, Parameter, Statement, Target } from "./ast.ts";
import type { Budget } from "./budget.ts";
import { applyFilter } from "./filters.ts";
import { lookUp, lookUpAttribute } from "./lookup.ts";
import { concat, MarkedText, templateText } from "./marked-text.ts";
import { Scope } from "./scope.ts";
import { contains, iterate } from "./strings.ts";
import { findTest } from "./tests.ts";
import { CallArguments, Callable, compare, Dict, Float, integer, isEqual, isNumber, isTrue, Namespace, orElse, raise, toNumber, toText, typeName, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

/** How a body ended: by itself, or at a statement that leaves the loop turn around it. */
type Flow = "done" | "break" | "continue";

/** @throws OnebitError `template/raised`, `template/limit` */
export function run(body: readonly Statement[], globals: Scope, budget: Budget): MarkedText {
  return new Interpreter(budget).capture(body, new Scope(globals));
}

class Interpreter {
  readonly #budget: Budget;
  #output: MarkedText[] = [];

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** What `body` prints. */
  capture(body: readonly Statement[], scope: Scope): MarkedText {
    const outer = this.#output;
    const output: MarkedText[] = [];
    this.#output = output;
    this.#body(body, scope);
    this.#output = outer;
    const text = concat(output.length === 0 ? [templateText("")] : output);
    this.#budget.spend(text.cost);
    return text;
  }

  #body(body: readonly Statement[], scope: Scope): Flow {
    this.#budget.enter();
    let flow: Flow = "done";
    for (const statement of body) {
      flow = this.#statement(statement, scope);
      if (flow !== "done") break;
    }
    this.#budget.leave();
    return flow;
  }

  #statement(statement: Statement, scope: Scope): Flow {
    this.#budget.spend(1);
    switch (statement.kind) {
      case "data":
        this.#print(statement.text);
        break;
      case "output":
        this.#print(toText(this.#evaluate(statement.value, scope), this.#budget));
        break;
      case "if":
        return this.#if(statement, scope);
      case "for":
        return this.#for(statement, scope);
      case "set":
        this.#assign(statement.target, this.#evaluate(statement.value, scope), scope);
        break;
      case "setBlock":
        this.#assign(statement.target, this.#filter(this.capture(statement.body, new Scope(scope)), statement.filters, scope), scope);
        break;
      case "with":
        return this.#with(statement, scope);
      case "macro":
        scope.set(statement.name, this.#macro(statement.name, statement.parameters, statement.body, scope));
        break;
      case "callBlock":
        this.#callBlock(statement, scope);
        break;
      case "filterBlock":
        this.#print(toText(this.#filter(this.capture(statement.body, new Scope(scope)), statement.filters, scope), this.#budget));
        break;
      default:
        return statement.kind;
    }
    return "done";
  }

  #print(text: MarkedText): void {
    this.#budget.spend(text.cost);
    this.#output.push(text);
  }

  #if({ branches, otherwise }: Extract<Statement, { kind: "if" }>, scope: Scope): Flow {
    for (const [test, body] of branches) {
      if (isTrue(this.#evaluate(test, scope))) return this.#body(body, scope);
    }
    return this.#body(otherwise, scope);
  }

  #for({ target, iterable, condition, body, otherwise }: Extract<Statement, { kind: "for" }>, scope: Scope): Flow {
    let items = iterate(this.#evaluate(iterable, scope), this.#budget);
    checkItems(items.length, this.#budget);
    if (condition !== undefined) {
      items = items.filter((item) => {
        const inner = new Scope(scope);
        this.#assign(target, item, inner);
        return isTrue(this.#evaluate(condition, inner));
      });
    }
    if (items.length === 0) return this.#body(otherwise, scope);
    for (let i = 0; i < items.length; i++) {
      this.#budget.spend(3);
      const inner = new Scope(scope);
      inner.set("loop", describeLoop(items, i));
      this.#assign(target, items[i], inner);
      if (this.#body(body, inner) === "break") break;
    }
    return "done";
  }

  #with({ bindings, body }: Extract<Statement, { kind: "with" }>, scope: Scope): Flow {
    const inner = new Scope(scope);
    for (const [target, value] of bindings) this.#assign(target, this.#evaluate(value, scope), inner);
    return this.#body(body, inner);
  }

  #macro(name: string, parameters: readonly Parameter[], body: readonly Statement[], scope: Scope): Callable {
    return new Callable(name, (args) => {
      const inner = new Scope(scope);
      parameters.forEach((parameter, i) => {
        const given = args.get(i, parameter.name);
        const { fallback } = parameter;
        inner.set(parameter.name, given !== undefined ? given : fallback ? this.#evaluate(fallback, inner) : new Undefined(`parameter "${parameter.name}"`));
      });
      const caller = args.named.get("caller");
      if (caller !== undefined) inner.set("caller", caller);
      return this.capture(body, inner);
    });
  }

  #callBlock({ parameters, call, body }: Extract<Statement, { kind: "callBlock" }>, scope: Scope): void {
    if (call.kind !== "call") return;
    const caller = this.#macro("caller", parameters, body, scope);
    const args = this.#arguments(call.args, scope);
    const named = new Map([...args.named, ["caller", caller] as const]);
    const result = this.#call(this.#evaluate(call.callee, scope), new CallArguments(args.positional, named));
    this.#print(toText(result, this.#budget));
  }

  #filter(value: Value, filters: readonly FilterCall[], scope: Scope): Value {
    return filters.reduce((result, { name, args }) => applyFilter(name, result, this.#arguments(args, scope), this.#budget), value);
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    this.#budget.spend(1);
    if (target.kind === "name") return scope.set(target.name, value);
    if (target.kind === "attribute") {
      const object = scope.get(target.object);
      if (!(object instanceof Namespace)) raise(`only a namespace's attributes can be set, ${target.object} is a ${typeName(object)}`);
      object.values.set(target.name, value);
      return;
    }
    const items = iterate(value, this.#budget);
    if (items.length !== target.items.length) raise(`wanted ${target.items.length} values to unpack, got ${items.length}`);
    target.items.forEach((item, i) => this.#assign(item, items[i], scope));
  }

  #evaluate(expression: Expression, scope: Scope): Value {
    this.#budget.spend(1);
    this.#budget.enter();
    const value = this.#evaluateNode(expression, scope);
    this.#budget.leave();
    return value;
  }

  #evaluateNode(node: Expression, scope: Scope): Value {
    switch (node.kind) {
      case "text":
      case "constant":
        return node.value;
      case "float":
        return new Float(node.value);
      case "name":
        return scope.get(node.name);
      case "list":
        return node.items.map((item) => this.#evaluate(item, scope));
      case "dict":
        return this.#dict(node, scope);
      case "not":
        return !isTrue(this.#evaluate(node.operand, scope));
      case "sign":
        return this.#sign(node.operator, this.#evaluate(node.operand, scope));
      case "and":
      case "or": {
        const left = this.#evaluate(node.left, scope);
        return isTrue(left) === (node.kind === "and") ? this.#evaluate(node.right, scope) : left;
      }
      case "binary":
        return calculate(node.operator, this.#evaluate(node.left, scope), this.#evaluate(node.right, scope), this.#budget);
      case "compare":
        return this.#compare(node, scope);
      case "concat":
        return this.#concat(node.parts.map((part) => toText(this.#evaluate(part, scope), this.#budget)));
      case "conditional":
        if (isTrue(this.#evaluate(node.test, scope))) return this.#evaluate(node.then, scope);
        return node.otherwise ? this.#evaluate(node.otherwise, scope) : new Undefined("a condition without else");
      case "attribute":
        return lookUpAttribute(this.#evaluate(node.object, scope), templateText(node.name), this.#budget);
      case "item":
        return lookUp(this.#evaluate(node.object, scope), this.#evaluate(node.index, scope), this.#budget);
      case "slice":
        return slice(this.#evaluate(node.object, scope), node.bounds.map((bound) => (bound ? this.#evaluate(bound, scope) : undefined)), this.#budget);
      case "call":
        return this.#call(this.#evaluate(node.callee, scope), this.#arguments(node.args, scope));
      case "filter":
        return applyFilter(node.name, this.#evaluate(node.operand, scope), this.#arguments(node.args, scope), this.#budget);
      case "test":
        return this.#test(node, scope) !== node.isNegated;
    }
  }

  #test({ name, operand, args }: Extract<Expression, { kind: "test" }>, scope: Scope): boolean {
    const value = this.#evaluate(operand, scope);
    if (value instanceof MarkedText) this.#budget.spend(value.cost);
    return findTest(name)(value, this.#arguments(args, scope), this.#budget);
  }

  #call(callee: Value, args: CallArguments): Value {
    // Scopes and argument lists are made: a call costs as much as several other nodes.
    this.#budget.spend(8);
    if (callee instanceof Callable) return callee.call(args);
    return raise(callee instanceof Undefined ? `${callee.what} is undefined, so it cannot be called` : `a ${typeName(callee)} cannot be called`);
  }

  #arguments({ positional, named }: Arguments, scope: Scope): CallArguments {
    const values = positional.map((argument) => this.#evaluate(argument, scope));
    return new CallArguments(values, new Map(named.map(([name, argument]) => [name, this.#evaluate(argument, scope)])));
  }

  #dict(node: Extract<Expression, { kind: "dict" }>, scope: Scope): Dict {
    const dict = new Dict();
    for (const [keyNode, valueNode] of node.entries) {
      const key = this.#evaluate(keyNode, scope);
      if (key instanceof MarkedText) this.#budget.spend(key.cost);
      dict.set(key, this.#evaluate(valueNode, scope));
    }
    return dict;
  }

  #sign(operator: "+" | "-", value: Value): Value {
    if (!isNumber(value)) return raise(`a ${typeName(value)} has no sign`);
    const n = operator === "-" ? -toNumber(value) : toNumber(value);
    return value instanceof Float ? new Float(n) : integer(n);
  }

  #concat(parts: MarkedText[]): MarkedText {
    this.#budget.spend(parts.reduce((cost, part) => cost + part.cost, 0));
    return concat(parts);
  }

  /** `a < b < c`: each neighbouring pair, stopping at the first that does not hold. */
  #compare({ first, rest }: Extract<Expression, { kind: "compare" }>, scope: Scope): boolean {
    let left = this.#evaluate(first, scope);
    for (const [operator, operand] of rest) {
      const right = this.#evaluate(operand, scope);
      if (!this.#holds(operator, left, right)) return false;
      left = right;
    }
    return true;
  }

  #holds(operator: string, left: Value, right: Value): boolean {
    const budget = this.#budget;
    switch (operator) {
      case "==":
        return isEqual(left, right, budget);
      case "!=":
        return !isEqual(left, right, budget);
      case "in":
        return contains(right, left, budget);
      case "not in":
        return !contains(right, left, budget);
    }
    const order = compare(left, right, budget);
    if (operator === "<") return order < 0;
    if (operator === "<=") return order <= 0;
    return operator === ">" ? order > 0 : order >= 0;
  }
}

function describeLoop(items: readonly Value[], i: number): Namespace {
  const n = items.length;
  const loop = new Namespace();
  const entries: [string, Value][] = [
    ["index", i + 1],
    ["index0", i],
    ["revindex", n - i],
    ["revindex0", n - i - 1],
    ["first", i === 0],
    ["last", i === n - 1],
    ["length", n],
    ["previtem", orElse(items[i - 1], new Undefined("loop.previtem of the first item"))],
    ["nextitem", orElse(items[i + 1], new Undefined("loop.nextitem of the last item"))],
    ["cycle", new Callable("cycle", (args) => args.positional[i % args.positional.length] ?? null)],
  ];
  for (const [name, value] of entries) loop.values.set(name, value);
  return loop;
}
