/**
 * A conversation longer than the context: its oldest turns are left out.
 *
 *   | system messages | turn | turn | turn | … | last turn |      a turn begins with a message of the user
 *                      └── left out ──┘
 *
 * What is left out grows by a quarter of the context at a time. So most calls of a growing conversation have the same
 * beginning as the last one, which the KV cache holds; and the choice follows from the messages alone.
 *
 * @module
 */
import type { ChatMessage } from "./chat-options.ts";

/** What is left out is as many ids as a multiple of this share of the context, rounded up to whole turns. */
const STEP_SHARE = 1 / 4;

/** The room that a reply gets in the beginning: `maxTokens`, at most this share of the context. */
const REPLY_SHARE = 1 / 4;

/** Roles whose messages at the beginning always stay. */
const KEPT_ROLES: readonly string[] = ["system", "developer"];

/** A prompt that can be made shorter while its reply is written. */
export interface ShrinkingPrompt {
  /** Messages left out so far. */
  readonly droppedMessages: number;
  /** The ids of a shorter prompt, after which `nReplyIds` and one more fit; undefined if there is none. */
  shorten(nReplyIds: number): readonly number[] | undefined;
}

export interface FitOptions {
  readonly contextLength: number;
  /** Ids of the reply, at most. */
  readonly maxTokens: number;
}

/** A rendered conversation that fits the context, or the shortest there is. */
export class FittedChat<Prompt extends { readonly ids: readonly number[] }> implements ShrinkingPrompt {
  readonly #messages: readonly ChatMessage[];
  readonly #render: (messages: readonly ChatMessage[]) => Prompt;
  readonly #contextLength: number;
  /** Places at which what is kept may begin; the first leaves nothing out. */
  readonly #begins: readonly number[];
  readonly #nWholeIds: number;
  #at = 0;
  #prompt: Prompt;

  /** @param render a prompt from messages; a longer list makes a longer prompt */
  constructor(
    messages: readonly ChatMessage[],
    render: (messages: readonly ChatMessage[]) => Prompt,
    { contextLength, maxTokens }: FitOptions,
  ) {
    this.#messages = messages;
    this.#render = render;
    this.#contextLength = contextLength;
    this.#begins = beginsOf(messages);
    this.#prompt = render(messages);
    this.#nWholeIds = this.#prompt.ids.length;
    this.#fit(Math.min(maxTokens, Math.floor(contextLength * REPLY_SHARE)));
  }

  get prompt(): Prompt {
    return this.#prompt;
  }

  get droppedMessages(): number {
    return this.#begins[this.#at] - this.#begins[0];
  }

  shorten(nReplyIds: number): readonly number[] | undefined {
    this.#fit(nReplyIds + 1);
    const { ids } = this.#prompt;
    return ids.length + nReplyIds < this.#contextLength ? ids : undefined;
  }

  /** Leaves out turns until `nReplyIds` fit behind the prompt, or one turn is left. */
  #fit(nReplyIds: number): void {
    if (this.#prompt.ids.length + nReplyIds <= this.#contextLength) return;
    const step = Math.max(1, Math.floor(this.#contextLength * STEP_SHARE)),
      nTooMany = this.#nWholeIds + nReplyIds - this.#contextLength,
      nDropped = Math.ceil(nTooMany / step) * step;
    // The first place with enough ids before it.
    let low = this.#at,
      high = this.#begins.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#nWholeIds - this.#renderFrom(middle).ids.length >= nDropped) high = middle;
      else low = middle + 1;
    }
    if (low === this.#at) return;
    this.#at = low;
    this.#prompt = this.#renderFrom(low);
  }

  #renderFrom(at: number): Prompt {
    const kept = this.#messages.slice(0, this.#begins[0]);
    return this.#render([...kept, ...this.#messages.slice(this.#begins[at])]);
  }
}

/** Behind the messages that stay: the first place, and every later message of the user. */
function beginsOf(messages: readonly ChatMessage[]): number[] {
  const found = messages.findIndex(({ role }) => !KEPT_ROLES.includes(role)),
    first = found < 0 ? messages.length : found;
  return [first, ...messages.flatMap(({ role }, i) => (i > first && role === "user" ? [i] : []))];
}
