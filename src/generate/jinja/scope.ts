/**
 * Names a template can see: each loop turn and macro call has its own, over those around it.
 *
 * @module
 */
import { Undefined } from "./values.ts";
import type { Value } from "./values.ts";

export class Scope {
  readonly #values = new Map<string, Value>();
  readonly #parent: Scope | undefined;
  /** How many scopes there are above: looking a name up may ask each. */
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
