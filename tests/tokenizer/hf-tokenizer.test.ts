import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject, JsonValue } from "../../src/files/json.ts";
import { type Tokenizer, tokenizerFromGguf, tokenizerFromHf } from "../../src/tokenizer/tokenizer.ts";
import { makeRandom, randomText } from "./random-text.ts";
import {
  BYTE_LEVEL,
  LLAMA3_EXPRESSION,
  SENTENCE_PIECE,
  byteLevelJson,
  byteLevelMetadata,
  sentencePieceJson,
  sentencePieceMetadata,
} from "./small-vocabularies.ts";

const texts = (tokenizer: Tokenizer, text: string, options = {}): string[] =>
  tokenizer.encode(text, { addSpecial: false, ...options }).map((id) => tokenizer.tokenText(id));

function assertSame(found: Tokenizer, expected: Tokenizer, seed: number): void {
  const random = makeRandom(seed);
  for (let i = 0; i < 5000; i++) {
    const text = randomText(random, 24) + ["", "<think>", "[TOOL]", "</s>", "<|im_end|>"][i % 5];
    for (const parseSpecial of [false, true]) {
      const options = { addSpecial: false, parseSpecial };
      assert.deepEqual(found.encode(text, options), expected.encode(text, options), JSON.stringify(text));
    }
  }
}

describe("a tokenizer.json gives what the same vocabulary in GGUF gives", () => {
  test("byte-level", () => assertSame(tokenizerFromHf(byteLevelJson()), tokenizerFromGguf(byteLevelMetadata()), 3));

  test("byte-level, merges as pairs", () => {
    const merges = BYTE_LEVEL.merges.map((rule) => rule.split(" "));
    assertSame(tokenizerFromHf(byteLevelJson({}, { merges })), tokenizerFromGguf(byteLevelMetadata()), 5);
  });

  test("SentencePiece", () => {
    assertSame(tokenizerFromHf(sentencePieceJson()), tokenizerFromGguf(sentencePieceMetadata()), 7);
  });

  const regexSplit = (Regex: string, more: JsonObject = {}): JsonObject => ({
    type: "Split",
    pattern: { Regex },
    behavior: "Isolated",
    invert: false,
    ...more,
  });
  const bytes = (use_regex: boolean): JsonObject => ({ type: "ByteLevel", add_prefix_space: false, use_regex });
  const steps: Record<string, readonly JsonObject[]> = {
    "gpt-2": [bytes(true)],
    starcoder: [{ type: "Digits", individual_digits: true }, bytes(true)],
    falcon: [
      { type: "Punctuation", behavior: "Contiguous" },
      regexSplit("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"),
      regexSplit("[0-9][0-9][0-9]"),
      bytes(false),
    ],
    qwen2: [regexSplit(LLAMA3_EXPRESSION.replace("{1,3}", ""), { behavior: "Removed", invert: true }), bytes(false)],
    qwen35: [
      regexSplit(
        LLAMA3_EXPRESSION.replace("{1,3}", "")
          .replace("?\\p{L}+", "?[\\p{L}\\p{M}]+")
          .replace("\\s\\p{L}\\p{N}", "\\s\\p{L}\\p{M}\\p{N}"),
      ),
      bytes(false),
    ],
    "deepseek-coder": [
      ...["[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", "\\p{N}"].map((regex) => regexSplit(regex)),
      bytes(false),
    ],
  };
  for (const [name, pretokenizers] of Object.entries(steps)) {
    test(`the steps of ${name}`, () => {
      const json = byteLevelJson({ pre_tokenizer: { type: "Sequence", pretokenizers } }, { ignore_merges: false });
      assertSame(tokenizerFromHf(json), tokenizerFromGguf(byteLevelMetadata({ "tokenizer.ggml.pre": name })), 9);
    });
  }
});

