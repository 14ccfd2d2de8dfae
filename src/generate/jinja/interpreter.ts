/**
 * Runs a parsed chat template. Every statement and expression pays from the budget, so a hostile template ends with an
 * error after a bounded amount of work and memory.
 *
 * @module
 */
import { applySign, calculate, checkItems, slice } from "./arithmetic.ts";
import type { Arguments, Expression, FilterCall, Macro, Statement, Target } from "./ast.ts";
import type { Budget } from "./budget.ts";
import { compare, contains, isEqual } from "./compare.ts";
import { applyFilter } from "./filters.ts";
import { iterate } from "./iterate.ts";
import { lookUp, lookUpAttribute } from "./lookup.ts";
import { concat, MarkedText, templateText } from "./marked-text.ts";
import { toText } from "./print.ts";
import { Scope } from "./scope.ts";
import { applyTest } from "./tests.ts";
import {
  CallArguments,
  Callable,
  Dict,
  Float,
  isTrue,
  Loop,
  Namespace,
  NO_ARGUMENTS,
  raise,
  Tuple,
  typeName,
  Undefined,
} from "./values.ts";
import type { Value } from "./values.ts";

/** How a body ended: by itself, or at a `break` or `continue`. */
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

  /** The text `body` prints. */
  capture(body: readonly Statement[], scope: Scope): MarkedText {
    return this.#captured(() => void this.#body(body, scope));
  }

  /** The text `task` prints. */
  #captured(task: () => void): MarkedText {
    const outer = this.#output;
    const output: MarkedText[] = [];
    this.#output = output;
    task();
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
        return this.#for(statement, this.#evaluate(statement.iterable, scope), scope, 0);
      case "set":
        this.#assign(statement.target, this.#evaluate(statement.value, scope), scope);
        break;
      case "setBlock":
        this.#assign(
          statement.target,
          this.#filter(this.capture(statement.body, new Scope(scope)), statement.filters, scope),
          scope,
        );
        break;
      case "with":
        return this.#with(statement, scope);
      case "macro":
        scope.set(statement.macro.name, this.#macro(statement.macro, scope));
        break;
      case "callBlock":
        this.#callBlock(statement, scope);
        break;
      case "filterBlock":
        this.#print(
          toText(this.#filter(this.capture(statement.body, new Scope(scope)), statement.filters, scope), this.#budget),
        );
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

  #for(statement: Extract<Statement, { kind: "for" }>, value: Value, scope: Scope, depth0: number): Flow {
    const { target, condition, isRecursive, body, otherwise } = statement;
    let items = iterate(value, this.#budget);
    checkItems(items.length, this.#budget);
    if (condition !== undefined) {
      items = items.filter((item) => {
        this.#budget.spend(5);
        const inner = new Scope(scope);
        this.#assign(target, item, inner);
        return isTrue(this.#evaluate(condition, inner));
      });
    }
    if (items.length === 0) return this.#body(otherwise, new Scope(scope));
    const recurse = isRecursive
      ? (children: Value): Value => this.#captured(() => void this.#for(statement, children, scope, depth0 + 1))
      : undefined;
    const loop = new Loop(items, depth0, recurse);
    for (let i = 0; i < items.length; i++) {
      this.#budget.spend(5);
      const inner = new Scope(scope);
      loop.index0 = i;
      inner.set("loop", loop);
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

  #macro({ name, parameters, body, extras }: Macro, scope: Scope): Callable {
    return new Callable(name, (args) => {
      const inner = new Scope(scope);
      parameters.forEach((parameter, i) => {
        const given = args.get(i, parameter.name);
        const { fallback } = parameter;
        inner.set(
          parameter.name,
          given !== undefined
            ? given
            : fallback
              ? this.#evaluate(fallback, inner)
              : new Undefined(`parameter "${parameter.name}"`),
        );
      });
      this.#takeExtras(name, args, new Set(parameters.map((parameter) => parameter.name)), extras, inner);
      return this.capture(body, inner);
    });
  }

  /** Arguments beyond the parameters: `varargs`, `kwargs` and `caller`, for the macros that name them. */
  #takeExtras(
    name: string,
    { positional, named }: CallArguments,
    parameters: ReadonlySet<string>,
    extras: ReadonlySet<string>,
    scope: Scope,
  ): void {
    const caller = named.get("caller");
    const kwargs = new Dict();
    for (const [key, value] of named) {
      if (parameters.has(key) || (key === "caller" && extras.has("caller"))) continue;
      if (!extras.has("kwargs")) raise(`the macro ${name} takes no argument ${key.slice(0, 40)}`);
      kwargs.set(templateText(key), value);
    }
    if (positional.length > parameters.size && !extras.has("varargs"))
      raise(`the macro ${name} takes at most ${parameters.size} arguments, got ${positional.length}`);
    if (extras.has("varargs")) scope.set("varargs", Tuple.copy(positional.slice(parameters.size)));
    if (extras.has("kwargs")) scope.set("kwargs", kwargs);
    if (extras.has("caller") && !parameters.has("caller")) scope.set("caller", caller ?? new Undefined("caller"));
  }

  #callBlock({ macro, call }: Extract<Statement, { kind: "callBlock" }>, scope: Scope): void {
    const args = this.#arguments(call.args, scope);
    const named = new Map([...args.named, ["caller", this.#macro(macro, scope)] as const]);
    const result = this.#call(this.#evaluate(call.callee, scope), new CallArguments(args.positional, named));
    this.#print(toText(result, this.#budget));
  }

  #filter(value: Value, filters: readonly FilterCall[], scope: Scope): Value {
    return filters.reduce(
      (result, { name, args }) => applyFilter(name, result, this.#arguments(args, scope), this.#budget),
      value,
    );
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    this.#budget.spend(1);
    if (target.kind === "name") return scope.set(target.name, value);
    if (target.kind === "attribute") {
      const object = scope.get(target.object);
      if (!(object instanceof Namespace))
        raise(`only a namespace's attributes can be set: ${target.object} is a ${typeName(object)}`);
      object.values.set(target.name, value);
      return;
    }
    const items = iterate(value, this.#budget);
    if (items.length !== target.items.length)
      raise(`wanted ${target.items.length} values to unpack, got ${items.length}`);
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
        this.#budget.spend(scope.depth >> 2);
        return scope.get(node.name);
      case "list":
        return node.items.map((item) => this.#evaluate(item, scope));
      case "tuple":
        return Tuple.copy(node.items.map((item) => this.#evaluate(item, scope)));
      case "dict":
        return this.#dict(node, scope);
      case "not":
        return !isTrue(this.#evaluate(node.operand, scope));
      case "sign":
        return applySign(node.operator, this.#evaluate(node.operand, scope));
      case "and":
      case "or": {
        const left = this.#evaluate(node.left, scope);
        return isTrue(left) === (node.kind === "and") ? this.#evaluate(node.right, scope) : left;
      }
      case "binary":
        return calculate(
          node.operator,
          this.#evaluate(node.left, scope),
          this.#evaluate(node.right, scope),
          this.#budget,
        );
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
        return slice(
          this.#evaluate(node.object, scope),
          node.bounds.map((bound) => (bound ? this.#evaluate(bound, scope) : undefined)),
          this.#budget,
        );
      case "call":
        return this.#call(this.#evaluate(node.callee, scope), this.#arguments(node.args, scope));
      case "filter":
        return applyFilter(
          node.name,
          this.#evaluate(node.operand, scope),
          this.#arguments(node.args, scope),
          this.#budget,
        );
      case "test":
        return this.#test(node, scope) !== node.isNegated;
    }
  }

  #test({ name, operand, args }: Extract<Expression, { kind: "test" }>, scope: Scope): boolean {
    return applyTest(name, this.#evaluate(operand, scope), this.#arguments(args, scope), this.#budget);
  }

  #call(callee: Value, args: CallArguments): Value {
    // A call makes scopes and argument lists: it costs as much as several other nodes.
    this.#budget.spend(8);
    if (callee instanceof Callable) return callee.call(args);
    if (callee instanceof Loop && callee.recurse !== undefined) {
      return callee.recurse(args.positional[0] ?? raise("loop(…) wants what to loop over"));
    }
    return raise(
      callee instanceof Undefined
        ? `${callee.what} is undefined and cannot be called`
        : `a ${typeName(callee)} cannot be called`,
    );
  }

  #arguments({ positional, named, list, dict }: Arguments, scope: Scope): CallArguments {
    if (positional.length === 0 && named.length === 0 && list === undefined && dict === undefined) return NO_ARGUMENTS;
    this.#budget.spend(3);
    const values = positional.map((argument) => this.#evaluate(argument, scope));
    const byName = new Map(named.map(([name, argument]) => [name, this.#evaluate(argument, scope)]));
    if (list !== undefined) {
      const more = iterate(this.#evaluate(list, scope), this.#budget);
      checkItems(more.length, this.#budget);
      for (const value of more) values.push(value);
    }
    if (dict !== undefined) this.#unpack(this.#evaluate(dict, scope), byName);
    return new CallArguments(values, byName);
  }

  /** `**dict`. */
  #unpack(dict: Value, named: Map<string, Value>): void {
    if (!(dict instanceof Dict)) raise(`** wants a dict, got a ${typeName(dict)}`);
    for (const [key, value] of dict.entries()) {
      if (!(key instanceof MarkedText)) raise(`** wants names as keys, got a ${typeName(key)}`);
      this.#budget.spend(key.cost + 1);
      if (named.has(key.text)) raise(`the argument ${key.text.slice(0, 40)} is given twice`);
      named.set(key.text, value);
    }
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

  #concat(parts: MarkedText[]): MarkedText {
    this.#budget.spend(parts.reduce((cost, part) => cost + part.cost, 0));
    return concat(parts);
  }

  /** `a < b < c`: compares neighbours, stops at the first that fails. */
  #compare({ first, rest }: Extract<Expression, { kind: "compare" }>, scope: Scope): boolean {
    let left = this.#evaluate(first, scope);
    for (const [operator, operand] of rest) {
      this.#budget.spend(1);
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
