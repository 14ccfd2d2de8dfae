/**
 * The tokenizer of a Hugging Face folder: tokenizer.json, and what tokenizer_config.json adds to it.
 *
 * Two kinds are known: byte-level byte-pair encoding (GPT-2, Llama 3, Qwen, Falcon 3) and SentencePiece's (Llama 2).
 *
 * Source: the `tokenizers` library, which writes the file.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { VOCABULARY_TOKENS_MAX } from "../core/limits.ts";
import { type JsonObject, type JsonValue, isJsonObject } from "../files/json.ts";
import { ByteLevelBpe, type MergeRule, parseMerge } from "./bpe.ts";
import { chatFromHf } from "./chat-extras.ts";
import { type Pipeline, readPipeline, readSurroundings } from "./hf-pipeline.ts";
import { JsonReader, badEntry } from "./json-reader.ts";
import { type Tokenizer, makeTokenizer } from "./parts-tokenizer.ts";
import { SentencePiece, pairsByRank } from "./sentencepiece.ts";
import type { TokenModel } from "./token-model.ts";
import {
  TOKEN_BYTE,
  TOKEN_CONTROL,
  TOKEN_NORMAL,
  TOKEN_UNKNOWN,
  TOKEN_UNUSED,
  TOKEN_USER_DEFINED,
  Vocabulary,
  bad,
} from "./vocabulary.ts";

/** What other files of the folder say. */
export interface HfExtras {
  /** `chat_template.jinja`; the template of tokenizer_config.json otherwise. */
  readonly chatTemplate?: string;
  /** `eos_token_id` of generation_config.json: tokens that end a reply besides EOS. */
  readonly endOfTurnIds?: readonly number[];
}

/**
 * The tokenizer of a tokenizer.json.
 * @param config tokenizer_config.json: BOS, EOS, whether they are added, the chat template.
 * @throws OnebitError `tokenizer/unsupported` for models and steps that are not known, by name;
 * `tokenizer/bad-vocabulary` for contradictions, naming the entry.
 */
export function tokenizerFromHf(tokenizerJson: JsonObject, config: JsonObject = {}, extras: HfExtras = {}): Tokenizer {
  const file = new JsonReader(tokenizerJson, "tokenizer.json");
  const settings = new JsonReader(config, "tokenizer_config.json");
  const model = file.child("model") ?? badEntry(file.at("model"), "an object", undefined);
  refuseUnknownModel(model);
  const pipeline = readPipeline(file);
  const added = readAddedTokens(file);
  const vocabulary = readVocabulary(model, added);
  const id = (text: string | undefined): number | undefined => namedId(vocabulary, settings, text);
  const eosId = id(tokenOf(settings, "eos_token"));
  const bosId = id(tokenOf(settings, "bos_token"));
  if (bosId !== undefined) vocabulary.protect(bosId);
  for (const extra of extras.endOfTurnIds ?? []) vocabulary.checkedId("generation_config.json: eos_token_id", extra);
  const endOfTurnIds = vocabulary.endOfTurn([eosId, ...(extras.endOfTurnIds ?? [])]);
  const ends = readEnds(file, settings, vocabulary, bosId, eosId);
  const unknownId = id(model.string("unk_token"));
  return makeTokenizer({
    vocabulary,
    model: makeModel(model, pipeline, vocabulary, unknownId),
    bosId: bosId ?? ends.prefixIds[0],
    eosId,
    ...ends,
    endOfTurnIds,
    ...chatFromHf(settings, extras.chatTemplate),
    trims: new Map(added.map((token) => [token.id, token])),
  });
}

function refuseUnknownModel(model: JsonReader): void {
  // Files of before 2021 have no type: those with merges are byte-pair encodings.
  const type = model.string("type") ?? (model.get("merges") === undefined ? "nothing" : "BPE");
  if (type !== "BPE") model.unsupported(`the type ${quoted(type)}`);
  for (const key of ["continuing_subword_prefix", "end_of_word_suffix"]) {
    if ((model.string(key) ?? "") !== "") model.unsupported(`the option ${key}`);
  }
}

function makeModel(
  model: JsonReader,
  pipeline: Pipeline,
  vocabulary: Vocabulary,
  unknownId: number | undefined,
): TokenModel {
  const merges = model.list("merges") ?? badEntry(model.at("merges"), "a list", undefined);
  const rules = parsedMerges(merges);
  const { normalForm, spacePrefix, prefixUnlessSpace, splitsAtSpaces } = pipeline;
  if (!pipeline.isByteLevel) {
    const isSentencePiece = pipeline.marksSpaces && pipeline.stages.length === 0;
    if (!isSentencePiece) model.unsupported("a vocabulary that is neither byte-level nor SentencePiece's");
    const pairs = pairsByRank(vocabulary, rules, merges.length);
    return new SentencePiece({ vocabulary, pairs, unknownId, spacePrefix, prefixUnlessSpace, splitsAtSpaces, normalForm });
  }
  return new ByteLevelBpe({
    vocabulary,
    merges: rules,
    mergeCount: merges.length,
    strictMerges: true,
    preTokenizer: { stages: pipeline.stages, ignoreMerges: model.boolean("ignore_merges") === true, addBos: false },
    unknownId,
    normalForm,
    addPrefixSpace: spacePrefix === "always",
  });
}