// U+2E4C became punctuation with Unicode 11; U+166D was it until 12. U+11DE0 became a digit with 17.
test("Punctuation follows Unicode 8, Digits Unicode 17, as in the library", () => {
  const pieces = (type: string, text: string): number => {
    // Each piece begins with a blank.
    const pretokenizers = [{ type }, { type: "ByteLevel", add_prefix_space: true, use_regex: false }];
    const tokenizer = tokenizerFromHf(byteLevelJson({ pre_tokenizer: { type: "Sequence", pretokenizers } }));
    return tokenizer.decode(tokenizer.encode(text)).split(" ").length - 1;
  };
  assert.equal(pieces("Punctuation", "a\u2e4cb"), 1);
  assert.equal(pieces("Punctuation", "a\u166db"), 3);
  assert.equal(pieces("BertPreTokenizer", "a\u2e4cb"), 1);
  assert.equal(pieces("Digits", "a\u{11de0}b"), 3);
  assert.equal(pieces("Digits", "a\u{11de9}b"), 3);
  assert.equal(pieces("Digits", "a\u{11dea}b"), 1);
});

describe("the blank before words", () => {
  const metaspace = (more: JsonObject): Tokenizer =>
    tokenizerFromHf(
      sentencePieceJson({ normalizer: null, pre_tokenizer: { type: "Metaspace", replacement: "▁", ...more } }),
    );
  const options = { parseSpecial: true };

  test("Metaspace: everywhere, first, never, and not before a blank", () => {
    const always = metaspace({ prepend_scheme: "always", split: false });
    assert.deepEqual(texts(always, "the[TOOL]the", options), ["▁the", "[TOOL]", "▁the"]);
    assert.deepEqual(texts(always, " the", options), ["▁the"]);
    const first = metaspace({ prepend_scheme: "first", split: false });
    assert.deepEqual(texts(first, "the[TOOL]the", options), ["▁the", "[TOOL]", "the"]);
    assert.equal(first.decode(first.encode("the[TOOL]the", options)), "the[TOOL]the");
    assert.deepEqual(texts(metaspace({ prepend_scheme: "never", split: false }), "the the", options), ["the", "▁the"]);
    assert.deepEqual(texts(metaspace({ add_prefix_space: false, split: false }), "the", options), ["the"]);
  });

  test("Metaspace's split keeps runs of blanks apart", () => {
    assert.deepEqual(texts(metaspace({ prepend_scheme: "always", split: false }), "a    the"), ["▁a", "▁▁▁▁the"]);
    assert.deepEqual(texts(metaspace({ prepend_scheme: "always" }), "a    the"), ["▁a", "▁", "▁", "▁", "▁the"]);
  });

  test("ByteLevel's prefix goes before fragments without one", () => {
    const json = byteLevelJson({ pre_tokenizer: { type: "ByteLevel", add_prefix_space: true, use_regex: true } });
    const tokenizer = tokenizerFromHf(json);
    assert.deepEqual(texts(tokenizer, "the<think>the", options), ["Ġthe", "<think>", "Ġthe"]);
    assert.deepEqual(texts(tokenizer, " the"), ["Ġthe"]);
    assert.equal(tokenizer.decode(tokenizer.encode("the<think>the", options)), " the<think> the");
  });
});

test("text is normalized as the file says", () => {
  const nfc = tokenizerFromHf(byteLevelJson({ normalizer: { type: "NFC" } }));
  assert.equal(nfc.decode(nfc.encode("e\u0301")), "\u00e9");
  const nfkc = tokenizerFromHf(byteLevelJson({ normalizer: { type: "Sequence", normalizers: [{ type: "NFKC" }] } }));
  assert.equal(nfkc.decode(nfkc.encode("ﬁ")), "fi");
});

