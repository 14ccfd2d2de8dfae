/** Entries of `onebit`, `onebit/hub` and `onebit/worker`. */
import { ENGINE_OPTIONS } from "../../../src/model/engine-options.ts";
import { CHAT_PROMPT_OPTIONS } from "../../../src/generate/chat-options.ts";
import { EMBED_OPTIONS } from "../../../src/generate/embed.ts";
import { GENERATE_OPTIONS } from "../../../src/generate/options.ts";
import { PERPLEXITY_OPTIONS } from "../../../src/generate/perplexity.ts";
import { HUB_OPTIONS } from "../../../src/hub/option-table.ts";
import { type Model, bytesSource, inspect, load, loadTokenizer } from "../../../src/index.ts";
import { list, pull, remove } from "../../../src/hub.ts";
import type { Tokenizer } from "../../../src/tokenizer/tokenizer.ts";
import { serveWith } from "../../../src/web/serve.ts";
import { type WorkerModel, loadInWorkerOf } from "../../../src/web/worker-model.ts";
import { ggufBytes, value } from "../../model/gguf-bytes.ts";
import { memoryPlatform } from "../../model/memory-platform.ts";
import type { ApiEntry } from "./api.ts";

const TEMPLATE =
  "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}{% if " +
  "add_generation_prompt %}assistant:{% endif %}";
const SHAPE = { nEmbd: 64, nLayers: 1, nHeads: 2, nKvHeads: 1, headDim: 32, nFf: 64, nVocab: 258 } as const;

/** A model of bytes that can chat, as small as they come. */
async function tinyModel(): Promise<Uint8Array> {
  const tokens = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  return await ggufBytes(SHAPE, {
    architecture: "llama",
    keys: {
      "tokenizer.ggml.model": value("string", "llama"),
      "tokenizer.ggml.tokens": value("string[]", [...tokens, "<s>", "</s>"]),
      "tokenizer.ggml.scores": value(
        "float32[]",
        Array.from({ length: 258 }, (_, id) => -id),
      ),
      "tokenizer.ggml.token_type": value(
        "int32[]",
        Array.from({ length: 258 }, (_, id) => (id < 256 ? 6 : 3)),
      ),
      "tokenizer.ggml.bos_token_id": value("uint32", 256),
      "tokenizer.ggml.eos_token_id": value("uint32", 257),
      "tokenizer.chat_template": value("string", TEMPLATE),
    },
  });
}

interface Made {
  readonly bytes: Uint8Array;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
}

let made: Promise<Made> | undefined;
const things = (): Promise<Made> => (made ??= make());

async function make(): Promise<Made> {
  const bytes = await tinyModel(),
    model = await load(bytes, { threads: 1 });
  return { bytes, model, tokenizer: model.tokenizer };
}

/** One for each call: its port, while it is open, keeps a process alive. */
async function inWorker({ bytes }: Made): Promise<WorkerModel> {
  return await loadInWorkerOf(() => Promise.reject(new Error("no worker of its own")), bytes, {
    worker: fakeWorker(),
    threads: 1,
  });
}

function fakeWorker(): Worker {
  const listeners: ((event: MessageEvent) => void)[] = [];
  serveWith(load, { addEventListener: (_, listener) => void listeners.push(listener) });
  const postMessage = (data: unknown, ports: MessagePort[]): void =>
    listeners.forEach((listener) => listener({ data, ports } as unknown as MessageEvent));
  return { postMessage, addEventListener() {} } as unknown as Worker;
}

const MESSAGES = [{ role: "user", content: "hi" }];
const SHORT = { maxTokens: 2, seed: 1 };
/** Of this machine neither files nor threads nor a network. */
const platform = { ...memoryPlatform({}), spawnThread: undefined, hub: undefined };
const LOAD_NAMES = [...Object.keys(ENGINE_OPTIONS), "hub"],
  CHAT_NAMES = [...Object.keys(GENERATE_OPTIONS), ...Object.keys(CHAT_PROMPT_OPTIONS)];

type Call = (...args: never[]) => unknown;
/** An entry for a method of something that {@link things} has. */
function method(
  name: string,
  of: (made: Made) => object | Promise<object>,
  args: readonly unknown[],
  optionNames?: readonly string[],
  finish: (result: never) => unknown = (result) => result,
): ApiEntry {
  return {
    name,
    args: () => args,
    ...(optionNames ? { options: { at: args.length - 1, names: optionNames } } : {}),
    async run(given) {
      const target = (await of(await things())) as Readonly<Record<string, Call>>,
        key = name.slice(name.lastIndexOf(".") + 1);
      try {
        return await finish((await target[key](...(given as never[]))) as never);
      } finally {
        if (name.startsWith("workerModel.")) await target.close();
      }
    },
  };
}
const close = (thing: { close(): Promise<void> } | undefined): Promise<void> | undefined => thing?.close();
const result = (generation: { result(): Promise<unknown> }): Promise<unknown> => generation.result();

