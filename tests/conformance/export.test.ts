/**
 * Exported models in llama.cpp, where it is installed: it loads what onebit writes, and is as far from the trained
 * function as its own rounding of activations takes it. Bytes and byte pairs give the same ids in both.
 *
 * ONEBIT_PEER=1: fail, instead of leaving llama.cpp out, where it is not installed.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TransformerShape } from "../../src/nn/shape.ts";
import { trainBpe } from "../../src/tokenizer/train-bpe.ts";
import type { GgufExportOptions } from "../../src/train/export-gguf.ts";
import {
  type TrainedVocabulary,
  bpeVocabulary,
  byteVocabulary,
  vocabularyTokenizer,
} from "../../src/train/vocabulary.ts";
import { exactForward } from "../train/exact-forward.ts";
import { ggufOf } from "../train/exported.ts";
import { IDS, randomModel } from "../train/random-model.ts";
import { onebitLogits } from "./compare.ts";
import { divergence } from "./divergence.ts";
import { peerInstalled, peerLogits, peerTokens } from "./peer.ts";

const LLAMA = { subNorms: false } as const;
const FLOAT = { weightBits: 32, activationBits: 32 } as const;

/** An exact gap between the first and second choice, in logits of standard deviation 2.5, that no rounding closes. */
const WIDE_GAP = 0.25;

const MODELS: readonly (readonly [string, Partial<TransformerShape>, GgufExportOptions])[] = [
  ["bitnet TQ2_0", {}, {}],
  ["bitnet TQ1_0", {}, { ternary: "TQ1_0", embedding: "F16" }],
  ["bitnet Q2_0", { ffHidden: 448 }, { ternary: "Q2_0" }],
  ["bitnet Q1_0", { weightBits: 1 }, {}],
  ["bitnet F16", FLOAT, { embedding: "F16" }],
  ["llama TQ2_0", { ...LLAMA, activationBits: 32 }, {}],
  ["llama TQ1_0, its own head", { ...LLAMA, activationBits: 32, tied: false }, { ternary: "TQ1_0" }],
  ["llama Q1_0", { ...LLAMA, activationBits: 32, weightBits: 1 }, {}],
  ["llama Q8_0", { ...LLAMA, ...FLOAT }, { linears: "Q8_0" }],
  ["llama F16", { ...LLAMA, ...FLOAT }, { embedding: "F16" }],
  ["llama F32, a head for each key", { ...LLAMA, ...FLOAT, kvHeads: 4 }, { linears: "F32", embedding: "F32" }],
];

const missing = peerInstalled ? false : "llama.cpp is not installed: npm install --no-save --prefix tests/conformance";

let folder = "";
before(() => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(join("build", "export-"));
  if (process.env.ONEBIT_PEER === "1")
    assert.ok(peerInstalled, "llama.cpp is not installed: npm install --prefix tests/conformance");
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("onebit, llama.cpp and the trained function", { skip: missing }, () => {
  for (const [name, shape, options] of MODELS) {
    test(name, async (t) => {
      const model = randomModel({ ...shape, contextLength: 256 }),
        path = join(folder, "model.gguf");
      writeFileSync(path, await ggufOf(model, options));
      const exact = exactForward(model, IDS);
      const ours = divergence(exact, await onebitLogits(path, IDS, { threads: 1 })),
        theirs = divergence(exact, peerLogits(path, IDS, 256));
      t.diagnostic(`KL: onebit ${ours.meanKl.toExponential(2)}, llama.cpp ${theirs.meanKl.toExponential(2)}`);
      for (const [engine, { meanKl, widestGapThatDiffers }] of Object.entries({ onebit: ours, "llama.cpp": theirs })) {
        assert.ok(meanKl < 1e-3, `${engine}: mean KL ${meanKl}`);
        assert.ok(
          widestGapThatDiffers < WIDE_GAP,
          `${engine}: another first choice across a gap of ${widestGapThatDiffers}`,
        );
      }
    });
  }
});

describe("llama.cpp tokenizes as onebit does", { skip: missing }, () => {
  const TEXTS = [
    "\n",
    "Ā",
    "Hello, world! It's 12345 o'clock.\n\n  The größe — “日本語” 😀 <|endoftext|>",
    "the the and the hat\t\tthat   had",
  ];
  const text = "the cat and the hat, that's 12345 and don't; größe der Größe\n".repeat(5);
  const VOCABULARIES: readonly (readonly [string, TrainedVocabulary])[] = [
    ["bytes", byteVocabulary()],
    ...["gpt-2", "qwen2", "llama-bpe"].map(
      (preTokenizer) =>
        [`byte pairs, ${preTokenizer}`, bpeVocabulary(trainBpe([text], { vocabSize: 320, preTokenizer }))] as const,
    ),
  ];
  for (const [name, vocabulary] of VOCABULARIES) {
    test(name, async () => {
      const path = join(folder, "vocabulary.gguf"),
        tokenizer = vocabularyTokenizer(vocabulary);
      writeFileSync(path, await ggufOf(randomModel({ vocabSize: vocabulary.tokens.length, depth: 1 }, vocabulary)));
      assert.deepEqual(
        peerTokens(path, TEXTS),
        TEXTS.map((each) => tokenizer.encode(each)),
      );
    });
  }
});
