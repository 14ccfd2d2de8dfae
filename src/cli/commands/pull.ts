/**
 * `onebit pull`: downloads a model unless it is here already.
 *
 * @module
 */
import type { PulledModel } from "../../hub.ts";
import { HUB_OPTION_HELP, HUB_OPTION_TYPES, hubOptions } from "../hub-options.ts";
import { modelSource } from "../argument-kind.ts";
import type { Command } from "../command.ts";
import { formatBytes, formatJson } from "../format.ts";
import { createPullLine } from "../pull-line.ts";

export const pull: Command = {
  name: "pull",
  summary: "Download a model and keep it, or resume a download",
  usage: "onebit pull SOURCE [options]",
  optionHelp: [
    ...HUB_OPTION_HELP,
    ["--sha256 HEX", "accept only a file with this hash"],
    ["--refresh", "ask the server of a plain URL whether its file has changed"],
    ["--verify", "hash existing files again"],
    ["--json", "print the result as JSON"],
  ],
  examples: [
    "onebit pull hf:prism-ml/Bonsai-1.7B-gguf",
    "onebit pull hf:owner/repo/model-TQ2_0.gguf@v1.0",
    "onebit pull https://example.com/model.gguf --sha256 HEX",
  ],
  optionTypes: {
    ...HUB_OPTION_TYPES,
    sha256: { type: "string" },
    refresh: { type: "boolean" },
    verify: { type: "boolean" },
    json: { type: "boolean" },
  },
  nPositionals: [1, 1],
  async run({ terminal, library, positionals, options, signal }) {
    const line = createPullLine(terminal);
    let pulled: PulledModel;
    try {
      pulled = await library.pull(modelSource(positionals[0], true), {
        ...hubOptions(options),
        signal,
        sha256: options.text("sha256"),
        refresh: options.flag("refresh"),
        verify: options.flag("verify"),
        onProgress: line.show,
      });
    } finally {
      line.clear();
    }
    const { source, format, commit, files, reason, others, fetchedBytes, isStale } = pulled;
    if (options.flag("json")) {
      await terminal.out(formatJson({ source, format, commit, files, reason, others, fetchedBytes, isStale }));
      return;
    }
    if (isStale) terminal.err("onebit: cannot reach the network; using the copy already here\n");
    if (others.length > 0)
      terminal.err(`onebit: chose ${files[0].name} (${reason}); there are also ${listed(others)}\n`);
    await terminal.out(describe(pulled));
  },
};

function describe({ source, files, fetchedBytes }: PulledModel): string {
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const came = fetchedBytes === 0 ? "already here" : `${formatBytes(fetchedBytes)} downloaded`;
  const lines = files.map(
    ({ path, name, hash }) => `${path ?? name}${hash === undefined ? " (not verified: its hash is unknown)" : ""}`,
  );
  return [`${source}: ${formatBytes(totalBytes)}, ${came}`, ...lines, ""].join("\n");
}

/** Repositories have up to 100,000 names; `--json` gives all. */
const LISTED_MAX = 20;

function listed(names: readonly string[]): string {
  const more = names.length > LISTED_MAX ? ` and ${names.length - LISTED_MAX} more` : "";
  return names.slice(0, LISTED_MAX).join(", ") + more;
}
