/**
 * Reads TypeScript and AssemblyScript well enough to judge their shape, without a compiler: TypeScript 7 has no
 * JavaScript API, and the rules need only imports, function lengths and words that are really code.
 */

/** Lengths in lines, the first line (1-based) of each function body with its header. */
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

/** Words after which `/` opens a regular expression, not a division. */
const REGEX_MAY_FOLLOW = /(?:^|[({[=,;:!&|?+\-*%<>~^}]|\b(?:return|typeof|case|in|of|delete|void|throw|new|instanceof|yield|await|else|do))\s*$/;

/** Words before a parenthesis that make `(…) {` a statement, not a function. */
const CONTROL = new Set(["if", "for", "while", "switch", "catch", "with", "await"]);

/**
 * The source with comments, string contents, template text and regular expressions blanked by spaces: same length,
 * same lines. Code inside `${…}` stays, without those braces.
 */
export function blankNonCode(source: string): string {
  const out = source.split("");
  const blank = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " ";
  };
  /** For every open `${`, how many `{` are open inside it. */
  const templates: number[] = [];
  let i = 0;
  while (i < source.length) {
    const end = nonCodeEnd(source, i, out, templates);
    if (end > i) {
      blank(i, end);
      i = end;
      continue;
    }
    const depth = templates.length - 1;
    if (source[i] === "{" && depth >= 0) templates[depth]++;
    if (source[i] === "}" && depth >= 0 && --templates[depth] < 0) {
      templates.pop();
      const close = templateTextEnd(source, i + 1, templates);
      blank(i, close);
      i = close;
      continue;
    }
    i++;
  }
  return out.join("");
}

/** Where the comment, string, template text or regular expression that opens at `i` ends; `i` when none does. */
function nonCodeEnd(source: string, i: number, out: readonly string[], templates: number[]): number {
  const two = source.slice(i, i + 2);
  if (two === "//" || (two === "#!" && i === 0)) return endOr(source, source.indexOf("\n", i), 0);
  if (two === "/*") return endOr(source, source.indexOf("*/", i + 2), 2);
  const at = source[i];
  if (at === '"' || at === "'") return quotedEnd(source, i, at);
  if (at === "`") return templateTextEnd(source, i + 1, templates);
  // Looking back over 200 characters of code is enough for any blanks before a regular expression.
  if (at === "/" && REGEX_MAY_FOLLOW.test(out.slice(Math.max(0, i - 200), i).join(""))) return regexEnd(source, i);
  return i;
}

function endOr(source: string, found: number, width: number): number {
  return found < 0 ? source.length : found + width;
}

function quotedEnd(source: string, start: number, quote: string): number {
  for (let i = start + 1; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === quote || source[i] === "\n") return i + 1;
  }
  return source.length;
}

/** The end of template text that starts at `from`: after the closing backtick, or after `${` (then one is open). */
function templateTextEnd(source: string, from: number, templates: number[]): number {
  for (let i = from; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "`") return i + 1;
    else if (source.startsWith("${", i)) {
      templates.push(0);
      return i + 2;
    }
  }
  return source.length;
}

function regexEnd(source: string, start: number): number {
  let inClass = false;
  for (let i = start + 1; i < source.length && source[i] !== "\n"; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "[") inClass = true;
    else if (source[i] === "]") inClass = false;
    else if (source[i] === "/" && !inClass) return i + 1;
  }
  return start; // a division after all
}

