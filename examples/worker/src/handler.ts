/**
 * The handler of an isolate, and its models: requests, and the objects that live in the isolate, share them. Those that
 * are answered at the same time are computed together.
 */
import { type ByteSource, type LoadModelOptions, inspect, load } from "onebit";
import { type Handler, type ModelToLoad, createHandler } from "onebit/server";
import type { Env } from "./cloudflare.ts";
import { r2Snapshots } from "./r2-snapshots.ts";
import { r2Source } from "./r2-source.ts";

/**
 * Of the 128 MB that an isolate has. The rest is for code, the tokenizer and the header it comes from (28 MB with
 * 50,000 tokens), the texts of requests, and the default model's file (1 MB).
 */
const LIMIT_BYTES = 96e6;
/** What a model takes for more conversations than one: another model may come beside it. */
const SHARED_BYTES = 32e6;
/** For a hundred conversations of two pages. */
const POSITIONS_WANTED = 12_800;
const PAGE_POSITIONS = 64;
/** Positions of one conversation, where the model was trained for as many. */
const CONTEXT_LENGTH_MAX = 4096;
/** Keys and values of 8 bits: TriLM 99M takes 134 MB for those of its 2048 positions in floats. */
const KV_TYPE = "q8";
/** A memory grows by so much. */
const WASM_PAGE_BYTES = 65_536;

/** An answer must end: the processor's time for a request is bounded. */
const TOKENS_MAX = 500;
/** Answered at once. They share the time of one thread, and the cache. */
const PARALLEL = 16;

/** The model in the package continues texts: a chat with it is what was said, on lines of its own. */
const BOX_TEMPLATE = "{% for message in messages %}{{ message.content or '' }}\n{% endfor %}";

let handler: Handler | undefined;

/** Made by the first request: what is done on import delays every isolate's start. */
export function handlerOf(env: Env): Handler {
  handler ??= createHandler({
    models: {
      shakespeare: modelOf(async () => undefined),
      ...Object.fromEntries(env.MODEL_FILES.map((name) => [name, modelOf(() => r2Source(env.MODELS, name))])),
    },
    chatTemplate: env.MODEL_FILES.length === 0 ? BOX_TEMPLATE : undefined,
    parallel: PARALLEL,
    maxTokens: TOKENS_MAX,
    memoryLimitBytes: LIMIT_BYTES,
    snapshots: r2Snapshots(env.SNAPSHOTS),
    // Cloudflare sends nobody else's requests here.
    allowedHosts: "any",
    apiKeys: env.API_KEY === undefined ? [] : [env.API_KEY],
    // What clients are not told: `wrangler tail` shows it.
    onError: (error) => console.error(error instanceof Error ? error.message : error),
  });
  return handler;
}

/** Each opens the file itself: in workerd no request may wait for what another began. The plan is only numbers. */
function modelOf(open: () => Promise<ByteSource | undefined>): ModelToLoad {
  let plan: Plan | undefined;
  return {
    async memoryBytes() {
      plan = await planOf(await open());
      return plan.memoryBytes;
    },
    load: async () => await load(await open(), plan?.options),
  };
}

interface Plan {
  readonly memoryBytes: number;
  readonly options: LoadModelOptions;
}

/**
 * With as many conversations as there is room for, but one at least.
 * @throws OnebitError `model/not-enough-memory` by the header alone
 */
async function planOf(source: ByteSource | undefined): Promise<Plan> {
  const { config, memory } = await inspect(source, { kvType: KV_TYPE, memoryLimitBytes: LIMIT_BYTES, weights: false }),
    contextLength = Math.min(config.contextLengthTrained, CONTEXT_LENGTH_MAX),
    nPages = Math.ceil(contextLength / PAGE_POSITIONS),
    pageBytes = memory.kvBytes / nPages;
  const nMore = Math.max(0, Math.floor((SHARED_BYTES - memory.wasmBytes) / pageBytes)),
    nWanted = Math.max(0, POSITIONS_WANTED / PAGE_POSITIONS - nPages),
    kvPositions = contextLength + Math.min(nMore, nWanted) * PAGE_POSITIONS;
  const bytes = memory.wasmBytes + Math.min(nMore, nWanted) * pageBytes;
  return {
    memoryBytes: Math.ceil(bytes / WASM_PAGE_BYTES) * WASM_PAGE_BYTES,
    options: { kvType: KV_TYPE, contextLength, kvPositions, memoryLimitBytes: LIMIT_BYTES },
  };
}
