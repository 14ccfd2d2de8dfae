import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GgufValue } from "../../src/files/gguf-metadata.ts";
import { tokenizerFromGguf } from "../../src/tokenizer/tokenizer.ts";
import { mergeNaively } from "./naive-bpe.ts";
import { makeRandom, randomText } from "./random-text.ts";
import {
  BYTE_LEVEL,
  SENTENCE_PIECE,
  byteLevelMetadata,
  byteSymbols,
  sentencePieceMetadata,
} from "./small-vocabularies.ts";

const K = "tokenizer.ggml.";
const texts = (metadata: Map<string, GgufValue>, text: string, options = {}): string[] => {
  const tokenizer = tokenizerFromGguf(metadata);
  return tokenizer.encode(text, options).map((id) => tokenizer.tokenText(id));
};

describe("byte-level encoding", () => {
  test("equals naive merging of the pieces", () => {
    const ranks = new Map(BYTE_LEVEL.merges.map((rule, rank) => [rule, rank]));
    const tokenizer = tokenizerFromGguf(byteLevelMetadata({ [`${K}pre`]: "gpt-2" }));
    const random = makeRandom(31);
    for (let i = 0; i < 2000; i++) {
      // One piece each: letters with one blank before them.
      const piece = ` ${randomText(random, 12).replace(/[^\p{L}]/gu, "")}`;
      const found = tokenizer.encode(piece, { addSpecial: false }).map((id) => tokenizer.tokenText(id));
      assert.deepEqual(found, mergeNaively(byteSymbols(piece), ranks), piece);
    }
  });

  test("in some families a piece that is a token needs no merges", () => {
    const tokens = [...BYTE_LEVEL.tokens, "xqz"];
    const token_type = Int32Array.from([...BYTE_LEVEL.types, 1]);
    const more = { [`${K}tokens`]: tokens, [`${K}token_type`]: token_type };
    assert.deepEqual(texts(byteLevelMetadata(more), "xqz", { addSpecial: false }), ["xqz"]);
    assert.deepEqual(texts(byteLevelMetadata({ ...more, [`${K}pre`]: "dbrx" }), "xqz", { addSpecial: false }), [
      "x",
      "q",
      "z",
    ]);
  });

  test("merges that make no token are steps to longer ones, or fall back to bytes", () => {
    const token_type = Int32Array.from([...BYTE_LEVEL.types, 1]);
    const metadata = byteLevelMetadata({
      [`${K}tokens`]: [...BYTE_LEVEL.tokens, "QXZ"],
      [`${K}token_type`]: token_type,
      [`${K}merges`]: ["Q X", "QX Z"],
      [`${K}pre`]: "gpt-2",
    });
    assert.deepEqual(texts(metadata, "QXZQX"), ["QXZ", "Q", "X"]);
  });

  test("a byte without a token is left out", () => {
    const tokens = BYTE_LEVEL.tokens.map((token) => (token === "~" ? "~gone" : token));
    const metadata = byteLevelMetadata({
      [`${K}tokens`]: tokens,
      [`${K}unknown_token_id`]: BYTE_LEVEL.tokens.indexOf("?"),
    });
    assert.deepEqual(texts(metadata, "a~b~", { addSpecial: false }), ["a", "b"]);
  });

  test("lone surrogates become U+FFFD", () => {
    const tokenizer = tokenizerFromGguf(byteLevelMetadata());
    assert.equal(tokenizer.decode(tokenizer.encode("a\ud83d b\ude00")), "a\ufffd b\ufffd");
  });
});

