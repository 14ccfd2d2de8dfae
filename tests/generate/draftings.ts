/** Ways to guess, and to choose how much is tried, without measured times: right, wrong, mixed, in any sizes. */
import type { Drafter } from "../../src/generate/lookup.ts";
import type { Drafting } from "../../src/generate/speculate.ts";
import type { Random } from "../synthetic/random.ts";

/** The sizer of tests: a size for each chance to draft. */
export type SizeFor = (max: number) => number;

/** Any size there may be, often the largest. */
export function anySize(random: Random): SizeFor {
  return (max) => (random.u32() % 2 === 0 ? max : random.u32() % (max + 1));
}

export function draftingOf(createDrafter: (capacity: number) => Drafter, sizeFor: SizeFor): Drafting {
  return {
    createDrafter,
    sizer: { begin() {}, guessed() {}, walked() {}, sizeFor: (_, max) => Math.max(0, sizeFor(max)) },
    now: () => 0,
  };
}

/**
 * Knows the text, and says each of its ids with the chance `truth`, else another id below `vocabSize`.
 * @param text the prompt and the reply
 */
export function knowingDrafter(text: readonly number[], truth: number, vocabSize: number, random: Random): Drafter {
  let nIds = 0;
  const guess = (at: number): number =>
    at < text.length && random.u32() / 2 ** 32 < truth ? text[at] : random.u32() % vocabSize;
  return {
    matchLength: 2,
    reset(ids) {
      nIds = ids.length;
    },
    push: () => (nIds++, false),
    draft: (max) => Array.from({ length: max }, (_, i) => guess(nIds + i)),
  };
}