const MODEL_ENTRIES: readonly ApiEntry[] = (["model", "workerModel"] as const).flatMap((key) => {
  const of = (all: Made): object | Promise<object> => (key === "model" ? all.model : inWorker(all));
  return [
    method(`${key}.generate`, of, ["hello", SHORT], Object.keys(GENERATE_OPTIONS), result),
    method(`${key}.generate`, of, [[1, 2, 3], SHORT], Object.keys(GENERATE_OPTIONS), result),
    method(`${key}.chat`, of, [MESSAGES, SHORT], CHAT_NAMES, result),
    method(`${key}.embed`, of, [["a", "b"], {}], Object.keys(EMBED_OPTIONS)),
    method(`${key}.logits`, of, [[1, 2], {}], ["signal"]),
    method(`${key}.chatPrompt`, of, [MESSAGES, {}], CHAT_NAMES),
    method(`${key}.perplexity`, of, ["some text", {}], Object.keys(PERPLEXITY_OPTIONS)),
    method(`${key}.truncate`, of, [1]),
  ];
});

/** What the tokenizer of a model, and that of a model in a worker, both have. */
const TOKENIZER_ENTRIES: readonly ApiEntry[] = (
  [
    ["encode", ["text", {}], ["addSpecial", "parseSpecial"]],
    ["encodeParts", [[{ text: "a", special: false }], {}], ["addSpecial"]],
    ["decode", [[1, 2], {}], ["special", "continued"]],
    ["tokenBytes", [1]],
    ["tokenText", [1]],
    ["isSpecial", [1]],
    ["tokenId", ["a"]],
  ] as const
).flatMap(([name, args, optionNames]) => [
  method(`tokenizer.${name}`, ({ tokenizer }) => tokenizer, args, optionNames),
  {
    ...method(`worker tokenizer.${name}`, inWorker, args, optionNames),
    async run(given) {
      const model = await inWorker(await things());
      try {
        return await (model.tokenizer as unknown as Readonly<Record<string, Call>>)[name](...(given as never[]));
      } finally {
        await model.close();
      }
    },
  },
]);

export const LIBRARY_ENTRIES: readonly ApiEntry[] = [
  {
    name: "load",
    args: async () => [(await things()).bytes, { platform }],
    options: { at: 1, names: LOAD_NAMES },
    run: async ([source, options]) => close(await load(source as string, options as object)),
  },
  {
    name: "load hub",
    args: async () => [{ platform, hub: {} }],
    options: { at: 0, names: Object.keys(HUB_OPTIONS) },
    run: async ([options]) => close(await load((await things()).bytes, { platform, hub: options as object })),
  },
  {
    name: "inspect",
    args: async () => [(await things()).bytes, { platform }],
    options: { at: 1, names: LOAD_NAMES },
    run: ([source, options]) => inspect(source as string, options as object),
  },
  {
    name: "loadTokenizer",
    args: async () => [(await things()).bytes, { platform }],
    options: { at: 1, names: ["hub", "signal"] },
    run: ([source, options]) => loadTokenizer(source as string, options as object),
  },
  {
    name: "bytesSource",
    args: () => [new Uint8Array(8), "name"],
    run: async (args) => close(await load(bytesSource(...(args as [Uint8Array, string])), { platform })),
  },
  {
    name: "pull",
    args: () => ["hf:a/b", { offline: true, platform }],
    options: { at: 1, names: Object.keys(HUB_OPTIONS).concat("signal") },
    run: ([source, options]) => pull(source as string, options as object),
  },
  {
    name: "list",
    args: () => [{ platform }],
    options: { at: 0, names: ["platform"] },
    run: ([options]) => list(options as object),
  },
  {
    name: "remove",
    args: () => ["hf:a/b", { platform }],
    options: { at: 1, names: ["platform"] },
    run: ([source, options]) => remove(source as string, options as object),
  },
  ...MODEL_ENTRIES,
  method("model.eachLogits", ({ model }) => model, [[1, 2], () => {}, {}], ["signal"]),
  ...TOKENIZER_ENTRIES,
  method("tokenizer.stream", ({ tokenizer }) => tokenizer, [{}], ["special", "continued"]),
  {
    name: "TokenStream.push",
    args: () => [1],
    run: async ([id]) => (await things()).tokenizer.stream().push(id as number),
  },
  {
    name: "loadInWorker",
    args: async () => [(await things()).bytes, { threads: 1 }],
    options: { at: 1, names: [...LOAD_NAMES, "worker"] },
    run: async ([source, options]) =>
      close(
        await loadInWorkerOf(
          async () => ({ worker: fakeWorker(), started() {}, stop() {} }),
          source as string,
          options as object,
        ),
      ),
  },
];
