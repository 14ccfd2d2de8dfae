/**
 * Tells a command, a model and a text apart where the command line takes any of them.
 *
 *     a model     exists as a file or folder; or ends in .gguf or .safetensors; or has no blanks, and begins with
 *                 hf:, http:, https: or file: or contains / or \
 *     a command   one word of small letters, digits and dashes
 *     a text      everything else
 *
 * @module
 */
import { existsSync } from "node:fs";

const MODEL_NAME = /\.(?:gguf|safetensors)$|^(?:hf:|https?:|file:)\S+$|^\S*[/\\]\S*$/i;
const COMMAND_NAME = /^[a-z][a-z0-9-]*$/;
const EDITS_MAX = 2;

/** @param exists whether a file or folder has this path */
export function isModelArgument(argument: string, exists: (path: string) => boolean = existsSync): boolean {
  return MODEL_NAME.test(argument) || exists(argument);
}

/** What the program's first argument is, when it is no command there is. */
export function kindOfFirstArgument(argument: string, exists?: (path: string) => boolean): "model" | "command" | "option" | "text" {
  if (argument.startsWith("-")) return "option";
  if (isModelArgument(argument, exists)) return "model";
  return COMMAND_NAME.test(argument) ? "command" : "text";
}

/** The name nearest to a mistyped one, when it is near: two letters at most are wrong, and two at least are right. */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  const near = names
    .map((name) => ({ name, edits: countEdits(word, name) }))
    .filter(({ name, edits }) => edits <= EDITS_MAX && edits < Math.max(word.length, name.length) - 1);
  return near.sort((a, b) => a.edits - b.edits)[0]?.name;
}

/** Letters to insert, drop, replace or swap with their neighbour (Damerau's distance, each place edited once). */
function countEdits(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? rows[i - 2][j - 2] + 1 : Infinity;
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced, swapped);
    }
  }
  return rows[a.length][b.length];
}
