/**
 * From command line arguments to an exit code: finds the command, parses its options, turns errors into messages.
 *
 * @module
 */
import { fail, OnebitError } from "../core/errors.ts";
import { nearestName } from "../core/nearest-name.ts";
import { bench } from "./commands/bench.ts";
import { chat } from "./commands/chat.ts";
import { embed } from "./commands/embed.ts";
import { inspect } from "./commands/inspect.ts";
import { list } from "./commands/list.ts";
import { logits } from "./commands/logits.ts";
import { perplexity } from "./commands/perplexity.ts";
import { promptPack } from "./commands/prompt-pack.ts";
import { pull } from "./commands/pull.ts";
import { remove } from "./commands/remove.ts";
import { run } from "./commands/run.ts";
import { serve } from "./commands/serve.ts";
import { tokenize } from "./commands/tokenize.ts";
import { train } from "./commands/train.ts";
import { web } from "./commands/web.ts";
import { kindOfFirstArgument } from "./argument-kind.ts";
import { Options } from "./command.ts";
import type { Command, Library } from "./command.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { inCommandLineNames } from "./option-names.ts";
import { parseOptions } from "./parse-options.ts";
import { type Screen, screenOf } from "./screen.ts";
import type { Terminal } from "./terminal.ts";

export const COMMANDS: readonly Command[] = [
  run,
  chat,
  logits,
  tokenize,
  inspect,
  embed,
  perplexity,
  bench,
  promptPack,
  pull,
  list,
  remove,
  train,
  serve,
  web,
];

/** `onebit "ROMEO:"`: the bundled model continues a text. */
const CONTINUE_TEXT: Command = { ...run, usage: "onebit TEXT [options]", nPositionals: [1, 1] };

const EXIT_FINE = 0;
/** The model or the run failed. */
const EXIT_FAILED = 1;
/** The command line itself was wrong. */
const EXIT_USAGE = 2;
/** Stopped by Ctrl-C: 128 + SIGINT, as shells report it. */
const EXIT_INTERRUPTED = 130;

/** @param args without the program's own name */
export async function runCli(
  args: readonly string[],
  process: Terminal,
  library: Library,
  version: string,
): Promise<number> {
  const [given, ...rest] = args,
    name = given !== undefined && Object.hasOwn(ALIASES, given) ? ALIASES[given] : given,
    terminal = screenOf(process);
  try {
    if (name === undefined) {
      terminal.err(generalHelp(COMMANDS));
      return EXIT_USAGE;
    }
    if (name === "--version" || name === "-v") {
      await terminal.out(`${version}\n`);
      return EXIT_FINE;
    }
    if (name === "--help" || name === "-h" || name === "help") return await showHelp(rest, terminal);
    const isText = !COMMANDS.some((one) => one.name === name) && kindOfFirstArgument(name) === "text";
    return await (isText
      ? runCommand(CONTINUE_TEXT, args, terminal, library)
      : runCommand(findCommand(name), rest, terminal, library));
  } catch (error) {
    return report(error, name, terminal);
  }
}

/** Commands by their names in Ollama. */
const ALIASES: Readonly<Record<string, string>> = { ls: "list", rm: "remove", show: "inspect" };

/** Other programs' commands, and what to use here. */
const INSTEAD: Readonly<Record<string, string>> = {
  server: "to serve models to other programs: onebit serve",
  generate: "to continue a text: onebit run MODEL PROMPT",
  complete: "to continue a text: onebit run MODEL PROMPT",
  download: "to download a model: onebit pull SOURCE",
  create: "to train a model: onebit train TEXT --out FOLDER",
};

async function showHelp([name]: readonly string[], terminal: Screen): Promise<number> {
  await terminal.out(name === undefined ? generalHelp(COMMANDS) : commandHelp(findCommand(name)));
  return EXIT_FINE;
}

function findCommand(name: string): Command {
  const command = COMMANDS.find((one) => one.name === name);
  return command ?? fail("usage", `there is no command ${JSON.stringify(name)}: ${adviceFor(name)}`);
}

function adviceFor(name: string): string {
  if (Object.hasOwn(INSTEAD, name)) return INSTEAD[name];
  const names = COMMANDS.map((one) => one.name),
    near = nearestName(name, names),
    kind = kindOfFirstArgument(name);
  if (near !== undefined) return `did you mean ${JSON.stringify(near)}?`;
  if (kind === "option") return "options come after the command or the text";
  if (kind === "model") return `to run a model: onebit run ${name}`;
  return `try ${names.join(", ")}; to continue it as a text: onebit run ${JSON.stringify(name)}`;
}

async function runCommand(
  command: Command,
  args: readonly string[],
  terminal: Screen,
  library: Library,
): Promise<number> {
  const { values, positionals } = parseOptions(command, args);
  if (values.help === true) {
    await terminal.out(commandHelp(command));
    return EXIT_FINE;
  }
  const [min, max] = command.nPositionals;
  if (positionals.length < min || positionals.length > max) fail("usage", `wanted: ${command.usage}`);
  const interrupt = new AbortController();
  // A second Ctrl-C has no listener and ends the process at once.
  const stopListening = command.handlesInterrupt
    ? () => {}
    : terminal.onInterrupt(() => (stopListening(), interrupt.abort()));
  try {
    await command.run({ terminal, library, positionals, options: new Options(values), signal: interrupt.signal });
    return interrupt.signal.aborted ? EXIT_INTERRUPTED : EXIT_FINE;
  } catch (error) {
    const isInterrupted = interrupt.signal.aborted && error instanceof OnebitError && error.code === "aborted";
    if (isInterrupted) return EXIT_INTERRUPTED;
    throw error;
  } finally {
    stopListening();
  }
}

function report(error: unknown, name: string | undefined, terminal: Screen): number {
  if (!(error instanceof OnebitError)) {
    // Our bug, not the user's mistake: a report needs the trace.
    terminal.err(`onebit: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT_FAILED;
  }
  const known = COMMANDS.find((one) => one.name === name),
    message = inCommandLineNames(error.message, known ?? CONTINUE_TEXT);
  terminal.err(`onebit: ${message} [${error.code}]\n`);
  // If the library refuses an option, the command line was wrong.
  const isUsage =
    error.code === "usage" || (/^(?:option\/|train\/bad-option)/.test(error.code) && message.startsWith("--"));
  if (!isUsage) return EXIT_FAILED;
  terminal.err(`See: onebit${known ? ` ${known.name}` : ""} --help\n`);
  return EXIT_USAGE;
}
