/** The bytes of tokens, joined, are the text they encode, in every kind of tokenizer: grammars rely on it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Tokenizer, tokenizerFromGguf, tokenizerFromHf } from "../../src/tokenizer/tokenizer.ts";
import { makeRandom, randomText } from "./random-text.ts";
import { byteLevelJson, byteLevelMetadata, sentencePieceJson, sentencePieceMetadata } from "./small-vocabularies.ts";

const encoder = new TextEncoder();

/** A vocabulary of single characters, as character-level models have. */
function charactersJson(): Parameters<typeof tokenizerFromHf>[0] {
  const characters = ["<unk>", ..." \nabcdefghijklmnopqrstuvwxyzé日😀"];
  return {
    added_tokens: [{ id: 0, content: "<unk>", special: true }],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: "Fuse" },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(characters.map((text, id) => [text, id])),
      merges: [],
    },
  };
}

/** Tokenizers, and what encoding puts before a text. */
const KINDS: Readonly<Record<string, readonly [make: () => Tokenizer | undefined, before: string]>> = {
  "byte-level, GGUF": [() => tokenizerFromGguf(byteLevelMetadata()), ""],
  "byte-level, tokenizer.json": [() => tokenizerFromHf(byteLevelJson()), ""],
  "SentencePiece, GGUF": [() => tokenizerFromGguf(sentencePieceMetadata()), " "],
  "SentencePiece, tokenizer.json": [() => tokenizerFromHf(sentencePieceJson()), " "],
};

function joined(tokenizer: Tokenizer, text: string): Uint8Array {
  const ids = tokenizer.encode(text, { addSpecial: false });
  return Uint8Array.from(ids.flatMap((id) => [...tokenizer.tokenBytes(id)]));
}

describe("joined bytes of tokens are the text", () => {
  const random = makeRandom(7);
  const texts = [
    "Once upon a time\n\n\tthere  was",
    "naïve 日本語 привет 😀👍🏽",
    '{"a": [1, 2]}',
    ...Array.from({ length: 300 }, () => randomText(random, 40)),
  ].map((text) => text.replace(/[\ud800-\udfff]/gu, "?").replaceAll("▁", "_"));

  for (const [name, [make, before]] of Object.entries(KINDS)) {
    test(name, () => {
      const tokenizer = make()!;
      for (const text of texts) {
        const bytes = joined(tokenizer, text);
        const expected = text === "" ? "" : before + text;
        assert.deepEqual(bytes, encoder.encode(expected), JSON.stringify(text));
        const ids = tokenizer.encode(text, { addSpecial: false });
        assert.equal(tokenizer.decode(ids, { continued: true }), expected);
      }
    });
  }

  test("characters", () => {
    const tokenizer = tokenizerFromHf(charactersJson())!;
    for (const text of ["once upon\na time", "é日😀"]) {
      assert.deepEqual(joined(tokenizer, text), encoder.encode(text));
      assert.equal(tokenizer.decode(tokenizer.encode(text, { addSpecial: false })), text);
    }
  });
});
