/**
 * The texts of `--help`.
 *
 * @module
 */
import type { Command } from "./command.ts";

export function generalHelp(commands: readonly Command[]): string {
  return [
    "onebit runs 1-bit language models on the CPU.",
    "",
    "Usage: onebit COMMAND MODEL …",
    "       onebit TEXT [options]      continue TEXT with the bundled Shakespeare model",
    "       onebit COMMAND --help",
    "       onebit --version",
    "",
    "MODEL is a GGUF file, a safetensors file, a Hugging Face folder, hf:owner/repo[/file][@revision] or a URL.",
    "",
    "Commands:",
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    "",
    "Examples:",
    '  onebit "ROMEO:" --seed 1',
    ...commands.map(({ examples }) => `  ${examples[0]}`),
    "",
    "Exit codes: 0 success, 1 the model or the run failed, 2 wrong command line, 130 stopped by Ctrl-C.",
    "",
  ].join("\n");
}

export function commandHelp(command: Command): string {
  return [
    `${command.summary}`,
    "",
    `Usage: ${command.usage}`,
    "",
    ...(command.notes ? [...command.notes, ""] : []),
    "Options:",
    ...columns([...command.optionHelp, ["-h, --help", "show this"]]),
    "",
    "Examples:",
    ...command.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
