/**
 * Parses expressions, by precedence climbing from `… if … else …` down to literals, in the order of Jinja's grammar.
 *
 * @module
 */
import type { Arguments, Expression, FilterCall } from "./ast.ts";
import { templateText } from "./marked-text.ts";
import type { TokenReader } from "./token-reader.ts";

const COMPARISONS = new Set(["==", "!=", "<", "<=", ">", ">="]);
const NO_ARGUMENTS: Arguments = { positional: [], named: [] };
const CONSTANTS = new Map<string, boolean | null>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);
/** Words that continue the expression, so never the argument of a test without parentheses. */
const AFTER_TEST = new Set(["else", "or", "and", "is", "if", "in", "not", "recursive"]);
/** Prefix letters of numbers and their bases. */
const BASES: Readonly<Record<string, number>> = { x: 16, o: 8, b: 2 };

/** One expression; `a, b` without brackets is a tuple. */
export function parseExpressions(
  reader: TokenReader,
  options: { conditional: boolean } = { conditional: true },
): Expression {
  const parse = options.conditional ? parseExpression : parseOr;
  const first = parse(reader);
  if (!reader.isOperator(",")) return first;
  const items = [first];
  while (reader.tryOperator(",")) {
    if (reader.is("end") || reader.isOperator(")") || reader.isOperator("=")) break;
    items.push(parse(reader));
  }
  return { kind: "tuple", items };
}

export function parseExpression(reader: TokenReader): Expression {
  return reader.nest(() => parseConditional(reader));
}

/** An expression without a trailing `if`: in a loop's iterable, `if` is the filter. */
export function parseOr(reader: TokenReader): Expression {
  return reader.nest(() => {
    let left = parseAnd(reader);
    while (reader.tryName("or")) left = { kind: "or", left, right: parseAnd(reader) };
    return left;
  });
}

function parseConditional(reader: TokenReader): Expression {
  const then = parseOr(reader);
  if (!reader.tryName("if")) return then;
  const test = parseOr(reader);
  const otherwise = reader.tryName("else") ? parseExpression(reader) : undefined;
  return { kind: "conditional", test, then, otherwise };
}

function parseAnd(reader: TokenReader): Expression {
  let left = parseNot(reader);
  while (reader.tryName("and")) left = { kind: "and", left, right: parseNot(reader) };
  return left;
}

function parseNot(reader: TokenReader): Expression {
  if (!reader.tryName("not")) return parseComparison(reader);
  return { kind: "not", operand: reader.nest(() => parseNot(reader)) };
}

function parseComparison(reader: TokenReader): Expression {
  const first = parseSum(reader);
  const rest: [string, Expression][] = [];
  for (;;) {
    const token = reader.peek();
    if (token.type === "operator" && COMPARISONS.has(token.value)) reader.take();
    else if (reader.isName("not") && reader.is("name", "in", 1)) reader.take();
    else if (!reader.isName("in")) break;
    const operator =
      token.value === "not" || token.value === "in"
        ? (reader.take(), token.value === "not" ? "not in" : "in")
        : token.value;
    rest.push([operator, parseSum(reader)]);
  }
  return rest.length === 0 ? first : { kind: "compare", first, rest };
}

function parseSum(reader: TokenReader): Expression {
  let left = parseConcat(reader);
  while (reader.isOperator("+") || reader.isOperator("-")) {
    left = { kind: "binary", operator: reader.take().value, left, right: parseConcat(reader) };
  }
  return left;
}

function parseConcat(reader: TokenReader): Expression {
  const parts = [parseProduct(reader)];
  while (reader.tryOperator("~")) parts.push(parseProduct(reader));
  return parts.length === 1 ? parts[0] : { kind: "concat", parts };
}