test("added tokens take blanks along where the file says so", () => {
  const added = (byteLevelJson().added_tokens as JsonObject[]).map((token) =>
    token.content === "<think>"
      ? { ...token, lstrip: true }
      : token.content === "<|im_end|>"
        ? { ...token, rstrip: true }
        : token,
  );
  const tokenizer = tokenizerFromHf(byteLevelJson({ added_tokens: added }));
  const options = { parseSpecial: true };
  assert.deepEqual(texts(tokenizer, "a  <think> b", options), ["a", "<think>", "Ġ", "b"]);
  assert.deepEqual(texts(tokenizer, "a <|im_end|> \n b", options), ["a", "Ġ", "<|im_end|>", "b"]);
  // What a template's token takes along may lie in the message beside it.
  const parts = [
    { text: "a ", special: false },
    { text: "<think>", special: true },
    { text: "<|im_end|>", special: true },
    { text: " \n", special: false },
    { text: " b", special: false },
  ];
  assert.deepEqual(
    tokenizer.encodeParts(parts).map((id) => tokenizer.tokenText(id)),
    ["a", "<think>", "<|im_end|>", "b"],
  );
});

test("added tokens that stand alone as words, and those of normalized text", () => {
  const more = (options: JsonObject): Tokenizer => {
    const added = (byteLevelJson().added_tokens as JsonObject[]).map((token) =>
      token.content === "<think>" ? { ...token, content: "éx", ...options } : token,
    );
    return tokenizerFromHf(byteLevelJson({ added_tokens: added, normalizer: { type: "NFC" } }));
  };
  const has = (tokenizer: Tokenizer, text: string): boolean =>
    tokenizer.encode(text, { parseSpecial: true }).includes(tokenizer.tokenId("éx")!);
  const word = more({ single_word: true });
  assert.deepEqual(
    ["éx", "a éx.", "aéx", "éx_", "éxⅫ", "éx²", "\u200déx"].map((text) => has(word, text)),
    [true, true, false, false, false, true, false],
  );
  assert.deepEqual([has(word, "e\u0301x"), has(more({ normalized: true }), "e\u0301x")], [false, true]);
  const parts = (user: boolean): { text: string; special: boolean }[] => [
    { text: "a😀🏿", special: true },
    { text: "e\u0301x", special: !user },
    { text: "\udfffb", special: true },
  ];
  const prepared = more({ normalized: true });
  const found = [false, true].map((user) => prepared.encodeParts(parts(user)));
  assert.deepEqual(
    found.map((ids) => ids.includes(prepared.tokenId("éx")!)),
    [true, false],
  );
  assert.deepEqual(
    found.map((ids) => prepared.decode(ids)),
    ["a😀🏿éx\ufffdb", "a😀🏿éx\ufffdb"],
  );
});

