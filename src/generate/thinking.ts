/**
 * Thinking: how families of models mark it, how a prompt turns it on and off, and how it is told from the reply.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { ChatPromptOptions } from "./chat-options.ts";
import type { ReplyDelta, ReplyReader } from "./reply.ts";

/** How a family marks thinking. */
export interface ThinkingMarks {
  readonly begin: string;
  readonly end: string;
}

/** The first whose begin a template holds is taken. */
const MARKS: readonly ThinkingMarks[] = [
  /** Qwen3 (Bonsai), Qwen3.5, DeepSeek R1 and V3.1, SmolLM3, MiniCPM5, GLM and most others. */
  { begin: "<think>", end: "</think>" },
  /** Ministral 3 Reasoning, Magistral. */
  { begin: "[THINK]", end: "[/THINK]" },
  /** MiniCPM3 and MiniCPM4-MCP. */
  { begin: "<|thought_start|>", end: "<|thought_end|>" },
  { begin: "<seed:think>", end: "</seed:think>" },
];

/** Variables by which templates turn thinking on and off. */
const VARIABLES: readonly string[] = ["enable_thinking", "thinking"];

/** What models write around thinking. */
const BEHIND_BEGIN = "\n";
const BEFORE_END = "\n";
const BEHIND_END = "\n\n";

/** Where the prompt leaves thinking. */
export interface PromptThinking {
  readonly marks: ThinkingMarks;
  /** `begun`: the reply begins with thinking; `maybe`: with its mark, or not; `none`: the prompt has ended it. */
  readonly state: "begun" | "maybe" | "none";
}

/** How a template's model marks thinking; undefined if it does not think. */
export function thinkingMarks(template: string): ThinkingMarks | undefined {
  return MARKS.find(({ begin }) => template.includes(begin));
}

/**
 * The variables that tell a template what the option `thinking` says.
 * @throws OnebitError `option/invalid` for a model that cannot think, or what says the same twice
 */
export function thinkingVariables(template: string, given: ChatPromptOptions): Record<string, boolean> {
  const { thinking, templateVariables = {}, continueFinalMessage } = given;
  if (thinking === undefined) return {};
  const isOn = thinking !== "off",
    known = VARIABLES.filter((name) => new RegExp(`\\b${name}\\b`).test(template));
  if (isOn && thinkingMarks(template) === undefined)
    fail("option/invalid", 'thinking: this model\'s chat template knows no thinking: leave it out, or give "off"');
  if (isOn && continueFinalMessage === true)
    fail("option/invalid", "thinking begins a reply, continueFinalMessage goes on with one: give only one");
  const twice = VARIABLES.find((name) => Object.hasOwn(templateVariables, name));
  if (twice !== undefined) fail("option/invalid", `thinking says what templateVariables.${twice} does: give only one`);
  return Object.fromEntries(known.map((name) => [name, isOn]));
}

/**
 * What a prompt still needs to begin or to end thinking, and where it leaves it.
 * @param prompt the rendered prompt
 * @param unfinished the text of a last message that the reply goes on with
 */
export function promptThinking(
  template: string,
  prompt: string,
  { thinking, addGenerationPrompt }: ChatPromptOptions,
  unfinished?: string,
): (PromptThinking & { readonly more: string }) | undefined {
  const marks = thinkingMarks(template);
  if (marks === undefined || addGenerationPrompt === false) return undefined;
  const { begin, end } = marks;
  if (unfinished !== undefined) {
    const isOpen = unfinished.lastIndexOf(begin) > unfinished.lastIndexOf(end);
    return { marks, state: isOpen ? "begun" : "none", more: "" };
  }
  const tail = prompt.trimEnd(),
    isBegun = tail.endsWith(begin),
    isOver = tail.endsWith(end);
  if (thinking === undefined) return { marks, state: isBegun ? "begun" : isOver ? "none" : "maybe", more: "" };
  if (thinking !== "off") return { marks, state: "begun", more: isBegun ? "" : begin + BEHIND_BEGIN };
  const ended = BEFORE_END + end + BEHIND_END,
    knowsOff = VARIABLES.some((name) => new RegExp(`\\b${name}\\b`).test(template));
  const more = isBegun ? ended : isOver || knowsOff ? "" : begin + BEHIND_BEGIN + ended;
  return { marks, state: "none", more };
}

/** What ends thinking that may last no longer. */
export function endOfThinking({ end }: ThinkingMarks): string {
  return BEFORE_END + end + BEHIND_END;
}

/** Of JSON: what grammars of replies allow between parts. */
const SPACES = /^[ \t\n\r]+/;

/** Tells thinking from what follows; white space around both is part of neither. */
export class ThinkingReader implements ReplyReader {
  readonly #marks: ThinkingMarks;
  readonly #inner: ReplyReader | undefined;
  #state: "before" | "within" | "behind" | "over";
  /** Has a reply begun with thinking, and nothing of it been given out? */
  #isFirst = true;
  #held = "";

  /** @param inner reads what follows */
  constructor({ marks, state }: PromptThinking, inner?: ReplyReader) {
    this.#marks = marks;
    this.#inner = inner;
    this.#state = state === "begun" ? "within" : state === "maybe" ? "before" : "over";
  }

  push(text: string): ReplyDelta {
    this.#held += text;
    let reasoning = "";
    if (this.#state === "before") this.#readBefore();
    if (this.#state === "within") reasoning = this.#readWithin();
    return this.#with(reasoning, this.#rest());
  }

  end(): ReplyDelta {
    const held = this.#held;
    this.#held = "";
    if (this.#state === "within") return this.#with(held.trimEnd(), "", true);
    return this.#with("", this.#state === "behind" ? held.replace(SPACES, "") : held, true);
  }

  #readBefore(): void {
    const begun = this.#held.replace(SPACES, ""),
      { begin } = this.#marks;
    if (begun.startsWith(begin)) {
      this.#state = "within";
      this.#held = begun.slice(begin.length);
    } else if (!begin.startsWith(begun)) this.#state = "over";
  }

  #readWithin(): string {
    const { end } = this.#marks;
    if (this.#isFirst) this.#held = this.#held.replace(SPACES, "");
    const at = this.#held.indexOf(end);
    const to = at >= 0 ? this.#held.slice(0, at).trimEnd().length : this.#held.length - keptLength(this.#held, end);
    const reasoning = this.#held.slice(0, to);
    if (reasoning !== "") this.#isFirst = false;
    this.#held = this.#held.slice(at >= 0 ? at + end.length : to);
    if (at >= 0) this.#state = "behind";
    return reasoning;
  }

  #rest(): string {
    if (this.#state === "behind") {
      this.#held = this.#held.replace(SPACES, "");
      if (this.#held !== "") this.#state = "over";
    }
    if (this.#state !== "over") return "";
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  #with(reasoning: string, text: string, isEnd = false): ReplyDelta {
    const inner = this.#inner;
    if (inner === undefined) return { text, reasoning, toolCalls: [] };
    const delta = inner.push(text);
    if (!isEnd) return { ...delta, reasoning };
    const last = inner.end();
    return { text: delta.text + last.text, reasoning, toolCalls: [...delta.toolCalls, ...last.toolCalls] };
  }
}

/** How much of a text's end may be white space before a mark, and a beginning of it. */
function keptLength(text: string, mark: string): number {
  let length = Math.min(mark.length - 1, text.length);
  while (!text.endsWith(mark.slice(0, length))) length--;
  return text.length - text.slice(0, text.length - length).trimEnd().length;
}