function parseProduct(reader: TokenReader): Expression {
  let left = parsePower(reader);
  while (reader.isOperator("*") || reader.isOperator("/") || reader.isOperator("//") || reader.isOperator("%")) {
    left = { kind: "binary", operator: reader.take().value, left, right: parsePower(reader) };
  }
  return left;
}

function parsePower(reader: TokenReader): Expression {
  let left = parseUnary(reader, true);
  while (reader.tryOperator("**")) left = { kind: "binary", operator: "**", left, right: parseUnary(reader, true) };
  return left;
}

/** A sign binds tighter than a filter: `-x|abs` is the absolute value of −x. */
function parseUnary(reader: TokenReader, withFilters: boolean): Expression {
  let operand: Expression;
  if (reader.isOperator("-") || reader.isOperator("+")) {
    const operator = reader.take().value === "-" ? "-" : "+";
    operand = { kind: "sign", operator, operand: reader.nest(() => parseUnary(reader, false)) };
  } else {
    operand = parsePostfix(reader, parsePrimary(reader));
  }
  return withFilters ? parseFilters(reader, operand) : operand;
}

function parsePrimary(reader: TokenReader): Expression {
  const token = reader.take();
  switch (token.type) {
    case "name":
      return parseName(reader, token.value);
    case "string": {
      const parts = [token.value];
      while (reader.is("string")) parts.push(reader.take().value);
      return { kind: "text", value: templateText(parts.join("")) };
    }
    case "integer":
      return { kind: "constant", value: readInteger(reader, token.value) };
    case "float":
      return { kind: "float", value: Number(token.value) };
    case "operator":
      if (token.value === "(") return parseParentheses(reader);
      if (token.value === "[") return { kind: "list", items: parseItems(reader, "]") };
      if (token.value === "{") return parseDict(reader);
  }
  return reader.fail(`wanted an expression, found ${JSON.stringify(token.value.slice(0, 40) || token.type)}`);
}

function readInteger(reader: TokenReader, spelling: string): number {
  const base = BASES[spelling[1]?.toLowerCase()];
  const value = base === undefined ? Number(spelling) : parseInt(spelling.slice(2), base);
  return Number.isSafeInteger(value)
    ? value
    : reader.fail(`wanted an integer within ±2^53, got ${spelling.slice(0, 40)}`);
}

function parseName(reader: TokenReader, name: string): Expression {
  const constant = CONSTANTS.get(name);
  if (constant !== undefined) return { kind: "constant", value: constant };
  if (AFTER_TEST.has(name)) reader.fail(`wanted an expression, found ${name}`);
  return { kind: "name", name };
}

function parseParentheses(reader: TokenReader): Expression {
  if (reader.tryOperator(")")) return { kind: "tuple", items: [] };
  const expression = parseExpressions(reader);
  reader.expect("operator", ")");
  return expression;
}

function parseItems(reader: TokenReader, closer: string): Expression[] {
  const items: Expression[] = [];
  while (!reader.tryOperator(closer)) {
    if (items.length > 0) reader.expect("operator", ",");
    if (reader.tryOperator(closer)) break;
    items.push(parseExpression(reader));
  }
  return items;
}

function parseDict(reader: TokenReader): Expression {
  const entries: [Expression, Expression][] = [];
  while (!reader.tryOperator("}")) {
    if (entries.length > 0) reader.expect("operator", ",");
    if (reader.tryOperator("}")) break;
    const key = parseExpression(reader);
    reader.expect("operator", ":");
    entries.push([key, parseExpression(reader)]);
  }
  return { kind: "dict", entries };
}

function parsePostfix(reader: TokenReader, operand: Expression): Expression {
  for (;;) {
    if (reader.tryOperator(".")) operand = parseAttribute(reader, operand);
    else if (reader.tryOperator("[")) operand = parseSubscript(reader, operand);
    else if (reader.isOperator("(")) operand = { kind: "call", callee: operand, args: parseArguments(reader) };
    else return operand;
  }
}

