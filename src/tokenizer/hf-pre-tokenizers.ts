/**
 * The pre-tokenizer of a tokenizer.json: steps that split a prepared text into pieces, or rewrite a piece. Each works
 * on the output of the step before. Each known type is a row; any other is refused by name.
 *
 * Source: the `tokenizers` library, whose types these are. Its expressions follow Unicode 16, `Punctuation` follows
 * Unicode 8, and `Digits` follows Unicode 17: the steps here do the same.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { makeByteWriter } from "./byte-alphabet.ts";
import { type CharClasses, NUMBER, PUNCTUATION, SPACE, codePointBefore } from "./char-classes.ts";
import { CodePointSet } from "./code-point-set.ts";
import { matcherForExpression } from "./hf-expressions.ts";
import type { StepBudget } from "./hf-step-budget.ts";
import { NUMBER_EXCEPTIONS, PUNCTUATION_EXCEPTIONS } from "./hf-unicode-data.ts";
import { type JsonReader, badEntry } from "./json-reader.ts";
import { type Behavior, type PieceStep, mapPieces, readBehavior, splitPieces } from "./piece-steps.ts";
import { type Matcher, type MatcherMaker, gpt2Words, oneOf } from "./split.ts";
import { WordCharacters } from "./word-characters.ts";

/** ASCII symbols that the library counts as punctuation, besides Unicode's. */
const ASCII_SYMBOLS = "$+<=>^`|~";

export interface PreTokenizerSteps {
  readonly steps: readonly PieceStep[];
  /** The last step writes pieces in the byte alphabet. */
  readonly endsInBytes: boolean;
}

/** @throws OnebitError `tokenizer/unsupported`, naming the step; `tokenizer/bad-vocabulary` */
export function readPreTokenizer(
  step: JsonReader | undefined,
  classes: CharClasses,
  budget: StepBudget,
): PreTokenizerSteps {
  const context = { classes, budget, writeBytes: mapPieces(makeByteWriter()) };
  const steps = step === undefined ? [] : stepsOf(step, context);
  return { steps, endsInBytes: steps.at(-1) === context.writeBytes };
}

/** Shared by the steps' makers. */
interface Context {
  readonly classes: CharClasses;
  readonly budget: StepBudget;
  readonly writeBytes: PieceStep;
}

type StepsMaker = (step: JsonReader, context: Context) => PieceStep[];

function stepsOf(step: JsonReader, context: Context): PieceStep[] {
  context.budget.take(step);
  const type = step.string("type") ?? "";
  if (type === "Sequence") return step.children("pretokenizers").flatMap((child) => stepsOf(child, context));
  const make = Object.hasOwn(STEPS, type) ? STEPS[type] : step.unsupported(`the pre-tokenizer ${quoted(type)}`);
  return make(step, context);
}

const STEPS: Readonly<Record<string, StepsMaker>> = {
  ByteLevel(step, { classes, writeBytes }) {
    const steps: PieceStep[] = [];
    if (step.boolean("add_prefix_space") ?? true)
      steps.push(mapPieces((text) => (text.startsWith(" ") ? text : ` ${text}`)));
    if (step.boolean("use_regex") ?? true) steps.push(splitPieces(gpt2Words(classes), "Isolated"));
    return [...steps, writeBytes];
  },
  Metaspace(step) {
    const mark = step.string("replacement") ?? badEntry(step.at("replacement"), "a character", undefined);
    if (Array.from(mark).length !== 1) badEntry(step.at("replacement"), "one character", mark);
    const scheme = step.string("prepend_scheme") ?? (step.boolean("add_prefix_space") === false ? "never" : "always");
    if (scheme !== "never" && scheme !== "first" && scheme !== "always")
      step.unsupported(`the prepend_scheme ${quoted(scheme)}`);
    const write = mapPieces((text, isFirst) => {
      const marked = text.replaceAll(" ", () => mark);
      const isPrefixed = scheme === "always" || (scheme === "first" && isFirst);
      return isPrefixed && !marked.startsWith(mark) ? mark + marked : marked;
    });
    return step.boolean("split") === false ? [write] : [write, splitPieces(textMatcher(mark), "MergedWithNext")];
  },
  Split(step, { classes, budget }) {
    const pattern = step.child("pattern") ?? badEntry(step.at("pattern"), "an object", undefined);
    const literal = pattern.get("Regex") === undefined ? budget.text(pattern, "String") : undefined;
    if (literal === "") badEntry(pattern.at("String"), "a nonempty text", literal);
    const match =
      literal === undefined
        ? matcherForExpression(pattern.path, pattern.string("Regex") ?? "")(classes)
        : textMatcher(literal);
    const behavior = readBehavior(step, undefined);
    return [splitPieces(match, behavior, step.boolean("invert") === true)];
  },
  Digits: (step, { classes }) => [
    splitPieces(
      oneOfBut(NUMBER, "", NUMBER_EXCEPTIONS)(classes),
      step.boolean("individual_digits") === true ? "Isolated" : "Contiguous",
    ),
  ],
  Punctuation: (step, { classes }) => [punctuation(classes, readBehavior(step, "Isolated"))],
  WhitespaceSplit: (_, { classes }) => [whiteSpace(classes)],
  BertPreTokenizer: (_, { classes }) => [whiteSpace(classes), punctuation(classes, "Isolated")],
  Whitespace: (_, { classes }) => [splitPieces(wordOrSigns(classes), "Removed", true)],
  CharDelimiterSplit(step) {
    const delimiter = step.string("delimiter") ?? badEntry(step.at("delimiter"), "a character", undefined);
    if (Array.from(delimiter).length !== 1) badEntry(step.at("delimiter"), "one character", delimiter);
    return [splitPieces(textMatcher(delimiter), "Removed")];
  },
};

const punctuation = (classes: CharClasses, behavior: Behavior): PieceStep =>
  splitPieces(oneOfBut(PUNCTUATION, ASCII_SYMBOLS, PUNCTUATION_EXCEPTIONS)(classes), behavior);
const whiteSpace = (classes: CharClasses): PieceStep => splitPieces(oneOf(SPACE, "")(classes), "Removed");

/** `oneOf` by another version of Unicode, which differs at `exceptions`. */
function oneOfBut(mask: number, more: string, exceptions: string): MatcherMaker {
  const differs = new CodePointSet(exceptions);
  return (classes) => {
    const match = oneOf(mask, more)(classes);
    return (text, at, end) => {
      const first = codePointBefore(text, at, end);
      if (first < 0x80 || !differs.has(first)) return match(text, at, end);
      return classes.of(first) & mask ? at : at + (first > 0xffff ? 2 : 1);
    };
  };
}

function textMatcher(text: string): Matcher {
  return (piece, at, end) => (at + text.length <= end && piece.startsWith(text, at) ? at + text.length : at);
}

/** `\w+|[^\w\s]+`. */
function wordOrSigns(classes: CharClasses): Matcher {
  const words = new WordCharacters(classes);
  const kindAt = (codePoint: number): string =>
    words.has(codePoint) ? "word" : classes.of(codePoint) & SPACE ? "space" : "sign";
  return (text, at, end) => {
    const kind = kindAt(codePointBefore(text, at, end));
    if (kind === "space") return at;
    while (at < end) {
      const codePoint = codePointBefore(text, at, end);
      if (kindAt(codePoint) !== kind) break;
      at += codePoint > 0xffff ? 2 : 1;
    }
    return at;
  };
}
