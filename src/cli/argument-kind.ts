/**
 * Tells commands, models and texts apart where the command line takes any of them.
 *
 *     a model     exists as a file or folder; or ends in .gguf or .safetensors; or has no blanks, and begins with
 *                 hf:, http:, https: or file: or contains / or \
 *     a command   one word of small letters, digits and dashes
 *     a text      everything else
 *
 * @module
 */
import { existsSync } from "node:fs";
import { fail, quoted } from "../core/errors.ts";

const MODEL_NAME = /\.(?:gguf|safetensors)$|^(?:hf:|https?:|file:)\S+$|^\S*[/\\]\S*$/i;
const COMMAND_NAME = /^[a-z][a-z0-9-]*$/;
const MODEL_FILE = /\.(?:gguf|safetensors)$/i;

/** @param exists true if a file or folder has this path */
export function isModelArgument(argument: string, exists: (path: string) => boolean = existsSync): boolean {
  return MODEL_NAME.test(argument) || exists(argument);
}

/** The kind of the program's first argument if it is no known command. */
export function kindOfFirstArgument(
  argument: string,
  exists?: (path: string) => boolean,
): "model" | "command" | "option" | "text" {
  if (argument.startsWith("-")) return "option";
  if (isModelArgument(argument, exists)) return "model";
  return COMMAND_NAME.test(argument) ? "command" : "text";
}

/** Other programs' spellings: `hf.co/owner/repo`, with or without https, and `hf:owner/repo:Q1_0`. */
const HUB_ADDRESS = new RegExp(
  String.raw`^(?:hf:|(?:https?://)?(?:www\.)?(?:hf\.co|huggingface\.co)/)` +
    String.raw`([^\s/:?#]+/[^\s/:?#]+)(?::([^\s/?#]*))?(/[^\s]*)?$`,
  "i",
);
const REPO = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*$/;
const TAGGED_REPO = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*):([\w.-]+)$/;

/**
 * Converts a model argument to the library's source. A bare `owner/repo` may be a mistyped path: it goes to the network
 * only for commands that take nothing else.
 * @throws OnebitError `usage`, `file/not-found`
 */
export function modelSource(
  argument: string,
  isRemote = false,
  exists: (path: string) => boolean = existsSync,
): string {
  const [, repo, tag, rest] = HUB_ADDRESS.exec(argument) ?? [],
    [, bare, bareTag] = TAGGED_REPO.exec(argument) ?? [];
  if (repo !== undefined && tag === undefined && rest === undefined && !argument.includes("@")) return `hf:${repo}`;
  if (repo !== undefined && tag === undefined && !/^(?:hf:|https?:\/\/(?:www\.)?huggingface)/i.test(argument))
    return `https://huggingface.co/${repo}${rest ?? ""}`;
  if (repo === undefined && exists(argument)) return argument;
  if (tag !== undefined || bareTag !== undefined) {
    fail(
      "usage",
      `${quoted(argument)}: a tag cannot choose a file here: name the file, as in hf:${repo ?? bare}/FILE.gguf, or ` +
        `take the smallest 1-bit one: hf:${repo ?? bare}`,
    );
  }
  if (!REPO.test(argument) || MODEL_FILE.test(argument)) return argument;
  return isRemote
    ? `hf:${argument}`
    : fail("file/not-found", `${argument}: no such file or folder; the repository on Hugging Face is hf:${argument}`);
}
