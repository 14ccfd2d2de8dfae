/**
 * What files and users make long, made sixteen times as long, takes sixteen times the work and no more: special tokens,
 * the steps of a tokenizer and its text, lists and names in JSON, chat templates.
 */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { type JsonObject, parseJsonObject } from "../../src/files/json.ts";
import { CHAT_TEMPLATES } from "../../src/generate/chat-templates.ts";
import { Template } from "../../src/generate/jinja/template.ts";
import { configFromHf } from "../../src/model/config-hf.ts";
import { tokenizerFromHf } from "../../src/tokenizer/hf-tokenizer.ts";
import { SpecialTokens } from "../../src/tokenizer/special-tokens.ts";
import { byteLevelJson, LLAMA3_EXPRESSION } from "../tokenizer/small-vocabularies.ts";
import { assertLinear, type Work } from "./exponent.ts";

function testLinear(what: string, sizes: readonly number[], work: Work): void {
  test(what, (t: TestContext) => {
    const { blocks, time } = assertLinear(sizes, work);
    t.diagnostic(`blocks n^${blocks.toFixed(2)}, time n^${time.toFixed(2)}`);
  });
}

const numbered = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));
const TEXT_SIZES = [16_384, 65_536, 262_144];
/** A text made beforehand, in one piece: making it would be measured, and maps pages. */
const flat = (text: string): string => Buffer.from(text).toString();

describe("special tokens", () => {
  const cut = (tokens: readonly string[]): ((text: string) => unknown) => {
    const special = new SpecialTokens(tokens.map((text, id) => ({ id, text })));
    return (text) => special.cuts(text);
  };
  const names = (n: number): string[] => numbered(n, (i) => `<|reserved_special_token_${i}|>`);
  const nested = cut(numbered(64, (i) => `${"a".repeat(i + 1)}b`));
  const found = cut(numbered(64, (i) => "a".repeat(i + 1)));
  const published = cut(names(1000));

  const over = (cuts: (text: string) => unknown, piece: string) => (n: number) => {
    const text = flat(piece.repeat(n / piece.length));
    return () => cuts(text);
  };
  testLinear("a text that is nearly a token everywhere", TEXT_SIZES, over(nested, "a"));
  testLinear("a text of nothing but tokens, one the beginning of another", TEXT_SIZES, over(found, "a"));
  testLinear("a text of names that no token ends", TEXT_SIZES, over(published, "<|reserved_special_token_"));
  testLinear("a token as long as the text", TEXT_SIZES, (n) => over(cut([`${"<".repeat(n / 2)}|`]), "<")(n));
  testLinear(
    "a vocabulary of names",
    [1000, 4000, 16_000],
    (n) => () => new SpecialTokens(names(n).map((text, id) => ({ id, text }))),
  );
  testLinear(
    "a vocabulary, each of whose tokens ends another",
    [64, 256, 1024],
    (n) => () =>
      new SpecialTokens(
        numbered(n, (id) => ({ id, text: "a".repeat(1 + (id % 32)) + String.fromCharCode(0x4e00 + id) })),
      ),
  );
  testLinear("a text of all names of a vocabulary", [1000, 4000, 16_000], (n) => {
    const [all, text] = [cut(names(n)), names(n).join("")];
    return () => all(text);
  });
});

const STEPS: Readonly<Record<string, JsonObject>> = {
  NFKC: { type: "NFKC" },
  Replace: { type: "Replace", pattern: { String: "a" }, content: "e" },
  Prepend: { type: "Prepend", prepend: "x" },
  Strip: { type: "Strip", strip_left: true, strip_right: true },
};
const SPLITS: Readonly<Record<string, JsonObject>> = {
  "Split at a text": { type: "Split", pattern: { String: "a" }, behavior: "MergedWithPrevious", invert: false },
  "Split at words": { type: "Split", pattern: { Regex: LLAMA3_EXPRESSION }, behavior: "Isolated", invert: false },
  "Split at digits": { type: "Split", pattern: { Regex: "\\p{N}{1,3}" }, behavior: "Contiguous", invert: true },
  Digits: { type: "Digits", individual_digits: true },
  Punctuation: { type: "Punctuation", behavior: "Isolated" },
  Metaspace: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  Whitespace: { type: "Whitespace" },
  BertPreTokenizer: { type: "BertPreTokenizer" },
};
const BYTE_LEVEL: JsonObject = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
/** Pieces that stay long, pieces that are short, and what splits stumble over. */
const PIECES = ["word 12, ", "a", " ", "e\u0301\u0323"];

