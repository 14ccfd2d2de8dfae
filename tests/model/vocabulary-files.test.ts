/**
 * Folders without tokenizer.json: vocab.json and merges.txt mean the same as the tokenizer.json that transformers makes
 * of them.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { load, loadTokenizer } from "../../src/load.ts";
import { hfFolder } from "./hf-folder.ts";
import { FOLDER, memoryPlatform } from "./memory-platform.ts";

const SHAPE = { nEmbd: 32, nLayers: 1, nHeads: 2, nKvHeads: 2, headDim: 16, nFf: 32, nVocab: 300, tied: true };
/** The 256 bytes in GPT-2's alphabet, then merges of them. */
const BYTES = Array.from({ length: 256 }, (_, byte) =>
  String.fromCharCode(
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174 ? byte : 256 + OTHERS().indexOf(byte),
  ),
);
const MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "1 2", "12 3"];
const TEXTS = [
  "hello world",
  " hello  123",
  "e\u0301t\u00e9 12",
  "a<|endoftext|>b",
  "it's 1234\n\n x",
  "\u{1f600} <tool> z",
];
const END = "<|endoftext|>";
const VOCAB = Object.fromEntries(
  [...BYTES, ...MERGES.map((merge) => merge.replace(" ", "")), END].map((token, id) => [token, id]),
);
const WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| " +
  "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const TOOL = { id: VOCAB[END] + 1, content: "<tool>", special: false, lstrip: false, rstrip: false };
const ADDED = [{ ...TOOL, id: VOCAB[END], content: END, special: true }, TOOL];

function OTHERS(): number[] {
  return Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => !((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174),
  );
}

const encode = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const MERGES_TXT = `#version: 0.2\n${MERGES.join("\r\n")}\n`;

async function folder(
  modelType: string,
  files: Readonly<Record<string, unknown>>,
): Promise<Record<string, Uint8Array>> {
  const base = await hfFolder({ ...SHAPE, qkNorm: modelType === "qwen3" }, { modelType });
  return { ...base, ...Object.fromEntries(Object.entries(files).map(([name, content]) => [name, encode(content)])) };
}

async function idsOf(files: Record<string, Uint8Array>): Promise<number[][]> {
  const tokenizer = await loadTokenizer(FOLDER, { platform: memoryPlatform(files) });
  assert.ok(tokenizer !== undefined);
  return TEXTS.flatMap((text) => [tokenizer.encode(text), tokenizer.encode(text, { parseSpecial: true })]);
}

const BPE = { type: "BPE", vocab: VOCAB, merges: MERGES };
const QWEN2 = {
  normalizer: { type: "NFC" },
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: WORDS }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ],
  },
};
const GPT2 = { normalizer: null, pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true } };

describe("vocab.json and merges.txt", () => {
  const families = [
    ["qwen3", {}, QWEN2],
    ["llama", { tokenizer_class: "Qwen2TokenizerFast" }, QWEN2],
    ["llama", { tokenizer_class: "GPT2Tokenizer" }, GPT2],
  ] as const;
  for (const [modelType, config, pipeline] of families) {
    test(`${modelType} ${JSON.stringify(config)}`, async () => {
      const whole = await folder(modelType, {
        "tokenizer.json": { ...pipeline, added_tokens: ADDED, model: BPE },
        "tokenizer_config.json": { ...config, eos_token: END },
      });
      const wanted = await idsOf(whole),
        vocabulary = { "vocab.json": VOCAB, "merges.txt": MERGES_TXT };
      const decoder = Object.fromEntries(ADDED.map(({ id, ...token }) => [id, token]));
      assert.deepEqual(
        await idsOf(
          await folder(modelType, {
            ...vocabulary,
            "tokenizer_config.json": { ...config, added_tokens_decoder: decoder },
          }),
        ),
        wanted,
        "added_tokens_decoder",
      );
      assert.deepEqual(
        await idsOf(
          await folder(modelType, {
            ...vocabulary,
            "tokenizer_config.json": config,
            "added_tokens.json": { [TOOL.content]: TOOL.id },
            "special_tokens_map.json": { eos_token: { content: END } },
          }),
        ),
        wanted,
        "added_tokens.json",
      );
      assert.ok(wanted.some((ids, i) => i % 2 === 1 && ids.includes(VOCAB[END])) && wanted[0].length < TEXTS[0].length);
    });
  }

  test("GPT-2 adds a BOS only when asked to", async () => {
    const files = (add_bos_token: boolean) =>
      folder("llama", {
        "vocab.json": VOCAB,
        "merges.txt": MERGES_TXT,
        "tokenizer_config.json": { tokenizer_class: "GPT2Tokenizer", add_bos_token },
      });
    assert.equal((await idsOf(await files(true)))[0][0], VOCAB[END]);
    assert.notEqual((await idsOf(await files(false)))[0][0], VOCAB[END]);
  });

  test("another class is refused by name, saying what to do", async () => {
    for (const [modelType, config, name] of [
      ["llama", {}, /"llama"/],
      ["llama", { tokenizer_class: "LlamaTokenizer" }, /"LlamaTokenizer"/],
      ["llama", { tokenizer_class: "constructor" }, /"constructor"/],
    ] as const) {
      const platform = memoryPlatform(
        await folder(modelType, { "vocab.json": VOCAB, "merges.txt": MERGES_TXT, "tokenizer_config.json": config }),
      );
      await assert.rejects(
        loadTokenizer(FOLDER, { platform }),
        (error: Error & { code?: string }) =>
          error.code === "tokenizer/unsupported" && name.test(error.message) && /save_pretrained/.test(error.message),
      );
    }
  });

  test("tokenizer.json wins where both are there", async () => {
    const platform = memoryPlatform(
      await folder("llama", {
        "vocab.json": { broken: -1 },
        "merges.txt": "x",
        "tokenizer.json": { ...GPT2, model: BPE },
      }),
    );
    assert.ok(await loadTokenizer(FOLDER, { platform }));
  });
});

test("tokenizer.model alone: says that tokenizer.json is missing and how to make it; ids still work", async () => {
  const model = await load(FOLDER, {
    platform: memoryPlatform(await folder("llama", { "tokenizer.model": "\n\u0005<unk>" })),
    threads: 1,
  });
  assert.equal(model.hasTokenizer, false);
  assert.throws(() => model.tokenizer, {
    code: "tokenizer/missing",
    message: /tokenizer\.model.*tokenizer\.json is missing.*save_pretrained/,
  });
  assert.equal((await model.logits([1])).length, SHAPE.nVocab);
  await model.close();
});
