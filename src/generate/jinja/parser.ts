/**
 * Parses a chat template: text, `{{ expressions }}` and the statements below. It refuses inheritance and imports
 * (`extends`, `include`, `import`), which chat templates do not use.
 *
 * @module
 */
import { didYouMean } from "../../core/nearest-name.ts";
import type { FilterCall, Macro, Parameter, Statement, Target } from "./ast.ts";
import { parseArguments, parseExpression, parseExpressions, parseFilterChain, parseOr } from "./expressions.ts";
import { templateText } from "./marked-text.ts";
import { TokenReader } from "./token-reader.ts";

/** @throws OnebitError `template/syntax`, `template/limit` */
export function parseTemplate(source: string): Statement[] {
  const reader = new TokenReader(source);
  const statements = parseBody(reader, []);
  reader.expect("eof");
  return statements;
}

/** Statement parsers by keyword: they start after the keyword and take the closing `%}`. */
const STATEMENTS: Readonly<Record<string, (reader: TokenReader) => Statement | Statement[]>> = {
  if: parseIf,
  for: parseFor,
  set: parseSet,
  with: parseWith,
  macro: parseMacro,
  call: parseCallBlock,
  filter: parseFilterBlock,
  // Marks the assistant's tokens for training; rendering ignores it.
  generation: (reader) => (closeTag(reader), parseBlock(reader, "endgeneration")),
  break: (reader) => (closeTag(reader), { kind: "break" }),
  continue: (reader) => (closeTag(reader), { kind: "continue" }),
};

/** Statements up to the end or a tag that begins with one of `ends`; leaves that tag to the caller. */
function parseBody(reader: TokenReader, ends: readonly string[]): Statement[] {
  return reader.nest(() => {
    const statements: Statement[] = [];
    while (!reader.is("eof")) {
      if (reader.is("data")) statements.push({ kind: "data", text: templateText(reader.take().value) });
      else if (reader.is("begin", "{{")) statements.push(parseOutput(reader));
      else if (isTag(reader, ends)) return statements;
      else statements.push(...[parseStatement(reader)].flat());
    }
    return statements;
  });
}

function parseOutput(reader: TokenReader): Statement {
  reader.take();
  const value = parseExpressions(reader);
  reader.expect("end", "{{");
  return { kind: "output", value };
}

function parseStatement(reader: TokenReader): Statement | Statement[] {
  reader.expect("begin", "{%");
  const keyword = reader.expect("name").value;
  if (!Object.hasOwn(STATEMENTS, keyword))
    reader.fail(`{% ${keyword.slice(0, 40)} %} is not supported here${didYouMean(keyword, Object.keys(STATEMENTS))}`);
  return STATEMENTS[keyword](reader);
}

/** The body of a block and its end tag. */
function parseBlock(reader: TokenReader, end: string): Statement[] {
  const body = parseBody(reader, [end]);
  openTag(reader, end);
  closeTag(reader);
  return body;
}

function parseIf(reader: TokenReader): Statement {
  const branches: [ReturnType<typeof parseExpression>, Statement[]][] = [];
  let otherwise: Statement[] = [];
  for (;;) {
    const test = parseExpressions(reader);
    closeTag(reader);
    branches.push([test, parseBody(reader, ["elif", "else", "endif"])]);
    if (!isTag(reader, ["elif"])) break;
    openTag(reader, "elif");
  }
  if (isTag(reader, ["else"])) {
    openTag(reader, "else");
    closeTag(reader);
    otherwise = parseBody(reader, ["endif"]);
  }
  openTag(reader, "endif");
  closeTag(reader);
  return { kind: "if", branches, otherwise };
}

function parseFor(reader: TokenReader): Statement {
  const target = parseTarget(reader);
  reader.expect("name", "in");
  const iterable = parseExpressions(reader, { conditional: false });
  const condition = reader.tryName("if") ? parseOr(reader) : undefined;
  const isRecursive = reader.tryName("recursive");
  closeTag(reader);
  const body = parseBody(reader, ["else", "endfor"]);
  let otherwise: Statement[] = [];
  if (isTag(reader, ["else"])) {
    openTag(reader, "else");
    closeTag(reader);
    otherwise = parseBody(reader, ["endfor"]);
  }
  openTag(reader, "endfor");
  closeTag(reader);
  return { kind: "for", target, iterable, condition, isRecursive, body, otherwise };
}

