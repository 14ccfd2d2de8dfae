/**
 * Compiles formats for one vocabulary, and keeps the latest: the states and masks of a format that is asked for again
 * are there.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { GRAMMAR_CHARS_MAX, GRAMMARS_KEPT } from "../core/limits.ts";
import type { ReplySource } from "./call-format.ts";
import { Constraint } from "./constraint.ts";
import { Expressions } from "./expression.ts";
import { gbnfExpression } from "./gbnf.ts";
import type { Expression } from "./node.ts";
import { regexExpression } from "./regex.ts";
import { ReplyExpression } from "./reply-expression.ts";
import { anyJson, schemaExpression } from "./schema/schema-expression.ts";
import { specialBytes } from "./special-bytes.ts";
import { States } from "./states.ts";
import { TokenMasks } from "./token-masks.ts";
import { type TokenBytes, TokenTrie } from "./token-trie.ts";

/** What a text must fit, checked: plain data, of bounded depth. */
export type GrammarSource =
  | "json"
  | { readonly jsonSchema: unknown; readonly whitespace?: "flexible" | "none" }
  | { readonly regex: string }
  | { readonly grammar: string };

/** A reply that thinks, calls tools, or fits a format. */
export interface ReplyGrammar {
  readonly reply: ReplySource;
  readonly format?: GrammarSource;
}

export class Formats {
  readonly #trie: TokenTrie;
  readonly #tokens: TokenBytes;
  /** By their sources as JSON, the one asked for last at the end. */
  readonly #known = new Map<string, TokenMasks>();

  constructor(tokens: TokenBytes) {
    this.#tokens = tokens;
    this.#trie = new TokenTrie(tokens);
  }

  /**
   * A constraint at the beginning of a text.
   * @throws OnebitError `grammar/syntax`, `grammar/unsupported`, `grammar/too-large`
   */
  constraint(source: GrammarSource | ReplyGrammar): Constraint {
    const key = keyOf(source),
      masks = this.#known.get(key) ?? this.#compile(key);
    this.#known.delete(key);
    this.#known.set(key, masks);
    if (this.#known.size > GRAMMARS_KEPT) this.#known.delete(this.#known.keys().next().value!);
    return new Constraint(masks, typeof source === "object" && "reply" in source ? markersOf(source.reply) : []);
  }

  /** @param key the source as JSON */
  #compile(key: string): TokenMasks {
    const source = JSON.parse(key) as GrammarSource | ReplyGrammar,
      expressions = new Expressions();
    const expression =
      typeof source === "object" && "reply" in source
        ? this.#reply(expressions, source)
        : expressionOf(expressions, source);
    return new TokenMasks(new States(expressions, expression), this.#trie);
  }

  #reply(expressions: Expressions, { reply, format }: ReplyGrammar): Expression {
    const inner = format === undefined ? undefined : expressionOf(expressions, format),
      ids = new Map<string, number>();
    for (const name of markersOf(reply)) {
      const id = this.#tokens.specialId?.(name);
      if (id !== undefined) ids.set(name, id);
    }
    return new ReplyExpression(expressions, (text) => markedText(expressions, text, ids)).of(reply, inner);
  }
}

/** A text in which names of special tokens are these tokens. */
function markedText(expressions: Expressions, text: string, ids: ReadonlyMap<string, number>): Expression {
  const parts: Expression[] = [];
  let rest = text;
  while (rest !== "") {
    let at = rest.length,
      name = "";
    for (const known of ids.keys()) {
      const found = rest.indexOf(known);
      if (found >= 0 && found < at) (at = found), (name = known);
    }
    parts.push(expressions.text(rest.slice(0, at)));
    const id = ids.get(name);
    if (id !== undefined) parts.push(expressions.bytes(specialBytes(id)));
    rest = rest.slice(at + name.length);
  }
  return expressions.sequence(...parts);
}

/** Texts in a reply that are tokens of their own in most vocabularies. */
function markersOf({ thinking, calls }: ReplySource): string[] {
  const { begin, end } = thinking ?? {};
  return [begin, end, ...(calls?.format.markers ?? [])].flatMap((text) => (text === undefined ? [] : [text.trim()]));
}

function expressionOf(expressions: Expressions, source: GrammarSource): Expression {
  if (source === "json") return anyJson(expressions);
  if ("regex" in source) return regexExpression(expressions, source.regex, { anchored: true });
  if ("grammar" in source) return gbnfExpression(expressions, source.grammar);
  return schemaExpression(expressions, source.jsonSchema, { whitespace: source.whitespace });
}

function keyOf(source: GrammarSource | ReplyGrammar): string {
  const key = JSON.stringify(source);
  if (key.length <= GRAMMAR_CHARS_MAX) return key;
  return fail("grammar/too-large", `format: at most ${GRAMMAR_CHARS_MAX} characters, got ${key.length}`);
}