describe("SentencePiece encoding", () => {
  test("equals naive merging by score", () => {
    const ids = new Map(SENTENCE_PIECE.tokens.map((token, id) => [token, id]));
    const normal = (text: string): boolean => SENTENCE_PIECE.types[ids.get(text) ?? -1] === 1;
    const tokenizer = tokenizerFromGguf(sentencePieceMetadata());
    const random = makeRandom(41);
    for (let i = 0; i < 2000; i++) {
      const text = randomText(random, 20).replaceAll("▁", "");
      if (text === "") continue;
      const symbols = mergeByScore(Array.from(`▁${text.replaceAll(" ", "▁")}`), (merged) =>
        normal(merged) ? SENTENCE_PIECE.scores[ids.get(merged)!] : undefined,
      );
      const expected = symbols.flatMap((symbol) => (normal(symbol) ? [ids.get(symbol)!] : bytesOf(symbol, ids)));
      assert.deepEqual(tokenizer.encode(text, { addSpecial: false }), expected, JSON.stringify(text));
    }
  });

  test("a character without a token may still be part of one", () => {
    const tokens = [...SENTENCE_PIECE.tokens, "a©"];
    const types = Int32Array.from([...SENTENCE_PIECE.types, 1]);
    const scores = Float32Array.from([...SENTENCE_PIECE.scores, 1]);
    const metadata = sentencePieceMetadata({
      [`${K}tokens`]: tokens,
      [`${K}token_type`]: types,
      [`${K}scores`]: scores,
    });
    assert.deepEqual(texts(metadata, "a©©", { addSpecial: false }), ["▁", "a©", "<0xC2>", "<0xA9>"]);
  });

  test("the unknown token stands in where there are no byte tokens", () => {
    const keep = SENTENCE_PIECE.types.map((type) => type !== 6);
    const only = <T>(all: readonly T[]): T[] => all.filter((_, id) => keep[id]);
    const metadata = sentencePieceMetadata({
      [`${K}tokens`]: only(SENTENCE_PIECE.tokens),
      [`${K}token_type`]: Int32Array.from(only(SENTENCE_PIECE.types)),
      [`${K}scores`]: Float32Array.from(only(SENTENCE_PIECE.scores)),
    });
    assert.deepEqual(texts(metadata, "\u0001", { addSpecial: false }), ["▁", "<unk>"]);
  });

  test("the blank before words: at the start, after special tokens, or not at all", () => {
    const options = { addSpecial: false, parseSpecial: true };
    assert.deepEqual(texts(sentencePieceMetadata(), "the[TOOL]the</s> the", options), [
      "▁the",
      "[TOOL]",
      "▁the",
      "</s>",
      "▁▁",
      "the",
    ]);
    const without = sentencePieceMetadata({ [`${K}add_space_prefix`]: false });
    assert.deepEqual(texts(without, "the[TOOL] the", options), ["the", "[TOOL]", "▁the"]);
    assert.deepEqual(tokenizerFromGguf(sentencePieceMetadata()).encode(""), [1]);
  });

  test("files without token types still have byte tokens", () => {
    const metadata = sentencePieceMetadata({ [`${K}token_type`]: undefined });
    assert.deepEqual(texts(metadata, "©", { addSpecial: false }), ["▁", "<0xC2>", "<0xA9>"]);
  });
});

