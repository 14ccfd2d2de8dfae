/**
 * The texts of values that fit conjunctions of schemas. Each array and object is a rule, so that schemas may contain
 * themselves, and nothing here recurses over a schema's depth.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { Expression, Expressions, Rule } from "../expression.ts";
import { arrayExpression, type ItemSource } from "./arrays.ts";
import { type Conjunction, JSON_TYPES } from "./assertions.ts";
import type { Branch } from "./formula.ts";
import { SHAPES_MAX, UNIQUE_VALUES_MAX } from "./limits.ts";
import { Numbers } from "./numbers.ts";
import { type MemberSource, objectExpression } from "./objects.ts";
import type { Schemas } from "./schemas.ts";
import { Strings } from "./strings.ts";
import { Structure, type WhiteSpace } from "./structure.ts";

/** Arrays and objects that wait to be written. */
interface Waiting {
  readonly rule: Rule;
  readonly arrays: readonly Branch[];
  readonly objects: readonly Branch[];
}

export class Shapes implements ItemSource, MemberSource {
  readonly made: Expressions;
  readonly structure: Structure;
  readonly names: Strings;
  readonly #schemas: Schemas;
  readonly #strings: Strings;
  readonly #numbers: Numbers;
  readonly #prefix: string;
  readonly #values = new Map<string, Expression>();
  readonly #waiting: Waiting[] = [];

  constructor(expressions: Expressions, schemas: Schemas, whiteSpace: WhiteSpace, prefix: string) {
    this.made = expressions;
    this.#schemas = schemas;
    this.structure = new Structure(expressions, whiteSpace);
    this.names = new Strings(expressions, true);
    this.#strings = new Strings(expressions, false);
    this.#numbers = new Numbers(expressions);
    this.#prefix = prefix;
    this.value = this.value.bind(this);
    this.nameBranches = this.nameBranches.bind(this);
  }

  /** Matches nothing, and is searched for what it matches. */
  get #impossible(): Expression {
    return this.made.both([this.made.text("a"), this.made.text("b")]);
  }

  get never(): number {
    return this.#schemas.document.never.id;
  }

  /** The texts of values that fit a conjunction, and of all that they contain. */
  whole(conjunction: Conjunction): Expression {
    const expression = this.value(conjunction);
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      const value = this.made.choice([
        ...next.arrays.map((branch) => arrayExpression(this, branch)),
        ...next.objects.map((branch) => objectExpression(this, branch)),
      ]);
      // Rules are asked whether they match anything; the node that matches nothing never is.
      next.rule.define(value === this.made.nothing ? this.#impossible : value);
    }
    return expression;
  }

  value(conjunction: Conjunction): Expression {
    const key = conjunction.join();
    let found = this.#values.get(key);
    if (found === undefined) {
      if (this.#values.size >= SHAPES_MAX) {
        fail("grammar/too-large", `the schema's intersections make more than ${SHAPES_MAX} sub-schemas`);
      }
      this.#values.set(key, (found = this.#built(conjunction)));
    }
    return found;
  }

  negation(conjunction: Conjunction): Conjunction {
    if (conjunction.length === 0) return [this.never];
    return conjunction[0] === this.never ? [] : conjunction.map((term) => -term);
  }

  nameBranches(conjunction: Conjunction): readonly Branch[] {
    return this.#schemas.branches(conjunction, "string");
  }

  constants(conjunction: Conjunction): readonly string[] | undefined {
    const found: string[] = [];
    for (const type of JSON_TYPES) {
      for (const branch of this.#schemas.branches(conjunction, type)) {
        const texts = this.#constantTexts(type, branch);
        if (texts === undefined) return undefined;
        for (const text of texts) found.push(text);
      }
    }
    return [...new Set(found)];
  }

  #constantTexts(type: (typeof JSON_TYPES)[number], branch: Branch): readonly string[] | undefined {
    if (type === "null") return ["null"];
    if (type === "boolean") return booleansOf(branch).map(String);
    if (type === "string") return this.#strings.values(branch)?.map((value) => JSON.stringify(value));
    return type === "number"
      ? this.#numbers.values(branch, UNIQUE_VALUES_MAX)?.map((value) => JSON.stringify(value))
      : undefined;
  }

  /**
   * Under a pattern or a format, characters are spelt as `JSON.stringify` spells them: each further spelling would be
   * one more text to follow at every character, seven times the time of a mask where a pattern and a length meet.
   */
  #spelt(branch: Branch): Strings {
    return branch.some(({ kind }) => kind === "pattern" || kind === "format") ? this.names : this.#strings;
  }

  #built(conjunction: Conjunction): Expression {
    const { made } = this;
    if (conjunction.includes(this.never)) return made.nothing;
    const branches = (type: (typeof JSON_TYPES)[number]): readonly Branch[] =>
      this.#schemas.branches(conjunction, type);
    const parts: Expression[] = [];
    if (branches("null").length > 0) parts.push(made.text("null"));
    parts.push(...branches("boolean").flatMap((branch) => booleansOf(branch).map((value) => made.text(String(value)))));
    parts.push(...branches("number").map((branch) => this.#numbers.expression(branch)));
    const strings = made.choice(branches("string").map((branch) => this.#spelt(branch).expression(branch)));
    const quote = made.text('"');
    parts.push(made.sequence(quote, strings, quote));
    const [arrays, objects] = [branches("array"), branches("object")];
    if (arrays.length + objects.length > 0) {
      const rule = made.rule(`${this.#prefix}${this.#values.size}`);
      this.#waiting.push({ rule, arrays, objects });
      parts.push(rule);
    }
    return made.choice(parts);
  }
}

function booleansOf(branch: Branch): boolean[] {
  return [true, false].filter((value) =>
    branch.every((part) => part.kind !== "booleans" || part.values.includes(value)),
  );
}
