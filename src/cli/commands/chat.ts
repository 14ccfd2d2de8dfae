/**
 * `onebit chat`: a conversation.
 *
 * @module
 */
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { OnebitError, fail } from "../../core/errors.ts";
import type { ChatMessage, ChatOptions, Model } from "../../index.ts";
import { CHAT_PROMPT_OPTION_HELP, CHAT_PROMPT_OPTION_TYPES, chatPromptOptions } from "../chat-prompt-options.ts";
import { readTextFile } from "../command-files.ts";
import { LOAD_OPTION_HELP, LOAD_OPTION_TYPES } from "../command.ts";
import type { Command, CommandContext, Options } from "../command.ts";
import { FORMAT_OPTION_HELP, FORMAT_OPTION_TYPES, formatOption } from "../format-options.ts";
import { formatSpeculation } from "../format.ts";
import { loadModel } from "../progress.ts";
import { PROMPT_PACK_HELP, PROMPT_PACK_TYPES, chatBeginning, usePromptPack } from "../prompt-packs.ts";
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
    ["--system-file FILE", "the system message, from a file"],
    ...PROMPT_PACK_HELP,
    ...CHAT_PROMPT_OPTION_HELP,
    ...SAMPLING_OPTION_HELP,
    ...FORMAT_OPTION_HELP,
    ...LOAD_OPTION_HELP,
  ],
  examples: ["onebit chat model.gguf", 'onebit chat model.gguf --system "Answer in one sentence." --temperature 0'],
  optionTypes: {
    system: { type: "string" },
    "system-file": { type: "string" },
    ...PROMPT_PACK_TYPES,
    ...CHAT_PROMPT_OPTION_TYPES,
    ...SAMPLING_OPTION_TYPES,
    ...FORMAT_OPTION_TYPES,
    ...LOAD_OPTION_TYPES,
  },
  nPositionals: [1, 1],
  handlesInterrupt: true,
  async run(context) {
    const { options } = context;
    const sampling: ChatOptions = {
      ...samplingOptions(options),
      format: await formatOption(options),
      ...chatPromptOptions(options),
      onFull: "drop-oldest",
    };
    const system = await readSystem(options),
      opening: ChatMessage[] = system === undefined ? [] : [{ role: "system", content: system }];
    await using model = await loadModel(context);
    // A model that cannot chat fails now, not after the first question.
    const beginning = chatBeginning(model, opening, sampling);
    await usePromptPack(context, model, () => beginning);
    await converse(context, model, opening, sampling);
  },
};

async function readSystem(options: Options): Promise<string | undefined> {
  const text = options.text("system"),
    path = options.text("system-file");
  if (path === undefined) return text;
  return text === undefined
    ? await readTextFile(path, "--system-file")
    : fail("usage", "give --system or --system-file, not both");
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
    let isThinking = false;
    for await (const { text, reasoning = "" } of generation) {
      if (reasoning !== "") terminal.modelThought(reasoning);
      if (text !== "" && (isThinking || reasoning !== "")) terminal.err("\n\n");
      isThinking = text === "" && (isThinking || reasoning !== "");
      await terminal.modelText(text);
    }
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
