/**
 * `onebit list`: the models kept on this machine.
 *
 * @module
 */
import type { Command } from "../command.ts";
import { formatBytes, formatJson } from "../format.ts";

export const list: Command = {
  name: "list",
  summary: "List models downloaded by onebit or by Hugging Face's own programs",
  usage: "onebit list [options]",
  optionHelp: [["--json", "print everything as JSON"]],
  examples: ["onebit list", "onebit list --json"],
  optionTypes: { json: { type: "boolean" } },
  nPositionals: [0, 0],
  async run({ terminal, library, options }) {
    const models = await library.list();
    if (options.flag("json")) {
      await terminal.out(formatJson(models));
      return;
    }
    if (models.length === 0) terminal.err("onebit: no models here; download one with onebit pull\n");
    const lines = models.map(({ source, files, sizeBytes, unfinishedBytes }) => {
      const unfinished = unfinishedBytes > 0 ? `  (unfinished download of ${formatBytes(unfinishedBytes)})` : "";
      return [
        `${formatBytes(sizeBytes).padStart(8)}  ${source}${unfinished}\n`,
        ...files.map((file) => `${" ".repeat(10)}${file.name}  ${formatBytes(file.sizeBytes)}\n`),
      ];
    });
    await terminal.out(lines.flat().join(""));
  },
};
