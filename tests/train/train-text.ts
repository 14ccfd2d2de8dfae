/**
 * A text to train on, without a file: sentences of a small grammar, the same on every engine.
 */
import { seededRandom } from "../synthetic/random.ts";

const SUBJECTS = ["the cat", "a dog", "my aunt", "the king", "nobody", "every fish"];
const VERBS = ["sees", "eats", "forgets", "paints", "sells"];
const OBJECTS = ["the moon", "two apples", "a très old coat", "her own shadow", "nothing at all"];

/** At least `bytes` bytes of UTF-8, a sentence a line. */
export function grammarText(bytes: number, seed = 1): Uint8Array {
  const random = seededRandom(seed),
    pick = (words: readonly string[]): string => words[random.u32() % words.length];
  const lines: string[] = [];
  for (let size = 0; size < bytes; size += lines.at(-1)!.length)
    lines.push(`${pick(SUBJECTS)} ${pick(VERBS)} ${pick(OBJECTS)}.\n`);
  return new TextEncoder().encode(lines.join(""));
}
