/** Files of a few megabytes that would take the most memory for their size, each of a kind of its own. */
import { TYPE, join, joinAll, pair, rawGguf, str, u32, u64 } from "../files/raw-gguf.ts";
import { hfFolder } from "../model/hf-folder.ts";
import type { TinyShape } from "../model/tiny-model.ts";

/** File name → contents; `model.gguf`, or a folder. */
export type Files = Readonly<Record<string, Uint8Array>>;

const SHAPE: TinyShape = {
  nEmbd: 32,
  nLayers: 1,
  nHeads: 2,
  nKvHeads: 2,
  headDim: 16,
  nFf: 32,
  nVocab: 32,
  tied: true,
};
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const list = (item: string, bytes: number): string =>
  `[${new Array(Math.floor(bytes / (item.length + 1))).fill(item).join(",")}]`;
const numbered = (n: number, item: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => item(i)).join(",");

async function folder(files: Readonly<Record<string, string>>): Promise<Files> {
  const good = await hfFolder(SHAPE, { modelType: "llama" });
  return { ...good, ...Object.fromEntries(Object.entries(files).map(([name, content]) => [name, text(content)])) };
}

const gguf = (...pairs: readonly Uint8Array[]): Files => ({ "model.gguf": rawGguf({ pairs }) });
const strings = (n: number, item: Uint8Array): Uint8Array => join(u32(TYPE.string), u64(n), repeated(n, item));

function repeated(n: number, item: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(n * item.length);
  for (let i = 0; i < n; i++) bytes.set(item, i * item.length);
  return bytes;
}

/** A safetensors file of nothing but a header. */
function safetensors(json: string): Uint8Array {
  const bytes = text(json);
  return join(u64(bytes.length), bytes);
}

const BPE = '"model":{"type":"BPE","vocab":';
const BYTE_LEVEL = '"pre_tokenizer":{"type":"ByteLevel"}';
const SHAPE_OF_64_ZEROS = `[${new Array(64).fill(0).join(",")}]`;
const addedTokens = (n: number): string => numbered(n, (i) => `{"id":${i},"content":"${i}","special":true}`);

