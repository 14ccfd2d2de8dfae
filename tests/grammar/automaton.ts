/** Asks an automaton about whole texts, and lets it write some. */
import { edgesOf } from "../../src/grammar/edges.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import type { Expression } from "../../src/grammar/node.ts";
import { type State, type StateLimits, States } from "../../src/grammar/states.ts";
import type { Random } from "./random.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function statesOf(make: (made: Expressions) => Expression, limits?: StateLimits): States {
  const made = new Expressions();
  return new States(made, make(made), limits);
}

export function accepts(states: States, text: string | Uint8Array): boolean {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  return states.isAccepting(states.stepBytes(states.start, bytes));
}

/** An accepted text by random steps; undefined when none ends within `most` bytes. @throws Error at a dead end */
export function writtenBy(states: States, random: Random, most = 60): string | undefined {
  const bytes: number[] = [];
  let state: State = states.start;
  if (state === states.dead) return undefined;
  while (bytes.length < most) {
    if (states.isAccepting(state) && random.oneIn(4)) break;
    const live = liveBytes(states, state);
    if (live.length === 0) {
      if (!states.isAccepting(state)) throw new Error(`dead end after ${bytes.join(" ")}`);
      break;
    }
    const byte = random.of(live);
    bytes.push(byte);
    state = states.step(state, byte);
  }
  return states.isAccepting(state) ? decoder.decode(Uint8Array.from(bytes)) : undefined;
}

/** One byte of each class that can follow, and for classes of several bytes another. */
function liveBytes(states: States, state: State): number[] {
  const live: number[] = [];
  const seen = new Map<number, number>();
  for (let byte = 0; byte < 256; byte++) {
    const times = seen.get(state.classes[byte]) ?? 0;
    seen.set(state.classes[byte], times + 1);
    if (times < 3 && states.step(state, byte) !== states.dead) live.push(byte);
  }
  return live;
}

/** Whether a regular expression matches, by derivatives alone. */
export function matches(made: Expressions, expression: Expression, text: string): boolean {
  let rest = expression;
  for (const byte of encoder.encode(text)) {
    const { classes, targets } = edgesOf(made, rest);
    rest = targets[classes[byte]];
  }
  return rest.isNullable;
}