function parseSet(reader: TokenReader): Statement {
  const target = parseTarget(reader);
  if (reader.tryOperator("=")) {
    const value = parseExpressions(reader);
    closeTag(reader);
    return { kind: "set", target, value };
  }
  const filters = parseFilterChain(reader);
  closeTag(reader);
  return { kind: "setBlock", target, filters, body: parseBlock(reader, "endset") };
}

function parseWith(reader: TokenReader): Statement {
  const bindings: [Target, ReturnType<typeof parseExpression>][] = [];
  while (!reader.is("end")) {
    if (bindings.length > 0) reader.expect("operator", ",");
    const target = parseOneTarget(reader);
    reader.expect("operator", "=");
    bindings.push([target, parseExpression(reader)]);
  }
  closeTag(reader);
  return { kind: "with", bindings, body: parseBlock(reader, "endwith") };
}

function parseMacro(reader: TokenReader): Statement {
  const name = reader.expect("name").value;
  return { kind: "macro", macro: parseMacroRest(reader, name, parseParameters(reader), "endmacro") };
}

function parseCallBlock(reader: TokenReader): Statement {
  const parameters = reader.isOperator("(") ? parseParameters(reader) : [];
  const call = parseExpression(reader);
  if (call.kind !== "call") return reader.fail("{% call %} wants a call of a macro");
  return { kind: "callBlock", call, macro: parseMacroRest(reader, "caller", parameters, "endcall") };
}

function parseMacroRest(reader: TokenReader, name: string, parameters: readonly Parameter[], end: string): Macro {
  closeTag(reader);
  const begin = reader.position;
  const body = parseBlock(reader, end);
  return {
    name,
    parameters,
    body,
    extras: new Set(["varargs", "kwargs", "caller"].filter((extra) => reader.namesSince(begin, extra))),
  };
}

function parseFilterBlock(reader: TokenReader): Statement {
  const filters: FilterCall[] = parseFilterChain(reader, true);
  closeTag(reader);
  return { kind: "filterBlock", filters, body: parseBlock(reader, "endfilter") };
}

function parseParameters(reader: TokenReader): Parameter[] {
  const { positional, named, list, dict } = parseArguments(reader);
  if (list !== undefined || dict !== undefined)
    reader.fail("a parameter cannot have *: use varargs or kwargs in the macro");
  const names = positional.map((argument) =>
    argument.kind === "name" ? argument.name : reader.fail("wanted a name as the parameter"),
  );
  return [
    ...names.map((name) => ({ name, fallback: undefined })),
    ...named.map(([name, fallback]) => ({ name, fallback })),
  ];
}

/** `a`, `ns.a`, `a, b`, `(a, b)`. */
function parseTarget(reader: TokenReader): Target {
  const items = [parseOneTarget(reader)];
  let isList = false;
  while (reader.tryOperator(",")) {
    isList = true;
    if (reader.isName("in") || reader.isOperator("=") || reader.isOperator(")")) break;
    items.push(parseOneTarget(reader));
  }
  return isList ? { kind: "targets", items } : items[0];
}

function parseOneTarget(reader: TokenReader): Target {
  if (reader.tryOperator("(")) {
    const target = reader.nest(() => parseTarget(reader));
    reader.expect("operator", ")");
    return target;
  }
  const { value: name } = reader.expect("name");
  return reader.tryOperator(".")
    ? { kind: "attribute", object: name, name: reader.expect("name").value }
    : { kind: "name", name };
}

/** True before `{% name`, for one of `names`. */
function isTag(reader: TokenReader, names: readonly string[]): boolean {
  return reader.is("begin", "{%") && reader.is("name", undefined, 1) && names.includes(reader.peek(1).value);
}

function openTag(reader: TokenReader, name: string): void {
  reader.expect("begin", "{%");
  reader.expect("name", name);
}

function closeTag(reader: TokenReader): void {
  reader.expect("end", "{%");
}
