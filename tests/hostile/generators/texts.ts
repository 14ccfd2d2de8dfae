/**
 * Text of every kind, through tokenizers of both kinds: ids that are tokens, and text that comes back; and ids of any
 * kind.
 */
import assert from "node:assert/strict";
import { OnebitError } from "../../../src/core/errors.ts";
import type { Random } from "../../synthetic/random.ts";
import { type Tokenizer, tokenizerFromGguf, tokenizerFromHf } from "../../../src/tokenizer/tokenizer.ts";
import { wellFormed } from "../../../src/tokenizer/char-classes.ts";
import { corpusText } from "../../tokenizer/corpus.ts";
import {
  byteLevelJson,
  byteLevelMetadata,
  sentencePieceJson,
  sentencePieceMetadata,
} from "../../tokenizer/small-vocabularies.ts";
import type { Attempt, HostileGenerator } from "./generator.ts";

const NAMES = ["<|im_end|>", "<|eot_id|>", "</s>", "<think>", "[TOOL]", "<unk>"];
const UNITS = ["a", " ", "\n", "'", "<", "<|", "\u0301", "😀", "▁", "\ud800", "7", "<|im_end|>"];

export const generator = textsGenerator();

function textsGenerator(): HostileGenerator {
  let tokenizers: Tokenizer[] | undefined;
  return {
    name: "texts",
    weight: 0.1,
    tryOne(random) {
      tokenizers ??= [
        tokenizerFromGguf(byteLevelMetadata()),
        tokenizerFromGguf(sentencePieceMetadata()),
        tokenizerFromHf(byteLevelJson()),
        tokenizerFromHf(sentencePieceJson()),
      ];
      const number = (): number => below(random, 1_000_000) / 1_000_000;
      const tokenizer = tokenizers[below(random, tokenizers.length)];
      if (below(random, 8) === 0) return decodeAny(random, tokenizer);
      const text = below(random, 4) > 0 ? corpusText(number, NAMES) : longText(random);
      const ids = tokenizer.encode(text, { addSpecial: false });
      assert.ok(!ids.some((id) => tokenizer.isSpecial(id)), "a control token in text");
      // SentencePiece cannot tell a mark from a blank.
      const blanks = (written: string): string => written.replaceAll("▁", " ");
      assert.equal(blanks(tokenizer.decode(ids)), blanks(wellFormed(text)));
      for (const id of tokenizer.encode(text, { parseSpecial: true })) assert.ok(id >= 0 && id < tokenizer.vocabSize);
      return { outcome: "accepted", inputBytes: text.length * 2 };
    },
  };
}

/** Ids of which some may be no token: the text of a stream is that of all at once, or both are refused. */
function decodeAny(random: Random, tokenizer: Tokenizer): Attempt {
  const limit = tokenizer.vocabSize + below(random, 2);
  const ids = Array.from({ length: below(random, 300) }, () => below(random, limit));
  try {
    const stream = tokenizer.stream({ continued: false });
    assert.equal(ids.map((id) => stream.push(id)).join("") + stream.end(), tokenizer.decode(ids));
    return { outcome: "accepted", inputBytes: 4 * ids.length };
  } catch (error) {
    if (error instanceof OnebitError) return { outcome: error.code, inputBytes: 4 * ids.length };
    throw error;
  }
}

/** A number from 0 to `limit` − 1. */
function below(random: Random, limit: number): number {
  return random.u32() % limit;
}

/** One or two things over and over. */
function longText(random: Random): string {
  const unit = UNITS[below(random, UNITS.length)] + (below(random, 2) === 0 ? "" : UNITS[below(random, UNITS.length)]);
  return unit.repeat(1 + below(random, 20_000));
}
