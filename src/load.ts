/**
 * Loads a model from a path, bytes or a source.
 *
 * @module
 */
import { type ByteSource, blobSource, bytesSource, guardedSource, isByteSource } from "./core/byte-source.ts";
import { type ErrorCode, OnebitError, fail, throwIfAborted } from "./core/errors.ts";
import {
  BOOLEAN,
  type Meanings,
  type OptionTable,
  check,
  checkOptions,
  kind,
  options as optionsOf,
  number,
} from "./core/options.ts";
import { packagePart } from "./core/package-part.ts";
import { PLATFORM, type Platform } from "./core/platform.ts";
import { withMemory } from "./core/refused-memory.ts";
import { DEFAULT_MODEL_THREADS, defaultModelBytes } from "./default-model.ts";
import { type ModelFile, openModelFile, openModelFolder } from "./files/model-file.ts";
import { loadChatRenderer } from "./generate/chat-renderer.ts";
import { HUB_OPTIONS } from "./hub/option-table.ts";
import type { HubOptions } from "./hub/options.ts";
import { isRemoteSource, shown } from "./hub/source.ts";
import { KERNELS } from "./kernels/binaries.ts";
import { type KernelBinaries, type Variant, chooseKernels } from "./kernels/variant.ts";
import type { ModelConfig } from "./model/config.ts";
import { describeModel, tokenizerOf } from "./model/description.ts";
import { ENGINE_OPTIONS, type EngineOptions } from "./model/engine-options.ts";
import { createEngine, fastestKernels, planEngine } from "./model/engine.ts";
import type { Engine, ModelMemory, ModelWarning, RunningEngine } from "./model/engine-interface.ts";
import { layOutMemory, memoryOf } from "./model/plan.ts";
import type { Unpacks } from "./model/unpacked.ts";
import { type UnpackedMatrix, unpackedOf } from "./model/weights.ts";
import { findZeroWeights } from "./model/zero-weights.ts";
import { Model } from "./model.ts";
import { detectPlatform } from "./platform/detect.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

/**
 * A path or URL of a GGUF file, a safetensors file or a Hugging Face folder; `hf:owner/repo[/file][@revision]`; a file
 * that a page was given; a file's bytes; or a source of them, which loading closes. Where the platform has a place for
 * models, those from elsewhere are kept there.
 */
export type ModelSource = string | URL | Blob | Uint8Array | ByteSource;

/** Options of {@link load}. */
export interface LoadModelOptions extends EngineOptions {
  /** The runtime's files, threads and memory. Default: those of the runtime the program runs in. */
  readonly platform?: Platform;
  /** How a model from elsewhere is fetched: token, revision, offline, its own progress. */
  readonly hub?: HubOptions;
  /** How long the prompt of one context may keep others from their next token. Milliseconds; default 250. */
  readonly maxStallMs?: number;
}

/** Options of {@link inspect}. */
export interface InspectOptions extends LoadModelOptions {
  /**
   * Look for weights that are all zero, which reads the beginning of every tensor. Default: true. False reads the
   * header alone.
   */
  readonly weights?: boolean;
}

/** Options of {@link loadTokenizer}. */
export type TokenizerOptions = Pick<LoadModelOptions, "platform" | "hub" | "signal">;

const LOAD_OPTIONS: OptionTable<LoadModelOptions> = {
  ...ENGINE_OPTIONS,
  platform: PLATFORM,
  hub: optionsOf(HUB_OPTIONS),
  maxStallMs: number({ above: 0, max: Infinity }),
};
const INSPECT_OPTIONS: OptionTable<InspectOptions> = { ...LOAD_OPTIONS, weights: BOOLEAN };
const TOKENIZER_OPTIONS: OptionTable<TokenizerOptions> = {
  platform: PLATFORM,
  hub: LOAD_OPTIONS.hub,
  signal: LOAD_OPTIONS.signal,
};

/** Names of these options in other programs, and hints for download options. */
const LOAD_MEANINGS: Meanings = {
  n_ctx: "contextLength",
  num_ctx: "contextLength",
  n_threads: "threads",
  nThreads: "threads",
  ...Object.fromEntries(Object.keys(HUB_OPTIONS).map((name) => [name, `hub: { ${name} }`])),
};

const MODEL_SOURCE = kind<ModelSource>(
  "a path, a URL, a Blob or File, a Uint8Array of a file's bytes, or a byte source with name, sizeBytes, read " +
    "and close",
  (source) =>
    typeof source === "string" ||
    source instanceof URL ||
    source instanceof Uint8Array ||
    source instanceof Blob ||
    isByteSource(source),
);

