/**
 * What stands between the values of arrays and objects: brackets, commas, colons and white space.
 *
 * White space is bounded, so that a model cannot write it without end: after a bracket, comma or colon up to two
 * spaces, or a line break and up to 64 spaces or tabs, which are the indents of 32 levels; before a colon up to one
 * space.
 *
 * @module
 */
import type { Expression, Expressions } from "../expression.ts";

/** `none`: as `JSON.stringify` writes. */
export type WhiteSpace = "flexible" | "none";

const INDENT_MAX = 64;
const SPACES_MAX = 2;

export class Structure {
  readonly openArray: Expression;
  readonly closeArray: Expression;
  readonly openObject: Expression;
  readonly closeObject: Expression;
  readonly comma: Expression;
  readonly colon: Expression;
  readonly #made: Expressions;

  constructor(expressions: Expressions, whiteSpace: WhiteSpace) {
    this.#made = expressions;
    const made = expressions;
    const isFlexible = whiteSpace === "flexible";
    const [space, spaceOrTab] = [
      made.text(" "),
      made.characters([
        [9, 9],
        [32, 32],
      ]),
    ];
    const lineBreak = made.choice([made.text("\n"), made.text("\r\n")]);
    const gap = isFlexible
      ? made.choice([
          made.repeat(space, 0, SPACES_MAX),
          made.sequence(lineBreak, made.repeat(spaceOrTab, 0, INDENT_MAX)),
        ])
      : made.empty;
    const before = isFlexible ? made.repeat(space, 0, 1) : made.empty;
    this.openArray = made.sequence(made.text("["), gap);
    this.closeArray = made.sequence(gap, made.text("]"));
    this.openObject = made.sequence(made.text("{"), gap);
    this.closeObject = made.sequence(gap, made.text("}"));
    this.comma = made.sequence(made.text(","), gap);
    this.colon = made.sequence(before, made.text(":"), gap);
  }

  /** `[]`, or `[` … `]` around items. */
  array(items: Expression): Expression {
    return this.#made.sequence(this.openArray, items, this.closeArray);
  }

  object(members: Expression): Expression {
    return this.#made.sequence(this.openObject, members, this.closeObject);
  }

  /** A member; `name` without its quotes. */
  member(name: Expression, value: Expression): Expression {
    const quote = this.#made.text('"');
    return this.#made.sequence(quote, name, quote, this.colon, value);
  }
}