describe("BOS and EOS", () => {
  const template = (single: JsonValue[]): JsonObject => ({
    post_processor: { type: "Sequence", processors: [{ type: "ByteLevel" }, { type: "TemplateProcessing", single }] },
  });
  const bos: JsonObject = { SpecialToken: { id: "<|begin_of_text|>", type_id: 0 } };
  const eot: JsonObject = { SpecialToken: { id: "<|eot_id|>", type_id: 0 } };
  const text: JsonObject = { Sequence: { id: "A", type_id: 0 } };
  const around = (json: JsonObject, config: JsonObject = {}): string[] => {
    const tokenizer = tokenizerFromHf(json, config);
    return tokenizer.encode("", { addEos: true }).map((id) => tokenizer.tokenText(id));
  };

  test("come from the post-processor's template", () => {
    assert.deepEqual(around(byteLevelJson()), []);
    assert.deepEqual(around(byteLevelJson(template([bos, text]))), ["<|begin_of_text|>"]);
    assert.deepEqual(around(byteLevelJson(template([bos, text, eot]))), ["<|begin_of_text|>", "<|eot_id|>"]);
    assert.equal(
      tokenizerFromHf(byteLevelJson(template([bos, text]))).bosId,
      BYTE_LEVEL.tokens.indexOf("<|begin_of_text|>"),
    );
  });

  test("unless tokenizer_config.json says yes or no", () => {
    const config = { bos_token: "<|begin_of_text|>", eos_token: { content: "<|end_of_text|>" } };
    assert.deepEqual(around(byteLevelJson(), { ...config, add_bos_token: true, add_eos_token: true }), [
      "<|begin_of_text|>",
      "<|end_of_text|>",
    ]);
    assert.deepEqual(around(byteLevelJson(template([bos, text])), { ...config, add_bos_token: false }), []);
  });

  test("ends of turns: EOS, the generation config's, the well-known", () => {
    const tokenizer = tokenizerFromHf(byteLevelJson(), { eos_token: "<|end_of_text|>" }, { endOfTurnIds: [9] });
    const expected = ["<|end_of_text|>", "<|eot_id|>", "<|im_end|>"].map((name) => tokenizer.tokenId(name)!);
    assert.deepEqual(new Set(tokenizer.endOfTurnIds), new Set([...expected, 9]));
    assert.equal(tokenizer.eosId, tokenizer.tokenId("<|end_of_text|>"));
  });

  test("the chat template: the folder's own file, the config's, the default of several", () => {
    assert.equal(tokenizerFromHf(byteLevelJson()).chatTemplate, undefined);
    assert.equal(tokenizerFromHf(byteLevelJson(), { chat_template: "a" }).chatTemplate, "a");
    assert.equal(tokenizerFromHf(byteLevelJson(), { chat_template: "a" }, { chatTemplate: "b" }).chatTemplate, "b");
    const several = [
      { name: "tool_use", template: "t" },
      { name: "default", template: "d" },
    ];
    assert.equal(tokenizerFromHf(byteLevelJson(), { chat_template: several }).chatTemplate, "d");
  });
});

test("ids that nothing names are unused tokens", () => {
  const added = [
    ...(byteLevelJson().added_tokens as JsonObject[]),
    { id: BYTE_LEVEL.tokens.length + 3, content: "<far>", special: true },
  ];
  const tokenizer = tokenizerFromHf(byteLevelJson({ added_tokens: added }));
  assert.equal(tokenizer.vocabSize, BYTE_LEVEL.tokens.length + 4);
  assert.equal(tokenizer.tokenText(BYTE_LEVEL.tokens.length + 1), "");
  assert.equal(tokenizer.decode([BYTE_LEVEL.tokens.length + 1]), "");
});

test("only what the file calls special is special", () => {
  const json = byteLevelJson({ pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: false } });
  const model = json.model as JsonObject;
  const vocab = model.vocab as JsonObject;
  const size = BYTE_LEVEL.tokens.length;
  const merges = [...(model.merges as string[]), "< /", "</ s", "</s >"];
  const file = {
    ...json,
    model: { ...model, vocab: { ...vocab, "</": size, "</s": size + 1, "</s>": size + 2 }, merges },
  };
  const tokenizer = tokenizerFromHf(file, { eos_token: "<|im_end|>" });
  assert.deepEqual(texts(tokenizer, "a</s>"), ["a", "</s>"]);
  assert.ok(!tokenizer.endOfTurnIds.has(size + 2) && tokenizer.decode([size + 2]) === "</s>");
  // Named as EOS it is special, and text cannot become it.
  const named = tokenizerFromHf(file, { eos_token: "</s>" });
  assert.deepEqual(texts(named, "a</s>"), ["a", "</s", ">"]);
});

