/**
 * `onebit perplexity`: how well a model predicts a text.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { fail } from "../../core/errors.ts";
import { LOAD_OPTION_HELP, LOAD_OPTION_TYPES } from "../command.ts";
import type { Command } from "../command.ts";
import { formatJson } from "../format.ts";
import { loadModel } from "../progress.ts";

export const perplexity: Command = {
  name: "perplexity",
  summary: "Measure how well a model predicts a text (lower is better)",
  usage: "onebit perplexity MODEL FILE [options]",
  optionHelp: [...LOAD_OPTION_HELP, ["--json", "print { perplexity, meanNll, tokens, windows, context }"]],
  examples: ["onebit perplexity model.gguf wikitext-2.test.txt --context 2048"],
  optionTypes: { json: { type: "boolean" }, ...LOAD_OPTION_TYPES },
  nPositionals: [2, 2],
  async run(context) {
    const { terminal, positionals, options, signal } = context;
    const text = await readFile(positionals[1], "utf8").catch((error: NodeJS.ErrnoException) =>
      fail(error.code === "ENOENT" ? "file/not-found" : "file/read", `${positionals[1]}: ${error.message}`, error),
    );
    await using model = await loadModel(context);
    const onProgress = ({ done, total }: { done: number; total: number }): void => {
      if (terminal.stderrIsTty) terminal.redraw(done < total ? `${done} of ${total} tokens` : "");
    };
    const result = await model.perplexity(text, { context: options.integer("context", 2), signal, onProgress });
    if (options.flag("json")) await terminal.out(formatJson(result));
    else
      await terminal.out(
        `perplexity ${result.perplexity.toFixed(4)} over ${result.tokens} tokens, windows of ${result.context}\n`,
      );
  },
};
