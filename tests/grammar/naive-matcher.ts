/**
 * Where matches of an expression end, by its definition alone: sets of places, no derivatives, no automaton. The oracle
 * of small texts.
 */
import {
  BOTH,
  BYTE,
  CHOICE,
  COMPLEMENT,
  EMPTY,
  type Expression,
  REPEAT,
  Rule,
  SEQUENCE,
} from "../../src/grammar/node.ts";

export class NaiveMatcher {
  readonly #bytes: Uint8Array;
  readonly #known = new Map<string, ReadonlySet<number>>();

  constructor(text: string) {
    this.#bytes = new TextEncoder().encode(text);
  }

  matches(node: Expression): boolean {
    return this.#ends(node, 0).has(this.#bytes.length);
  }

  #ends(node: Expression, at: number): ReadonlySet<number> {
    const key = `${node.id},${at}`;
    let ends = this.#known.get(key);
    if (ends === undefined) this.#known.set(key, (ends = this.#computed(node, at)));
    return ends;
  }

  #computed(node: Expression, at: number): Set<number> {
    if (node instanceof Rule) return new Set(this.#ends(node.expression, at));
    switch (node.kind) {
      case EMPTY:
        return new Set([at]);
      case BYTE:
        return new Set(at < this.#bytes.length && node.set![this.#bytes[at]] === 1 ? [at + 1] : []);
      case SEQUENCE:
        return union([...this.#ends(node.parts[0], at)].map((middle) => this.#ends(node.parts[1], middle)));
      case CHOICE:
        return union(node.parts.map((part) => this.#ends(part, at)));
      case REPEAT:
        return this.#repeated(node, at);
      case BOTH: {
        const [first, ...others] = node.parts.map((part) => this.#ends(part, at));
        return new Set([...first].filter((end) => others.every((ends) => ends.has(end))));
      }
      case COMPLEMENT: {
        const ends = this.#ends(node.parts[0], at);
        return new Set(
          Array.from({ length: this.#bytes.length - at + 1 }, (_, i) => at + i).filter((e) => !ends.has(e)),
        );
      }
      default:
        return new Set();
    }
  }

  #repeated(node: Expression, at: number): Set<number> {
    const all = new Set<number>(node.min === 0 ? [at] : []);
    let turn: ReadonlySet<number> = new Set([at]);
    // More turns than bytes reach nothing new but by empty turns, which count towards the least number.
    for (let count = 1; count <= Math.min(node.max, node.min + this.#bytes.length + 1); count++) {
      turn = union([...turn].map((place) => this.#ends(node.parts[0], place)));
      if (count >= node.min) for (const end of turn) all.add(end);
    }
    return all;
  }
}

function union(sets: readonly ReadonlySet<number>[]): Set<number> {
  return new Set(sets.flatMap((set) => [...set]));
}
