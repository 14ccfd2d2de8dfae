/**
 * Compiles formats for one vocabulary, and keeps the latest: the states and masks of a format that is asked for again
 * are there.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { GRAMMAR_CHARS_MAX, GRAMMARS_KEPT } from "../core/limits.ts";
import { Constraint } from "./constraint.ts";
import { Expressions } from "./expression.ts";
import { gbnfExpression } from "./gbnf.ts";
import type { Expression } from "./node.ts";
import { regexExpression } from "./regex.ts";
import { anyJson, schemaExpression } from "./schema/schema-expression.ts";
import { States } from "./states.ts";
import { TokenMasks } from "./token-masks.ts";
import { type TokenBytes, TokenTrie } from "./token-trie.ts";

/** What a text must fit, checked: plain data, of bounded depth. */
export type GrammarSource =
  | "json"
  | { readonly jsonSchema: unknown; readonly whitespace?: "flexible" | "none" }
  | { readonly regex: string }
  | { readonly grammar: string };

export class Formats {
  readonly #trie: TokenTrie;
  /** By their sources as JSON, the one asked for last at the end. */
  readonly #known = new Map<string, TokenMasks>();

  constructor(tokens: TokenBytes) {
    this.#trie = new TokenTrie(tokens);
  }

  /**
   * A constraint at the beginning of a text.
   * @throws OnebitError `grammar/syntax`, `grammar/unsupported`, `grammar/too-large`
   */
  constraint(source: GrammarSource): Constraint {
    const key = keyOf(source),
      masks = this.#known.get(key) ?? this.#compile(key);
    this.#known.delete(key);
    this.#known.set(key, masks);
    if (this.#known.size > GRAMMARS_KEPT) this.#known.delete(this.#known.keys().next().value!);
    return new Constraint(masks);
  }

  /** @param key the source as JSON */
  #compile(key: string): TokenMasks {
    const expressions = new Expressions(),
      states = new States(expressions, expressionOf(expressions, JSON.parse(key) as GrammarSource));
    return new TokenMasks(states, this.#trie);
  }
}

function expressionOf(expressions: Expressions, source: GrammarSource): Expression {
  if (source === "json") return anyJson(expressions);
  if ("regex" in source) return regexExpression(expressions, source.regex, { anchored: true });
  if ("grammar" in source) return gbnfExpression(expressions, source.grammar);
  return schemaExpression(expressions, source.jsonSchema, { whitespace: source.whitespace });
}

function keyOf(source: GrammarSource): string {
  const key = JSON.stringify(source);
  if (key.length <= GRAMMAR_CHARS_MAX) return key;
  return fail("grammar/too-large", `format: at most ${GRAMMAR_CHARS_MAX} characters, got ${key.length}`);
}
