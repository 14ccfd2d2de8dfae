/**
 * Rewrites the library's option names in messages to the command line's: `maxTokens` to `--max-tokens`.
 *
 * @module
 */
import type { Command } from "./command.ts";
import { TRAINING_MEMBERS } from "./training-options.ts";

/** Names that differ by more than their spelling. */
const FLAGS: Readonly<Record<string, string>> = {
  contextLength: "context",
  kvType: "kv",
  ternaryKernel: "ternary",
  parseSpecial: "special",
  samplePrompt: "prompt",
  ...TRAINING_MEMBERS,
};

/** `message` in the command line's names: names of several words anywhere, of one word only at its beginning. */
export function inCommandLineNames(message: string, { optionTypes }: Command): string {
  const flagOf = (name: string): string | undefined => {
    const flag = Object.hasOwn(FLAGS, name)
      ? FLAGS[name]
      : name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return Object.hasOwn(optionTypes, flag) ? `--${flag}` : undefined;
  };
  const begun = message.replace(/^[a-z]\w*(?=[:[ ])/i, (name) => flagOf(name) ?? name);
  return begun.replace(/(?<![\w"'/.-])[a-z]+[A-Z]\w*(?![\w"'/-]|\.\w)/g, (name) => flagOf(name) ?? name);
}
