/**
 * Prompt packs: saved contexts of what prompts begin with, for the option `--prompt-pack`.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { ChatMessage, ChatPromptOptions, Model } from "../index.ts";
import { readCommandFile } from "./command-files.ts";
import type { Command, CommandContext } from "./command.ts";

export const PROMPT_PACK_TYPES = { "prompt-pack": { type: "string" } } as const satisfies Command["optionTypes"];

export const PROMPT_PACK_HELP: Command["optionHelp"] = [
  ["--prompt-pack FILE", "what `onebit prompt-pack` made of the prompt's beginning, which then need not be read"],
];

/** The ids that every chat with this opening begins with, whatever is asked. */
export function chatBeginning(model: Model, opening: readonly ChatMessage[], options: ChatPromptOptions): number[] {
  const [a, b] = ["a", "7"].map((content) => model.chatPrompt([...opening, { role: "user", content }], options).ids);
  return a!.slice(0, nAlike(a!, b!));
}

/**
 * Puts the pack of `--prompt-pack` into the model's cache, where prompts find it.
 * @param beginning the ids with which the prompt will begin
 * @throws OnebitError `file/…`, `snapshot/…`, `usage` when the pack holds something else
 */
export async function usePromptPack(
  { options, signal }: CommandContext,
  model: Model,
  beginning: () => readonly number[],
): Promise<void> {
  const path = options.text("prompt-pack");
  if (path === undefined) return;
  using pack = await model.restore(await readCommandFile(path, "--prompt-pack"), { signal });
  const n = nAlike(pack.ids, beginning());
  // A text's last token may become another when more text follows.
  if (n < pack.ids.length / 2) {
    fail(
      "usage",
      `--prompt-pack: ${quoted(path)} holds another text than the prompt begins with: of its ${pack.ids.length} ` +
        `tokens ${n} agree`,
    );
  }
}

function nAlike(a: readonly number[], b: readonly number[]): number {
  let n = 0;
  while (n < a.length && a[n] === b[n]) n++;
  return n;
}
