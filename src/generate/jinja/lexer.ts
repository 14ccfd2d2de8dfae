/**
 * Chat template text to tokens: Jinja's lexical rules (Jinja 3.1 documentation, "Template Designer Documentation") with
 * the settings chat templates expect: `trim_blocks` and `lstrip_blocks` on, one final newline dropped.
 *
 * It scans left to right without backtracking, so time is linear in the text.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { TEMPLATE_CHARS_MAX } from "../../core/limits.ts";
import { skipSpaces, trimmedEnd } from "./characters.ts";

export type TokenType = "data" | "name" | "integer" | "float" | "string" | "operator" | "begin" | "end" | "eof";

export interface Token {
  readonly type: TokenType;
  /** A string's content, an operator's spelling; `{%` or `{{` for both `begin` and `end`. */
  readonly value: string;
  readonly line: number;
}

/** Longest first, so that `**` is not two `*`. */
const OPERATORS = [
  "**",
  "//",
  "==",
  "!=",
  "<=",
  ">=",
  "+",
  "-",
  "*",
  "/",
  "%",
  "~",
  "|",
  ".",
  ",",
  ":",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
  "<",
  ">",
  "=",
];
const CLOSER: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\x07",
  "'": "'",
  '"': '"',
  "\\": "\\",
  "\n": "",
};

/** @throws OnebitError `template/syntax`, `template/limit` */
export function tokenize(source: string): Token[] {
  if (source.length > TEMPLATE_CHARS_MAX) {
    fail("template/limit", `the template has ${source.length} characters, at most ${TEMPLATE_CHARS_MAX} are allowed`);
  }
  const text = source.replace(/\r\n?/g, "\n");
  return new Lexer(text.endsWith("\n") ? text.slice(0, -1) : text).run();
}

class Lexer {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  #nextNewline: number;

  constructor(text: string) {
    this.#text = text;
    this.#nextNewline = findNewline(text, 0);
  }

  run(): Token[] {
    while (this.#at < this.#text.length) {
      const open = this.#findOpen();
      this.#data(this.#text.slice(this.#at, open.at), open.tag);
      if (open.tag === "") break;
      this.#at = open.at + 2;
      if (open.tag === "{#") this.#comment();
      else this.#tag(open.tag);
    }
    this.#push("eof", "");
    return this.#tokens;
  }

  #findOpen(): { at: number; tag: string } {
    const text = this.#text;
    for (let at = text.indexOf("{", this.#at); at >= 0; at = text.indexOf("{", at + 1)) {
      const next = text[at + 1];
      if (next === "%" || next === "{" || next === "#") return { at, tag: `{${next}` };
    }
    return { at: text.length, tag: "" };
  }

  /** Text outside tags, less the spaces that the next tag strips. */
  #data(data: string, tag: string): void {
    const sign = tag === "" ? "" : this.#text[this.#at + data.length + 2];
    const begin = this.#at;
    this.#at += data.length;
    if (sign === "-") data = data.slice(0, trimmedEnd(data));
    else if (sign !== "+" && (tag === "{%" || tag === "{#"))
      data = stripIndent(data, begin === 0 || this.#text[begin - 1] === "\n");
    if (data !== "") this.#push("data", data);
  }

