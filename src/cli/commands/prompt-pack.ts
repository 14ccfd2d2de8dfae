/**
 * `onebit prompt-pack`: reads a long prompt once, for many runs.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { Model } from "../../index.ts";
import { CHAT_PROMPT_OPTION_HELP, CHAT_PROMPT_OPTION_TYPES, chatPromptOptions } from "../chat-prompt-options.ts";
import { readTextFile, writeCommandFile } from "../command-files.ts";
import { type Command, LOAD_OPTION_HELP, LOAD_OPTION_TYPES, type Options } from "../command.ts";
import { formatBytes } from "../format.ts";
import { loadModel } from "../progress.ts";
import { chatBeginning } from "../prompt-packs.ts";

export const promptPack: Command = {
  name: "prompt-pack",
  summary: "Read a long system message once, for many chats",
  usage: "onebit prompt-pack MODEL TEXT_FILE --out FILE [options]",
  notes: [
    "FILE then goes to `onebit chat MODEL --system-file TEXT_FILE --prompt-pack FILE`, or to the library's",
    "model.restore. It fits the model, and the options --kv, --chat-template and --no-thinking, it was made with.",
  ],
  optionHelp: [
    ["--out FILE", "where to write it"],
    ["--raw", "the text is the beginning of a prompt for `onebit run`, not a system message"],
    ...CHAT_PROMPT_OPTION_HELP,
    ...LOAD_OPTION_HELP,
  ],
  examples: [
    "onebit prompt-pack model.gguf system.txt --out system.pack",
    "onebit chat model.gguf --system-file system.txt --prompt-pack system.pack",
  ],
  optionTypes: {
    out: { type: "string" },
    raw: { type: "boolean" },
    ...CHAT_PROMPT_OPTION_TYPES,
    ...LOAD_OPTION_TYPES,
  },
  nPositionals: [2, 2],
  async run(context) {
    const { options, positionals, signal, terminal } = context,
      out = options.text("out") ?? fail("usage", "wanted --out FILE: where to write the pack");
    const text = await readTextFile(positionals[1]!, "the text");
    await using model = await loadModel(context);
    const ids = idsOf(model, text, options),
      beginMs = performance.now();
    using pack = model.context();
    await pack.logits(ids, { signal });
    const readMs = performance.now() - beginMs,
      bytes = await pack.save({ signal });
    await writeCommandFile(out, "the prompt pack", bytes);
    terminal.err(
      `onebit: ${out}: ${ids.length} tokens, ${formatBytes(bytes.length)}, read in ${(readMs / 1000).toFixed(1)} s\n`,
    );
  },
};

function idsOf(model: Model, text: string, options: Options): number[] {
  if (options.flag("raw")) return model.tokenizer.encode(text, { addSpecial: true });
  return chatBeginning(model, [{ role: "system", content: text }], chatPromptOptions(options));
}
