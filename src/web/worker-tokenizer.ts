/**
 * The tokenizer of a model in a worker: its facts are here, its methods are calls.
 *
 * @module
 */
import { check } from "../core/options.ts";
import type { AnyTokenizer, Tokenizer } from "../index.ts";
import { ID_ITERABLE } from "../core/id-iterable.ts";
import type { Connection } from "./connection.ts";
import type { Calls, TokenizerFacts, TokenizerMethod } from "./protocol.ts";
import { type WireError, fromWire } from "./wire-error.ts";

/**
 * The tokenizer of a model in a worker, as `Tokenizer` of "onebit"; methods are promises, which reject with
 * `engine/worker-lost` when the worker dies.
 *
 * @example
 * ```ts
 * import { loadInWorker } from "onebit/worker";
 *
 * const model = await loadInWorker("model.gguf", { contextLength: 256 });
 * const ids = await model.tokenizer.encode("Hello, world");
 * console.log(ids, await model.tokenizer.decode(ids));
 * await model.close();
 * ```
 */
export class WorkerTokenizer implements AnyTokenizer {
  readonly #connection: Connection<Calls>;
  readonly #facts: TokenizerFacts;

  /**
   * @internal
   * @throws OnebitError `tokenizer/missing` where `facts` are why there is none
   */
  constructor(connection: Connection<Calls>, facts: TokenizerFacts | WireError) {
    if ("message" in facts) throw fromWire(facts);
    this.#connection = connection;
    this.#facts = facts;
  }

  /** Number of tokens. */
  get vocabSize(): number {
    return this.#facts.vocabSize;
  }
  /** The token that begins a text, if there is one. */
  get bosId(): number | undefined {
    return this.#facts.bosId;
  }
  /** The token that ends a text, if there is one. */
  get eosId(): number | undefined {
    return this.#facts.eosId;
  }
  /** Whether `encode` puts BOS before a text, unless told otherwise. */
  get addBos(): boolean {
    return this.#facts.addBos;
  }
  /** Whether `encode` puts EOS after a text when asked to. */
  get addEos(): boolean {
    return this.#facts.addEos;
  }
  /** Every token that ends a reply. */
  get endOfTurnIds(): ReadonlySet<number> {
    return this.#facts.endOfTurnIds;
  }
  /** The Jinja template of the model's conversations, if its file has one. */
  get chatTemplate(): string | undefined {
    return this.#facts.chatTemplate;
  }
  /** All templates of the file by name. */
  get chatTemplates(): ReadonlyMap<string, string> {
    return this.#facts.chatTemplates;
  }
  /** Texts of special tokens by the names that templates know. */
  get specialTokens(): ReadonlyMap<string, string> {
    return this.#facts.specialTokens;
  }

  /** The ids of a text. */
  encode(...args: Parameters<Tokenizer["encode"]>): Promise<number[]> {
    return this.#ask("encode", args);
  }
  /** The ids of several parts as one text. */
  encodeParts(...args: Parameters<Tokenizer["encodeParts"]>): Promise<number[]> {
    return this.#ask("encodeParts", args);
  }
  /** The text of ids. */
  async decode(...[ids, options]: Parameters<Tokenizer["decode"]>): Promise<string> {
    // Messages cannot carry every iterable.
    return await this.#ask("decode", [check("ids", ids, ID_ITERABLE), options]);
  }
  /** The bytes a token adds to a text. */
  tokenBytes(id: number): Promise<Uint8Array> {
    return this.#ask("tokenBytes", [id]);
  }
  /** A token as its file writes it. */
  tokenText(id: number): Promise<string> {
    return this.#ask("tokenText", [id]);
  }
  /** The id of a token as its file writes it. */
  tokenId(text: string): Promise<number | undefined> {
    return this.#ask("tokenId", [text]);
  }
  /** Whether the token is no part of any text. */
  isSpecial(id: number): Promise<boolean> {
    return this.#ask("isSpecial", [id]);
  }

  #ask<Name extends TokenizerMethod>(
    name: Name,
    args: Parameters<Tokenizer[Name]>,
  ): Promise<ReturnType<Tokenizer[Name]>> {
    return this.#connection.call("tokenizer", [name, args]).done as Promise<ReturnType<Tokenizer[Name]>>;
  }
}
