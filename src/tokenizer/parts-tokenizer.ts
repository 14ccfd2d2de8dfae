/**
 * Text to token ids and back: the interface of every model's tokenizer, and how it joins special tokens, text and the
 * blank before words. `tokenizerFromGguf` and `tokenizerFromHf` make it.
 *
 * @module
 */
import { fail, shown } from "../core/errors.ts";
import { BOOLEAN, type Kind, type OptionTable, TEXT, check, checkOptions, kind, list } from "../core/options.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import type { ChatExtras } from "./chat-extras.ts";
import { Detokenizer } from "./detokenizer.ts";
import { FragmentEncoder } from "./fragment-encoder.ts";
import { ID_ITERABLE } from "../core/id-iterable.ts";
import { MarkerLayer } from "./marker-layer.ts";
import type { CutToken } from "./special-tokens.ts";
import type { TokenModel } from "./token-model.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** What goes around a text. */
export interface EncodePartsOptions {
  /** Puts the tokens before the text that the model wants there, such as BOS; on by default. */
  addSpecial?: boolean;
  /**
   * Puts the tokens behind the text that the model's file wants there, such as EOS; off by default. They are for texts
   * that are complete, as in training and for embeddings: no prompt that is to be continued ends with them.
   */
  addEos?: boolean;
}

/** Options of {@link Tokenizer.encode}. */
export interface EncodeOptions extends EncodePartsOptions {
  /**
   * Reads the names of control tokens and of all other added tokens (`<think>`, `<tool_call>`) in the text as those
   * tokens; off by default, so that text stays text. Added tokens of white space alone, or of one character, are no
   * names: they are part of any text.
   */
  parseSpecial?: boolean;
}

/** Options of {@link Tokenizer.decode} and {@link Tokenizer.stream}. */
export interface DecodeOptions {
  /** Shows control tokens by their names; off by default, they are no part of the text. */
  special?: boolean;
  /**
   * The ids continue a text, so a first blank is part of it. Off by default in `decode` (the blank that encoding put
   * before the text is dropped), on by default in `stream`.
   */
  continued?: boolean;
}

/** Part of a prompt. */
export interface TextPart {
  /** The text. */
  text: string;
  /** Names of added tokens in it are those tokens: text of a template. Never set it on what a user wrote. */
  special: boolean;
}

/** Decodes one token at a time. */
export interface TokenStream {
  /** The text that this token completes: never part of a character, often empty. */
  push(id: number): string;
  /** The rest: U+FFFD when the last character is incomplete. The stream can be used again afterwards. */
  end(): string;
}

/**
 * Text to ids and back, as the model's file has it.
 *
 * @example
 * ```ts
 * import { loadTokenizer } from "onebit";
 *
 * const tokenizer = await loadTokenizer("model.gguf");
 * if (tokenizer) {
 *   const ids = tokenizer.encode("Hello, world");
 *   console.log(ids.map((id) => tokenizer.tokenText(id)), tokenizer.decode(ids));
 *   const stream = tokenizer.stream();
 *   console.log(ids.map((id) => stream.push(id)).join("") + stream.end());
 * }
 * ```
 */
export interface Tokenizer {
  /** Number of tokens; ids are 0 to `vocabSize` − 1. */
  readonly vocabSize: number;
  /** The token that begins a text, if there is one. */
  readonly bosId: number | undefined;
  /** The token that ends a text, if there is one. */
  readonly eosId: number | undefined;
  /** Whether `encode` puts BOS before a text, unless told otherwise. */
  readonly addBos: boolean;
  /** Whether `encode` puts EOS after a text when asked to. */
  readonly addEos: boolean;
  /** Every token that ends a reply; more than EOS in most chat models. */
  readonly endOfTurnIds: ReadonlySet<number>;
  /** The Jinja template of the model's conversations, if its file has one. */
  readonly chatTemplate: string | undefined;
  /** All templates of the file by name: `default`, `tool_use`, `rag`, … */
  readonly chatTemplates: ReadonlyMap<string, string>;
  /** Texts of special tokens by the names that templates know: `bos_token`, `pad_token`, … */
  readonly specialTokens: ReadonlyMap<string, string>;
  /**
   * The ids of a text. Linear in its length; lone surrogates become U+FFFD.
   * @throws OnebitError `tokenizer/bad-vocabulary` when the vocabulary has no token for part of it.
   */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * The ids of several parts as one text: merges cross their borders, but only parts marked special are searched for
   * control tokens and other added tokens, and none is found across a border. So no user's text can close a turn, open
   * another, or stand for anything else that only the template may say. A text that begins with BOS gets no second one.
   */
  encodeParts(parts: readonly TextPart[], options?: EncodePartsOptions): number[];
  /**
   * The text of ids. Bytes that are no UTF-8 become U+FFFD.
   * @throws OnebitError `model/bad-token` for an id outside the vocabulary.
   */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** A decoder for ids as they come; whatever the portions, the texts together are those of `decode`. */
  stream(options?: DecodeOptions): TokenStream;
  /**
   * The bytes a token adds to a text; empty for control tokens.
   * @throws OnebitError `model/bad-token`
   */
  tokenBytes(id: number): Uint8Array;
  /**
   * A token as its file writes it: `Ġthe`, `▁the`, `<|eot_id|>`.
   * @throws OnebitError `model/bad-token`
   */
  tokenText(id: number): string;
  /** The id of a token as its file writes it. */
  tokenId(text: string): number | undefined;
  /** Whether the token is no part of any text: control tokens and the unknown token. */
  isSpecial(id: number): boolean;
}

