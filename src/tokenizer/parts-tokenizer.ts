/**
 * Text to token ids and back: what every model's tokenizer offers, and how special tokens, text and the blank before
 * words come together. Made by `tokenizerFromGguf` and `tokenizerFromHf`.
 *
 * @module
 */
import { fail, shown } from "../core/errors.ts";
import { BOOLEAN, type Kind, type OptionTable, TEXT, check, checkOptions, kind, list } from "../core/options.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import { encodeUtf8 } from "../files/utf8.ts";
import type { ChatExtras } from "./chat-extras.ts";
import { Detokenizer, type TokenPieces } from "./detokenizer.ts";
import { type CutToken, SpecialTokens } from "./special-tokens.ts";
import type { TokenModel } from "./token-model.ts";
import { TOKEN_CONTROL, TOKEN_UNKNOWN, TOKEN_USER_DEFINED, type Vocabulary } from "./vocabulary.ts";

export interface EncodeOptions {
  /** Adds the BOS and EOS tokens that the model wants; on by default. */
  addSpecial?: boolean;
  /** Reads names of control tokens in the text as those tokens; off by default, so that text stays text. */
  parseSpecial?: boolean;
}

export type EncodePartsOptions = Pick<EncodeOptions, "addSpecial">;

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
  text: string;
  /** Names of control tokens in it are those tokens: text of a template. Never set it on what a user wrote. */
  special: boolean;
}

/** Decodes one token at a time. */
export interface TokenStream {
  /** The text that this token completes: never part of a character, often empty. */
  push(id: number): string;
  /** The rest: U+FFFD when the last character is incomplete. The stream can be used again afterwards. */
  end(): string;
}

export interface Tokenizer {
  /** Number of tokens; ids are 0 to `vocabSize` − 1. */
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** Whether `encode` puts BOS before a text, unless told otherwise. */
  readonly addBos: boolean;
  /** Whether `encode` puts EOS after a text, unless told otherwise. */
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
   * control tokens, and none is found across a border. So no user's text can close a turn or open another.
   */
  encodeParts(parts: readonly TextPart[], options?: EncodePartsOptions): number[];
  /**
   * The text of ids. Bytes that are no UTF-8 become U+FFFD.
   * @throws OnebitError `model/bad-token` for an id outside the vocabulary.
   */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** A decoder for ids as they come; whatever the portions, the texts together are those of `decode`. */
  stream(options?: DecodeOptions): TokenStream;
  /** The bytes a token adds to a text; empty for control tokens. */
  tokenBytes(id: number): Uint8Array;
  /** A token as its file writes it: `Ġthe`, `▁the`, `<|eot_id|>`. */
  tokenText(id: number): string;
  /** The id of a token as its file writes it. */
  tokenId(text: string): number | undefined;
  /** Whether the token is no part of any text: control tokens and the unknown token. */
  isSpecial(id: number): boolean;
}

/** What `tokenizerFromGguf` and `tokenizerFromHf` found in their files. */
export interface TokenizerParts extends ChatExtras {
  readonly vocabulary: Vocabulary;
  readonly model: TokenModel;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** Ids before and after a text that asks for special tokens. */
  readonly prefixIds: readonly number[];
  readonly suffixIds: readonly number[];
  readonly endOfTurnIds: ReadonlySet<number>;
  /** Tokens that take the blanks around them along, by id. */
  readonly trims?: ReadonlyMap<number, { readonly trimsLeft: boolean; readonly trimsRight: boolean }>;
}

const ENCODE_OPTIONS: OptionTable<EncodeOptions> = { addSpecial: BOOLEAN, parseSpecial: BOOLEAN };
const ENCODE_PARTS_OPTIONS: OptionTable<EncodePartsOptions> = { addSpecial: BOOLEAN };
const DECODE_OPTIONS: OptionTable<DecodeOptions> = { special: BOOLEAN, continued: BOOLEAN };

const PART: Kind<TextPart> = (value, name, code) => {
  const { text, special } = kind<TextPart>("{ text, special }", (part) => typeof part === "object" && part !== null)(value, name, code);
  return { text: TEXT(text, `${name}.text`, code), special: BOOLEAN(special, `${name}.special`, code) };
};