describe("refused, naming the entry", () => {
  const vocab = (byteLevelJson().model as JsonObject).vocab as JsonObject;
  const pre = (step: JsonObject): JsonObject => byteLevelJson({ pre_tokenizer: step });
  const doubling = (steps: number): JsonObject => ({
    type: "Sequence",
    normalizers: Array.from({ length: steps }, () => ({ type: "Replace", pattern: { String: "a" }, content: "aa" })),
  });
  const isolated = (Regex: string): JsonObject => ({ type: "Split", pattern: { Regex }, behavior: "Isolated" });
  const cases: readonly (readonly [
    what: string,
    json: JsonObject,
    code: string,
    message: RegExp,
    config?: JsonObject,
  ])[] = [
    ["no model", byteLevelJson({ model: null }), "tokenizer/bad-vocabulary", /model: wanted an object/],
    ["a Unigram model", byteLevelJson({}, { type: "Unigram" }), "tokenizer/unsupported", /"Unigram"/],
    ["a model of no type", byteLevelJson({}, { type: null, merges: null }), "tokenizer/unsupported", /"nothing"/],
    [
      "prefixes inside words",
      byteLevelJson({}, { continuing_subword_prefix: "##" }),
      "tokenizer/unsupported",
      /continuing_subword_prefix/,
    ],
    [
      "no merges",
      byteLevelJson({}, { merges: null }),
      "tokenizer/bad-vocabulary",
      /merges: wanted a list, found nothing/,
    ],
    ["a merge of three", byteLevelJson({}, { merges: [["a", "b", "c"]] }), "tokenizer/bad-vocabulary", /merges\[0\]/],
    ["a merge of nothing", byteLevelJson({}, { merges: [["a", ""]] }), "tokenizer/bad-vocabulary", /merges\[0\]/],
    [
      "a merge into no token",
      byteLevelJson({}, { merges: ["Q Z"] }),
      "tokenizer/bad-vocabulary",
      /merge 0: "QZ" is no token/,
    ],
    [
      "a merge of no token",
      sentencePieceJson({ model: { ...(sentencePieceJson().model as JsonObject), merges: [["aa", "\u0001"]] } }),
      "tokenizer/bad-vocabulary",
      /merge 0/,
    ],
    ["no vocabulary", byteLevelJson({}, { vocab: null }), "tokenizer/bad-vocabulary", /vocab: wanted an object/],
    ["an id of −1", byteLevelJson({}, { vocab: { ...vocab, x1: -1 } }), "tokenizer/bad-vocabulary", /x1.*wanted an id/],
    ["an id that is text", byteLevelJson({}, { vocab: { ...vocab, x1: "1" } }), "tokenizer/bad-vocabulary", /x1/],
    [
      "an id far away",
      byteLevelJson({}, { vocab: { ...vocab, x1: 900_000 } }),
      "tokenizer/bad-vocabulary",
      /largest id is 900000/,
    ],
    [
      "two tokens of one id",
      byteLevelJson({}, { vocab: { ...vocab, x1: 7 } }),
      "tokenizer/bad-vocabulary",
      /token 7: is both/,
    ],
    [
      "an added token of another id",
      byteLevelJson({ added_tokens: [{ id: 9999, content: "a" }] }),
      "tokenizer/bad-vocabulary",
      /token|largest/,
    ],
    [
      "an added token without text",
      byteLevelJson({ added_tokens: [{ id: 400 }] }),
      "tokenizer/bad-vocabulary",
      /added_tokens\[0\].content/,
    ],
    [
      "an unknown normalizer",
      byteLevelJson({ normalizer: { type: "Lowercase" } }),
      "tokenizer/unsupported",
      /"Lowercase"/,
    ],
    ["an unknown pre-tokenizer", pre({ type: "UnicodeScripts" }), "tokenizer/unsupported", /"UnicodeScripts"/],
    ["an unknown behaviour", pre({ ...isolated("\\p{N}"), behavior: "Joined" }), "tokenizer/unsupported", /"Joined"/],
    [
      "a split at nothing",
      pre({ type: "Split", pattern: { String: "" }, behavior: "Isolated" }),
      "tokenizer/bad-vocabulary",
      /pattern.String: wanted a nonempty text/,
    ],
    [
      "a split at a very long text",
      pre({ type: "Split", pattern: { String: "x".repeat(257) }, behavior: "Isolated" }),
      "tokenizer/bad-vocabulary",
      /at most 256/,
    ],
    [
      "an expression in a normalizer",
      byteLevelJson({ normalizer: { type: "Replace", pattern: { Regex: "(a+)+$" }, content: "" } }),
      "tokenizer/unsupported",
      /\(a\+\)\+\$/,
    ],
    [
      "a text that grows without end",
      byteLevelJson({ normalizer: doubling(5) }),
      "tokenizer/bad-vocabulary",
      /32 times as long, the limit is 16/,
    ],
    [
      "more than 64 steps",
      byteLevelJson({
        normalizer: { type: "Sequence", normalizers: Array.from({ length: 64 }, () => ({ type: "NFC" })) },
      }),
      "tokenizer/bad-vocabulary",
      /more than 64 steps/,
    ],
    ["an unknown decoder", byteLevelJson({ decoder: { type: "CTC" } }), "tokenizer/unsupported", /"CTC"/],
    [
      "a decoder that needs all tokens",
      sentencePieceJson({ decoder: { type: "Strip", content: " ", start: 0, stop: 1 } }),
      "tokenizer/unsupported",
      /Strip/,
    ],
    ["dropout", byteLevelJson({}, { dropout: 0.1 }), "tokenizer/unsupported", /dropout/],
    [
      "a mark of two characters",
      sentencePieceJson({ pre_tokenizer: { type: "Metaspace", replacement: "__" } }),
      "tokenizer/bad-vocabulary",
      /one character/,
    ],
    [
      "an unknown prepend_scheme",
      sentencePieceJson({ pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "often" } }),
      "tokenizer/unsupported",
      /"often"/,
    ],
    [
      "an unknown post-processor",
      byteLevelJson({ post_processor: { type: "Other" } }),
      "tokenizer/unsupported",
      /"Other"/,
    ],
    [
      "a template of no token",
      byteLevelJson({
        post_processor: {
          type: "TemplateProcessing",
          single: [{ SpecialToken: { id: "<x>" } }, { Sequence: { id: "A" } }],
        },
      }),
      "tokenizer/bad-vocabulary",
      /"<x>"/,
    ],
    [
      "a template without the text",
      byteLevelJson({ post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<think>" } }] } }),
      "tokenizer/bad-vocabulary",
      /single: wanted a Sequence/,
    ],
    ["an unknown expression", pre(isolated("(a+)+$")), "tokenizer/unsupported", /\(a\+\)\+\$/],
    ["a BOS that is no token", byteLevelJson(), "tokenizer/bad-vocabulary", /"<x>"/, { bos_token: "<x>" }],
    ["BOS wanted but not named", byteLevelJson(), "tokenizer/bad-vocabulary", /add_bos_token/, { add_bos_token: true }],
    [
      "a list where an object belongs",
      byteLevelJson({ normalizer: [] }),
      "tokenizer/bad-vocabulary",
      /normalizer: wanted an object/,
    ],
    [
      "a byte token too many",
      sentencePieceJson({ model: { ...(sentencePieceJson().model as JsonObject), byte_fallback: "yes" } }),
      "tokenizer/bad-vocabulary",
      /byte_fallback: wanted a boolean/,
    ],
  ];
  for (const [what, json, code, message, config] of cases) {
    test(what, () => assert.throws(() => tokenizerFromHf(json, config), { name: "OnebitError", code, message }));
  }

  test("an end of turn outside the vocabulary", () => {
    assert.throws(() => tokenizerFromHf(byteLevelJson(), {}, { endOfTurnIds: [1e6] }), {
      code: "tokenizer/bad-vocabulary",
      message: /1000000/,
    });
  });
});

test("SentencePiece ids are those of the file", () => {
  const tokenizer = tokenizerFromHf(sentencePieceJson());
  assert.equal(tokenizer.vocabSize, SENTENCE_PIECE.tokens.length);
  assert.deepEqual(tokenizer.encode(""), [1]);
});
