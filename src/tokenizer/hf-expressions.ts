/**
 * The regular expressions of published tokenizer.json files, as a table of hand-written matchers. Only known
 * expressions run: an arbitrary one could backtrack for years.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { casedWords } from "./cased-words.ts";
import { LETTER, MARK, PUNCTUATION } from "./char-classes.ts";
import { deepseekLetters, hanAndKana } from "./pre-tokenizers.ts";
import {
  type Contractions,
  type MatcherMaker,
  blankThen,
  deepseek3Words,
  gpt2Words,
  llama3Words,
  numbers,
  oneNewline,
  threeDigits,
} from "./split.ts";

/** How files write the contractions, and which cases each form takes. */
const CONTRACTIONS: readonly (readonly [string, Contractions])[] = [
  ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", "folded"],
  ["(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "any"],
];
const BLANKS = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const DEEPSEEK3 =
  `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ` +
  `?[\\p{P}\\p{S}]+[\\r\\n]*${BLANKS}`;
const LEAD = "[^\\r\\n\\p{L}\\p{N}]?";
const CAPITALS = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const SMALL = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

/** Llama 3's expression after the contractions, by its digits and its class of word characters. */
function llama3(digits: string, word: string): string {
  const notSymbol = word === "\\p{L}" ? "\\p{L}\\p{N}" : "\\p{L}\\p{M}\\p{N}";
  return `|${LEAD}${word}+|${digits}| ?[^\\s${notSymbol}]+[\\r\\n]*${BLANKS}`;
}

/** GPT-4o's; `contractions` with their `?`, or "". */
function cased(digits: string, contractions: string): string {
  const words = `${LEAD}${CAPITALS}*${SMALL}+${contractions}|${LEAD}${CAPITALS}+${SMALL}*${contractions}`;
  return `${words}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*${BLANKS}`;
}

const EXPRESSIONS: ReadonlyMap<string, MatcherMaker> = new Map([
  ...CONTRACTIONS.flatMap(([text, cases]): [string, MatcherMaker][] => [
    [text + llama3("\\p{N}{1,3}", "\\p{L}"), llama3Words(3, LETTER, cases)],
    [text + llama3("\\p{N}", "\\p{L}"), llama3Words(1, LETTER, cases)],
    [text + llama3("\\p{N}+", "\\p{L}"), llama3Words(Infinity, LETTER, cases)],
    [text + llama3("\\p{N}", "[\\p{L}\\p{M}]"), llama3Words(1, LETTER | MARK, cases)],
    [cased("\\p{N}{1,3}", `${text}?`), casedWords(3, cases)],
    [cased("\\p{N}", `${text}?`), casedWords(1, cases)],
  ]),
  [cased("\\p{N}{1,3}", ""), casedWords(3)],
  [cased("\\p{N}", ""), casedWords(1)],
  [GPT2, gpt2Words],
  [`${GPT2}|\\s+`, gpt2Words],
  [DEEPSEEK3, deepseek3Words],
  ["\\p{N}", numbers(1)],
  ["\\p{N}+", numbers()],
  ["\\p{N}{1,3}", numbers(3)],
  ["[0-9][0-9][0-9]", threeDigits],
  ["[\\r\\n]", oneNewline],
  ["\\s?\\p{L}+", blankThen(LETTER)],
  ["\\s?\\p{P}+", blankThen(PUNCTUATION)],
  ["[一-龥ࠀ-一가-퟿]+", deepseekLetters],
  ["[一-龥\u3040-ゟ゠-ヿ]+", hanAndKana],
]);

/**
 * The matcher of a regular expression.
 * @throws OnebitError `tokenizer/unsupported` for one that is not in the table.
 */
export function matcherForExpression(path: string, expression: string): MatcherMaker {
  const matcher = EXPRESSIONS.get(expression.replaceAll("\r", "\\r").replaceAll("\n", "\\n"));
  return (
    matcher ?? fail("tokenizer/unsupported", `${path}: the expression ${expression.slice(0, 200)} is not supported`)
  );
}