describe("the steps of a tokenizer", () => {
  const tokenizer = (normalizers: readonly JsonObject[], splits: readonly JsonObject[]) =>
    tokenizerFromHf(
      byteLevelJson({
        normalizer: { type: "Sequence", normalizers },
        pre_tokenizer: { type: "Sequence", pretokenizers: [...splits, BYTE_LEVEL] },
      }),
    );
  const ofKind = (kind: string, count: number) => {
    const step = STEPS[kind] ?? SPLITS[kind];
    const steps = numbered(count, () => step);
    return Object.hasOwn(STEPS, kind) ? tokenizer(steps, []) : tokenizer([], steps);
  };
  const text = (piece: string, n: number): string => flat(piece.repeat(Math.ceil(n / piece.length)));

  for (const kind of [...Object.keys(STEPS), ...Object.keys(SPLITS)]) {
    for (const piece of PIECES) {
      const encode = (n: number): (() => unknown) => {
        const [eight, long] = [ofKind(kind, 8), text(piece, n)];
        return () => eight.encode(long);
      };
      testLinear(`${kind}: a text of ${JSON.stringify(piece)}`, [4096, 16_384, 65_536], encode);
    }
    testLinear(`${kind}: 3 to 48 steps`, [3, 12, 48], (n) => {
      const [steps, long] = [ofKind(kind, n), text(PIECES[0], 8192)];
      return () => steps.encode(long);
    });
  }

  testLinear("decoders: the ids of a text", TEXT_SIZES, (n) => {
    const decoders = numbered(60, () => ({ type: "Replace", pattern: { String: "a" }, content: "e" }));
    const decoding = tokenizerFromHf(byteLevelJson({ decoder: { type: "Sequence", decoders } }));
    const ids = decoding.encode(text("word 12, ", n));
    return () => decoding.decode(ids);
  });
});

describe("JSON", () => {
  const parse = (json: unknown): (() => unknown) => {
    const bytes = new TextEncoder().encode(JSON.stringify(json));
    return () => assert.ok("value" in parseJsonObject(bytes));
  };
  const SIZES = [2000, 8000, 32_000];
  testLinear("a list of texts", SIZES, (n) => parse({ list: numbered(n, (i) => `name ${i}`) }));
  testLinear("a list of lists", SIZES, (n) => parse({ list: numbered(n, (i) => [[i], {}]) }));
  testLinear("names", SIZES, (n) => parse(Object.fromEntries(numbered(n, (i) => [`model.layers.${i}`, i]))));
  testLinear("names that count", SIZES, (n) => parse(Object.fromEntries(numbered(n, (i) => [`${i}`, i]))));
  testLinear("a text of escapes", SIZES, (n) => parse({ text: '"\\\u0001'.repeat(n) }));
  testLinear("numbers", SIZES, (n) => parse({ list: numbered(n, (i) => i * 1.1e-7) }));

  testLinear("modules_to_not_convert", [500, 2000, 8000], (n) => {
    const config: JsonObject = {
      model_type: "bitnet",
      hidden_size: 256,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 4,
      intermediate_size: 512,
      vocab_size: 640,
      max_position_embeddings: 128,
      rms_norm_eps: 1e-5,
      hidden_act: "relu2",
      quantization_config: {
        quant_method: "bitnet",
        linear_class: "autobitlinear",
        quantization_mode: "offline",
        modules_to_not_convert: numbered(n, (i) => `.model.layers.${i}.mlp.`),
      },
    };
    return () => configFromHf(config, new Map());
  });
});

describe("chat templates", () => {
  const message = (i: number, content: string) => ({ role: i % 2 === 0 ? "user" : "assistant", content });
  for (const [name, source] of Object.entries(CHAT_TEMPLATES)) {
    const template = new Template(source);
    const render = (messages: readonly unknown[]): (() => unknown) => {
      const input = { messages, tools: null, documents: null, add_generation_prompt: true };
      return () => template.render({ input, trusted: { bos_token: "<s>", eos_token: "</s>" } });
    };
    testLinear(`${name}: messages`, [16, 64, 256], (n) => render(numbered(n, (i) => message(i, `Text ${i}. `))));
    testLinear(`${name}: a long message`, [131_072, 524_288, 2_097_152], (n) =>
      render([message(0, "a <b> ".repeat(n / 6))]),
    );
  }
  testLinear(
    "the source",
    [200, 800, 3200],
    (n) => () => new Template("{% if a %}{{ b|trim ~ 'c' }}{% endif %}".repeat(n)),
  );
  testLinear("texts joined in a loop", [400, 1600, 6400], (n) => {
    const template = new Template(
      "{% for x in list %}{{ x ~ '|' }}{% endfor %}{{ list | join(',') | replace('a', 'b') }}",
    );
    return () => template.render({ input: { list: numbered(n, (i) => `a${i}`) } });
  });
});
