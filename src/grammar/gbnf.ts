/**
 * Grammars in llama.cpp's notation as expressions. Rules that do not come back to themselves are put in where they are
 * used, so that a grammar without recursion is one regular expression.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { Expressions } from "./expression.ts";
import type { Expression } from "./node.ts";
import { type GbnfPart, type GbnfRules, parseGbnf } from "./gbnf-parse.ts";

export interface GbnfOptions {
  /** The rule that texts must match; `root` by default, as in llama.cpp. */
  root?: string;
}

/**
 * The texts of a grammar.
 * @throws OnebitError `grammar/syntax` with line and column, `grammar/unsupported` (tokens), `grammar/too-large`
 */
export function gbnfExpression(
  expressions: Expressions,
  text: string,
  { root = "root" }: GbnfOptions = {},
): Expression {
  const rules = parseGbnf(text);
  if (!rules.has(root)) {
    fail("grammar/syntax", `grammar: has no rule ${quoted(root)} to begin with; its rules: ${namesOf(rules)}`);
  }
  return new Builder(expressions, rules).build(root);
}

/** Larger rules are referred to: put in twice a level, thirty levels of rules would take a thousand million nodes. */
const SIZE_MAX = 1000;
/** Rules within rules to put in; deeper ones are referred to. */
const LEVELS_MAX = 32;

/** An expression and how many nodes it takes where it is put in. */
interface Built {
  readonly expression: Expression;
  readonly size: number;
}

class Builder {
  readonly #expressions: Expressions;
  readonly #rules: GbnfRules;
  readonly #built = new Map<string, Built>();
  /** Being built, so that a reference to it is recursion. */
  readonly #open = new Set<string>();
  /** Referred to, and to be defined. */
  readonly #wanted = new Set<string>();

  constructor(expressions: Expressions, rules: GbnfRules) {
    this.#expressions = expressions;
    this.#rules = rules;
  }

  build(root: string): Expression {
    const { expression } = this.#rule(root);
    for (const name of this.#wanted) {
      const rule = this.#expressions.rule(name);
      if (!rule.isDefined) rule.define(this.#rule(name).expression);
    }
    return expression;
  }

  /** What a rule matches, built once. */
  #rule(name: string): Built {
    let built = this.#built.get(name);
    if (built === undefined) {
      this.#open.add(name);
      built = this.#part(this.#rules.get(name)!);
      this.#open.delete(name);
      this.#built.set(name, built);
    }
    return built;
  }

  #reference(name: string): Built {
    if (!this.#wanted.has(name) && !this.#open.has(name) && this.#open.size < LEVELS_MAX) {
      const built = this.#rule(name);
      if (!this.#wanted.has(name) && built.size <= SIZE_MAX) return built;
    }
    this.#wanted.add(name);
    return { expression: this.#expressions.rule(name), size: 1 };
  }

  #part(part: GbnfPart): Built {
    const made = this.#expressions;
    switch (part.kind) {
      case "text":
        return { expression: made.text(part.text), size: part.text.length };
      case "characters":
        return { expression: made.characters(part.ranges), size: 1 };
      case "rule":
        return this.#reference(part.name);
      case "repeat": {
        const { expression, size } = this.#part(part.part);
        return { expression: made.repeat(expression, part.min, part.max), size: size + 1 };
      }
      default: {
        const all = part.parts.map((inner) => this.#part(inner));
        const parts = all.map(({ expression }) => expression);
        const size = all.reduce((sum, inner) => sum + inner.size, 1);
        return { expression: part.kind === "choice" ? made.choice(parts) : made.sequence(...parts), size };
      }
    }
  }
}

function namesOf(rules: GbnfRules): string {
  const names = [...rules.keys()].slice(0, 10).map(quoted).join(", ");
  return names === "" ? "none" : names;
}
