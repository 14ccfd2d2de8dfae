/**
 * A whole reply as an expression: thinking, then text, calls of tools, or what a format asks for. Where text is free,
 * it holds no beginning of a call, so that a call that is begun can only go on as one.
 *
 * @module
 */
import { OnebitError, fail } from "../core/errors.ts";
import { Analysis } from "./analysis.ts";
import {
  type CallFormat,
  type CallPart,
  type CalledTool,
  type ParameterFormat,
  type ReplySource,
  isPlainString,
} from "./call-format.ts";
import type { Expression, Expressions } from "./expression.ts";
import { rawStringExpression, schemaExpression } from "./schema/schema-expression.ts";

/** White space of a model between thinking and what follows. */
const GAP_MAX = 4;

/** Letters of ids that models write. */
const ID_LENGTH = 9;

/** Names of arguments where any is allowed. */
const NAME_LENGTH_MAX = 64;

/** @param mark the expression of a text in which names of special tokens are those tokens */
export class ReplyExpression {
  readonly #made: Expressions;
  readonly #mark: (text: string) => Expression;

  constructor(expressions: Expressions, mark: (text: string) => Expression) {
    this.#made = expressions;
    this.#mark = mark;
  }

  /**
   * @param format what the reply must fit when it is no call
   * @throws OnebitError `grammar/…`, which names the tool and where in its schema
   */
  of({ thinking, calls }: ReplySource, format: Expression | undefined): Expression {
    const made = this.#made;
    const body = this.#body(calls, format, thinking?.isOptional === true ? thinking.begin : undefined);
    if (thinking === undefined) return body;
    const { begin = "", end, isOptional } = thinking;
    const gap = made.repeat(this.#spaces(), 0, GAP_MAX);
    const whole = made.sequence(this.#mark(begin), this.#without([end]), this.#mark(end), gap, body);
    return isOptional ? made.choice([body, made.sequence(made.repeat(this.#spaces(), 0, GAP_MAX), whole)]) : whole;
  }

  /** @param thought with what it does not begin */
  #body(calls: ReplySource["calls"], format: Expression | undefined, thought: string | undefined): Expression {
    const made = this.#made;
    const beginnings = thought === undefined ? [] : [thought];
    if (calls === undefined) return format ?? this.#free([], beginnings);
    const { trigger, beginnings: ofCalls = [] } = calls.format;
    const triggers = trigger === undefined ? [] : [trigger];
    const free = this.#free(triggers, [...beginnings, ...ofCalls]);
    if (calls.choice === "none") return format ?? free;
    const all = this.#calls(calls.format, calls.tools, calls.isParallel && calls.format.isSingle !== true);
    if (calls.choice === "required") return all;
    if (format !== undefined) return made.choice([format, all]);
    return made.choice([free, trigger === undefined ? all : made.sequence(free, all)]);
  }

  #spaces(): Expression {
    return this.#made.characters([
      [9, 10],
      [13, 13],
      [32, 32],
    ]);
  }

  /** Text that holds none of some texts. */
  #without(texts: readonly string[]): Expression {
    const { everything } = this.#made;
    if (texts.length === 0) return this.#made.anyText;
    const held = this.#made.choice(texts.map((text) => this.#made.text(text)));
    return this.#made.not(this.#made.sequence(everything, held, everything));
  }

  /** Text that holds none of some texts, and begins with none of others, white space in them or not. */
  #free(texts: readonly string[], beginnings: readonly string[]): Expression {
    const made = this.#made;
    if (beginnings.length === 0) return this.#without(texts);
    const space = made.repeat(this.#spaces(), 0);
    const spaced = (text: string): Expression =>
      made.sequence(space, ...[...text].flatMap((unit) => [made.text(unit), /\w/.test(unit) ? made.empty : space]));
    const begun = made.sequence(made.choice(beginnings.map(spaced)), made.everything);
    return made.both([this.#without(texts), made.complement(begun)]);
  }

  #calls(format: CallFormat, tools: readonly CalledTool[], isParallel: boolean): Expression {
    const made = this.#made;
    const one = made.choice(tools.map((tool, i) => this.#call(format, tool, `tool ${i} `)));
    const others = isParallel ? made.repeat(made.sequence(this.#mark(format.between), one), 0) : made.empty;
    return made.sequence(this.#mark(format.begin), one, others, this.#mark(format.end));
  }

  #call(format: CallFormat, tool: CalledTool, prefix: string): Expression {
    try {
      return this.#parts(format.call, format, tool, prefix);
    } catch (error) {
      if (!(error instanceof OnebitError)) throw error;
      throw new OnebitError(error.code, `${tool.place}: ${error.message}`, { cause: error });
    }
  }

  #parts(parts: readonly CallPart[], format: CallFormat, tool: CalledTool, prefix: string): Expression {
    const made = this.#made;
    return made.sequence(
      ...parts.map((part) => {
        if (typeof part === "string") return this.#mark(part);
        if ("optional" in part) return made.repeat(this.#parts(part.optional, format, tool, prefix), 0, 1);
        if (part.slot === "name") return made.text(tool.name);
        if (part.slot === "id") return made.repeat(this.#alphanumeric(), ID_LENGTH, ID_LENGTH);
        return part.slot === "arguments" || format.parameters === undefined
          ? schemaExpression(made, tool.schema, { prefix })
          : this.#parameters(format.parameters, tool.schema, prefix);
      }),
    );
  }

  #alphanumeric(): Expression {
    return this.#made.characters([
      [0x30, 0x39],
      [0x41, 0x5a],
      [0x61, 0x7a],
    ]);
  }

  /** In the order of the schema, which the reader of tools has checked to say nothing else of its members. */
  #parameters(format: ParameterFormat, schema: Readonly<Record<string, unknown>>, prefix: string): Expression {
    const made = this.#made;
    const { properties, required = [], additionalProperties } = schema as ParameterSchema;
    if (properties === undefined && additionalProperties !== false) return this.#anyParameters(format);
    const names = Object.keys(properties ?? {});
    return made.sequence(
      ...names.map((name, i) => {
        const value = { allOf: [properties![name]], ...definitionsOf(schema) };
        const written = isPlainString(properties![name])
          ? this.#string(format, rawStringExpression(made, value))
          : this.#value(format, value, `${prefix}${i} `);
        const one = made.sequence(
          made.text(`${format.open}${name}${format.nameEnd}`),
          written,
          made.text(format.close),
        );
        return made.repeat(one, required.includes(name) ? 1 : 0, 1);
      }),
    );
  }

  /** JSON; or a string as it is, if it is one that nobody takes for JSON. */
  #value(format: ParameterFormat, schema: unknown, prefix: string): Expression {
    const made = this.#made,
      json = schemaExpression(made, schema, { prefix }),
      text = made.both([rawStringExpression(made, schema), made.complement(this.#jsonBeginnings())]);
    return new Analysis(made).isEmpty(text) ? json : made.choice([json, this.#string(format, text)]);
  }

  /** Texts that are JSON or may go on as such, white space around them or not. */
  #jsonBeginnings(): Expression {
    const made = this.#made,
      space = made.repeat(this.#spaces(), 0),
      digits = made.repeat(made.characters([[0x30, 0x39]]), 1),
      maybe = (...parts: Expression[]): Expression => made.repeat(made.sequence(...parts), 0, 1);
    const begun = made.choice(["[", "{", '"'].map((text) => made.text(text))),
      words = ["null", "true", "false"].map((text) => made.text(text)),
      sign = made.choice([made.text("-"), made.text("+")]),
      exponent = maybe(made.choice([made.text("e"), made.text("E")]), maybe(sign), digits),
      number = made.sequence(maybe(made.text("-")), digits, maybe(made.text("."), digits), exponent);
    return made.sequence(
      space,
      made.choice([made.sequence(begun, made.everything), made.sequence(made.choice([...words, number]), space)]),
    );
  }

  /** A string as it is, or in quotes where it holds what needs them. */
  #string({ close, quote }: ParameterFormat, value: Expression): Expression {
    const made = this.#made;
    const plain = made.both([value, this.#without([close.trim(), ...(quote?.escapes ?? [])])]);
    if (quote === undefined && new Analysis(made).isEmpty(plain))
      fail("grammar/unsupported", `no string fits it that does not hold ${close.trim()}, which would end it`);
    if (quote === undefined) return plain;
    const quoted = made.both([value, this.#without([quote.end])]);
    return made.choice([plain, made.sequence(made.text(quote.begin), quoted, made.text(quote.end))]);
  }

  /** Any names and values. */
  #anyParameters(format: ParameterFormat): Expression {
    const made = this.#made;
    const letter = made.choice([this.#alphanumeric(), made.text("_"), made.text("-")]);
    const value = this.#string(format, made.anyText);
    const name = made.repeat(letter, 1, NAME_LENGTH_MAX);
    const one = made.sequence(made.text(format.open), name, made.text(format.nameEnd), value, made.text(format.close));
    return made.repeat(one, 0);
  }
}

interface ParameterSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
}

/** What the schemas of members may refer to. */
function definitionsOf(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = ["$schema", "$defs", "definitions"];
  return Object.fromEntries(Object.entries(schema).filter(([name]) => names.includes(name)));
}
