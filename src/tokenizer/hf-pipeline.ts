/**
 * The steps that a tokenizer.json puts before and after its vocabulary: normalizer, pre-tokenizer, post-processor. Each
 * known type is one case; any other is refused by name.
 *
 * Source: the `tokenizers` library, whose types these are.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { PUNCTUATION } from "./char-classes.ts";
import { type JsonReader, badEntry } from "./json-reader.ts";
import { matcherForExpression } from "./pre-tokenizers.ts";
import { type MatcherMaker, gpt2Words, numbers, oneOf, punctuationAnd } from "./split.ts";
import type { NormalForm, SpacePrefix } from "./token-model.ts";

/** Symbols of ASCII that the library counts as punctuation, besides Unicode's. */
const ASCII_SYMBOLS = "$+<=>^`|~";
const SPACE_MARK = "\u2581";

/** What normalizer and pre-tokenizer come to. */
export interface Pipeline {
  readonly isByteLevel: boolean;
  /** Blanks are written as `▁`. */
  readonly marksSpaces: boolean;
  readonly stages: readonly MatcherMaker[];
  readonly normalForm: NormalForm | undefined;
  readonly spacePrefix: SpacePrefix;
  readonly prefixUnlessSpace: boolean;
  readonly splitsAtSpaces: boolean;
}

/** Ids that the post-processor puts around a text. */
export interface Surroundings {
  readonly prefix: readonly string[];
  readonly suffix: readonly string[];
}

/**
 * Reads `normalizer` and `pre_tokenizer`.
 * @throws OnebitError `tokenizer/unsupported`, naming the step.
 */
export function readPipeline(file: JsonReader): Pipeline {
  const builder = new PipelineBuilder();
  const normalizer = file.child("normalizer");
  if (normalizer !== undefined) builder.addNormalizer(normalizer);
  const preTokenizer = file.child("pre_tokenizer");
  if (preTokenizer !== undefined) builder.addPreTokenizer(preTokenizer);
  return builder.pipeline;
}

/**
 * Reads the tokens that the post-processor's template puts around a single text; undefined without a template.
 * @throws OnebitError `tokenizer/unsupported`, naming the step.
 */
export function readSurroundings(file: JsonReader): Surroundings | undefined {
  const processor = file.child("post_processor");
  if (processor === undefined) return undefined;
  const steps = processor.string("type") === "Sequence" ? processor.children("processors") : [processor];
  let found: Surroundings | undefined;
  for (const step of steps) {
    const type = step.string("type");
    if (type === "TemplateProcessing") found = readTemplate(step);
    else if (type !== "ByteLevel") step.unsupported(`the post-processor ${quoted(String(type))}`);
  }
  return found;
}

class PipelineBuilder {
  #isByteLevel = false;
  #marksSpaces = false;
  #normalForm: NormalForm | undefined;
  #spacePrefix: SpacePrefix = "never";
  #prefixUnlessSpace = false;
  #splitsAtSpaces = false;
  readonly #stages: MatcherMaker[] = [];

  get pipeline(): Pipeline {
    return {
      isByteLevel: this.#isByteLevel,
      marksSpaces: this.#marksSpaces,
      stages: this.#stages,
      normalForm: this.#normalForm,
      spacePrefix: this.#spacePrefix,
      prefixUnlessSpace: this.#prefixUnlessSpace,
      splitsAtSpaces: this.#splitsAtSpaces,
    };
  }

  addNormalizer(step: JsonReader): void {
    const type = step.string("type") ?? "";
    if (type === "Sequence") {
      for (const child of step.children("normalizers")) this.addNormalizer(child);
    } else if (type === "NFC" || type === "NFD" || type === "NFKC" || type === "NFKD") {
      this.#normalForm = type;
    } else if (type === "Prepend" && step.string("prepend") === SPACE_MARK) {
      this.#spacePrefix = "always";
    } else if (type === "Replace" && step.child("pattern")?.string("String") === " " && step.string("content") === SPACE_MARK) {
      this.#marksSpaces = true;
    } else {
      step.unsupported(`the normalizer ${quoted(type)} with these options`);
    }
  }

