/**
 * Joins the steps and the vocabulary of a tokenizer.json to one model: the steps normalize, split and rewrite a
 * fragment of text, and each piece is encoded by itself.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { MERGES_MAX } from "../core/limits.ts";
import type { JsonValue } from "../files/json.ts";
import { ByteLevelBpe, type MergeRule, parseMerge } from "./bpe.ts";
import { makeByteAlphabet } from "./byte-alphabet.ts";
import type { CharClasses } from "./char-classes.ts";
import { CharacterBpe } from "./character-bpe.ts";
import { type HfDecoder, readDecoder } from "./hf-decoders.ts";
import type { TextStep } from "./hf-normalizers.ts";
import { type PreTokenizerSteps, readPreTokenizer } from "./hf-pre-tokenizers.ts";
import type { StepBudget } from "./hf-step-budget.ts";
import { type JsonReader, badEntry } from "./json-reader.ts";
import { type PieceSink, chainPieces } from "./piece-steps.ts";
import type { CutToken } from "./special-tokens.ts";
import type { TokenModel } from "./token-model.ts";
import { TOKEN_CONTROL, TOKEN_USER_DEFINED, type Vocabulary, bad } from "./vocabulary.ts";

/** Encodes pieces. */
type PieceModel = Pick<ByteLevelBpe, "encodePiece">;

export interface HfModelParts {
  readonly file: JsonReader;
  readonly model: JsonReader;
  readonly vocabulary: Vocabulary;
  readonly normalizer: readonly TextStep[];
  readonly classes: CharClasses;
  readonly budget: StepBudget;
  readonly preparedTokens: readonly CutToken[];
}

/** @throws OnebitError `tokenizer/unsupported`, `tokenizer/bad-vocabulary` */
export function makeHfModel({
  file,
  model,
  vocabulary,
  normalizer,
  classes,
  budget,
  preparedTokens,
}: HfModelParts): TokenModel {
  const { steps, endsInBytes } = readPreTokenizer(file.child("pre_tokenizer"), classes, budget);
  const isBytes = endsInBytes && hasAllBytes(vocabulary);
  const pieces = isBytes ? byteModel(model, vocabulary) : characterModel(model, vocabulary);
  let ids: number[] = [];
  // Bytes come from the text itself, so skip the step that writes them in the alphabet.
  const used = isBytes ? steps.slice(0, -1) : steps;
  const split = chainPieces(used, (text, from, to) => pieces.encodePiece(text, from, to, ids));
  const prepare: TextStep = (text) => normalizer.reduce((prepared, step) => step(prepared), text);
  const decoder = readDecoder(file.child("decoder"), budget, endsInBytes, isPrefixed({ steps, endsInBytes }, prepare));
  return {
    prepare,
    encode(prepared, isFirst, into) {
      ids = into;
      split(prepared, 0, prepared.length, isFirst);
      ids = [];
    },
    bytesOf: (id) => bytesOf(id, vocabulary, decoder),
    leadingBlanks: decoder.leadingBlanks,
    preparedTokens,
  };
}

function bytesOf(id: number, vocabulary: Vocabulary, decoder: HfDecoder): Uint8Array {
  const type = vocabulary.typeOf(id);
  return decoder.bytesOf(vocabulary.texts[id], type === TOKEN_CONTROL || type === TOKEN_USER_DEFINED);
}

/** Whether a `▁` goes before a text. */
function isPrefixed({ steps }: PreTokenizerSteps, prepare: TextStep): boolean {
  let first = "";
  const sink: PieceSink = (text, from, to) => void (first ||= text.slice(from, to));
  const prepared = prepare("a");
  chainPieces(steps, sink)(prepared, 0, prepared.length, true);
  return first.startsWith("\u2581");
}

function hasAllBytes(vocabulary: Vocabulary): boolean {
  return makeByteAlphabet().unitOfByte.every((unit) => vocabulary.plainIdOf(String.fromCharCode(unit)) !== undefined);
}

function byteModel(model: JsonReader, vocabulary: Vocabulary): PieceModel {
  const { merges, mergeCount, ignoreMerges } = modelOptions(model);
  const preTokenizer = { stages: [], ignoreMerges, addBos: false };
  return new ByteLevelBpe({ vocabulary, merges, mergeCount, strictMerges: true, preTokenizer });
}

function characterModel(model: JsonReader, vocabulary: Vocabulary): PieceModel {
  const unknown = model.string("unk_token");
  const unknownId =
    unknown === undefined
      ? undefined
      : (vocabulary.idOf(unknown) ?? bad(`model.unk_token names ${quoted(unknown)}, which is no token`));
  return new CharacterBpe({
    vocabulary,
    unknownId,
    fusesUnknown: model.boolean("fuse_unk") === true,
    ...modelOptions(model),
  });
}

function modelOptions(model: JsonReader): { merges: Iterable<MergeRule>; mergeCount: number; ignoreMerges: boolean } {
  const merges = model.list("merges") ?? badEntry(model.at("merges"), "a list", undefined);
  if (merges.length > MERGES_MAX) bad(`${merges.length} merges; the limit is ${MERGES_MAX}`);
  return {
    merges: parsedMerges(merges),
    mergeCount: merges.length,
    ignoreMerges: model.boolean("ignore_merges") === true,
  };
}

/** Files from before 2024 have merges as "left right", later ones as [left, right]. */
function* parsedMerges(merges: readonly JsonValue[]): Iterable<MergeRule> {
  for (let i = 0; i < merges.length; i++) {
    const merge = merges[i];
    if (typeof merge === "string") yield parseMerge(i, merge);
    else yield mergePair(i, merge);
  }
}

function mergePair(index: number, merge: JsonValue): MergeRule {
  if (Array.isArray(merge) && merge.length === 2) {
    const [left, right] = merge as readonly JsonValue[];
    if (typeof left === "string" && typeof right === "string" && left !== "" && right !== "") return [left, right];
  }
  return badEntry(`tokenizer.json.model.merges[${index}]`, "two symbols", merge);
}
