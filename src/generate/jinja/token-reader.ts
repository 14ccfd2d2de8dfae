/**
 * Reads tokens for the parsers: peeks at the next, takes it, or says what was wanted.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { TEMPLATE_DEPTH_MAX } from "../../core/limits.ts";
import { tokenize } from "./lexer.ts";
import type { Token, TokenType } from "./lexer.ts";

export class TokenReader {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(source: string) {
    this.#tokens = tokenize(source);
  }

  /** The next token, or one further ahead. */
  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)];
  }

  is(type: TokenType, value?: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.type === type && (value === undefined || token.value === value);
  }

  isOperator(value: string): boolean {
    return this.is("operator", value);
  }

  isName(value: string): boolean {
    return this.is("name", value);
  }

  take(): Token {
    const token = this.peek();
    this.#next++;
    return token;
  }

  /** Takes the next token if it is this one. */
  tryOperator(value: string): boolean {
    if (!this.isOperator(value)) return false;
    this.#next++;
    return true;
  }

  tryName(value: string): boolean {
    if (!this.isName(value)) return false;
    this.#next++;
    return true;
  }

  expect(type: TokenType, value?: string): Token {
    if (!this.is(type, value)) this.fail(`wanted ${value ?? `a ${type}`}, found ${describe(this.peek())}`);
    return this.take();
  }

  /** Position of the next token, for {@link namesSince}. */
  get position(): number {
    return this.#next;
  }

  /** True if a token since `position` is this name. */
  namesSince(position: number, name: string): boolean {
    for (let i = position; i < this.#next; i++)
      if (this.#tokens[i].type === "name" && this.#tokens[i].value === name) return true;
    return false;
  }

  fail(message: string): never {
    fail("template/syntax", `chat template, line ${this.peek().line}: ${message}`);
  }

  /** Parses one level deeper: unchecked, a hostile template nests until the stack overflows. */
  nest<T>(parse: () => T): T {
    if (++this.#depth > TEMPLATE_DEPTH_MAX) {
      fail(
        "template/limit",
        `chat template, line ${this.peek().line}: nested deeper than the ${TEMPLATE_DEPTH_MAX} levels allowed`,
      );
    }
    const result = parse();
    this.#depth--;
    return result;
  }
}

function describe({ type, value }: Token): string {
  if (type === "eof") return "the end of the template";
  if (type === "data") return "text";
  if (type === "end") return value === "{%" ? "%}" : "}}";
  return JSON.stringify(value.slice(0, 40));
}