describe("BOS, EOS and the ends of turns", () => {
  const bos = BYTE_LEVEL.tokens.indexOf("<|begin_of_text|>");
  const eos = BYTE_LEVEL.tokens.indexOf("<|end_of_text|>");

  test("the family decides about BOS, the file overrules it", () => {
    const add = (more: Record<string, GgufValue>): number[] => tokenizerFromGguf(byteLevelMetadata(more)).encode("");
    assert.deepEqual(add({}), [bos]);
    assert.deepEqual(add({ [`${K}pre`]: "qwen2" }), []);
    assert.deepEqual(add({ [`${K}pre`]: "qwen2", [`${K}add_bos_token`]: true }), [bos]);
    assert.deepEqual(add({ [`${K}add_bos_token`]: false }), []);
    assert.deepEqual(add({ [`${K}add_eos_token`]: true }), [bos]);
    assert.deepEqual(
      tokenizerFromGguf(byteLevelMetadata({ [`${K}add_eos_token`]: true })).encode("", { addEos: true }),
      [bos, eos],
    );
    assert.deepEqual(tokenizerFromGguf(byteLevelMetadata()).encode("", { addEos: true }), [bos]);
  });

  test("SentencePiece files without keys have Llama's ids", () => {
    const tokenizer = tokenizerFromGguf(sentencePieceMetadata());
    assert.deepEqual([tokenizer.bosId, tokenizer.eosId, tokenizer.addBos, tokenizer.addEos], [1, 2, true, false]);
  });

  test("every well-known end of a turn counts, and becomes a control token", () => {
    const types = Int32Array.from(BYTE_LEVEL.types);
    const eot = BYTE_LEVEL.tokens.indexOf("<|eot_id|>");
    types[eot] = 1;
    const tokenizer = tokenizerFromGguf(byteLevelMetadata({ [`${K}token_type`]: types }));
    const ends = ["<|end_of_text|>", "<|eot_id|>", "<|im_end|>"].map((text) => tokenizer.tokenId(text)!);
    assert.deepEqual(
      [...tokenizer.endOfTurnIds].sort((a, b) => a - b),
      ends.sort((a, b) => a - b),
    );
    assert.equal(tokenizer.isSpecial(eot), true);
    assert.equal(tokenizer.tokenBytes(eot).length, 0);
    const named = tokenizerFromGguf(byteLevelMetadata({ [`${K}eot_token_id`]: 5, [`${K}eom_token_id`]: 6 }));
    assert.ok(named.endOfTurnIds.has(5) && named.endOfTurnIds.has(6));
  });

  test("a well-known end of a turn that the file calls normal and has merges for is an ordinary token", () => {
    const merges = [...BYTE_LEVEL.merges, "< /", "</ s", "</s >"];
    const tokens = [...BYTE_LEVEL.tokens, "</", "</s", "</s>"];
    const types = Int32Array.from([...BYTE_LEVEL.types, 1, 1, 1]);
    const metadata = byteLevelMetadata({ [`${K}tokens`]: tokens, [`${K}token_type`]: types, [`${K}merges`]: merges });
    const tokenizer = tokenizerFromGguf(metadata);
    const id = tokens.length - 1;
    assert.equal(tokenizer.endOfTurnIds.has(id) || tokenizer.isSpecial(id), false);
    assert.equal(tokenizer.decode([id]), "</s>");
    const named = tokenizerFromGguf(new Map([...metadata, [`${K}eos_token_id`, id]]));
    assert.ok(named.endOfTurnIds.has(id) && named.isSpecial(id));
  });

  test("an end of a turn that is plain text stays text", () => {
    const newline = BYTE_LEVEL.tokens.indexOf("Ċ");
    const tokenizer = tokenizerFromGguf(byteLevelMetadata({ [`${K}eos_token_id`]: newline }));
    assert.ok(tokenizer.endOfTurnIds.has(newline));
    assert.equal(tokenizer.decode(tokenizer.encode("a\nb")), "a\nb");
  });

  test("an id of −1, signed or not, means none", () => {
    for (const none of [-1, 0xffff_ffff]) {
      assert.equal(tokenizerFromGguf(byteLevelMetadata({ [`${K}eos_token_id`]: none })).eosId, undefined);
    }
  });
});

