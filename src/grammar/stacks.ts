/**
 * What comes after what is being read: stacks of expressions, all ways at once. Ways that go on alike share their
 * frames, so that `(` read in two ways is one stack, not two, and thirty of them are not 2^30.
 *
 * Source: Tomita 1987, "An efficient augmented-context-free parsing algorithm" (graph-structured stacks).
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { GRAMMAR_STACKS_MAX } from "../core/limits.ts";
import type { Expression } from "./node.ts";

/** An expression, and what comes after it. */
export interface Frame {
  readonly expression: Expression;
  readonly next: Next;
}

/** All that may come next; equal ones are one object, until they are forgotten. */
export interface Next {
  /** Never used again. */
  readonly id: number;
  /** The end of the text. */
  readonly isEnd: boolean;
  /** In the order of their expressions. */
  readonly frames: readonly Frame[];
}

/** One way of reading on: a regular expression, and what follows after it. */
export interface Head {
  readonly expression: Expression;
  readonly next: Next;
}

/** Frames that are joined below others; those deeper stay side by side, which is slower and as right. */
const JOINED_LEVELS_MAX = 100;

export class Stacks {
  /** Nothing but the end of the text. */
  readonly end: Next = { id: 0, isEnd: true, frames: [] };
  readonly #known = new Map<string, Next>();
  /** What was joined, by all ids. */
  readonly #joined = new Map<string, Next>();
  /** Joins since the budget was renewed. */
  #joins = 0;
  #nextId = 1;

  get size(): number {
    return this.#known.size + this.#joined.size;
  }

  /** From here, as many may be joined as at first. */
  renewBudget(): void {
    this.#joins = 0;
  }

  /** First `expression`, then `next`. */
  push(expression: Expression, next: Next): Next {
    const key = `${expression.id},${next.id}`;
    return this.#known.get(key) ?? this.#made(key, false, [{ expression, next }]);
  }

  /** Any of several, with frames of the same expression as one. */
  join(all: readonly Next[], level = 0): Next {
    const different = [...new Set(all)].sort((a, b) => a.id - b.id);
    if (different.length === 1) return different[0];
    const key = different.map(({ id }) => id).join();
    let joined = this.#joined.get(key);
    if (joined === undefined) this.#joined.set(key, (joined = this.#join(different, level)));
    return joined;
  }

  #join(different: readonly Next[], level: number): Next {
    if (++this.#joins > GRAMMAR_STACKS_MAX) {
      fail(
        "grammar/too-large",
        `a text can be read in more than ${GRAMMAR_STACKS_MAX} ways at the same place; make the grammar less ambiguous`,
      );
    }
    const groups = new Map<Expression, Next[]>();
    for (const { frames } of different) {
      for (const { expression, next } of frames) {
        const group = groups.get(expression);
        if (group === undefined) groups.set(expression, [next]);
        else if (!group.includes(next)) group.push(next);
      }
    }
    const frames: Frame[] = [];
    for (const [expression, group] of groups) {
      const nexts = level < JOINED_LEVELS_MAX ? [this.join(group, level + 1)] : group;
      for (const next of nexts) frames.push({ expression, next });
    }
    const isEnd = different.some((each) => each.isEnd);
    if (frames.length === 0) return this.end;
    if (frames.length === 1 && !isEnd) return this.push(frames[0].expression, frames[0].next);
    frames.sort((a, b) => a.expression.id - b.expression.id || a.next.id - b.next.id);
    const key = `${frames.map(({ expression, next }) => `${expression.id},${next.id}`).join(";")}${isEnd ? ";" : ""}`;
    return this.#known.get(key) ?? this.#made(key, isEnd, frames);
  }

  /** Stacks that are held stay right; equal ones made later are other objects. */
  forget(): void {
    this.#known.clear();
    this.#joined.clear();
  }

  #made(key: string, isEnd: boolean, frames: readonly Frame[]): Next {
    const made = { id: this.#nextId++, isEnd, frames };
    this.#known.set(key, made);
    return made;
  }
}
