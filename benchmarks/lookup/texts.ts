/**
 * Prompts and replies in ids: an edit of code, a summary that quotes, and text that repeats little. The texts are this
 * repository's own; their ids are pairs of bytes merged as often as in a vocabulary of 12,000, trained on its sources.
 */
import { readFileSync, readdirSync } from "node:fs";
import { trainBpe } from "../../src/tokenizer/train-bpe.ts";
import { type Tokenizer, tokenizerFromGguf } from "../../src/tokenizer/tokenizer.ts";

export interface ForcedText {
  readonly name: string;
  readonly promptIds: readonly number[];
  readonly replyIds: readonly number[];
}

/** A file of code whose identifiers an edit renames, and one that it has nothing to do with. */
const EDITED_FILE = "src/generate/stop.ts",
  OTHER_FILE = "src/train/data.ts";
const QUOTED_PAGE = "docs/training.md",
  OTHER_PAGE = "docs/servers.md";

/** As many characters of the prompt, and ids of the reply. */
export function forcedTexts(nPromptChars: number, nReplyIds: number): ForcedText[] {
  const tokenizer = trainTokenizer(),
    code = readFileSync(EDITED_FILE, "utf8").slice(0, nPromptChars),
    otherCode = readFileSync(OTHER_FILE, "utf8"),
    page = readFileSync(QUOTED_PAGE, "utf8").slice(0, nPromptChars),
    otherPage = readFileSync(OTHER_PAGE, "utf8");
  const texts: readonly (readonly [name: string, prompt: string, reply: string])[] = [
    ["edited code", `Rename held to kept, and state to nMatched:\n${code}\nRenamed:\n`, renamed(code)],
    ["summary with quotes", page, withQuotes(page, otherPage)],
    ["other code", code, otherCode],
    ["other prose", page, otherPage],
  ];
  return texts.map(([name, prompt, reply]) => ({
    name,
    promptIds: tokenizer.encode(prompt),
    replyIds: tokenizer.encode(reply).slice(0, nReplyIds),
  }));
}

function renamed(code: string): string {
  return code.replaceAll("held", "kept").replaceAll("Held", "Kept").replaceAll("state", "nMatched");
}

/** A sentence of the page after each one that is not of it. */
function withQuotes(page: string, other: string): string {
  const [quotes, own] = [page, other].map((text) => text.split(/(?<=[.:])\s+/).filter(({ length }) => length > 40));
  return own.map((sentence, i) => `${sentence} "${quotes[(i * 7) % quotes.length]}" `).join("");
}

function trainTokenizer(): Tokenizer {
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const pages = readdirSync("docs").filter((name) => name.endsWith(".md"));
  const texts = [...sources.map((name) => `src/${name}`), ...pages.map((name) => `docs/${name}`)]
    .sort()
    .map((path) => readFileSync(path, "utf8"));
  const { tokens, merges } = trainBpe(texts, { vocabSize: 12_000 });
  return tokenizerFromGguf(
    new Map<string, string | string[] | Int32Array>([
      ["tokenizer.ggml.model", "gpt2"],
      ["tokenizer.ggml.pre", "gpt-2"],
      ["tokenizer.ggml.tokens", [...tokens]],
      ["tokenizer.ggml.token_type", Int32Array.from(tokens, () => 1)],
      ["tokenizer.ggml.merges", [...merges]],
    ]),
  );
}