describe("a file without tokenizer.ggml.pre", () => {
  // Llama 3 splits digits by threes; the default takes the whole number first, then leading threes of each piece.
  const splitOf = (more: Record<string, GgufValue | undefined>): string[] =>
    texts(byteLevelMetadata({ [`${K}pre`]: undefined, [`${K}add_bos_token`]: false, ...more }), "a\n\nIt'S");

  test("is Llama 3's for BitNet architectures, whose official file has none", () => {
    const llama3 = splitOf({ [`${K}pre`]: "llama-bpe" });
    const standard = splitOf({ [`${K}pre`]: "default" });
    assert.notDeepEqual(llama3, standard);
    assert.deepEqual(splitOf({ "general.architecture": "bitnet-b1.58" }), llama3);
    assert.deepEqual(splitOf({ "general.architecture": "bitnet" }), llama3);
    assert.deepEqual(splitOf({}), standard);
  });

  test("is Llama 3's for Llama 3's vocabulary, whatever the architecture", () => {
    const filler = Array.from({ length: 128_000 - BYTE_LEVEL.tokens.length }, (_, i) => `filler${i}`);
    const tokens = [
      ...BYTE_LEVEL.tokens.map((text) => (text === "<|begin_of_text|>" ? "moved" : text)),
      ...filler,
      "<|begin_of_text|>",
    ];
    while (tokens.length < 128_256) tokens.push(`reserved${tokens.length}`);
    const types = new Int32Array(128_256).fill(1);
    types.set(BYTE_LEVEL.types);
    const more = { [`${K}tokens`]: tokens, [`${K}token_type`]: types };
    assert.deepEqual(splitOf(more), splitOf({ ...more, [`${K}pre`]: "llama-bpe" }));
  });
});

