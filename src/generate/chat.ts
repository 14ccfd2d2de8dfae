/**
 * Renders messages to token ids with the model's chat template.
 *
 * Only the template's own text may hold special tokens; text from messages, tools and variables never does, however the
 * template cuts, trims or joins it. A chunk of its own: callers who only continue texts never load the interpreter.
 *
 * @module
 */
import { fail, OnebitError } from "../core/errors.ts";
import type { ModelConfig } from "../model/config.ts";
import type { TextPart, Tokenizer } from "../tokenizer/tokenizer.ts";
import { checkChatOptions, checkMessages } from "./chat-options.ts";
import type { ChatMessage, ChatOptions, ChatPromptOptions } from "./chat-options.ts";
import { replyOf } from "./chat-reply.ts";
import { chooseChatTemplate } from "./chat-templates.ts";
import { FittedChat, type FitOptions, type ShrinkingPrompt } from "./fit-chat.ts";
import { Template } from "./jinja/template.ts";
import type { Rendering } from "./jinja/template.ts";
import type { ReplyPlan } from "./reply.ts";
import { type PromptThinking, promptThinking, thinkingVariables } from "./thinking.ts";
import { messageForms, printableCalls, tellingTools, tellsNoTools } from "./tool-messages.ts";

/** A prompt's ids, and the rendered text in parts: `special` ones are the template's own. */
export interface RenderedChat {
  readonly ids: number[];
  readonly parts: TextPart[];
  /** With `onFull: "drop-oldest"`: makes the prompt shorter. */
  readonly shrinking?: ShrinkingPrompt;
  /** Where the prompt leaves the model's thinking, if it thinks. */
  readonly thinking?: PromptThinking;
  /** Makes what takes the reply apart, if it may be more than text. */
  readonly reply?: () => ReplyPlan | Promise<ReplyPlan>;
}

/**
 * @param options checked by `CHAT_PROMPT_OPTIONS`
 * @param fit what `onFull: "drop-oldest"` makes room for
 * @throws OnebitError `template/missing`, `template/syntax`, `template/raised`, `template/limit`, `option/invalid`
 */
export function renderChat(
  given: readonly ChatMessage[],
  options: ChatOptions,
  tokenizer: Tokenizer,
  config: ModelConfig,
  fit: FitOptions,
): RenderedChat {
  const all = checkMessages(given);
  checkChatOptions(options);
  const source = chooseChatTemplate(options.chatTemplate, tokenizer, config, (options.tools ?? []).length > 0),
    template = new Template(source),
    templateVariables = { ...options.templateVariables, ...thinkingVariables(source, options) },
    said: ChatPromptOptions = { ...options, templateVariables };
  const render = (messages: readonly ChatMessage[]): RenderedChat => {
    const isTold = !tellsNoTools(source, options),
      told = isTold ? printableCalls(source, messages) : tellingTools(messages, options.tools ?? []),
      text = firstForm(messageForms(source, told), (form) => renderForm(template, form, said, tokenizer));
    const parts = text.runs().map((run) => ({ text: run.text, special: !run.isInput })),
      unfinished = options.continueFinalMessage === true ? textOf(messages[messages.length - 1]) : undefined,
      thinking = promptThinking(source, text.text, options, unfinished);
    if (thinking !== undefined && thinking.more !== "") parts.push({ text: thinking.more, special: true });
    // Most templates print BOS themselves; add it for the others, never twice.
    return { ids: tokenizer.encodeParts(parts), parts, thinking };
  };
  const shrinking = options.onFull === "drop-oldest" ? new FittedChat(all, render, fit) : undefined,
    prompt = shrinking?.prompt ?? render(all);
  return { ...prompt, shrinking, reply: replyOf(source, options, tokenizer, prompt.thinking) };
}

function renderForm(
  template: Template,
  messages: readonly ChatMessage[],
  options: ChatPromptOptions,
  tokenizer: Tokenizer,
): Rendering["text"] {
  return options.continueFinalMessage === true
    ? renderUnfinished(template, messages, options, tokenizer)
    : renderMessages(template, messages, options, tokenizer).text;
}

/** The first form of the messages that the template can print; its error for the first if there is none. */
function firstForm<T>(forms: readonly (readonly ChatMessage[])[], render: (form: readonly ChatMessage[]) => T): T {
  let failure: unknown;
  for (const form of forms) {
    try {
      return render(form);
    } catch (error) {
      if (!(error instanceof OnebitError)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

function textOf({ content }: ChatMessage): string {
  return typeof content === "string" ? content : (joinParts(content) ?? "");
}

/**
 * Renders with the parts of contents as they are, then once more with their texts joined if the template ignored them.
 */
function renderMessages(
  template: Template,
  messages: readonly ChatMessage[],
  options: ChatPromptOptions,
  tokenizer: Tokenizer,
): Rendering {
  const render = (list: readonly ChatMessage[]): Rendering =>
    template.renderMarked({
      input: {
        tools: options.tools ?? null,
        documents: options.documents ?? null,
        ...options.templateVariables,
        messages: list,
        add_generation_prompt: options.addGenerationPrompt ?? options.continueFinalMessage !== true,
      },
      trusted: { bos_token: "", eos_token: "", ...Object.fromEntries(tokenizer.specialTokens) },
      now: options.now,
    });
  if (!messages.some(({ content }) => Array.isArray(content))) return render(messages);
  let rendering: Rendering | undefined;
  try {
    rendering = render(messages);
    if (rendering.readsParts) return rendering;
  } catch (error) {
    // A template that takes the list for a text fails here; any other complaint returns with joined texts.
    if (!(error instanceof OnebitError && error.code === "template/raised")) throw error;
  }
  return render(messages.map((message) => ({ ...message, content: joinParts(message.content) })));
}

/** Joined with newlines, as llama.cpp and vLLM do. */
function joinParts(content: ChatMessage["content"]): string | null | undefined {
  return typeof content === "object" && content !== null ? content.map(({ text }) => text).join("\n") : content;
}

/** Marks the end of the last message in the rendered text; its trailing space shows whether the template trims. */
const END_TAG = "CONTINUE_FINAL_MESSAGE_TAG ";

/**
 * Cuts the prompt at the end of the last message, as transformers' `continue_final_message` does.
 * @throws OnebitError `option/invalid` without a text to go on with, or when the template does not print it
 */
function renderUnfinished(
  template: Template,
  messages: readonly ChatMessage[],
  options: ChatPromptOptions,
  tokenizer: Tokenizer,
): Rendering["text"] {
  const last = messages[messages.length - 1];
  const { text } = renderMessages(
    template,
    [...messages.slice(0, -1), { ...last, content: taggedContent(last.content) }],
    options,
    tokenizer,
  );
  const at = text.text.lastIndexOf(END_TAG.trimEnd());
  if (at < 0)
    fail(
      "option/invalid",
      "continueFinalMessage: the template does not print the end of the last message, so there is nothing to " +
        "continue",
    );
  const isTrimmed = text.text.slice(at, at + END_TAG.length) !== END_TAG;
  return text.slice(0, isTrimmed ? text.text.slice(0, at).trimEnd().length : at);
}

function taggedContent(content: ChatMessage["content"]): ChatMessage["content"] {
  if (typeof content === "string") return content + END_TAG;
  const at = content?.length ?? 0;
  if (content === undefined || content === null || at === 0)
    return fail("option/invalid", "continueFinalMessage: the last message has no text to continue");
  return content.map((part, i) => (i === at - 1 ? { ...part, text: part.text + END_TAG } : part));
}
