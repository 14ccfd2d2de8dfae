/** Vocabularies in exported files: every byte is its own id, and all files tokenize alike. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { load } from "../../src/load.ts";
import { trainBpe } from "../../src/tokenizer/train-bpe.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import {
  type TrainedVocabulary,
  bpeVocabulary,
  byteVocabulary,
  vocabularyTokenizer,
} from "../../src/train/vocabulary.ts";
import { FOLDER, memoryPlatform } from "../model/memory-platform.ts";
import { makeRandom, randomText } from "../tokenizer/random-text.ts";
import { folderOf, ggufOf } from "./exported.ts";
import { randomModel } from "./random-model.ts";

/** From the GGUF file, the folder, and straight from the vocabulary. */
async function tokenizersOf(
  vocabulary: TrainedVocabulary,
  vocabSize = vocabulary.tokens.length,
): Promise<[string, Tokenizer][]> {
  const model = randomModel({ vocabSize, depth: 1 }, vocabulary);
  const gguf = await load(await ggufOf(model), { threads: 1 });
  const folder = await load(FOLDER, { threads: 1, platform: memoryPlatform(await folderOf(model)) });
  await Promise.all([gguf.close(), folder.close()]);
  return [
    ["GGUF", gguf.tokenizer],
    ["folder", folder.tokenizer],
    ["vocabulary", vocabularyTokenizer(vocabulary)],
  ];
}

const random = makeRandom(11);
const TEXTS = [
  "",
  "\0",
  "Ā",
  "Hello, world!\n",
  "größe <|endoftext|> [PAD300] Ġ",
  ...Array.from({ length: 200 }, () => randomText(random, 60)),
];

describe("bytes", () => {
  test("ids are the bytes of the text, also where it looks like a token's name", async () => {
    for (const [name, tokenizer] of await tokenizersOf(byteVocabulary())) {
      assert.equal(tokenizer.vocabSize, 256);
      for (const text of TEXTS) {
        const bytes = [...new TextEncoder().encode(text)];
        assert.deepEqual(tokenizer.encode(text), bytes, name);
        assert.equal(tokenizer.decode(bytes), text, name);
      }
    }
  });

  test("any bytes come back, text or not", async () => {
    for (const [name, tokenizer] of await tokenizersOf(byteVocabulary())) {
      const bytes = Array.from({ length: 4096 }, (_, i) => (i < 256 ? i : Math.floor(random() * 256)));
      assert.deepEqual(
        bytes.flatMap((id) => [...tokenizer.tokenBytes(id)]),
        bytes,
        name,
      );
      assert.ok(!bytes.some((id) => tokenizer.isSpecial(id)));
    }
  });

  test("byte 0 ends a text", async () => {
    for (const [name, tokenizer] of await tokenizersOf(byteVocabulary())) {
      assert.deepEqual([...tokenizer.endOfTurnIds], [0], name);
      assert.equal(tokenizer.addBos || tokenizer.addEos, false);
    }
  });
});

describe("byte pairs", () => {
  const text = TEXTS.join("\n") + "the cat and the hat, that's 12345 and don't\n".repeat(9);
  for (const preTokenizer of ["gpt-2", "qwen2", "llama-bpe"]) {
    test(`split as ${preTokenizer}: all files tokenize alike`, async () => {
      const vocabulary = bpeVocabulary(trainBpe([text], { vocabSize: 400, preTokenizer }));
      const tokenizers = await tokenizersOf(vocabulary, 416),
        [, [, wanted]] = tokenizers;
      let shorter = 0;
      for (const each of [...TEXTS, text]) {
        const ids = wanted.encode(each);
        if (ids.length < new TextEncoder().encode(each).length / 2) shorter++;
        for (const [name, tokenizer] of tokenizers) {
          assert.deepEqual(tokenizer.encode(each), ids, name);
          assert.equal(tokenizer.decode(ids), each, name);
        }
      }
      assert.ok(shorter > 0, "nothing merged");
    });
  }

  test("control tokens end a text, and no text becomes them", async () => {
    const vocabulary = bpeVocabulary(trainBpe([text], { vocabSize: 300 }), ["<|endoftext|>", "<|user|>"]);
    for (const [name, tokenizer] of await tokenizersOf(vocabulary)) {
      assert.equal(tokenizer.eosId, 300, name);
      assert.ok(tokenizer.endOfTurnIds.has(300));
      assert.ok(tokenizer.isSpecial(300) && tokenizer.isSpecial(301) && !tokenizer.isSpecial(299));
      assert.ok(
        tokenizer.encode("<|endoftext|><|user|>").every((id) => id < 300),
        name,
      );
      assert.deepEqual(tokenizer.encode("<|user|>a", { parseSpecial: true }), [301, 97], name);
    }
  });

  test("each token's own bytes encode to it", () => {
    const trained = trainBpe(["the cat and the hat that the cat had and the hat had"], { vocabSize: 300 });
    const tokenizer = vocabularyTokenizer(bpeVocabulary(trained, []));
    for (let id = 0; id < 128; id++) assert.deepEqual(tokenizer.encode(String.fromCharCode(id)), [id]);
    for (let id = 256; id < trained.tokens.length; id++)
      assert.deepEqual(tokenizer.encode(tokenizer.decode([id])), [id]);
  });
});

describe("refused, with the reason", () => {
  test("more tokens than rows", () =>
    assert.rejects(ggufOf(randomModel({ vocabSize: 255 })), {
      code: "model/bad-shape",
      message: /wanted at most 255 tokens, the embedding.s rows, got 256/,
    }));
  test("a control token that text could encode to", () =>
    assert.throws(() => bpeVocabulary(trainBpe([], { vocabSize: 256 }), ["end"]), {
      code: "tokenizer/bad-vocabulary",
      message: /"end"/,
    }));
  test("a pre-tokenizer that tokenizer.json cannot express", () =>
    assert.throws(() => bpeVocabulary(trainBpe([], { vocabSize: 256, preTokenizer: "falcon" })), {
      code: "tokenizer/unsupported",
      message: /falcon/,
    }));
});