  addPreTokenizer(step: JsonReader): void {
    const type = step.string("type") ?? "";
    if (type === "Sequence") {
      for (const child of step.children("pretokenizers")) this.addPreTokenizer(child);
      return;
    }
    // Steps after ByteLevel would see its alphabet instead of the text.
    if (this.#isByteLevel) step.unsupported(`the pre-tokenizer ${quoted(type)} after ByteLevel`);
    if (type === "ByteLevel") this.#addByteLevel(step);
    else if (type === "Metaspace") this.#addMetaspace(step);
    else if (type === "Split") this.#addSplit(step);
    else if (type === "Digits") this.#stages.push(step.boolean("individual_digits") === true ? numbers(1) : numbers());
    else if (type === "Punctuation") this.#addPunctuation(step);
    else step.unsupported(`the pre-tokenizer ${quoted(type)}`);
  }

  #addByteLevel(step: JsonReader): void {
    this.#isByteLevel = true;
    if (step.boolean("use_regex") !== false) this.#stages.push(gpt2Words);
    if (step.boolean("add_prefix_space") === true) this.#spacePrefix = "always";
  }

  #addMetaspace(step: JsonReader): void {
    const replacement = step.string("replacement") ?? SPACE_MARK;
    if (replacement !== SPACE_MARK) step.unsupported(`the replacement ${quoted(replacement)}`);
    const scheme = step.string("prepend_scheme") ?? (step.boolean("add_prefix_space") === false ? "never" : "always");
    if (scheme !== "never" && scheme !== "first" && scheme !== "always") {
      step.unsupported(`the prepend_scheme ${quoted(scheme)}`);
    }
    this.#marksSpaces = true;
    this.#spacePrefix = scheme;
    this.#prefixUnlessSpace = true;
    this.#splitsAtSpaces = step.boolean("split") !== false;
  }

  #addSplit(step: JsonReader): void {
    const pattern = step.child("pattern");
    const expression = pattern?.string("Regex");
    const literal = pattern?.string("String");
    // Normalizers have turned every blank into a mark before this step looks for one.
    if (literal === " " && this.#marksSpaces) return;
    if (expression === undefined) step.unsupported(`splitting at ${quoted(String(literal))}`);
    const behavior = step.string("behavior");
    // "Removed" and inverted: only what matches stays, which is everything when the last alternative takes any blanks.
    const isTotal = behavior === "Removed" && step.boolean("invert") === true && expression.endsWith("|\\s+");
    const keepsAll = isTotal || (behavior === "Isolated" && step.boolean("invert") !== true);
    if (!keepsAll) step.unsupported(`the behavior ${quoted(String(behavior))}`);
    this.#stages.push(matcherForExpression(expression));
  }

  #addPunctuation(step: JsonReader): void {
    const behavior = step.string("behavior") ?? "Isolated";
    if (behavior === "Contiguous") this.#stages.push(punctuationAnd(ASCII_SYMBOLS));
    else if (behavior === "Isolated") this.#stages.push(oneOf(PUNCTUATION, ASCII_SYMBOLS));
    else step.unsupported(`the behavior ${quoted(behavior)}`);
  }
}

/** `single`: special tokens before and after the one sequence. */
function readTemplate(step: JsonReader): Surroundings {
  const prefix: string[] = [];
  const suffix: string[] = [];
  let seen = false;
  for (const piece of step.children("single")) {
    const token = piece.child("SpecialToken");
    if (token === undefined) {
      seen = piece.child("Sequence") !== undefined || badEntry(piece.path, "SpecialToken or Sequence", piece.object);
      continue;
    }
    const name = token.string("id") ?? badEntry(token.at("id"), "a token", undefined);
    (seen ? suffix : prefix).push(name);
  }
  return { prefix, suffix };
}
