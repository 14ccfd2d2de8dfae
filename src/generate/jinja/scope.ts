/**
 * Names a template can see: each loop turn and macro call has a scope of its own inside the outer ones.
 *
 * @module
 */
import { Undefined } from "./values.ts";
import type { Value } from "./values.ts";

export class Scope {
  readonly #values = new Map<string, Value>();
  readonly #parent: Scope | undefined;
  /** How many scopes lie around it: a lookup may search them all. */
  readonly depth: number;

  constructor(parent?: Scope) {
    this.#parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
  }

  get(name: string): Value {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#parent) {
      const value = scope.#values.get(name);
      if (value !== undefined) return value;
    }
    return new Undefined(`"${name.slice(0, 40)}"`);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}
