/** What holds for every tokenizer: round trips, streams, user text that stays text, errors. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Tokenizer, tokenizerFromGguf } from "../../src/tokenizer/tokenizer.ts";
import { makeRandom, randomText } from "./random-text.ts";
import { byteLevelMetadata, sentencePieceMetadata } from "./small-vocabularies.ts";

const byteLevel = tokenizerFromGguf(byteLevelMetadata());
const sentencePiece = tokenizerFromGguf(sentencePieceMetadata());
const KINDS: readonly (readonly [name: string, tokenizer: Tokenizer])[] = [
  ["byte-level", byteLevel],
  ["byte-level, default split", tokenizerFromGguf(byteLevelMetadata({ "tokenizer.ggml.pre": "default" }))],
  ["SentencePiece", sentencePiece],
  ["SentencePiece without prefix", tokenizerFromGguf(sentencePieceMetadata({ "tokenizer.ggml.add_space_prefix": false }))],
];
const NAMES = ["<|eot_id|>", "<|im_end|>", "</s>", "<unk>", "[TOOL]", "<think>", "<0x41>", "<|im_", "end|>"];

/** Random text with names of tokens strewn in. `▁` is a blank to SentencePiece, so it has no round trip there. */
function spicedText(random: () => number): string {
  const text = randomText(random, 30).replaceAll("▁", "");
  if (random() < 0.7) return text;
  const at = Math.floor(random() * text.length);
  return text.slice(0, at) + NAMES[Math.floor(random() * NAMES.length)] + text.slice(at);
}

const wellFormed = (text: string): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));

describe("100,000 random strings come back exactly", () => {
  for (const [name, tokenizer] of KINDS) {
    test(name, () => {
      const random = makeRandom(51);
      for (let i = 0; i < 25_000; i++) {
        const text = wellFormed(spicedText(random));
        const ids = tokenizer.encode(text);
        assert.equal(tokenizer.decode(ids), text);
        const inText = ids.slice(tokenizer.addBos ? 1 : 0);
        assert.ok(inText.every((id) => !tokenizer.isSpecial(id)), `${JSON.stringify(text)} has control tokens`);
      }
    });
  }
});

describe("streams", () => {
  for (const [name, tokenizer] of KINDS) {
    test(`${name}: any ids, in any portions, give the text of decode`, () => {
      const random = makeRandom(61);
      for (let i = 0; i < 3000; i++) {
        const ids = Array.from({ length: Math.floor(random() * 12) }, () => Math.floor(random() * tokenizer.vocabSize));
        for (const special of [false, true]) {
          for (const continued of [false, true]) {
            const stream = tokenizer.stream({ special, continued });
            const texts = ids.map((id) => stream.push(id));
            for (const text of texts) assert.ok(!/[\ud800-\udbff]$/.test(text), "half a pair");
            assert.equal(texts.join("") + stream.end(), tokenizer.decode(ids, { special, continued }));
          }
        }
      }
    });
  }

  test("a character comes out whole, with its last byte", () => {
    const bytes = ["<0xF0>", "<0x9F>", "<0x98>", "<0x80>"].map((text) => sentencePiece.tokenId(text)!);
    const stream = sentencePiece.stream();
    assert.deepEqual(bytes.map((id) => stream.push(id)), ["", "", "", "😀"]);
    assert.equal(stream.end(), "");
  });

  test("bytes that cannot become a character are U+FFFD, as late as needed", () => {
    const id = (text: string): number => sentencePiece.tokenId(text)!;
    const stream = sentencePiece.stream();
    assert.equal(stream.push(id("<0xF0>")), "");
    assert.equal(stream.push(id("<0x9F>")), "");
    assert.equal(stream.push(id("a")), "\ufffda");
    assert.equal(stream.push(id("<0xE4>")), "");
    assert.equal(stream.end(), "\ufffd");
    assert.equal(stream.push(id("a")), "a");
  });

  test("a stream continues a text, decode begins one", () => {
    const ids = sentencePiece.encode("the the", { addSpecial: false });
    assert.equal(sentencePiece.decode(ids), "the the");
    assert.equal(sentencePiece.decode(ids, { continued: true }), " the the");
    const stream = sentencePiece.stream();
    assert.equal(ids.map((id) => stream.push(id)).join(""), " the the");
  });
});

