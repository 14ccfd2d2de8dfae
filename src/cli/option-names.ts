/**
 * The library's names of options in its messages as the command line's: `maxTokens` is `--max-tokens` there.
 *
 * @module
 */
import type { Command } from "./command.ts";
import { TRAINING_MEMBERS } from "./training-options.ts";

/** Where the two names differ by more than their writing. */
const FLAGS: Readonly<Record<string, string>> = {
  contextLength: "context",
  kvType: "kv",
  ternaryKernel: "ternary",
  parseSpecial: "special",
  samplePrompt: "prompt",
  ...TRAINING_MEMBERS,
};

/** `message` for who typed the command: names of several words anywhere, those of one word where it begins. */
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
