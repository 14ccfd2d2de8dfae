/**
 * Speculative decoding (Leviathan et al. 2023, arXiv 2211.17192) without a second model: guessed ids are walked
 * together with the id before them, and the logits after each are kept until the text reaches them.
 *
 *   walk     id  g₁  g₂  g₃      logits after each are kept: rows 0 … 3
 *   append   g₁ → row 1, g₂ → row 2, x → not g₃: g₃ leaves the context, and x begins the next walk
 *
 * The sampler sees one row after another, with the history it would have had, and knows of no guess: ids, random
 * numbers and stops are those of decoding id by id. A walk gives each of its rows the bits of a walk of its own.
 *
 * @module
 */
import { type ErrorCode, OnebitError } from "../core/errors.ts";
import type { ContextIds, Read, ReadOptions } from "./context-ids.ts";
import { DRAFT_IDS_MAX, DraftSizer } from "./draft-size.ts";
import { type Drafter, LookupDrafter } from "./lookup.ts";
import type { Turn } from "./turns.ts";

/** Where decoding gets its logits. */
export interface LogitsSource {
  /** Makes the context hold exactly `ids`; the logits after the last one. */
  read(ids: readonly number[], options: ReadOptions): Promise<Read>;
  /**
   * The logits after one more id.
   * @param nWanted how many ids the caller wants after this one, at most
   */
  append(id: number, turn: Turn, nWanted: number): Promise<Float32Array>;
}

/** What guessing ids gained. Each accepted token is one that needed no walk of its own. */
export interface Speculation {
  /** Walks of the model that tried guessed tokens. */
  readonly walks: number;
  /** Tokens guessed and tried. */
  readonly draftedTokens: number;
  /** Of those, how many the reply went on with. */
  readonly acceptedTokens: number;
}

/** Who guesses, and who says how much of it to try. */
export interface Drafting {
  readonly sizer: Pick<DraftSizer, "begin" | "guessed" | "walked" | "sizeFor">;
  /** @param capacity the most ids it will hold */
  createDrafter(capacity: number): Drafter;
  /** Milliseconds. */
  now(): number;
}

/** Failures that walking only the text's own id may not have. */
const FOR_GUESSES: readonly ErrorCode[] = ["model/not-finite", "model/context-full"];

/** Guesses by lookup. Of a model, not of a generation: the times of walks hold for all. */
export function lookupDrafting(): Drafting {
  return {
    sizer: new DraftSizer(),
    createDrafter: (capacity) => new LookupDrafter(capacity),
    now: () => performance.now(),
  };
}

/** The context of one generation, with guesses behind the ids it was given. */
export class SpeculativeContext implements LogitsSource {
  readonly #context: ContextIds;
  readonly #endIds: ReadonlySet<number>;
  readonly #drafting: Drafting;
  readonly #drafter: Drafter;
  #draft: readonly number[] = [];
  /** How many ids of the draft were given since. */
  #nReached = 0;
  /** Time of the walk that tried the draft. */
  #walkMs = 0;
  /** Logits after the id before the draft, and after each of the draft. */
  #rows: readonly Float32Array[] = [];
  #walks = 0;
  #draftedTokens = 0;
  #acceptedTokens = 0;

  /** @param endIds end the reply: nothing after them is guessed */
  constructor(context: ContextIds, endIds: ReadonlySet<number>, drafting: Drafting) {
    this.#context = context;
    this.#endIds = endIds;
    this.#drafting = drafting;
    this.#drafter = drafting.createDrafter(context.contextLength);
    drafting.sizer.begin();
  }

  get counts(): Speculation {
    return { walks: this.#walks, draftedTokens: this.#draftedTokens, acceptedTokens: this.#acceptedTokens };
  }

  async read(ids: readonly number[], options: ReadOptions): Promise<Read> {
    this.settle();
    const read = await this.#context.read(ids, options);
    this.#drafter.reset(ids);
    return read;
  }

  async append(id: number, turn: Turn, nWanted: number): Promise<Float32Array> {
    this.#learn(id);
    if (this.#draft[this.#nReached] === id) {
      this.#acceptedTokens++;
      this.#context.accept();
      return this.#rows[++this.#nReached]!;
    }
    const { length } = this.#draft;
    if (length > 0) this.#drafting.sizer.walked(length + 1, this.#walkMs, this.#nReached + 1);
    this.settle();
    const draft = this.#makeDraft(nWanted);
    if (draft !== undefined && (await this.#tries(id, draft, turn))) return this.#rows[0]!;
    const begin = this.#drafting.now(),
      logits = await this.#context.append(id, turn);
    this.#drafting.sizer.walked(1, this.#drafting.now() - begin, 1);
    return logits;
  }

  /** Takes what is only guessed out of the context. Only for who holds the turn, or just loses it. */
  settle(): void {
    this.#context.dropGuesses();
    this.#draft = [];
    this.#nReached = 0;
  }

  #learn(id: number): void {
    const { matchLength } = this.#drafter,
      isTrue = this.#drafter.push(id);
    if (matchLength > 0) this.#drafting.sizer.guessed(matchLength, isTrue);
  }

  #makeDraft(nWanted: number): number[] | undefined {
    // Logits after the last wanted id are not needed, and one position is of the id itself.
    const max = Math.min(DRAFT_IDS_MAX, nWanted - 1, this.#context.contextLength - this.#context.ids.length - 1),
      size = this.#drafting.sizer.sizeFor(this.#drafter.matchLength, max);
    if (size <= 0) return undefined;
    const draft = this.#drafter.draft(size),
      end = draft.findIndex((id) => this.#endIds.has(id)),
      useful = end < 0 ? draft : draft.slice(0, end);
    return useful.length > 0 ? useful : undefined;
  }

  /** False if that failed for the guesses: they may overflow or need room where the text without them does not. */
  async #tries(id: number, draft: readonly number[], turn: Turn): Promise<boolean> {
    const begin = this.#drafting.now();
    try {
      this.#rows = await this.#context.appendGuesses(id, draft, turn);
    } catch (error) {
      if (!(error instanceof OnebitError && FOR_GUESSES.includes(error.code))) throw error;
      this.#drafting.sizer.walked(draft.length + 1, this.#drafting.now() - begin, 0);
      return false;
    }
    this.#walkMs = this.#drafting.now() - begin;
    this.#walks++;
    this.#draftedTokens += draft.length;
    this.#draft = draft;
    return true;
  }
}
