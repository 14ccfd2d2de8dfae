/** What onebit's templates say of a character, as python-characters.py asks Python. */
import { KINDS } from "../../../src/generate/jinja/characters.ts";
import {
  capitalized,
  folded,
  isLower,
  isTitle,
  isUpper,
  swapped,
  titleOf,
} from "../../../src/generate/jinja/letter-case.ts";

const TESTS = ["isalpha", "isdecimal", "isdigit", "isnumeric", "isalnum", "isspace"] as const;

export function kindsOf(char: string): boolean[] {
  return [...TESTS.map((name) => KINDS[name].test(char)), isLower(char), isUpper(char), isTitle(char)];
}

export function changesOf(char: string): string[] {
  return [
    char.toUpperCase(),
    char.toLowerCase(),
    capitalized(char),
    swapped(char),
    folded(char),
    titleOf(`x${char}`),
    titleOf(`${char}x`),
    swapped(`Σ${char}`),
    capitalized(`xΣ${char}`),
  ];
}