/** What `tokenizerFromGguf` and `tokenizerFromHf` read from their files. */
export interface TokenizerParts extends ChatExtras {
  readonly vocabulary: Vocabulary;
  readonly model: TokenModel;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** Ids before and after a text that wants special tokens. */
  readonly prefixIds: readonly number[];
  readonly suffixIds: readonly number[];
  readonly endOfTurnIds: ReadonlySet<number>;
  /** Tokens to cut out of a text as given. */
  readonly cutTokens: readonly CutToken[];
}

const ENCODE_OPTIONS: OptionTable<EncodeOptions> = { addSpecial: BOOLEAN, addEos: BOOLEAN, parseSpecial: BOOLEAN };
const ENCODE_PARTS_OPTIONS: OptionTable<EncodePartsOptions> = { addSpecial: BOOLEAN, addEos: BOOLEAN };
const DECODE_OPTIONS: OptionTable<DecodeOptions> = { special: BOOLEAN, continued: BOOLEAN };

const PART: Kind<TextPart> = (value, name, code) => {
  const { text, special } = kind<TextPart>("{ text, special }", (part) => typeof part === "object" && part !== null)(
    value,
    name,
    code,
  );
  return { text: TEXT(text, `${name}.text`, code), special: BOOLEAN(special, `${name}.special`, code) };
};

export function makeTokenizer(parts: TokenizerParts): Tokenizer {
  return new PartsTokenizer(parts);
}

class PartsTokenizer implements Tokenizer {
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly endOfTurnIds: ReadonlySet<number>;
  readonly chatTemplate: string | undefined;
  readonly chatTemplates: ReadonlyMap<string, string>;
  readonly specialTokens: ReadonlyMap<string, string>;
  readonly #parts: TokenizerParts;
  readonly #vocabulary: Vocabulary;
  readonly #given: MarkerLayer;
  readonly #prepared: MarkerLayer;

  constructor(parts: TokenizerParts) {
    this.#parts = parts;
    this.#vocabulary = parts.vocabulary;
    this.bosId = parts.bosId;
    this.eosId = parts.eosId;
    this.addBos = parts.prefixIds.length > 0;
    this.addEos = parts.suffixIds.length > 0;
    this.endOfTurnIds = parts.endOfTurnIds;
    this.chatTemplate = parts.chatTemplate;
    this.chatTemplates = parts.chatTemplates;
    this.specialTokens = parts.specialTokens;
    this.#given = new MarkerLayer(parts.cutTokens);
    this.#prepared = new MarkerLayer(parts.model.preparedTokens ?? []);
  }

  get vocabSize(): number {
    return this.#vocabulary.size;
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    const { parseSpecial: special = false, ...around } = checkOptions("encode", options, ENCODE_OPTIONS);
    return this.#encode([{ text: check("text", text, TEXT), special }], around);
  }

  encodeParts(parts: readonly TextPart[], options: EncodePartsOptions = {}): number[] {
    const around = checkOptions("encodeParts", options, ENCODE_PARTS_OPTIONS);
    return this.#encode(check("parts", parts, list("a list of { text, special }", PART)), around);
  }

  #encode(parts: readonly TextPart[], around: EncodePartsOptions): number[] {
    return withMemoryNow("model/not-enough-memory", "the ids of a text", () => this.#encodeAll(parts, around));
  }

  #encodeAll(parts: readonly TextPart[], { addSpecial = true, addEos = false }: EncodePartsOptions): number[] {
    const { prefixIds, suffixIds } = this.#parts;
    const ids: number[] = [];
    const fragments = new FragmentEncoder(this.#parts.model, this.#given, this.#prepared, ids);
    for (const { text, special } of parts) fragments.add(text, special);
    fragments.end();
    const isBegun = prefixIds.every((id, i) => ids[i] === id);
    const before = addSpecial && !isBegun ? prefixIds : [];
    const after = addEos ? suffixIds : [];
    return before.length + after.length === 0 ? ids : [...before].concat(ids, after);
  }

  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const found = check("ids", ids, ID_ITERABLE),
      { special, continued = false } = checkOptions("decode", options, DECODE_OPTIONS);
    return withMemoryNow("model/not-enough-memory", "the text of ids", () =>
      this.#detokenizer(special, continued).decodeAll(found),
    );
  }

  stream(options: DecodeOptions = {}): TokenStream {
    const { special, continued = true } = checkOptions("stream", options, DECODE_OPTIONS);
    return this.#detokenizer(special, continued);
  }

  tokenBytes(id: number): Uint8Array {
    return this.#pieceOf(id, false);
  }

  tokenText(id: number): string {
    return this.#vocabulary.texts[this.#checked(id)];
  }

  tokenId(text: string): number | undefined {
    return this.#vocabulary.idOf(check("text", text, TEXT));
  }

  isSpecial(id: number): boolean {
    return this.#vocabulary.isSpecial(this.#checked(id));
  }

  #detokenizer(special = false, continued: boolean): Detokenizer {
    return new Detokenizer((id) => this.#pieceOf(id, special), continued ? 0 : this.#parts.model.leadingBlanks);
  }

  #pieceOf(id: number, special: boolean): Uint8Array {
    const known = this.#checked(id),
      isShown = special || !this.#vocabulary.isSpecial(known);
    return isShown ? this.#parts.model.bytesOf(known) : new Uint8Array(0);
  }

  #checked(id: number): number {
    if (Number.isInteger(id) && id >= 0 && id < this.#vocabulary.size) return id;
    return fail("model/bad-token", `token id ${shown(id)}: wanted 0 to ${this.#vocabulary.size - 1}`);
  }
}
