/**
 * The option `format`: what a reply must fit. What compiles it loads on first use.
 *
 * @module
 */
import { fail, shown } from "../core/errors.ts";
import { type Kind, OBJECT, TEXT, checkOptions, oneOf } from "../core/options.ts";
import { packagePart } from "../core/package-part.ts";
import type { Constraint } from "../grammar/constraint.ts";
import type { Formats, ReplyGrammar } from "../grammar/formats.ts";
import { copiedJson, jsonText } from "../grammar/schema/json.ts";
import { ordinaryBytes, specialBytes } from "../grammar/special-bytes.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Any JSON value, as `"json"` asks for, is what an empty schema allows too. */
export type Format = "json" | JsonSchemaFormat | RegexFormat | GrammarFormat;

/** A JSON text that fits a schema. */
export interface JsonSchemaFormat {
  /** Of drafts 4 to 2020-12. What cannot be kept exactly is refused by name and place. */
  readonly jsonSchema: Readonly<Record<string, unknown>> | boolean;
  /** White space between the tokens of the JSON text. `flexible` (the default): blanks and indents; `none`: none. */
  readonly whitespace?: "flexible" | "none";
}

/** A text that a regular expression of JavaScript (with the flag `u`) matches as a whole. */
export interface RegexFormat {
  /** Without slashes. */
  readonly regex: string;
}

/** A text of a grammar, in llama.cpp's notation (GBNF). */
export interface GrammarFormat {
  /** Its first rule is `root`. */
  readonly grammar: string;
}

/** A copy. What JSON cannot hold (a class of another library, a function) is refused: it would become `{}`. */
const SCHEMA: Kind<JsonSchemaFormat["jsonSchema"]> = (value, name, code) =>
  typeof value === "boolean" ? value : OBJECT(JSON.parse(jsonText(copiedJson(OBJECT(value, name, code)))), name, code);
const SORTS = {
  jsonSchema: { jsonSchema: SCHEMA, whitespace: oneOf("flexible", "none") },
  regex: { regex: TEXT },
  grammar: { grammar: TEXT },
} as const;

/** The kind of the option. */
export const FORMAT: Kind<Format> = (value, name, code) => {
  if (value === "json") return value;
  const found = typeof value === "object" && value !== null ? value : fail(code, wanted(name, value)),
    sorts = Object.keys(SORTS).filter((sort) => (found as Record<string, unknown>)[sort] !== undefined);
  if (sorts.length !== 1) fail(code, wanted(name, value));
  return checkOptions<Record<string, unknown>>(name, found, SORTS[sorts[0] as keyof typeof SORTS], {
    code,
  }) as unknown as Format;
};

function wanted(name: string, value: unknown): string {
  return `${name}: wanted "json", { jsonSchema }, { regex } or { grammar }, got ${shown(value)}`;
}

/** The formats of a model: made on first use. */
export class FormatLoader {
  readonly #tokenizer: Tokenizer | undefined;
  #formats: Promise<Formats> | undefined;

  constructor(tokenizer: Tokenizer | undefined) {
    this.#tokenizer = tokenizer;
  }

  /**
   * What keeps a reply to `format`, at its beginning.
   * @throws OnebitError `grammar/…`, `tokenizer/missing`, `engine/part-missing`
   */
  async constraint(format: Format | ReplyGrammar): Promise<Constraint> {
    this.#formats ??= this.#load().catch((error: unknown) => {
      this.#formats = undefined;
      throw error;
    });
    return (await this.#formats).constraint(format);
  }

  async #load(): Promise<Formats> {
    const tokenizer =
      this.#tokenizer ?? fail("tokenizer/missing", "format needs text, but this model file has no vocabulary");
    const part = await packagePart("the compiler of formats", () => import("../grammar/formats.ts"));
    return new part.Formats({
      vocabSize: tokenizer.vocabSize,
      bytesOf: (id) => (tokenizer.isSpecial(id) ? specialBytes(id) : ordinaryBytes(tokenizer.tokenBytes(id))),
      specialId(name) {
        const id = tokenizer.tokenId(name);
        return id !== undefined && tokenizer.isSpecial(id) ? id : undefined;
      },
    });
  }
}
