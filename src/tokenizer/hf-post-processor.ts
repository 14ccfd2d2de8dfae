/**
 * The post-processor of a tokenizer.json: the tokens it puts around a text. Each known type is a row; any other is
 * refused by name.
 *
 * Source: the `tokenizers` library, whose types these are.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import type { StepBudget } from "./hf-step-budget.ts";
import { type JsonReader, badEntry } from "./json-reader.ts";

/** Tokens around a text, by their texts. */
export interface Surroundings {
  readonly prefix: readonly string[];
  readonly suffix: readonly string[];
}

/** @throws OnebitError `tokenizer/unsupported`, naming the step; `tokenizer/bad-vocabulary` */
export function readPostProcessor(step: JsonReader | undefined, budget: StepBudget): Surroundings | undefined {
  if (step === undefined) return undefined;
  budget.take(step);
  const type = step.string("type") ?? "";
  if (type === "Sequence")
    return inEachOther(step.children("processors").map((child) => readPostProcessor(child, budget)));
  if (!Object.hasOwn(READERS, type)) step.unsupported(`the post-processor ${quoted(type)}`);
  return READERS[type](step, budget);
}

const READERS: Readonly<Record<string, (step: JsonReader, budget: StepBudget) => Surroundings | undefined>> = {
  // It moves the offsets of tokens in the text, which we do not report.
  ByteLevel: () => undefined,
  TemplateProcessing: readTemplate,
  BertProcessing: (step) => ({ prefix: [tokenOfPair(step, "cls")], suffix: [tokenOfPair(step, "sep")] }),
  RobertaProcessing: (step) => ({ prefix: [tokenOfPair(step, "cls")], suffix: [tokenOfPair(step, "sep")] }),
};

/** Each wraps the result of those before it. */
function inEachOther(found: readonly (Surroundings | undefined)[]): Surroundings | undefined {
  const all = found.filter((one) => one !== undefined);
  if (all.length === 0) return undefined;
  return { prefix: all.flatMap((_, i) => all[all.length - 1 - i].prefix), suffix: all.flatMap(({ suffix }) => suffix) };
}

/** `single`: special tokens before and after the one sequence; each may stand for several tokens. */
function readTemplate(step: JsonReader, budget: StepBudget): Surroundings {
  const known = step.child("special_tokens");
  const prefix: string[] = [];
  const suffix: string[] = [];
  let seen = false;
  for (const piece of step.children("single")) {
    budget.take(piece);
    const token = piece.child("SpecialToken");
    if (token === undefined) {
      if (seen || piece.child("Sequence") === undefined)
        badEntry(piece.path, "SpecialToken or one Sequence", piece.object);
      seen = true;
      continue;
    }
    const name = token.string("id") ?? badEntry(token.at("id"), "a token", undefined);
    const names = known?.child(name)?.list("tokens") ?? [name];
    for (const text of names)
      (seen ? suffix : prefix).push(
        typeof text === "string" ? text : badEntry(step.at("special_tokens"), "tokens", text),
      );
  }
  if (!seen) badEntry(step.at("single"), "a Sequence", step.list("single"));
  return { prefix, suffix };
}

/** `["<s>", 1]`. */
function tokenOfPair(step: JsonReader, key: string): string {
  const text = step.list(key)?.[0];
  return typeof text === "string" ? text : badEntry(step.at(key), "a token and its id", step.get(key));
}
