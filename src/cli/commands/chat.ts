/**
 * `onebit chat`: a conversation.
 *
 * @module
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { OnebitError, fail, quoted } from "../../core/errors.ts";
import { TEMPLATE_CHARS_MAX } from "../../core/limits.ts";
import { CHAT_TEMPLATES, isChatTemplateText } from "../../index.ts";
import type { ChatMessage, ChatOptions, Model } from "../../index.ts";
import { LOAD_OPTION_HELP, LOAD_OPTION_TYPES } from "../command.ts";
import type { Command, CommandContext } from "../command.ts";
import { formatSpeculation } from "../format.ts";
import { loadModel } from "../progress.ts";
import { SAMPLING_OPTION_HELP, SAMPLING_OPTION_TYPES, samplingOptions } from "../sampling-options.ts";
import { inCommandLineNames } from "../option-names.ts";
import type { Screen } from "../screen.ts";

const PROMPT = "> ";

export const chat: Command = {
  name: "chat",
  summary: "Talk with a model, turn by turn",
  usage: "onebit chat MODEL [options]   (Ctrl-C stops the reply; /exit or Ctrl-D leaves; /reset starts over)",
  optionHelp: [
    ["--system TEXT", "the system message"],
    [
      "--chat-template T",
      "a template instead of the model's own: bitnet, chatml, falcon3, llama3, a name from the model file, a file, " +
        "or the template's text",
    ],
    ["--no-thinking", "tell reasoning models to answer without thinking"],
    ...SAMPLING_OPTION_HELP,
    ...LOAD_OPTION_HELP,
  ],
  examples: ["onebit chat model.gguf", 'onebit chat model.gguf --system "Answer in one sentence." --temperature 0'],
  optionTypes: {
    system: { type: "string" },
    "chat-template": { type: "string" },
    "no-thinking": { type: "boolean" },
    ...SAMPLING_OPTION_TYPES,
    ...LOAD_OPTION_TYPES,
  },
  nPositionals: [1, 1],
  handlesInterrupt: true,
  async run(context) {
    const { options } = context;
    const sampling: ChatOptions = {
      ...samplingOptions(options),
      chatTemplate: readTemplate(options.text("chat-template")),
      templateVariables: options.flag("no-thinking") ? { enable_thinking: false } : undefined,
      onFull: "drop-oldest",
    };
    await using model = await loadModel(context);
    const system = options.text("system");
    const opening: ChatMessage[] = system === undefined ? [] : [{ role: "system", content: system }];
    // A model that cannot chat fails now, not after the first question.
    model.chatPrompt([...opening, { role: "user", content: "" }], sampling);
    await converse(context, model, opening, sampling);
  },
};

/** A file's text if there is such a file; the library resolves names and templates. */
function readTemplate(given: string | undefined): string | undefined {
  if (given === undefined || Object.hasOwn(CHAT_TEMPLATES, given) || isChatTemplateText(given) || !existsSync(given))
    return given;
  if (statSync(given).size > TEMPLATE_CHARS_MAX * 4)
    fail("usage", `--chat-template: ${quoted(given)} is too large for a template`);
  const text = readFileSync(given, "utf8");
  return isChatTemplateText(text)
    ? text
    : fail("usage", `--chat-template: ${quoted(given)} has no {{ or {%: wanted a template`);
}

async function converse(
  { terminal }: CommandContext,
  model: Model,
  opening: readonly ChatMessage[],
  options: ChatOptions,
): Promise<void> {
  const messages = [...opening];
  const lines = openLines(terminal);
  let reply: AbortController | undefined;
  let wasAsked = false;
  const onInterrupt = (): void => {
    if (reply !== undefined) return reply.abort();
    if (wasAsked) return lines.close();
    wasAsked = true;
    terminal.err("\n(Ctrl-C again, Ctrl-D or /exit to leave)\n");
    lines.prompt();
  };
  // A terminal in raw mode sends Ctrl-C to readline; otherwise the signal comes.
  lines.on("SIGINT", onInterrupt);
  const stopListening = terminal.onInterrupt(onInterrupt);
  try {
    lines.prompt();
    for await (const line of lines) {
      wasAsked = false;
      if (line.trim() === "/exit") break;
      if (line.trim() === "/reset") messages.splice(0, messages.length, ...opening);
      else if (line.trim() !== "") {
        reply = new AbortController();
        await answer(terminal, model, messages, line, { ...options, signal: reply.signal });
        reply = undefined;
      }
      lines.prompt();
    }
  } finally {
    stopListening();
    lines.close();
  }
}

/** Readline, with a prompt only on a terminal. */
function openLines(terminal: Screen): Interface {
  const isInteractive = terminal.stdinIsTty && terminal.stderrIsTty;
  const lines = createInterface({
    input: terminal.stdin,
    output: isInteractive ? process.stderr : undefined,
    terminal: isInteractive,
    prompt: PROMPT,
  });
  if (!isInteractive) lines.prompt = () => {};
  return lines;
}

/** One turn. It reports and drops a failed turn (a full context, say); the conversation continues. */
async function answer(
  terminal: Screen,
  model: Model,
  messages: ChatMessage[],
  line: string,
  options: ChatOptions,
): Promise<void> {
  messages.push({ role: "user", content: line });
  try {
    const generation = model.chat(messages, options);
    for await (const piece of generation) await terminal.modelText(piece.text);
    const { text, stopReason, droppedMessages, timings } = await generation.result();
    await terminal.out("\n");
    if (timings.speculation && terminal.stderrIsTty) terminal.err(`(${formatSpeculation(timings.speculation)})\n`);
    if (droppedMessages > 0) {
      messages.splice(messages[0].role === "system" ? 1 : 0, droppedMessages);
      terminal.err(`(the oldest ${droppedMessages} messages no longer fit the context: the model forgets them)\n`);
    }
    if (stopReason === "context")
      terminal.err(`(the context of ${model.contextLength} tokens is full: /reset starts over)\n`);
    messages.push({ role: "assistant", content: text });
  } catch (error) {
    if (!(error instanceof OnebitError)) throw error;
    messages.pop();
    terminal.err(`onebit: ${inCommandLineNames(error.message, chat)} [${error.code}]\n`);
  }
}
