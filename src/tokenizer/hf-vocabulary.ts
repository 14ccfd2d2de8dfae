/**
 * The tokens of a tokenizer.json: its model's, and the added ones with their options.
 *
 * @module
 */
import { quoted } from "../core/errors.ts";
import { VOCABULARY_TOKENS_MAX } from "../core/limits.ts";
import type { JsonValue } from "../files/json.ts";
import type { CharClasses } from "./char-classes.ts";
import { type JsonReader, badEntry } from "./json-reader.ts";
import type { CutToken } from "./special-tokens.ts";
import {
  TOKEN_BYTE,
  TOKEN_CONTROL,
  TOKEN_NORMAL,
  TOKEN_UNUSED,
  TOKEN_USER_DEFINED,
  Vocabulary,
  bad,
} from "./vocabulary.ts";
import { WordCharacters } from "./word-characters.ts";

export interface HfVocabulary {
  readonly vocabulary: Vocabulary;
  /** Added tokens to find in the text as given. */
  readonly cutTokens: readonly CutToken[];
  /** Added tokens to find, prepared, in prepared text: the file calls them `normalized`. */
  readonly preparedTokens: readonly CutToken[];
}

interface AddedToken {
  readonly id: number;
  readonly text: string;
  readonly isControl: boolean;
  readonly isPrepared: boolean;
  readonly isWord: boolean;
  readonly trimsLeft: boolean;
  readonly trimsRight: boolean;
}

/** @throws OnebitError `tokenizer/bad-vocabulary`, naming the entry */
export function readHfVocabulary(
  file: JsonReader,
  model: JsonReader,
  prepare: (text: string) => string,
  classes: CharClasses,
): HfVocabulary {
  const added = file.children("added_tokens").map(readAddedToken);
  const words = added.some(({ isWord }) => isWord) ? new WordCharacters(classes) : undefined;
  const mayStand = words && ((text: string, from: number, to: number): boolean => words.standAlone(text, from, to));
  const cutOf = ({ isWord, isPrepared, text, ...token }: AddedToken): CutToken => ({
    ...token,
    text: isPrepared ? prepare(text) : text,
    mayStand: isWord ? mayStand : undefined,
  });
  return {
    vocabulary: readVocabulary(model, added),
    cutTokens: added.filter(({ isPrepared }) => !isPrepared).map(cutOf),
    preparedTokens: added.filter(({ isPrepared }) => isPrepared).map(cutOf),
  };
}

function readAddedToken(token: JsonReader): AddedToken {
  const isControl = token.boolean("special") === true;
  return {
    id: checkedId(token.at("id"), token.get("id")),
    text: token.string("content") ?? badEntry(token.at("content"), "a string", undefined),
    isControl,
    isPrepared: token.boolean("normalized") === true,
    isWord: token.boolean("single_word") === true,
    trimsLeft: token.boolean("lstrip") === true,
    trimsRight: token.boolean("rstrip") === true,
  };
}

/** The vocabulary by id; unnamed ids become unused tokens. */
function readVocabulary(model: JsonReader, added: readonly AddedToken[]): Vocabulary {
  const entries = Object.entries(model.child("vocab")?.object ?? badEntry(model.at("vocab"), "an object", undefined));
  const ids = entries.map(([text, id]) => checkedId(`${model.at("vocab")}[${quoted(text)}]`, id));
  const size = [...added.map((token) => token.id)].concat(ids).reduce((most, id) => Math.max(most, id + 1), 0);
  // Ids far beyond their number would make an empty vocabulary of huge size.
  if (size > 2 * (ids.length + added.length) + 1024) bad(`the largest id is ${size - 1} among ${ids.length} tokens`);
  const texts = new Array<string>(size).fill("");
  const types = new Uint8Array(size).fill(TOKEN_UNUSED);
  const bytesAreTokens = model.boolean("byte_fallback") === true;
  const setToken = (id: number, text: string, type: number): void => {
    if (types[id] !== TOKEN_UNUSED && texts[id] !== text)
      bad(`token ${id}: is both ${quoted(texts[id])} and ${quoted(text)}`);
    texts[id] = text;
    types[id] = type;
  };
  for (let i = 0; i < ids.length; i++) {
    const text = entries[i][0];
    setToken(ids[i], text, bytesAreTokens && /^<0x[0-9A-Fa-f]{2}>$/.test(text) ? TOKEN_BYTE : TOKEN_NORMAL);
  }
  for (const { id, text, isControl } of added) setToken(id, text, isControl ? TOKEN_CONTROL : TOKEN_USER_DEFINED);
  return new Vocabulary(texts, types);
}

function checkedId(path: string, value: JsonValue | undefined): number {
  const isId = typeof value === "number" && Number.isInteger(value) && value >= 0 && value < VOCABULARY_TOKENS_MAX;
  return isId ? value : badEntry(path, `an id below ${VOCABULARY_TOKENS_MAX}`, value);
}
