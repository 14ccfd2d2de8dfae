/**
 * The normalizer of a tokenizer.json, the first step for a fragment of text. Each known type is a row; any other is
 * refused by name.
 *
 * Source: the `tokenizers` library, whose types these are.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { makeByteWriter } from "./byte-alphabet.ts";
import { type CharClasses, isWhiteSpace } from "./char-classes.ts";
import type { StepBudget } from "./hf-step-budget.ts";
import { type JsonReader, badEntry } from "./json-reader.ts";
import { type NormalForm, Normalizer } from "./normalize.ts";

export type TextStep = (text: string) => string;

/** @throws OnebitError `tokenizer/unsupported`, naming the step; `tokenizer/bad-vocabulary` */
export function readNormalizer(step: JsonReader | undefined, classes: CharClasses, budget: StepBudget): TextStep[] {
  if (step === undefined) return [];
  budget.take(step);
  const type = step.string("type") ?? "";
  if (type === "Sequence")
    return step.children("normalizers").flatMap((child) => readNormalizer(child, classes, budget));
  const make = Object.hasOwn(STEPS, type) ? STEPS[type] : step.unsupported(`the normalizer ${quoted(type)}`);
  return [make(step, classes, budget)];
}

type StepMaker = (step: JsonReader, classes: CharClasses, budget: StepBudget) => TextStep;

const normalForm =
  (form: NormalForm): StepMaker =>
  (_, classes) => {
    const normalizer = new Normalizer(form, classes);
    return (text) => normalizer.normalize(text);
  };

const STEPS: Readonly<Record<string, StepMaker>> = {
  NFC: normalForm("NFC"),
  NFD: normalForm("NFD"),
  NFKC: normalForm("NFKC"),
  NFKD: normalForm("NFKD"),
  Prepend(step, _, budget) {
    const prefix = budget.text(step, "prepend");
    return (text) => (text === "" ? text : prefix + text);
  },
  Replace(step, _, budget) {
    const { found, replacement } = readReplace(step, budget);
    return (text) => text.replaceAll(found, () => replacement);
  },
  Strip(step) {
    const left = step.boolean("strip_left") ?? badEntry(step.at("strip_left"), "a boolean", undefined);
    const right = step.boolean("strip_right") ?? badEntry(step.at("strip_right"), "a boolean", undefined);
    return (text) => stripped(text, left, right);
  },
  ByteLevel: () => makeByteWriter(),
};

/** `pattern` and `content` of a Replace step, in a normalizer or a decoder. */
export function readReplace(
  step: JsonReader,
  budget: StepBudget,
): { readonly found: string; readonly replacement: string } {
  const pattern = step.child("pattern") ?? badEntry(step.at("pattern"), "an object", undefined);
  const expression = pattern.string("Regex");
  if (expression !== undefined) pattern.unsupported(`replacing the expression ${quoted(expression)}`);
  const found = budget.text(pattern, "String");
  if (found === "") badEntry(pattern.at("String"), "a nonempty text", found);
  const replacement = budget.text(step, "content");
  budget.grow(step, found, replacement);
  return { found, replacement };
}

function stripped(text: string, left: boolean, right: boolean): string {
  let from = 0;
  let to = text.length;
  while (left && from < to && isWhiteSpace(text.charCodeAt(from))) from++;
  while (right && to > from && isWhiteSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}