/**
 * Loads a model; without a source the one in the package: 3 million ternary weights that continue a text as Shakespeare
 * might.
 *
 * @param source where the model is; a source of bytes is closed
 * @throws OnebitError `file/…`, `gguf/…`, `safetensors/…`, `tensor/…`, `tokenizer/…`, `model/…`, `engine/…`, `hub/…`,
 *   `option/…`, `aborted`
 * @example
 * ```ts
 * import { load } from "onebit";
 *
 * await using model = await load("model.gguf", { contextLength: 256 });
 * for await (const { text } of model.generate("Once upon a time", { maxTokens: 8 })) console.log(text);
 * ```
 * @example
 * ```ts
 * import { load } from "onebit";
 *
 * await using shakespeare = await load();
 * console.log(await shakespeare.generate("ROMEO:", { temperature: 0.8, maxTokens: 20 }).text());
 * ```
 */
export async function load(source?: ModelSource, options: LoadModelOptions = {}): Promise<Model> {
  return await loadWithKernels(KERNELS, source, options);
}

/**
 * `load` for programs that provide the kernels themselves, such as a page that fetches only those it can run. @throws
 * as {@link load}
 */
export async function loadWithKernels(
  binaries: KernelBinaries,
  source?: ModelSource,
  given: LoadModelOptions = {},
): Promise<Model> {
  const begin = performance.now(),
    options = checkOptions("load", given, LOAD_OPTIONS, { meanings: LOAD_MEANINGS });
  throwIfAborted(options.signal);
  return await withMemory("model/not-enough-memory", "loading a model", () =>
    loadChecked(binaries, source, options, begin),
  );
}

async function loadChecked(
  binaries: KernelBinaries,
  source: ModelSource | undefined,
  options: LoadModelOptions,
  begin: number,
): Promise<Model> {
  const platform = options.platform ?? detectPlatform(),
    file = await openFile(source, platform, options);
  try {
    const description = await describeModel(file, unpacksOf(options));
    const renderChat = description.tokenizer === undefined ? undefined : await loadChatRenderer();
    const threads = source === undefined && options.threads === undefined ? DEFAULT_MODEL_THREADS : options.threads;
    const engine: Engine = await createEngine({ ...description, platform, binaries }, { ...options, threads });
    return new Model({
      engine,
      platform,
      maxStallMs: options.maxStallMs,
      tokenizer: description.tokenizer,
      noTokenizer: description.noTokenizer,
      embedding: description.embedding,
      renderChat,
      loadMs: performance.now() - begin,
    });
  } finally {
    await closeFile(file);
  }
}

/** Floats that hold 1-bit weights are kept as they are with `dense: "keep"`. */
function unpacksOf({ dense }: EngineOptions): Unpacks {
  return dense === "keep" ? "scaled" : "all";
}

/** A model's configuration, and what running it would take. */
export interface ModelInspection {
  /** The parsed file. Its sources are closed. */
  readonly file: ModelFile;
  /** What the forward pass knows of the model. */
  readonly config: ModelConfig;
  /** What loading it with these options would take. */
  readonly memory: ModelMemory;
  /**
   * Matrices of floats that hold only −s, 0, +s, by their beginnings: they are packed when the model loads, unless the
   * rest of them is not so. None with `weights: false`.
   */
  readonly unpacked: readonly UnpackedMatrix[];
  /** What the file says and the model does not need; what would change its answers is refused instead. */
  readonly unused: {
    /** Keys of the metadata, or members of config.json by their path. */
    readonly keys: readonly string[];
    /** Names of tensors. */
    readonly tensors: readonly string[];
  };
  /** Layers whose weights are all zero. */
  readonly warnings: readonly ModelWarning[];
  /** The kernels it would run on; undefined where none of ours runs. */
  readonly engine: Pick<RunningEngine, "variant" | "ternaryKernel" | "dots"> | undefined;
}

/**
 * Reads a model's header, looks for weights that are all zero, and plans its memory, without loading it. A model too
 * large to load is shown too.
 *
 * @throws OnebitError as {@link load}
 * @example
 * ```ts
 * import { inspect } from "onebit";
 *
 * const { config, memory } = await inspect("model.gguf", { contextLength: 256 });
 * console.log(config.architecture, config.nLayers, memory.wasmBytes);
 * ```
 */
export async function inspect(source?: ModelSource, given: InspectOptions = {}): Promise<ModelInspection> {
  const options = checkOptions("inspect", given, INSPECT_OPTIONS, { meanings: LOAD_MEANINGS });
  return await withMemory("model/not-enough-memory", "inspecting a model", () => inspectChecked(source, options));
}

