/**
 * The tokenizer of a model in a worker: its facts are here, its methods are calls.
 *
 * @module
 */
import type { AnyTokenizer, Tokenizer } from "../index.ts";
import type { Connection } from "./connection.ts";
import type { Calls, TokenizerFacts, TokenizerMethod } from "./protocol.ts";
import { type WireError, fromWire } from "./wire-error.ts";

/** See `Tokenizer` for what the members do. Methods reject with `engine/worker-lost` when the worker dies. */
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

  get vocabSize(): number {
    return this.#facts.vocabSize;
  }
  get bosId(): number | undefined {
    return this.#facts.bosId;
  }
  get eosId(): number | undefined {
    return this.#facts.eosId;
  }
  get addBos(): boolean {
    return this.#facts.addBos;
  }
  get addEos(): boolean {
    return this.#facts.addEos;
  }
  get endOfTurnIds(): ReadonlySet<number> {
    return this.#facts.endOfTurnIds;
  }
  get chatTemplate(): string | undefined {
    return this.#facts.chatTemplate;
  }
  get chatTemplates(): ReadonlyMap<string, string> {
    return this.#facts.chatTemplates;
  }
  get specialTokens(): ReadonlyMap<string, string> {
    return this.#facts.specialTokens;
  }

  encode(...args: Parameters<Tokenizer["encode"]>): Promise<number[]> {
    return this.#ask("encode", args);
  }
  encodeParts(...args: Parameters<Tokenizer["encodeParts"]>): Promise<number[]> {
    return this.#ask("encodeParts", args);
  }
  decode(...[ids, options]: Parameters<Tokenizer["decode"]>): Promise<string> {
    // Messages cannot carry every iterable.
    return this.#ask("decode", [[...ids], options]);
  }
  tokenBytes(id: number): Promise<Uint8Array> {
    return this.#ask("tokenBytes", [id]);
  }
  tokenText(id: number): Promise<string> {
    return this.#ask("tokenText", [id]);
  }
  tokenId(text: string): Promise<number | undefined> {
    return this.#ask("tokenId", [text]);
  }
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