/** Merges are "left right" in files of before 2024, [left, right] since. */
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

interface AddedToken {
  readonly id: number;
  readonly text: string;
  readonly isControl: boolean;
  readonly trimsLeft: boolean;
  readonly trimsRight: boolean;
}

function readAddedTokens(file: JsonReader): AddedToken[] {
  return file.children("added_tokens").map((token) => {
    if (token.boolean("single_word") === true) token.unsupported("single_word");
    return {
      id: checkedId(token.at("id"), token.get("id")),
      text: token.string("content") ?? badEntry(token.at("content"), "a string", undefined),
      isControl: token.boolean("special") === true,
      trimsLeft: token.boolean("lstrip") === true,
      trimsRight: token.boolean("rstrip") === true,
    };
  });
}

/** The vocabulary by id; ids that nothing names become unused tokens. */
function readVocabulary(model: JsonReader, added: readonly AddedToken[]): Vocabulary {
  const entries = Object.entries(model.child("vocab")?.object ?? badEntry(model.at("vocab"), "an object", undefined));
  const ids = entries.map(([text, id]) => checkedId(`${model.at("vocab")}[${quoted(text)}]`, id));
  const size = [...added.map((token) => token.id)].concat(ids).reduce((most, id) => Math.max(most, id + 1), 0);
  // Ids far beyond their number would make a vocabulary of nothing.
  if (size > 2 * (ids.length + added.length) + 1024) bad(`the largest id is ${size - 1} among ${ids.length} tokens`);
  const texts = new Array<string>(size).fill("");
  const types = new Uint8Array(size).fill(TOKEN_UNUSED);
  const bytesAreTokens = model.boolean("byte_fallback") === true;
  const unknown = model.string("unk_token");
  const setToken = (id: number, text: string, type: number): void => {
    if (types[id] !== TOKEN_UNUSED && texts[id] !== text) bad(`token ${id}: is both ${quoted(texts[id])} and ${quoted(text)}`);
    texts[id] = text;
    types[id] = type;
  };
  for (let i = 0; i < ids.length; i++) {
    const text = entries[i][0];
    const isByte = bytesAreTokens && /^<0x[0-9A-Fa-f]{2}>$/.test(text);
    setToken(ids[i], text, isByte ? TOKEN_BYTE : text === unknown ? TOKEN_UNKNOWN : TOKEN_NORMAL);
  }
  for (const { id, text, isControl } of added) {
    const type = isControl ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
    setToken(id, text, text === unknown ? TOKEN_UNKNOWN : type);
  }
  return new Vocabulary(texts, types);
}

function checkedId(path: string, value: JsonValue | undefined): number {
  const isId = typeof value === "number" && Number.isInteger(value) && value >= 0 && value < VOCABULARY_TOKENS_MAX;
  return isId ? value : badEntry(path, `an id below ${VOCABULARY_TOKENS_MAX}`, value);
}

/** BOS and EOS around a text: the post-processor's, unless the configuration says yes or no. */
function readEnds(
  file: JsonReader,
  settings: JsonReader,
  vocabulary: Vocabulary,
  bosId: number | undefined,
  eosId: number | undefined,
): { prefixIds: readonly number[]; suffixIds: readonly number[] } {
  const around = readSurroundings(file);
  const idOf = (text: string): number =>
    vocabulary.idOf(text) ?? badEntry(file.at("post_processor"), "a token of the vocabulary", text);
  const decide = (key: string, given: readonly string[] | undefined, id: number | undefined): readonly number[] => {
    const isAdded = settings.boolean(key) ?? (given ?? []).length > 0;
    if (!isAdded) return [];
    if (given !== undefined && given.length > 0) return given.map(idOf);
    return id === undefined ? bad(`${settings.at(key)} is true, but no such token is named`) : [id];
  };
  return {
    prefixIds: decide("add_bos_token", around?.prefix, bosId),
    suffixIds: decide("add_eos_token", around?.suffix, eosId),
  };
}

/** `"<s>"` or `{ "content": "<s>", … }`. */
function tokenOf(settings: JsonReader, key: string): string | undefined {
  const value = settings.get(key);
  if (value === undefined || typeof value === "string") return value;
  return isJsonObject(value) ? new JsonReader(value, settings.at(key)).string("content") : settings.wrong(key, "a token", value);
}

function namedId(vocabulary: Vocabulary, settings: JsonReader, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return vocabulary.idOf(text) ?? bad(`${settings.path} or model.unk_token names ${quoted(text)}, which is no token`);
}