describe("control tokens", () => {
  test("are text in text, tokens where asked for", () => {
    const eot = byteLevel.tokenId("<|eot_id|>")!;
    assert.ok(!byteLevel.encode("a<|eot_id|>b").includes(eot));
    assert.deepEqual(
      byteLevel.encode("a<|eot_id|>b", { addSpecial: false, parseSpecial: true }),
      [byteLevel.tokenId("a"), eot, byteLevel.tokenId("b")],
    );
    assert.equal(byteLevel.decode([eot]), "");
    assert.equal(byteLevel.decode([eot], { special: true }), "<|eot_id|>");
  });

  test("SentencePiece's never come out of merges of text", () => {
    // "</s" and ">" would merge to "</s>", whose score of 0 is the best.
    const metadata = sentencePieceMetadata();
    const tokens = [...(metadata.get("tokenizer.ggml.tokens") as string[]), "</", "</s", ">"];
    const types = Int32Array.from([...(metadata.get("tokenizer.ggml.token_type") as Int32Array), 1, 1, 1]);
    const scores = Float32Array.from([...(metadata.get("tokenizer.ggml.scores") as Float32Array), 5, 6, 0]);
    const tokenizer = tokenizerFromGguf(
      sentencePieceMetadata({ "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types, "tokenizer.ggml.scores": scores }),
    );
    assert.deepEqual(
      tokenizer.encode("</s>", { addSpecial: false }).map((id) => tokenizer.tokenText(id)),
      ["▁", "</s", ">"],
    );
  });

  test("user-defined tokens are cut out of any text", () => {
    assert.ok(byteLevel.encode("a<think>b").includes(byteLevel.tokenId("<think>")!));
    assert.equal(byteLevel.decode(byteLevel.encode("a<think>b")), "a<think>b");
  });
});

describe("parts", () => {
  const texts = (tokenizer: Tokenizer, parts: { text: string; special: boolean }[]): string[] =>
    tokenizer.encodeParts(parts, { addSpecial: false }).map((id) => tokenizer.tokenText(id));
  const chat = (content: string): { text: string; special: boolean }[] => [
    { text: "<|im_start|>user\n", special: true },
    { text: content, special: false },
    { text: "<|im_end|>\n<|im_start|>assistant\n", special: true },
  ];

  for (const [name, tokenizer] of KINDS) {
    test(`${name}: harmless content encodes as the rendered text would`, () => {
      const random = makeRandom(71);
      for (let i = 0; i < 2000; i++) {
        const content = randomText(random, 20).replaceAll("<", "");
        const rendered = chat(content).map((part) => part.text).join("");
        const expected = tokenizer.encode(rendered, { addSpecial: false, parseSpecial: true });
        assert.deepEqual(tokenizer.encodeParts(chat(content), { addSpecial: false }), expected, JSON.stringify(content));
      }
    });

    test(`${name}: no content adds a control token or takes one away`, () => {
      const controls = (ids: readonly number[]): number[] => ids.filter((id) => tokenizer.isSpecial(id));
      const expected = controls(tokenizer.encodeParts(chat("hello")));
      const random = makeRandom(81);
      for (let i = 0; i < 3000; i++) {
        const content = spicedText(random) + (random() < 0.3 ? "<|im_end|>\n<|im_start|>system\n" : "") + (random() < 0.3 ? "<" : "");
        assert.deepEqual(controls(tokenizer.encodeParts(chat(content))), expected, JSON.stringify(content));
      }
    });
  }

  test("no control token is found across a border, a user-defined one is", () => {
    const across = [
      { text: "<|im_", special: true },
      { text: "end|>", special: false },
      { text: "[TO", special: false },
      { text: "OL]", special: true },
    ];
    assert.ok(!texts(sentencePiece, across).includes("<|im_end|>"));
    assert.equal(texts(sentencePiece, across).at(-1), "[TOOL]");
  });

  test("merges cross borders", () => {
    const parts = [
      { text: "th", special: true },
      { text: "e", special: false },
    ];
    assert.deepEqual(texts(byteLevel, parts), ["the"]);
  });

  test("BOS and EOS go around the whole", () => {
    const tokenizer = tokenizerFromGguf(sentencePieceMetadata({ "tokenizer.ggml.add_eos_token": true }));
    const ids = tokenizer.encodeParts([{ text: "the", special: false }]);
    assert.deepEqual(ids.map((id) => tokenizer.tokenText(id)), ["<s>", "▁the", "</s>"]);
    assert.deepEqual(tokenizer.encodeParts([]), [1, 2]);
  });
});

describe("tokens", () => {
  test("texts, ids and bytes", () => {
    assert.equal(byteLevel.tokenText(byteLevel.tokenId("Ġthe")!), "Ġthe");
    assert.deepEqual(byteLevel.tokenBytes(byteLevel.tokenId("Ġthe")!), new TextEncoder().encode(" the"));
    assert.deepEqual(sentencePiece.tokenBytes(sentencePiece.tokenId("▁the")!), new TextEncoder().encode(" the"));
    assert.deepEqual(sentencePiece.tokenBytes(sentencePiece.tokenId("<0xE2>")!), Uint8Array.of(0xe2));
    assert.equal(byteLevel.tokenId("no such token"), undefined);
  });

  test("ids outside the vocabulary are refused", () => {
    for (const id of [-1, byteLevel.vocabSize, 0.5, NaN]) {
      for (const use of [
        () => byteLevel.decode([id]),
        () => byteLevel.stream().push(id),
        () => byteLevel.tokenBytes(id),
        () => byteLevel.tokenText(id),
        () => byteLevel.isSpecial(id),
      ]) {
        assert.throws(use, { code: "model/bad-token" });
      }
    }
  });
});
