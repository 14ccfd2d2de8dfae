/** Asks a schema's expression about texts. */
import assert from "node:assert/strict";
import { OnebitError } from "../../../src/core/errors.ts";
import { Expressions } from "../../../src/grammar/expression.ts";
import { schemaExpression, type SchemaOptions } from "../../../src/grammar/schema/schema-expression.ts";
import { type State, States } from "../../../src/grammar/states.ts";

const encoder = new TextEncoder();

export function statesOf(schema: unknown, options?: SchemaOptions): States {
  const expressions = new Expressions();
  return new States(expressions, schemaExpression(expressions, schema, options));
}

export function accepts(states: States, text: string): boolean {
  return states.isAccepting(states.stepBytes(states.start, encoder.encode(text)));
}

/** As `JSON.stringify` writes a value, with indents, and on one line with spaces. */
export function spellings(value: unknown): string[] {
  const indented = JSON.stringify(value, null, 2);
  // Strings have no raw line breaks.
  return [
    JSON.stringify(value),
    indented,
    indented
      .replace(/([[{])\n */g, "$1")
      .replace(/\n *([\]}])/g, "$1")
      .replace(/\n */g, " "),
  ];
}

/** Each value in all spellings, or a text as it is. */
export function expectTexts(schema: unknown, values: readonly unknown[], refused: readonly unknown[]): void {
  const states = statesOf(schema);
  const shown = JSON.stringify(schema).slice(0, 300);
  for (const value of values) {
    for (const text of textsOf(value)) assert.ok(accepts(states, text), `${text} refused under ${shown}`);
  }
  for (const value of refused) {
    for (const text of textsOf(value)) assert.ok(!accepts(states, text), `${text} accepted under ${shown}`);
  }
}

/** A text as it stands, not the value of a string. */
export class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export function raw(text: string): Raw {
  return new Raw(text);
}

function textsOf(value: unknown): string[] {
  return value instanceof Raw ? [value.text] : spellings(value);
}

export function expectRefused(schema: unknown, code: string, message: RegExp): void {
  assert.throws(
    () => statesOf(schema),
    (error) => error instanceof OnebitError && error.code === code && message.test(error.message),
    JSON.stringify(schema)?.slice(0, 300),
  );
}

/** Tries more than real values need, and ends. */
const ORDER_STEPS = 20_000;

/**
 * Whether the members of a value's objects can be put into an order in which it is accepted. Texts keep the order of
 * the schema, and values of test suites have any.
 */
export function acceptsInSomeOrder(states: States, value: unknown): boolean {
  // The quick search misses orders that only another alternative of a choice allows.
  return searchOrders(states, value, true) || searchOrders(states, value, false);
}

function searchOrders(states: States, value: unknown, isQuick: boolean): boolean {
  let left = ORDER_STEPS;
  const read = (state: State, text: string): State => states.stepBytes(state, encoder.encode(text));
  const list = (state: State, items: readonly unknown[]): State[] => {
    let reached = [read(state, "[")];
    items.forEach((item, i) => {
      reached = [...new Set(reached.flatMap((from) => after(i === 0 ? from : read(from, ","), item)))];
    });
    return reached.map((from) => read(from, "]"));
  };
  const members = (state: State, value: object): State[] => {
    const entries = Object.entries(value);
    const tried = new Map<State, Set<string>>();
    const go = (from: State, names: readonly string[]): State[] => {
      if (from === states.dead || --left < 0) return [];
      if (names.length === 0) return [read(from, "}")];
      const known = tried.get(from) ?? new Set();
      tried.set(from, known);
      const key = names.join("\n");
      if (known.has(key)) return [];
      known.add(key);
      const comma = names.length === entries.length ? "" : ",";
      const isReadable = (at: State, name: string, before: string): boolean =>
        read(at, `${before}${JSON.stringify(name)}:`) !== states.dead;
      const open = new Set(names.filter((name) => isReadable(from, name, comma)));
      for (const name of open) {
        const rest = names.filter((other) => other !== name);
        const member = Object.getOwnPropertyDescriptor(value, name)!.value;
        const found = after(read(from, `${comma}${JSON.stringify(name)}:`), member).flatMap((next) =>
          // A name that could come before and cannot any more has missed its turn.
          !isQuick || rest.every((other) => !open.has(other) || isReadable(next, other, ",")) ? go(next, rest) : [],
        );
        if (found.some((end) => end !== states.dead)) return found;
      }
      return [];
    };
    return go(
      read(state, "{"),
      entries.map(([name]) => name),
    );
  };
  const after = (state: State, part: unknown): State[] => {
    if (state === states.dead || --left < 0) return [];
    if (Array.isArray(part)) return list(state, part);
    if (typeof part === "object" && part !== null) return members(state, part);
    return [read(state, JSON.stringify(part))];
  };
  return after(states.start, value).some((state) => states.isAccepting(state));
}
