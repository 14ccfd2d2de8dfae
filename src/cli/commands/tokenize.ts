/**
 * `onebit tokenize`: text to token ids, without loading the weights.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { fail } from "../../core/errors.ts";
import { modelSource } from "../argument-kind.ts";
import type { Command } from "../command.ts";
import { formatJson } from "../format.ts";

export const tokenize: Command = {
  name: "tokenize",
  summary: "Turn a text into token ids",
  usage: "onebit tokenize MODEL (TEXT | --file FILE) [options]",
  optionHelp: [
    ["--file FILE", "read the text from a file, byte for byte (UTF-8)"],
    ["--add-special", "add what `run` puts before a text, such as BOS, but no EOS, which would end the text"],
    ["--special", "read <|eot_id|> and the like in the text as special tokens, not as text"],
    ["--json", "print { ids, tokens, count }"],
  ],
  examples: ['onebit tokenize model.gguf "Hello, world"', "onebit tokenize model.gguf --file book.txt --json"],
  optionTypes: {
    file: { type: "string" },
    "add-special": { type: "boolean" },
    special: { type: "boolean" },
    json: { type: "boolean" },
  },
  nPositionals: [1, 2],
  async run({ positionals, options, library, terminal }) {
    const [path, argument] = positionals;
    const text = readInput(argument, options.text("file"));
    const tokenizer =
      (await library.loadTokenizer(modelSource(path))) ??
      fail("tokenizer/missing", `${path}: the file has no vocabulary`);
    const ids = tokenizer.encode(text, {
      addSpecial: options.flag("add-special"),
      parseSpecial: options.flag("special"),
    });
    if (options.flag("json")) {
      const tokens = ids.map((id) => tokenizer.tokenText(id));
      await terminal.out(formatJson({ ids, tokens, count: ids.length }));
      return;
    }
    for (const id of ids) await terminal.out(`${id}\t${JSON.stringify(tokenizer.tokenText(id))}\n`);
  },
};

function readInput(argument: string | undefined, path: string | undefined): string {
  if ((argument === undefined) === (path === undefined)) fail("usage", "give either a text or --file");
  if (path === undefined) return argument as string;
  try {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(readFileSync(path));
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return fail(
      isMissing ? "file/not-found" : "file/read",
      `${path}: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
}
