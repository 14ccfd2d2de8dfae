/**
 * The items of a response as they grow: thoughts, a text, calls of tools. Each change is an event.
 *
 * @module
 */
import type { Piece, ToolCallDelta } from "../../index.ts";
import { isWholeCall, newId } from "../answer.ts";
import type { ChatLogprob } from "../token-logprobs.ts";

/** An event without its number. */
export interface OutputEvent {
  readonly type: string;
  readonly [name: string]: unknown;
}

interface Item {
  readonly kind: "reasoning" | "message" | "function_call";
  readonly id: string;
  readonly index: number;
  readonly callId: string;
  readonly name: string;
  text: string;
  logprobs: ChatLogprob[];
  status: "in_progress" | "completed" | "incomplete";
}

export class ResponseOutput {
  readonly #items: Item[] = [];
  /** Tokens that were thought. */
  nReasoning = 0;

  /** The items as a response has them. */
  get items(): object[] {
    return this.#items.map(itemObject);
  }

  /** What one token changes. */
  push(piece: Piece, logprob: ChatLogprob | undefined): OutputEvent[] {
    const { reasoning = "", text, toolCalls = [] } = piece;
    const events: OutputEvent[] = [];
    if (reasoning !== "") {
      this.nReasoning++;
      events.push(...this.#grow("reasoning", reasoning));
    }
    // What goes on with a call stood before the text, what begins one stands behind it.
    const more = toolCalls.findIndex(({ name }) => name !== undefined),
      nMore = more < 0 ? toolCalls.length : more;
    for (const call of toolCalls.slice(0, nMore)) events.push(...this.#call(call));
    if (text !== "") events.push(...this.#grow("message", text, logprob));
    for (const call of toolCalls.slice(nMore)) events.push(...this.#call(call));
    return events;
  }

  /**
   * Ends what is open. A response with nothing else has an empty text.
   * @param isCut the answer had to end
   */
  end(isCut: boolean): OutputEvent[] {
    const opened = this.#items.length === 0 ? this.#open("message") : [];
    return [...opened, ...this.#close(isCut)];
  }

  #grow(kind: "reasoning" | "message", delta: string, logprob?: ChatLogprob): OutputEvent[] {
    const before = this.#openItem?.kind === kind ? [] : [...this.#close(), ...this.#open(kind)],
      item = this.#openItem!,
      logprobs = logprob === undefined ? [] : [logprob];
    item.text += delta;
    item.logprobs.push(...logprobs);
    const place = { item_id: item.id, output_index: item.index, content_index: 0, delta };
    const event =
      kind === "reasoning"
        ? { type: "response.reasoning_text.delta", ...place }
        : { type: "response.output_text.delta", ...place, logprobs };
    return [...before, event];
  }

  #call({ id, name, arguments: args }: ToolCallDelta): OutputEvent[] {
    const events = name === undefined ? [] : [...this.#close(), ...this.#open("function_call", id, name)],
      item = this.#openItem!;
    item.text += args;
    if (args !== "") {
      const place = { item_id: item.id, output_index: item.index };
      events.push({ type: "response.function_call_arguments.delta", ...place, delta: args });
    }
    return events;
  }

  get #openItem(): Item | undefined {
    const last = this.#items.at(-1);
    return last?.status === "in_progress" ? last : undefined;
  }

  #open(kind: Item["kind"], callId = "", name = ""): OutputEvent[] {
    const id = newId(PREFIXES[kind]),
      index = this.#items.length,
      item: Item = { kind, id, index, callId, name, text: "", logprobs: [], status: "in_progress" };
    this.#items.push(item);
    // The part of a text is announced on its own.
    const empty = kind === "message" ? { ...itemObject(item), content: [] } : itemObject(item),
      added = { type: "response.output_item.added", output_index: index, item: empty };
    const place = { item_id: id, output_index: index, content_index: 0 };
    return kind === "message"
      ? [added, { type: "response.content_part.added", ...place, part: partOf(item) }]
      : [added];
  }

  #close(isCut = false): OutputEvent[] {
    const item = this.#openItem;
    if (item === undefined) return [];
    const isWhole = item.kind === "function_call" ? isWholeCall({ arguments: item.text }) : !isCut;
    item.status = isWhole ? "completed" : "incomplete";
    const place = { item_id: item.id, output_index: item.index };
    return [
      ...DONE[item.kind](item, place),
      { type: "response.output_item.done", output_index: item.index, item: itemObject(item) },
    ];
  }
}

const PREFIXES: Readonly<Record<Item["kind"], string>> = { reasoning: "rs_", message: "msg_", function_call: "fc_" };

/** What ends each kind of item, before the item itself. */
const DONE: Readonly<Record<Item["kind"], (item: Item, place: object) => OutputEvent[]>> = {
  reasoning: ({ text }, place) => [{ type: "response.reasoning_text.done", ...place, content_index: 0, text }],
  message: (item, place) => [
    { type: "response.output_text.done", ...place, content_index: 0, text: item.text, logprobs: item.logprobs },
    { type: "response.content_part.done", ...place, content_index: 0, part: partOf(item) },
  ],
  function_call: ({ text, name }, place) => [
    { type: "response.function_call_arguments.done", ...place, name, arguments: text },
  ],
};

function partOf({ text, logprobs }: Item): object {
  return { type: "output_text", text, annotations: [], logprobs };
}

function itemObject(item: Item): object {
  const { kind, id, callId, name, text, status } = item;
  if (kind === "reasoning")
    return { id, type: kind, status, summary: [], content: text === "" ? [] : [{ type: "reasoning_text", text }] };
  return kind === "message"
    ? { id, type: kind, status, role: "assistant", content: [partOf(item)] }
    : { id, type: kind, status, call_id: callId, name, arguments: text };
}
