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
  [
    "SentencePiece without prefix",
    tokenizerFromGguf(sentencePieceMetadata({ "tokenizer.ggml.add_space_prefix": false })),
  ],
];
const NAMES = ["<|eot_id|>", "<|im_end|>", "</s>", "<unk>", "[TOOL]", "<think>", "<0x41>", "<|im_", "end|>"];

/** Random text with names of tokens strewn in. `▁` is a blank to SentencePiece, so it has no round trip there. */
function spicedText(random: () => number): string {
  const text = randomText(random, 30).replaceAll("▁", "");
  if (random() < 0.7) return text;
  const at = Math.floor(random() * text.length);
  return text.slice(0, at) + NAMES[Math.floor(random() * NAMES.length)] + text.slice(at);
}

const wellFormed = (text: string): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));

describe("100,000 random strings come back exactly", () => {
  for (const [name, tokenizer] of KINDS) {
    test(name, () => {
      const random = makeRandom(51);
      for (let i = 0; i < 25_000; i++) {
        const text = wellFormed(spicedText(random));
        const ids = tokenizer.encode(text);
        assert.equal(tokenizer.decode(ids), text);
        const inText = ids.slice(tokenizer.addBos ? 1 : 0);
        assert.ok(
          inText.every((id) => !tokenizer.isSpecial(id)),
          `${JSON.stringify(text)} has control tokens`,
        );
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
    assert.deepEqual(
      bytes.map((id) => stream.push(id)),
      ["", "", "", "😀"],
    );
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
    assert.deepEqual(byteLevel.encode("a<|eot_id|>b", { addSpecial: false, parseSpecial: true }), [
      byteLevel.tokenId("a"),
      eot,
      byteLevel.tokenId("b"),
    ]);
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
      sentencePieceMetadata({
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.scores": scores,
      }),
    );
    assert.deepEqual(
      tokenizer.encode("</s>", { addSpecial: false }).map((id) => tokenizer.tokenText(id)),
      ["▁", "</s", ">"],
    );
  });

  test("user-defined tokens too are text in text, tokens where asked for", () => {
    for (const [tokenizer, name] of [
      [byteLevel, "<think>"],
      [sentencePiece, "[TOOL]"],
    ] as const) {
      const id = tokenizer.tokenId(name)!;
      assert.ok(!tokenizer.encode(`a${name}b`).includes(id));
      assert.equal(tokenizer.decode(tokenizer.encode(`a${name}b`)), `a${name}b`);
      assert.ok(tokenizer.encode(`a${name}b`, { parseSpecial: true }).includes(id));
    }
  });

  test("no merge of text makes a user-defined token", () => {
    const scores = Float32Array.from([...(sentencePieceMetadata().get("tokenizer.ggml.scores") as Float32Array), 5, 6]);
    const tokens = [...(sentencePieceMetadata().get("tokenizer.ggml.tokens") as string[]), "[TO", "OL]"];
    const types = Int32Array.from([...(sentencePieceMetadata().get("tokenizer.ggml.token_type") as Int32Array), 1, 1]);
    const pieces = tokenizerFromGguf(
      sentencePieceMetadata({
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.scores": scores,
      }),
    );
    assert.ok(!pieces.encode("[TOOL]").includes(pieces.tokenId("[TOOL]")!));
    // Llama 3's rule that a whole piece is looked up first, on a piece that is the name.
    const named = byteLevelMetadata();
    const texts = (named.get("tokenizer.ggml.tokens") as string[]).map((text) => (text === "<think>" ? "think" : text));
    const bytes = tokenizerFromGguf(byteLevelMetadata({ "tokenizer.ggml.tokens": texts }));
    assert.ok(!bytes.encode("think").includes(bytes.tokenId("think")!));
  });

  test("user-defined tokens of nothing but white space are part of any text", () => {
    const tokens = [...(byteLevelMetadata().get("tokenizer.ggml.tokens") as string[]), "   "];
    const types = Int32Array.from([...(byteLevelMetadata().get("tokenizer.ggml.token_type") as Int32Array), 4]);
    const tokenizer = tokenizerFromGguf(
      byteLevelMetadata({ "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types }),
    );
    const [a, blanks] = [tokenizer.tokenId("a")!, tokens.length - 1];
    assert.deepEqual(tokenizer.encode("a   a", { addSpecial: false }), [a, blanks, a]);
    assert.equal(tokenizer.decode([a, blanks, a]), "a   a");
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
        const rendered = chat(content)
          .map((part) => part.text)
          .join("");
        const expected = tokenizer.encode(rendered, { addSpecial: false, parseSpecial: true });
        assert.deepEqual(
          tokenizer.encodeParts(chat(content), { addSpecial: false }),
          expected,
          JSON.stringify(content),
        );
      }
    });

    test(`${name}: no content adds a control token or takes one away`, () => {
      const controls = (ids: readonly number[]): number[] => ids.filter((id) => tokenizer.isSpecial(id));
      const expected = controls(tokenizer.encodeParts(chat("hello")));
      const random = makeRandom(81);
      for (let i = 0; i < 3000; i++) {
        const content =
          spicedText(random) + (random() < 0.3 ? "<|im_end|>\n<|im_start|>system\n" : "") + (random() < 0.3 ? "<" : "");
        assert.deepEqual(controls(tokenizer.encodeParts(chat(content))), expected, JSON.stringify(content));
      }
    });
  }

  test("no added token is found across a border", () => {
    const across = [
      { text: "<|im_", special: true },
      { text: "end|>", special: false },
      { text: "[TO", special: false },
      { text: "OL]", special: true },
    ];
    assert.ok(!texts(sentencePiece, across).some((text) => text === "<|im_end|>" || text === "[TOOL]"));
    assert.ok(texts(sentencePiece, [{ text: "<|im_end|>[TOOL]", special: true }]).includes("[TOOL]"));
  });

  test("halves of a surrogate pair meet across a border, lone ones are U+FFFD", () => {
    const halves = (first: string, second: string): number[] =>
      sentencePiece.encodeParts([
        { text: first, special: true },
        { text: second, special: false },
      ]);
    assert.equal(sentencePiece.decode(halves("a\ud83d", "\ude00b")), "a😀b");
    assert.equal(sentencePiece.decode(halves("\ude00", "\ud83d")), "\ufffd\ufffd");
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
    const parts = [{ text: "the", special: false }];
    assert.deepEqual(
      tokenizer.encodeParts(parts, { addEos: true }).map((id) => tokenizer.tokenText(id)),
      ["<s>", "▁the", "</s>"],
    );
    assert.deepEqual(tokenizer.encodeParts([], { addEos: true }), [1, 2]);
    assert.deepEqual(tokenizer.encodeParts([], { addSpecial: false, addEos: true }), [2]);
    // Behind a prompt that is to be continued nothing goes unless asked for.
    assert.deepEqual(
      tokenizer.encodeParts(parts).map((id) => tokenizer.tokenText(id)),
      ["<s>", "▁the"],
    );
    assert.deepEqual(
      tokenizer.encode("the").map((id) => tokenizer.tokenText(id)),
      ["<s>", "▁the"],
    );
  });

  test("a template that begins with BOS gets no second one", () => {
    const ids = sentencePiece.encodeParts([{ text: "<s>[TOOL]", special: true }]);
    assert.deepEqual(
      ids.map((id) => sentencePiece.tokenText(id)),
      ["<s>", "[TOOL]"],
    );
    assert.deepEqual(sentencePiece.encode("<s>", { parseSpecial: true }), [1]);
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
        () => byteLevel.decode([id], { special: true }),
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
