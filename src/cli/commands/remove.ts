/**
 * `onebit remove`: removes a downloaded model.
 *
 * @module
 */
import { modelSource } from "../argument-kind.ts";
import type { Command } from "../command.ts";
import { formatBytes, formatJson } from "../format.ts";

export const remove: Command = {
  name: "remove",
  summary: "Remove a downloaded model",
  usage: "onebit remove SOURCE [options]",
  optionHelp: [["--json", "print the result as JSON"]],
  examples: ["onebit remove hf:prism-ml/Bonsai-1.7B-gguf", "onebit remove hf:owner/repo/model-TQ2_0.gguf"],
  optionTypes: { json: { type: "boolean" } },
  nPositionals: [1, 1],
  async run({ terminal, library, positionals, options }) {
    const source = modelSource(positionals[0], true),
      { freedBytes } = await library.remove(source);
    await terminal.out(
      options.flag("json")
        ? formatJson({ source, freedBytes })
        : `${source}: removed, freed ${formatBytes(freedBytes)}\n`,
    );
  },
};