function parseAttribute(reader: TokenReader, object: Expression): Expression {
  if (reader.is("integer"))
    return { kind: "item", object, index: { kind: "constant", value: Number(reader.take().value) } };
  return { kind: "attribute", object, name: reader.expect("name").value };
}

function parseSubscript(reader: TokenReader, object: Expression): Expression {
  const bounds: (Expression | undefined)[] = [undefined];
  let isSlice = false;
  while (!reader.tryOperator("]")) {
    if (reader.tryOperator(":")) {
      isSlice = true;
      if (bounds.push(undefined) > 3) reader.fail("a slice has at most start, stop and step");
    } else if (bounds.at(-1) !== undefined) reader.expect("operator", "]");
    else bounds[bounds.length - 1] = parseExpression(reader);
  }
  if (isSlice) return { kind: "slice", object, bounds };
  const [index] = bounds;
  return index ? { kind: "item", object, index } : reader.fail("a subscript [] is empty");
}

/** `( … )` of a call: positional arguments, `*list`, named arguments, `**dict`. */
export function parseArguments(reader: TokenReader): Arguments {
  reader.expect("operator", "(");
  const positional: Expression[] = [];
  const named: [string, Expression][] = [];
  let list: Expression | undefined;
  let dict: Expression | undefined;
  for (let isFirst = true; !reader.tryOperator(")"); isFirst = false) {
    if (!isFirst) reader.expect("operator", ",");
    if (reader.tryOperator(")")) break;
    if (dict !== undefined) reader.fail("an argument follows **");
    if (reader.tryOperator("**")) dict = parseExpression(reader);
    else if (reader.tryOperator("*"))
      list = list === undefined ? parseExpression(reader) : reader.fail("a call has at most one *");
    else if (reader.is("name") && reader.is("operator", "=", 1)) {
      const name = reader.take().value;
      reader.take();
      named.push([name, parseExpression(reader)]);
    } else {
      if (named.length > 0 || list !== undefined) reader.fail("a positional argument follows a named one");
      positional.push(parseExpression(reader));
    }
  }
  return { positional, named, list, dict };
}

/** Any number of filters and tests: `x|trim|length is odd`. */
function parseFilters(reader: TokenReader, operand: Expression): Expression {
  for (;;) {
    if (reader.isOperator("|"))
      for (const filter of parseFilterChain(reader)) operand = { kind: "filter", operand, ...filter };
    else if (reader.tryName("is")) operand = parseTest(reader, operand);
    else if (reader.isOperator("(")) operand = { kind: "call", callee: operand, args: parseArguments(reader) };
    else return operand;
  }
}

/** `|name(…)|name…`; with `bare` the first bar is missing (`{% filter trim %}`). */
export function parseFilterChain(reader: TokenReader, bare = false): FilterCall[] {
  const filters: FilterCall[] = [];
  while ((bare && filters.length === 0) || reader.tryOperator("|")) {
    const name = reader.expect("name").value;
    filters.push({ name, args: reader.isOperator("(") ? parseArguments(reader) : NO_ARGUMENTS });
  }
  return filters;
}

function parseTest(reader: TokenReader, operand: Expression): Expression {
  const isNegated = reader.tryName("not");
  const name = reader.expect("name").value;
  return { kind: "test", operand, name, args: parseTestArguments(reader), isNegated };
}

/** `is divisibleby(3)` or `is divisibleby 3`. */
function parseTestArguments(reader: TokenReader): Arguments {
  if (reader.isOperator("(")) return parseArguments(reader);
  const { type, value } = reader.peek();
  const isLiteral =
    type === "string" ||
    type === "integer" ||
    type === "float" ||
    (type === "operator" && (value === "[" || value === "{"));
  if (!isLiteral && !(type === "name" && !AFTER_TEST.has(value))) return NO_ARGUMENTS;
  return { positional: [parsePostfix(reader, parsePrimary(reader))], named: [] };
}
