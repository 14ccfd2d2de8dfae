/**
 * `onebit embed`: texts to vectors, or the texts nearest to a question.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import { readTextFile } from "../command-files.ts";
import { type Command, type CommandContext, LOAD_OPTION_HELP, LOAD_OPTION_TYPES } from "../command.ts";
import { formatJson } from "../format.ts";
import { loadModel } from "../progress.ts";

export const embed: Command = {
  name: "embed",
  summary: "Turn texts into vectors, or find those nearest to a question",
  usage: "onebit embed MODEL (TEXT… | --file FILE) [options]",
  notes: ["Prints a vector a line: numbers whose squares add up to 1, so that the cosine of two is their product."],
  optionHelp: [
    ["--file FILE", "a text a line; empty lines are left out"],
    ["--query TEXT", "print the texts instead, the nearest first, each behind its cosine with this one"],
    ["--top N", "with --query: only so many"],
    ["--pooling P", "last, mean or cls: which states make the vector (default: the model's own)"],
    ["--dimensions N", "only the first N numbers, for models trained so (Matryoshka)"],
    ["--json", "print { embeddings }, or with --query { results: [{ index, text, score }] }"],
    ...LOAD_OPTION_HELP,
  ],
  examples: [
    'onebit embed model.gguf "a cat" "a dog" --json',
    'onebit embed model.gguf --file notes.txt --query "when is the dentist?" --top 3',
  ],
  optionTypes: {
    file: { type: "string" },
    query: { type: "string" },
    top: { type: "string" },
    pooling: { type: "string" },
    dimensions: { type: "string" },
    json: { type: "boolean" },
    ...LOAD_OPTION_TYPES,
  },
  nPositionals: [1, Infinity],
  async run(context) {
    const { terminal, options, signal } = context;
    const query = options.text("query"),
      top = options.integer("top", 1);
    if (top !== undefined && query === undefined) fail("usage", "--top: wanted with --query");
    const texts = await textsOf(context);
    await using model = await loadModel(context);
    const vectors = await model.embed(query === undefined ? texts : [query, ...texts], {
      pooling: options.choice("pooling", ["last", "mean", "cls"]),
      dimensions: options.integer("dimensions", 1),
      signal,
      onProgress: ({ done, total }) => {
        if (terminal.stderrIsTty) terminal.redraw(done < total ? `${done} of ${total} texts` : "");
      },
    });
    if (query !== undefined) return await printNearest(context, texts, vectors, top);
    if (options.flag("json")) return await terminal.out(formatJson({ embeddings: vectors.map((one) => [...one]) }));
    for (const vector of vectors) await terminal.out(`${vector.join(" ")}\n`);
  },
};

async function textsOf({ positionals: [, ...texts], options }: CommandContext): Promise<readonly string[]> {
  const file = options.text("file");
  if ((texts.length === 0) === (file === undefined)) fail("usage", "give either texts or --file");
  if (file === undefined) return texts;
  const lines = (await readTextFile(file, "the texts")).split(/\r?\n/).filter((line) => line.trim() !== "");
  return lines.length > 0 ? lines : fail("usage", `${file}: wanted a text a line, found none`);
}

/** @param vectors the question's, then those of the texts */
async function printNearest(
  { terminal, options }: CommandContext,
  texts: readonly string[],
  [asked, ...vectors]: readonly Float32Array[],
  top = texts.length,
): Promise<void> {
  const results = texts
    .map((text, index) => ({ index, text, score: vectors[index].reduce((sum, x, i) => sum + x * asked[i], 0) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, top);
  if (options.flag("json")) return await terminal.out(formatJson({ results }));
  for (const { score, text } of results) await terminal.out(`${score.toFixed(4)}\t${text}\n`);
}