  #comment(): void {
    const end = this.#text.indexOf("#}", this.#at);
    if (end < 0) this.#fail("a comment {# has no end #}");
    const sign = end > this.#at ? this.#text[end - 1] : "";
    this.#at = end + 2;
    this.#afterTag("{#", sign);
  }

  /** The inside of `{% … %}` or `{{ … }}`. */
  #tag(tag: string): void {
    const close = tag === "{%" ? "%}" : "}}";
    if (this.#text[this.#at] === "-" || this.#text[this.#at] === "+") this.#at++;
    this.#push("begin", tag);
    const first = this.#tokens.length;
    const open: string[] = [];
    for (;;) {
      this.#skipSpace();
      if (this.#at >= this.#text.length) this.#fail(`${tag} has no end ${close}`);
      if (open.length === 0 && this.#tryClose(tag, close)) break;
      this.#token(open);
    }
    const isRaw = tag === "{%" && this.#tokens.length === first + 2 && this.#tokens[first].value === "raw";
    if (isRaw) this.#raw(first - 1);
  }

  #tryClose(tag: string, close: string): boolean {
    const text = this.#text;
    const sign = text[this.#at] === "-" || text[this.#at] === "+" ? text[this.#at] : "";
    if (!text.startsWith(close, this.#at + sign.length)) return false;
    this.#push("end", tag);
    this.#at += sign.length + 2;
    this.#afterTag(tag, sign);
    return true;
  }

  #afterTag(tag: string, sign: string): void {
    if (sign === "-") this.#skipSpace();
    else if (sign !== "+" && tag !== "{{" && this.#text[this.#at] === "\n") this.#at++;
  }

  /** `{% raw %}`: everything up to `{% endraw %}` is data; drops the raw tag's own tokens, from `begin` on. */
  #raw(begin: number): void {
    this.#tokens.length = begin;
    const ends = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/y;
    for (let at = this.#text.indexOf("{%", this.#at); at >= 0; at = this.#text.indexOf("{%", at + 2)) {
      ends.lastIndex = at;
      const end = ends.exec(this.#text);
      if (end === null) continue;
      const data = this.#text.slice(this.#at, at);
      const isAtLineStart = this.#text[this.#at - 1] === "\n";
      this.#at = at;
      const kept =
        end[1] === "-" ? data.slice(0, trimmedEnd(data)) : end[1] === "+" ? data : stripIndent(data, isAtLineStart);
      if (kept !== "") this.#push("data", kept);
      this.#at += end[0].length;
      this.#afterTag("{%", end[2]);
      return;
    }
    this.#fail("{% raw %} has no {% endraw %}");
  }

  #token(open: string[]): void {
    const text = this.#text;
    const char = text[this.#at];
    if (char === '"' || char === "'") return this.#string(char);
    if (isDigit(char)) return this.#number();
    if (isNameStart(char)) {
      const begin = this.#at;
      while (this.#at < text.length && (isNameStart(text[this.#at]) || isDigit(text[this.#at]))) this.#at++;
      return this.#push("name", text.slice(begin, this.#at));
    }
    const operator = OPERATORS.find((spelling) => text.startsWith(spelling, this.#at));
    if (operator === undefined) this.#fail(`unexpected character ${JSON.stringify(char)}`);
    if (CLOSER[operator] !== undefined) open.push(CLOSER[operator]);
    else if (operator === ")" || operator === "]" || operator === "}") {
      const wanted = open.pop();
      if (wanted !== operator) this.#fail(`wanted ${wanted ?? "no closing bracket"}, found ${operator}`);
    }
    this.#at += operator.length;
    this.#push("operator", operator);
  }

  #number(): void {
    const number = /0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(\.\d[\d_]*)?([eE][-+]?\d+)?/y;
    number.lastIndex = this.#at;
    // `x.0.1` indexes twice: after a dot a number has no fraction.
    const previous = this.#tokens.at(-1);
    const isIndex = previous?.type === "operator" && previous.value === ".";
    const match = number.exec(this.#text) as RegExpExecArray;
    const spelling = isIndex ? (/^\d+/.exec(match[0]) as RegExpExecArray)[0] : match[0];
    this.#at += spelling.length;
    const isFloat = !isIndex && (match[1] !== undefined || match[2] !== undefined);
    this.#push(isFloat ? "float" : "integer", spelling.replaceAll("_", ""));
  }

  #string(quote: string): void {
    const text = this.#text;
    const parts: string[] = [];
    let begin = ++this.#at;
    for (;;) {
      const char = text[this.#at];
      if (char === undefined) this.#fail(`a string has no closing ${quote}`);
      if (char === quote) break;
      if (char === "\\") {
        parts.push(text.slice(begin, this.#at), this.#escape());
        begin = this.#at;
      } else this.#at++;
    }
    parts.push(text.slice(begin, this.#at));
    this.#at++;
    this.#push("string", parts.join(""));
  }

  #escape(): string {
    const char = this.#text[this.#at + 1] ?? "";
    const octal = /^[0-7]{1,3}/.exec(this.#text.slice(this.#at + 1, this.#at + 4))?.[0] ?? "";
    if (octal !== "") {
      this.#at += 1 + octal.length;
      return String.fromCharCode(parseInt(octal, 8));
    }
    const nHex = { x: 2, u: 4, U: 8 }[char] ?? 0;
    if (nHex > 0) {
      const hex = this.#text.slice(this.#at + 2, this.#at + 2 + nHex);
      const code = hex.length === nHex && /^[0-9a-fA-F]+$/.test(hex) ? parseInt(hex, 16) : Infinity;
      if (code > 0x10ffff) this.#fail(`no such character: \\${char}${hex}`);
      this.#at += 2 + nHex;
      return String.fromCodePoint(code);
    }
    this.#at += 2;
    // As in Python, a backslash before any other character stays.
    return ESCAPES[char] ?? `\\${char}`;
  }

  #skipSpace(): void {
    this.#at = skipSpaces(this.#text, this.#at);
  }

  #push(type: TokenType, value: string): void {
    for (; this.#nextNewline < this.#at; this.#nextNewline = findNewline(this.#text, this.#nextNewline + 1))
      this.#line++;
    this.#tokens.push({ type, value, line: this.#line });
  }

  #fail(message: string): never {
    this.#push("eof", "");
    fail("template/syntax", `chat template, line ${this.#line}: ${message}`);
  }
}

function findNewline(text: string, from: number): number {
  const at = text.indexOf("\n", from);
  return at < 0 ? Infinity : at;
}

/** `lstrip_blocks`: drops spaces between a line's start and the tag. */
function stripIndent(data: string, startsLine: boolean): string {
  const lineStart = data.lastIndexOf("\n") + 1;
  if (lineStart === 0 && !startsLine) return data;
  return skipSpaces(data, lineStart) === data.length ? data.slice(0, lineStart) : data;
}

function isDigit(char: string): boolean {
  return char >= "0" && char <= "9";
}

function isNameStart(char: string): boolean {
  return (
    (char >= "a" && char <= "z") ||
    (char >= "A" && char <= "Z") ||
    char === "_" ||
    (char > "\x7f" && /[\p{L}\p{N}\p{M}]/u.test(char))
  );
}