async function inspectChecked(
  source: ModelSource | undefined,
  { weights = true, ...options }: InspectOptions,
): Promise<ModelInspection> {
  const platform = options.platform ?? detectPlatform(),
    file = await openFile(source, platform, options);
  try {
    const description = await describeModel(file, weights ? unpacksOf(options) : "none");
    const chosen = await chooseKernels(KERNELS, false, options.variant).catch((error) =>
      noneWhereUnsupported(error, options.variant),
    );
    const { plan, tensors } = planEngine(
      { ...description, platform },
      options,
      fastestKernels(chosen ?? { dots: undefined }),
      layOutMemory,
    );
    const { ternaryKernel, dots } = plan.options,
      engine = chosen && { variant: chosen.variant, ternaryKernel, dots };
    const memory = memoryOf(plan);
    const unused = { keys: description.unusedKeys, tensors: tensors.unused },
      warnings = weights ? await findZeroWeights(tensors) : [];
    const unpacked = unpackedOf(tensors);
    return { file, config: description.config, memory, unpacked, unused, warnings, engine };
  } finally {
    await closeFile(file);
  }
}

const NO_KERNELS: readonly ErrorCode[] = ["engine/unsupported", "engine/forbidden"];

/** Kernels requested by name must exist. */
function noneWhereUnsupported(error: unknown, asked: Variant | undefined): undefined {
  if (asked !== undefined || !(error instanceof OnebitError) || !NO_KERNELS.includes(error.code)) throw error;
}

/**
 * Reads the tokenizer of a model file, and none of its weights; undefined where the file has no vocabulary.
 *
 * @throws OnebitError `file/…`, `gguf/…`, `safetensors/…`, `tokenizer/…`, `hub/…`, `option/…`, `aborted`
 * @example
 * ```ts
 * import { loadTokenizer } from "onebit";
 *
 * const tokenizer = await loadTokenizer("model.gguf");
 * console.log(tokenizer?.encode("Hello, world"));
 * ```
 */
export async function loadTokenizer(
  source?: ModelSource,
  given: TokenizerOptions = {},
): Promise<Tokenizer | undefined> {
  const options = checkOptions("loadTokenizer", given, TOKENIZER_OPTIONS, { meanings: LOAD_MEANINGS });
  return await withMemory("model/not-enough-memory", "loading a tokenizer", async () => {
    const file = await openFile(source, options.platform ?? detectPlatform(), options);
    await closeFile(file);
    return await tokenizerOf(file);
  });
}

async function openFile(
  asked: ModelSource | undefined,
  platform: Platform,
  { hub, signal }: TokenizerOptions,
): Promise<ModelFile> {
  const given = asked === undefined ? await defaultModelBytes() : check("model", asked, MODEL_SOURCE);
  const source =
    given instanceof URL
      ? given.protocol === "file:" && platform.pathOf
        ? platform.pathOf(given)
        : given.href
      : given;
  if (
    typeof source === "string" &&
    isRemoteSource(source) &&
    (platform.hub !== undefined || source.startsWith("hf:"))
  ) {
    return await openRemote(source, platform, hub ?? {}, signal);
  }
  const open = async (path: string) => guardedSource(await platform.openFile(path));
  if (typeof source === "string" && (await platform.isFolder(source))) {
    return await openModelFolder((name) => open(platform.inFolder(source, name)));
  }
  const main = typeof source === "string" ? await open(source) : sourceOf(source);
  try {
    return await openModelFile(
      main,
      typeof source === "string" ? (name) => open(platform.beside(source, name)) : noSiblings,
    );
  } catch (error) {
    await main.close();
    throw error;
  }
}

async function openRemote(
  source: string,
  { hub, name }: Platform,
  options: HubOptions,
  signal: AbortSignal | undefined,
): Promise<ModelFile> {
  if (hub === undefined)
    return fail(
      "hub/unavailable",
      `${source}: the platform ${name} cannot store models; pass a platform with a hub, or the file's URL`,
    );
  // A chunk of its own, as large as all tokenizers: most programs open files, and pages bring their own `hub`.
  const { pullModel } = await packagePart("what fetches models", () => import("./hub/pull.ts"));
  const pulled = await pullModel(source, hub, options, signal),
    open = async (file: string) => guardedSource(await pulled.open(file));
  if (pulled.format === "safetensors" && pulled.commit !== undefined) return await openModelFolder(open);
  const main = await open(pulled.files[0].name);
  try {
    return await openModelFile(main, open);
  } catch (error) {
    await main.close();
    // Name the requested source, not the cache's file name.
    throw error instanceof OnebitError
      ? new OnebitError(error.code, `${shown(source)}: ${error.message}`, { cause: error })
      : error;
  }
}

function sourceOf(source: Blob | Uint8Array | ByteSource): ByteSource {
  if (source instanceof Uint8Array) return bytesSource(source);
  return source instanceof Blob ? blobSource(source) : guardedSource(source);
}

async function noSiblings(name: string): Promise<never> {
  return fail(
    "file/not-found",
    `${name}: a model given as bytes has no files beside it; give a path to the file or its folder`,
  );
}

async function closeFile(file: ModelFile): Promise<void> {
  await Promise.all(file.sources.map((source) => source.close()));
}