/** Every function with a body in braces: declarations, methods, accessors, arrows. */
export function functionSpans(source: string): FunctionSpan[] {
  const code = blankNonCode(source);
  const closers = matchBrackets(code);
  const bodies = new Map<number, number>(); // opening brace → where the header starts
  for (const [open, close] of closers) {
    if (code[open] !== "(") continue;
    const body = bodyAfterParameters(code, closers, open, close);
    if (body !== undefined) bodies.set(body, open);
  }
  for (const arrow of code.matchAll(/=>\s*\{/g)) {
    const body = arrow.index + arrow[0].length - 1;
    if (!bodies.has(body)) bodies.set(body, arrow.index);
  }
  const lineOf = lineCounter(code);
  return [...bodies].map(([body, header]) => {
    const line = lineOf(header);
    return { line, lines: lineOf(closers.get(body) ?? code.length - 1) - line + 1 };
  });
}

function bodyAfterParameters(code: string, closers: Map<number, number>, open: number, close: number): number | undefined {
  const name = wordBefore(code, open);
  if (CONTROL.has(name.word) || /\b(?:extends|new)\s+(?:[\w$]+\.)*$/.test(code.slice(Math.max(0, name.at - 60), name.at))) return undefined;
  let at = skipBlank(code, close + 1);
  if (code[at] === ":") at = skipType(code, closers, at + 1);
  if (code.startsWith("=>", at)) at = skipBlank(code, at + 2);
  return code[at] === "{" ? at : undefined;
}

/** The word before an opening parenthesis, past type parameters: `f` of `f<T>(`. */
function wordBefore(code: string, open: number): { word: string; at: number } {
  let end = open;
  while (end > 0 && /\s/.test(code[end - 1])) end--;
  if (code[end - 1] === ">" && code[end - 2] !== "=") {
    for (let depth = 0; end > 0; ) {
      end--;
      if (code[end] === ">" && code[end - 1] !== "=") depth++;
      if (code[end] === "<" && --depth === 0) break;
    }
  }
  let at = end;
  while (at > 0 && /[\w$]/.test(code[at - 1])) at--;
  return { word: code.slice(at, end), at };
}

/** Past a type annotation: stops at the `{` or `=>` of the body, or at anything that ends a type. */
function skipType(code: string, closers: Map<number, number>, from: number): number {
  let operandWanted = true;
  let at = skipBlank(code, from);
  while (at < code.length) {
    const c = code[at];
    const word = /^[\w$.]+/.exec(code.slice(at, at + 100))?.[0];
    if (word !== undefined) {
      operandWanted = /^(?:is|keyof|typeof|readonly|infer|extends|asserts|new|unique)$/.test(word);
      at += word.length;
    } else if (c === "{" && !operandWanted) return at;
    else if (c === "{" || c === "[" || c === "(") {
      at = (closers.get(at) ?? code.length) + 1;
      // A function type goes on after its parameters.
      operandWanted = c === "(" && code.startsWith("=>", skipBlank(code, at));
      if (operandWanted) at = skipBlank(code, at) + 2;
    } else if (c === "<") {
      at = skipAngles(code, closers, at);
      operandWanted = false;
    } else if (c === "|" || c === "&" || c === "?" || c === "-") {
      operandWanted = true;
      at++;
    } else if (c === '"' || c === "'") at++;
    else return at;
    at = skipBlank(code, at);
  }
  return at;
}

function skipAngles(code: string, closers: Map<number, number>, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if ("({[".includes(code[at])) at = closers.get(at) ?? code.length;
    else if (code[at] === "<") depth++;
    else if (code[at] === ">" && code[at - 1] !== "=" && --depth === 0) return at + 1;
  }
  return code.length;
}

function skipBlank(code: string, at: number): number {
  while (at < code.length && /\s/.test(code[at])) at++;
  return at;
}

/** Opening bracket → its closing one, for (), {}, []. */
export function matchBrackets(code: string): Map<number, number> {
  const closers = new Map<number, number>();
  const open: number[] = [];
  for (let i = 0; i < code.length; i++) {
    if ("({[".includes(code[i])) open.push(i);
    else if (")}]".includes(code[i])) {
      const from = open.pop();
      if (from !== undefined) closers.set(from, i);
    }
  }
  return closers;
}

/** 1-based line of an offset, for offsets in any order. */
export function lineCounter(source: string): (offset: number) => number {
  const starts = [0];
  for (let i = 0; i < source.length; i++) if (source[i] === "\n") starts.push(i + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** Every module the source names, statically or by `import()`. */
export function importedModules(source: string): ImportedModule[] {
  const code = blankNonCode(source);
  const found: ImportedModule[] = [];
  const statement = /(?<![\w$.])(import|export)\b(\s+type(?=\s+[\w{*]))?\s*(?:[\w\s{},*$]*?\bfrom\s*)?(["'])([^"'\n]*)\3/g;
  for (const match of source.matchAll(statement)) {
    if (!code.startsWith(match[1], match.index)) continue; // in a string or a comment
    found.push({ specifier: match[4], typeOnly: match[2] !== undefined });
  }
  for (const match of code.matchAll(/(?<![\w$.])import\s*\(/g)) {
    const quoted = /^\s*(["'`])([^"'`\n]*)\1/.exec(source.slice(match.index + match[0].length));
    if (quoted !== null) found.push({ specifier: quoted[2], typeOnly: false });
  }
  return found;
}