/** What an id may be is the vocabulary's to say. */
const ANY_IDS = list("ids, in a list or anything else to iterate", (id) => id as number);
const ID_ITERABLE: Kind<Iterable<number>> = (value, name, code) => {
  const isOther = typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value) && Symbol.iterator in value;
  return isOther ? (value as Iterable<number>) : ANY_IDS(value, name, code);
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
  /** Tokens that are cut out of any text. */
  readonly #userDefined: SpecialTokens;
  /** Those, and the control tokens: what is cut out of parts marked special. */
  readonly #all: SpecialTokens;
  readonly #pieces: TokenPieces;

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
    const cuts = cutTokens(parts);
    this.#userDefined = new SpecialTokens(cuts.filter((token) => !this.#vocabulary.isSpecial(token.id)));
    this.#all = new SpecialTokens(cuts);
    this.#pieces = {
      pieceOf: (id, special) => this.#pieceOf(id, special),
      precedesPrefix: (id) => parts.model.spacePrefix === "always" && this.#isCut(id),
      isSpecial: (id) => this.#vocabulary.isSpecial(id),
    };
  }

  get vocabSize(): number {
    return this.#vocabulary.size;
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    const { parseSpecial: special = false, addSpecial } = checkOptions("encode", options, ENCODE_OPTIONS);
    return this.#encode([{ text: check("text", text, TEXT), special }], addSpecial);
  }

  encodeParts(parts: readonly TextPart[], options: EncodePartsOptions = {}): number[] {
    const { addSpecial } = checkOptions("encodeParts", options, ENCODE_PARTS_OPTIONS);
    return this.#encode(check("parts", parts, list("a list of { text, special }", PART)), addSpecial);
  }

  #encode(parts: readonly TextPart[], addSpecial = true): number[] {
    return withMemoryNow("model/not-enough-memory", "the ids of a text", () => this.#encodeAll(parts, addSpecial));
  }

  #encodeAll(parts: readonly TextPart[], addSpecial: boolean): number[] {
    const ids: number[] = addSpecial ? [...this.#parts.prefixIds] : [];
    const fragments = new FragmentEncoder(this.#parts.model, this.#userDefined, ids);
    for (const part of parts) {
      if (part.special) this.#encodeSpecialPart(part.text, fragments);
      else fragments.addText(part.text);
    }
    fragments.endText();
    if (addSpecial) ids.push(...this.#parts.suffixIds);
    return ids;
  }

  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const found = check("ids", ids, ID_ITERABLE), { special, continued = false } = checkOptions("decode", options, DECODE_OPTIONS);
    return withMemoryNow("model/not-enough-memory", "the text of ids", () => this.#detokenizer(special, continued).decodeAll(found));
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

  #encodeSpecialPart(text: string, fragments: FragmentEncoder): void {
    let from = 0;
    for (let cut = this.#all.find(text, 0); cut !== undefined; cut = this.#all.find(text, from)) {
      // User-defined tokens stay in the text for now: one may begin in the part before.
      const isControl = this.#vocabulary.isSpecial(cut.token.id);
      fragments.addText(text.slice(from, isControl ? cut.from : cut.to));
      if (isControl) fragments.addToken(cut.token.id);
      from = cut.to;
    }
    fragments.addText(text.slice(from));
  }

  #detokenizer(special = false, continued: boolean): Detokenizer {
    const dropsBlank = !continued && this.#parts.model.spacePrefix !== "never";
    return new Detokenizer(this.#pieces, special, dropsBlank);
  }

  #pieceOf(id: number, special: boolean): Uint8Array {
    const type = this.#vocabulary.typeOf(this.#checked(id));
    if (type !== TOKEN_CONTROL && type !== TOKEN_UNKNOWN) return this.#parts.model.bytesOf(id);
    return special ? encodeUtf8(this.#vocabulary.texts[id]) : new Uint8Array(0);
  }

  #isCut(id: number): boolean {
    return this.#vocabulary.isSpecial(id) || this.#vocabulary.typeOf(id) === TOKEN_USER_DEFINED;
  }

  #checked(id: number): number {
    if (Number.isInteger(id) && id >= 0 && id < this.#vocabulary.size) return id;
    return fail("model/bad-token", `token id ${shown(id)}: wanted 0 to ${this.#vocabulary.size - 1}`);
  }
}

/** Gathers text until a control token ends it, then cuts user-defined tokens out and encodes what lies between. */
class FragmentEncoder {
  readonly #model: TokenModel;
  readonly #userDefined: SpecialTokens;
  readonly #ids: number[];
  #text = "";
  #isFirst = true;
  #followsToken = true;

  constructor(model: TokenModel, userDefined: SpecialTokens, ids: number[]) {
    this.#model = model;
    this.#userDefined = userDefined;
    this.#ids = ids;
  }

  addText(text: string): void {
    this.#text += text;
  }

  addToken(id: number): void {
    this.endText();
    this.#pushToken(id);
  }

  endText(): void {
    const text = this.#text;
    this.#text = "";
    let from = 0;
    for (let cut = this.#userDefined.find(text, 0); cut !== undefined; cut = this.#userDefined.find(text, from)) {
      this.#encode(text.slice(from, cut.from));
      this.#pushToken(cut.token.id);
      from = cut.to;
    }
    this.#encode(text.slice(from));
  }

  #pushToken(id: number): void {
    this.#ids.push(id);
    this.#followsToken = true;
    this.#isFirst = false;
  }

  #encode(fragment: string): void {
    if (fragment === "") return;
    const { spacePrefix } = this.#model;
    const prefixed = spacePrefix === "always" ? this.#followsToken : spacePrefix === "first" && this.#isFirst;
    this.#model.encode(fragment, prefixed, this.#ids);
    this.#followsToken = false;
    this.#isFirst = false;
  }
}

function cutTokens({ vocabulary, trims }: TokenizerParts): CutToken[] {
  const tokens: CutToken[] = [];
  for (let id = 0; id < vocabulary.size; id++) {
    if (!vocabulary.isSpecial(id) && vocabulary.typeOf(id) !== TOKEN_USER_DEFINED) continue;
    tokens.push({ id, text: vocabulary.texts[id], ...trims?.get(id) });
  }
  return tokens;
}
