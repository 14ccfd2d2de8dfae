/**
 * The tree of a parsed chat template.
 *
 * @module
 */
import type { MarkedText } from "./marked-text.ts";

export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [name: string, value: Expression])[];
  /** `*list`: more positional arguments. */
  readonly list?: Expression;
  /** `**dict`: more named arguments. */
  readonly dict?: Expression;
}

export type Expression =
  | { readonly kind: "text"; readonly value: MarkedText }
  | { readonly kind: "constant"; readonly value: number | boolean | null }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "list" | "tuple"; readonly items: readonly Expression[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [key: Expression, value: Expression])[] }
  | { readonly kind: "not"; readonly operand: Expression }
  | { readonly kind: "sign"; readonly operator: "+" | "-"; readonly operand: Expression }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: "compare";
      readonly first: Expression;
      readonly rest: readonly (readonly [operator: string, operand: Expression])[];
    }
  | { readonly kind: "concat"; readonly parts: readonly Expression[] }
  | {
      readonly kind: "conditional";
      readonly test: Expression;
      readonly then: Expression;
      readonly otherwise: Expression | undefined;
    }
  | { readonly kind: "attribute"; readonly object: Expression; readonly name: string }
  | { readonly kind: "item"; readonly object: Expression; readonly index: Expression }
  | { readonly kind: "slice"; readonly object: Expression; readonly bounds: readonly (Expression | undefined)[] }
  | { readonly kind: "call"; readonly callee: Expression; readonly args: Arguments }
  | { readonly kind: "filter"; readonly operand: Expression; readonly name: string; readonly args: Arguments }
  | {
      readonly kind: "test";
      readonly operand: Expression;
      readonly name: string;
      readonly args: Arguments;
      readonly isNegated: boolean;
    };

/** What `for` and `set` assign to: a name, a namespace's attribute, or several of them. */
export type Target =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "attribute"; readonly object: string; readonly name: string }
  | { readonly kind: "targets"; readonly items: readonly Target[] };

export interface FilterCall {
  readonly name: string;
  readonly args: Arguments;
}

export interface Parameter {
  readonly name: string;
  readonly fallback: Expression | undefined;
}

export interface Macro {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly body: readonly Statement[];
  /**
   * Which of `varargs`, `kwargs` and `caller` the body names: only then may a macro take more arguments than
   * parameters.
   */
  readonly extras: ReadonlySet<string>;
}

export type Statement =
  | { readonly kind: "data"; readonly text: MarkedText }
  | { readonly kind: "output"; readonly value: Expression }
  | {
      readonly kind: "if";
      readonly branches: readonly (readonly [test: Expression, body: readonly Statement[]])[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: "for";
      readonly target: Target;
      readonly iterable: Expression;
      readonly condition: Expression | undefined;
      readonly isRecursive: boolean;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: "set"; readonly target: Target; readonly value: Expression }
  | {
      readonly kind: "setBlock";
      readonly target: Target;
      readonly filters: readonly FilterCall[];
      readonly body: readonly Statement[];
    }
  | {
      readonly kind: "with";
      readonly bindings: readonly (readonly [Target, Expression])[];
      readonly body: readonly Statement[];
    }
  | { readonly kind: "macro"; readonly macro: Macro }
  | { readonly kind: "callBlock"; readonly macro: Macro; readonly call: Extract<Expression, { kind: "call" }> }
  | { readonly kind: "filterBlock"; readonly filters: readonly FilterCall[]; readonly body: readonly Statement[] }
  | { readonly kind: "break" | "continue" };
