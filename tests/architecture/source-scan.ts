/**
 * Shape of TypeScript, AssemblyScript and JavaScript sources: imports, function lengths, and the text that is really
 * code. Parsed by @babel/parser: TypeScript 7 has no JavaScript API, and Babel 7 runs on every Node that the tests do.
 */
import { type ParseResult, parse } from "@babel/parser";

/** Lines of a function, header and body, and its first line (1-based). */
export interface FunctionSpan {
  readonly line: number;
  readonly lines: number;
}

/** One `import … from "x"`, `export … from "x"` or `import("x")`. */
export interface ImportedModule {
  readonly specifier: string;
  /** `import type` / `export type`: gone at run time. */
  readonly typeOnly: boolean;
}

/** What the rules read of a node of the syntax tree. */
interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly loc: { readonly start: { readonly line: number }; readonly end: { readonly line: number } };
  readonly [key: string]: unknown;
}

const FUNCTIONS: ReadonlySet<string> = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
  "ObjectMethod",
  "ClassMethod",
  "ClassPrivateMethod",
]);

/** Nodes whose text is not code. */
const TEXTS: ReadonlySet<string> = new Set(["StringLiteral", "DirectiveLiteral", "TemplateElement", "RegExpLiteral"]);

function parsed(source: string): ParseResult {
  return parse(source, {
    sourceType: "module",
    // AssemblyScript marks classes without an object header by a decorator.
    plugins: ["typescript", "decorators-legacy"],
    // A scrap of a program, and what AssemblyScript alone allows, still has a shape.
    errorRecovery: true,
    allowReturnOutsideFunction: true,
  });
}

/** Calls `visit` with every node, outer ones first. */
function walk(node: unknown, visit: (node: SyntaxNode) => void): void {
  if (Array.isArray(node)) for (const item of node) walk(item, visit);
  if (!isNode(node)) return;
  visit(node);
  for (const [key, value] of Object.entries(node)) if (key !== "loc" && typeof value === "object") walk(value, visit);
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value && "loc" in value;
}

/**
 * The source with comments, strings, the text of templates and regular expressions blanked by spaces: same length, same
 * lines.
 */
export function blankNonCode(source: string): string {
  const file = parsed(source),
    out = source.split("");
  const blank = ({ start, end }: { readonly start?: number | null; readonly end?: number | null }): void => {
    for (let i = start ?? 0; i < (end ?? 0); i++) if (out[i] !== "\n") out[i] = " ";
  };
  (file.comments ?? []).forEach(blank);
  if (file.program.interpreter) blank(file.program.interpreter);
  walk(file.program, (node) => {
    if (TEXTS.has(node.type)) blank(node);
  });
  return out.join("");
}

/** Every function that has a body in braces. */
export function functionSpans(source: string): FunctionSpan[] {
  const spans: FunctionSpan[] = [];
  walk(parsed(source).program, ({ type, loc, body }) => {
    if (!FUNCTIONS.has(type) || !isNode(body) || body.type !== "BlockStatement") return;
    spans.push({ line: loc.start.line, lines: loc.end.line - loc.start.line + 1 });
  });
  return spans;
}

/** Every module that the source names. */
export function importedModules(source: string): ImportedModule[] {
  const found: ImportedModule[] = [];
  const add = (module: unknown, kind: unknown): void => {
    if (isNode(module) && typeof module.value === "string")
      found.push({ specifier: module.value, typeOnly: kind === "type" });
  };
  walk(parsed(source).program, (node) => {
    if (node.type === "ImportDeclaration") add(node.source, node.importKind);
    if (node.type === "ExportNamedDeclaration" || node.type === "ExportAllDeclaration")
      add(node.source, node.exportKind);
    if (node.type === "CallExpression" && isNode(node.callee) && node.callee.type === "Import")
      add((node.arguments as unknown[])[0], "value");
  });
  return found;
}

/** Kinds of statements at the top level that only declare. */
const DECLARATIONS: ReadonlySet<string> = new Set([
  "ImportDeclaration",
  "ExportAllDeclaration",
  "FunctionDeclaration",
  "TSDeclareFunction",
  "ClassDeclaration",
  "TSInterfaceDeclaration",
  "TSTypeAliasDeclaration",
  "TSModuleDeclaration",
]);

/** Lines (1-based) of statements at the top level that do something on import, or keep state that may change. */
export function topLevelEffects(source: string): number[] {
  const isPure = (node: unknown): boolean => {
    if (!isNode(node)) return true;
    if (node.type === "ExportNamedDeclaration" || node.type === "ExportDefaultDeclaration")
      return isPure(node.declaration);
    if (node.type === "VariableDeclaration") return node.kind === "const";
    return DECLARATIONS.has(node.type) || node.type === "Identifier";
  };
  return parsed(source)
    .program.body.filter((node) => !isPure(node))
    .map(({ loc }) => loc?.start.line ?? 0);
}