export const WORST_FILES: Readonly<Record<string, () => Files | Promise<Files>>> = {
  "tokenizer.json: objects": () => folder({ "tokenizer.json": `{"a":${list("{}", 39e6)}}` }),
  "tokenizer.json: lists in lists": () => folder({ "tokenizer.json": `{"a":${list("[[]]", 39e6)}}` }),
  "tokenizer.json: numbers that are no integers": () => folder({ "tokenizer.json": `{"a":${list("1e9", 20e6)}}` }),
  "tokenizer.json: objects of ever new shapes": () =>
    folder({ "tokenizer.json": `{"a":[${numbered(1_000_000, (i) => `{"k${i}":0}`)}]}` }),
  "tokenizer.json: short strings": () =>
    folder({ "tokenizer.json": `{"a":[${numbered(3_000_000, (i) => `"${i.toString(36)}"`)}]}` }),
  "tokenizer.json: added tokens": () =>
    folder({
      "tokenizer.json": `{"added_tokens":[${addedTokens(200_000)}],${BPE}{},"merges":[]},${BYTE_LEVEL}}`,
    }),
  "tokenizer.json: a vocabulary": () =>
    folder({
      "tokenizer.json": `{${BPE}{${numbered(900_000, (i) => `"a${i.toString(36)}":${i}`)}},"merges":[]},${BYTE_LEVEL}}`,
    }),
  "tokenizer.json: pre-tokenizers": () =>
    folder({
      "tokenizer.json":
        `{${BPE}{},"merges":[]},"pre_tokenizer":{"type":"Sequence",` +
        `"pretokenizers":${list('{"type":"Digits"}', 8e6)}}}`,
    }),
  "tokenizer.json: one string of wide characters": () =>
    folder({ "tokenizer.json": `{"a":"${"☃".repeat(5_000_000)}"}` }),
  "config.json: larger than any": () => folder({ "config.json": `{"model_type":"llama","x":${list("{}", 2e6)}}` }),
  "config.json: modules": () =>
    folder({
      "config.json":
        '{"model_type":"llama","hidden_size":32,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":32,' +
        `"quantization_config":{"quant_method":"bitnet","modules_to_not_convert":${list('""', 900_000)}}}`,
    }),
  "tokenizer_config.json: added tokens": () =>
    folder({
      "tokenizer_config.json": `{"added_tokens_decoder":{${numbered(150_000, (i) => `"${i}":{"content":"${i}"}`)}}}`,
    }),
  "index: tensors": () =>
    folder({
      "model.safetensors.index.json": `{"weight_map":{${numbered(300_000, (i) => `"${i}":"a.safetensors"`)}}}`,
    }),
  "safetensors: tensors of nothing": async () => ({
    ...(await folder({})),
    "model.safetensors": safetensors(
      `{${numbered(65_000, (i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`)}}`,
    ),
  }),
  "safetensors: dimensions": async () => ({
    ...(await folder({})),
    "model.safetensors": safetensors(
      `{${numbered(40_000, (i) => `"${i}":{"dtype":"U8","shape":${SHAPE_OF_64_ZEROS},"data_offsets":[0,0]}`)}}`,
    ),
  }),
  "safetensors: metadata": async () => ({
    ...(await folder({})),
    "model.safetensors": safetensors(`{"__metadata__":{${numbered(320_000, (i) => `"${i}":""`)}}}`),
  }),
  "safetensors: objects": async () => ({
    ...(await folder({})),
    "model.safetensors": safetensors(`{"a":${list("{}", 39e6)}}`),
  }),
  "GGUF: booleans": () =>
    gguf(
      ...Array.from({ length: 12 }, (_, i) =>
        pair(`k${i}`, TYPE.array, join(u32(TYPE.bool), u64(4_000_000), new Uint8Array(4_000_000))),
      ),
    ),
  "GGUF: empty strings": () =>
    gguf(...Array.from({ length: 3 }, (_, i) => pair(`k${i}`, TYPE.array, strings(4_000_000, str(""))))),
  "GGUF: short strings": () =>
    gguf(...Array.from({ length: 3 }, (_, i) => pair(`k${i}`, TYPE.array, strings(3_000_000, str("ab"))))),
  "GGUF: wide strings": () => gguf(pair("k", TYPE.array, strings(3_000_000, str("☃")))),
  "GGUF: strings that are not UTF-8": () =>
    gguf(pair("k", TYPE.array, strings(1_500_000, join(u64(3), Uint8Array.of(255, 254, 255))))),
  "GGUF: one long string": () =>
    gguf(
      ...Array.from({ length: 2 }, (_, i) => pair(`k${i}`, TYPE.string, join(u64(8e6), new Uint8Array(8e6).fill(255)))),
    ),
  "GGUF: keys": () => ({
    "model.gguf": rawGguf({ pairs: Array.from({ length: 65_000 }, (_, i) => pair(`${i}`, TYPE.u32, u32(0xffffffff))) }),
  }),
  "GGUF: tensors": () => ({
    "model.gguf": rawGguf({
      tensors: Array.from({ length: 65_000 }, (_, i) => ({
        name: `${i}`,
        dims: [1, 1, 1, 1],
        type: 0,
        offset: i * 32,
      })),
      dataBytes: 65_000 * 32,
    }),
  }),
  "GGUF: a vocabulary": () =>
    gguf(
      pair("general.architecture", TYPE.string, str("llama")),
      pair("tokenizer.ggml.model", TYPE.string, str("gpt2")),
      pair(
        "tokenizer.ggml.tokens",
        TYPE.array,
        joinAll([
          u32(TYPE.string),
          u64(900_000),
          ...Array.from({ length: 900_000 }, (_, i) => str(`a${i.toString(36)}`)),
        ]),
      ),
    ),
};
