/**
 * The tokenizer of a Hugging Face folder: tokenizer.json, and what tokenizer_config.json adds.
 *
 * It knows byte-pair encodings of bytes (GPT-2, Llama 3, Qwen, Falcon 3) and of characters (Llama 2, Gemma).
 *
 * Source: the `tokenizers` library, which writes the file.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { type JsonObject, isJsonObject } from "../files/json.ts";
import { chatFromHf } from "./chat-extras.ts";
import { CharClasses } from "./char-classes.ts";
import { readHfVocabulary } from "./hf-vocabulary.ts";
import { makeHfModel } from "./hf-model.ts";
import { readNormalizer } from "./hf-normalizers.ts";
import { type Surroundings, readPostProcessor } from "./hf-post-processor.ts";
import { StepBudget } from "./hf-step-budget.ts";
import { JsonReader, badEntry } from "./json-reader.ts";
import { type Tokenizer, makeTokenizer } from "./parts-tokenizer.ts";
import { type Vocabulary, bad } from "./vocabulary.ts";

/** From other files of the folder. */
export interface HfExtras {
  /** `chat_template.jinja`; it replaces the template of tokenizer_config.json. */
  readonly chatTemplate?: string;
  /** `eos_token_id` of generation_config.json: tokens that end a reply besides EOS. */
  readonly endOfTurnIds?: readonly number[];
}

/**
 * The tokenizer of a tokenizer.json.
 * @param config tokenizer_config.json: BOS, EOS, whether to add them, the chat template.
 * @throws OnebitError `tokenizer/unsupported` for unknown models and steps, by name; `tokenizer/bad-vocabulary` for
 * contradictions, naming the entry.
 */
export function tokenizerFromHf(tokenizerJson: JsonObject, config: JsonObject = {}, extras: HfExtras = {}): Tokenizer {
  const file = new JsonReader(tokenizerJson, "tokenizer.json");
  const settings = new JsonReader(config, "tokenizer_config.json");
  const model = file.child("model") ?? badEntry(file.at("model"), "an object", undefined);
  refuseUnknownModel(model);
  const classes = new CharClasses();
  const budget = new StepBudget();
  const normalizer = readNormalizer(file.child("normalizer"), classes, budget);
  const prepare = (text: string): string => normalizer.reduce((prepared, step) => step(prepared), text);
  const { vocabulary, cutTokens, preparedTokens } = readHfVocabulary(file, model, prepare, classes);
  const id = (key: string): number | undefined => namedId(vocabulary, settings, tokenOf(settings, key));
  const eosId = id("eos_token");
  const bosId = id("bos_token");
  if (bosId !== undefined) vocabulary.protect(bosId);
  for (const extra of extras.endOfTurnIds ?? []) vocabulary.checkedId("generation_config.json: eos_token_id", extra);
  // Only tokens the file calls special are special; a normal token is ordinary.
  const endOfTurnIds = vocabulary.endOfTurn([eosId, ...(extras.endOfTurnIds ?? [])], () => true);
  const ends = readEnds(readPostProcessor(file.child("post_processor"), budget), settings, vocabulary, bosId, eosId);
  return makeTokenizer({
    vocabulary,
    model: makeHfModel({ file, model, vocabulary, normalizer, classes, budget, preparedTokens }),
    bosId: bosId ?? ends.prefixIds[0],
    eosId,
    ...ends,
    endOfTurnIds,
    ...chatFromHf(settings, extras.chatTemplate),
    cutTokens,
  });
}

/** Nobody reads `truncation` and `padding`: transformers, too, applies them only if a caller asks. */
function refuseUnknownModel(model: JsonReader): void {
  // Files from before 2021 have no type: those with merges are byte-pair encodings.
  const type = model.string("type") ?? (model.get("merges") === undefined ? "nothing" : "BPE");
  if (type !== "BPE") model.unsupported(`the type ${quoted(type)}`);
  for (const key of ["continuing_subword_prefix", "end_of_word_suffix"]) {
    if ((model.string(key) ?? "") !== "") model.unsupported(`the option ${key}`);
  }
  if ((model.get("dropout") ?? 0) !== 0) model.unsupported("the option dropout");
}

/** BOS and EOS around a text: as the post-processor has them, unless the configuration says yes or no. */
function readEnds(
  around: Surroundings | undefined,
  settings: JsonReader,
  vocabulary: Vocabulary,
  bosId: number | undefined,
  eosId: number | undefined,
): { prefixIds: readonly number[]; suffixIds: readonly number[] } {
  const idOf = (text: string): number =>
    vocabulary.idOf(text) ?? badEntry("tokenizer.json.post_processor", "a token of the vocabulary", text);
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
  return isJsonObject(value)
    ? new JsonReader(value, settings.at(key)).string("content")
    : settings.wrong(key, "a token", value);
}

function namedId(vocabulary: Vocabulary, settings: JsonReader, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return vocabulary.idOf(text) ?? bad(`${settings.path} names ${quoted(text)}, which is no token`);
}