describe("refused, naming the entry", () => {
  const cases: readonly (readonly [what: string, metadata: Map<string, GgufValue>, code: string, message: RegExp])[] = [
    ["no tokenizer", new Map(), "tokenizer/missing", /absent/],
    ["a file made without one", new Map([[`${K}model`, "no_vocab"]]), "tokenizer/missing", /no_vocab/],
    ["an unknown kind", byteLevelMetadata({ [`${K}model`]: "rwkv" }), "tokenizer/unsupported", /"rwkv"/],
    ["an unknown pre-tokenizer", byteLevelMetadata({ [`${K}pre`]: "blub" }), "tokenizer/unsupported", /"blub"/],
    ["no tokens", byteLevelMetadata({ [`${K}tokens`]: undefined }), "tokenizer/bad-vocabulary", /tokens is missing/],
    [
      "an empty vocabulary",
      byteLevelMetadata({ [`${K}tokens`]: [], [`${K}token_type`]: new Int32Array(0) }),
      "tokenizer/bad-vocabulary",
      /no tokens/,
    ],
    [
      "tokens that are numbers",
      byteLevelMetadata({ [`${K}tokens`]: new Int32Array(9) }),
      "tokenizer/bad-vocabulary",
      /tokens: wanted strings/,
    ],
    [
      "too few types",
      byteLevelMetadata({ [`${K}token_type`]: new Int32Array(9).fill(1) }),
      "tokenizer/bad-vocabulary",
      /9 token types/,
    ],
    [
      "a type of 9",
      byteLevelMetadata({ [`${K}token_type`]: Int32Array.from(BYTE_LEVEL.types, (type, i) => (i === 7 ? 9 : type)) }),
      "tokenizer/bad-vocabulary",
      /token 7 .*type 9/,
    ],
    [
      "a type of −1",
      byteLevelMetadata({ [`${K}token_type`]: Int32Array.from(BYTE_LEVEL.types, (type, i) => (i === 7 ? -1 : type)) }),
      "tokenizer/bad-vocabulary",
      /entry 7 is -1/,
    ],
    [
      "one token twice",
      byteLevelMetadata({ [`${K}tokens`]: BYTE_LEVEL.tokens.map((text, i) => (i === 70 ? "a" : text)) }),
      "tokenizer/bad-vocabulary",
      /"a": is token \d+ already/,
    ],
    [
      "an endless token",
      byteLevelMetadata({ [`${K}tokens`]: BYTE_LEVEL.tokens.map((text, i) => (i === 300 ? "x".repeat(5000) : text)) }),
      "tokenizer/bad-vocabulary",
      /token 300 .*5000 characters/,
    ],
    [
      "a merge of one symbol",
      byteLevelMetadata({ [`${K}merges`]: ["a b", "ab"] }),
      "tokenizer/bad-vocabulary",
      /merge 1 "ab"/,
    ],
    ["a merge with nothing", byteLevelMetadata({ [`${K}merges`]: ["a "] }), "tokenizer/bad-vocabulary", /merge 0/],
    [
      "merges that are no strings",
      byteLevelMetadata({ [`${K}merges`]: true }),
      "tokenizer/bad-vocabulary",
      /merges: wanted strings, found boolean/,
    ],
    [
      "a BOS outside",
      byteLevelMetadata({ [`${K}bos_token_id`]: 1_000_000 }),
      "tokenizer/bad-vocabulary",
      /bos_token_id: id 1000000/,
    ],
    [
      "an EOS that is text",
      byteLevelMetadata({ [`${K}eos_token_id`]: "2" }),
      "tokenizer/bad-vocabulary",
      /eos_token_id: wanted a number/,
    ],
    [
      "BOS wanted but not named",
      byteLevelMetadata({ [`${K}add_bos_token`]: true, [`${K}bos_token_id`]: undefined }),
      "tokenizer/bad-vocabulary",
      /bos_token_id is missing/,
    ],
    [
      "EOS wanted but not named",
      byteLevelMetadata({ [`${K}add_eos_token`]: true, [`${K}eos_token_id`]: undefined }),
      "tokenizer/bad-vocabulary",
      /eos_token_id is missing/,
    ],
    [
      "no scores",
      sentencePieceMetadata({ [`${K}scores`]: undefined }),
      "tokenizer/bad-vocabulary",
      /scores is missing/,
    ],
    [
      "too few scores",
      sentencePieceMetadata({ [`${K}scores`]: new Float32Array(3) }),
      "tokenizer/bad-vocabulary",
      /3 scores/,
    ],
    [
      "a score of NaN",
      sentencePieceMetadata({
        [`${K}scores`]: Float32Array.from(SENTENCE_PIECE.scores, (score, i) => (i === 300 ? NaN : score)),
      }),
      "tokenizer/bad-vocabulary",
      /token 300 .*score/,
    ],
    [
      "the byte token <0x-1>",
      sentencePieceMetadata({ [`${K}tokens`]: SENTENCE_PIECE.tokens.map((text, i) => (i === 3 ? "<0x-1>" : text)) }),
      "tokenizer/bad-vocabulary",
      /token 3 "<0x-1>"/,
    ],
    ["tokens too long to halve", sentencePieceMetadata(longTokens(200)), "tokenizer/bad-vocabulary", /too long/],
  ];
  for (const [what, metadata, code, message] of cases) {
    test(what, () => assert.throws(() => tokenizerFromGguf(metadata), { name: "OnebitError", code, message }));
  }
});

/** Tokens of 4,000 characters each. */
function longTokens(count: number): Record<string, GgufValue> {
  const tokens = Array.from({ length: count }, (_, i) => `${i}`.padStart(4000, "x"));
  return {
    [`${K}tokens`]: tokens,
    [`${K}token_type`]: new Int32Array(count).fill(1),
    [`${K}scores`]: new Float32Array(count),
  };
}

function mergeByScore(symbols: string[], scoreOf: (merged: string) => number | undefined): string[] {
  for (;;) {
    let best = -Infinity;
    let at = -1;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const score = scoreOf(symbols[i] + symbols[i + 1]);
      if (score !== undefined && score > best) {
        best = score;
        at = i;
      }
    }
    if (at < 0) return symbols;
    symbols.splice(at, 2, symbols[at] + symbols[at + 1]);
  }
}

function bytesOf(symbol: string, ids: ReadonlyMap<string, number>): number[] {
  const names = Array.from(
    new TextEncoder().encode(symbol),
    (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  return names.map((name) => ids.get(name)!);
}
