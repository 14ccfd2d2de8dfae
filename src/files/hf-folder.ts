/**
 * A model as Hugging Face keeps it: a folder with `config.json`, tokenizer files and safetensors.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { readBytes } from "../core/byte-source.ts";
import { OnebitError, fail, quoted } from "../core/errors.ts";
import { CONFIG_BYTES_MAX, JSON_BYTES_MAX, LIST_FILE_BYTES_MAX, SHARDS_MAX, TENSORS_MAX } from "../core/limits.ts";
import type { TensorInfo } from "./gguf.ts";
import type { OpenSibling } from "./gguf-split.ts";
import { isJsonObject, parseJsonObject } from "./json.ts";
import type { JsonObject } from "./json.ts";
import { openSafetensors } from "./safetensors.ts";

export interface HfModelFiles {
  readonly config: JsonObject;
  readonly generationConfig: JsonObject | undefined;
  /** The `tokenizers` library's whole description. */
  readonly tokenizerJson: JsonObject | undefined;
  readonly tokenizerConfig: JsonObject | undefined;
  /** Older folders have these instead; undefined beside a tokenizer.json. */
  readonly vocabularyFiles: HfVocabularyFiles | undefined;
  /** True if the only vocabulary is SentencePiece's `tokenizer.model`. */
  readonly hasOnlySentencePiece: boolean;
  /** `chat_template.jinja`, where newer repositories keep it; older ones have it in the tokenizer's config. */
  readonly chatTemplate: string | undefined;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The files that hold the tensors; the caller closes them. */
  readonly sources: readonly ByteSource[];
}

export interface HfVocabularyFiles {
  readonly vocab: JsonObject;
  readonly merges: string;
  readonly addedTokens: JsonObject | undefined;
  readonly specialTokensMap: JsonObject | undefined;
}

const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";
/** One member a tensor, and a few about the whole. */
const INDEX_MEMBERS_MAX = TENSORS_MAX + 64;
/** A shard is a bare name: an index must not reach outside its folder. */
const SHARD_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*\.safetensors$/;

/**
 * Opens the model of a folder.
 *
 * @param openSibling opens a file of the folder by its bare name; rejects with `file/not-found` if there is none
 * @param weights the one safetensors file, when the caller already has it open; otherwise the folder's index or
 *   `model.safetensors`
 * @throws OnebitError `file/not-found` without config or weights, `model/bad-config` on bad JSON, `safetensors/…`
 */
export async function openHfFolder(openSibling: OpenSibling, weights?: ByteSource): Promise<HfModelFiles> {
  const config = await readJson(openSibling, "config.json", CONFIG_BYTES_MAX);
  if (config === undefined) {
    fail("file/not-found", "config.json: not beside the safetensors file; a Hugging Face model needs its whole folder");
  }
  const generationConfig = await readJson(openSibling, "generation_config.json", CONFIG_BYTES_MAX);
  const tokenizerJson = await readJson(openSibling, "tokenizer.json", JSON_BYTES_MAX);
  const vocabularyFiles = tokenizerJson === undefined ? await readVocabularyFiles(openSibling) : undefined;
  const hasOnlySentencePiece =
    tokenizerJson === undefined && vocabularyFiles === undefined && (await isThere(openSibling, "tokenizer.model"));
  const tokenizerConfig = await readJson(openSibling, "tokenizer_config.json", LIST_FILE_BYTES_MAX);
  const chatTemplate = await readText(openSibling, "chat_template.jinja");
  const opened: ByteSource[] = [];
  try {
    const tensors = weights === undefined ? await openWeights(openSibling, opened) : await openSafetensors([weights]);
    const sources = weights === undefined ? opened : [weights];
    return {
      config,
      generationConfig,
      tokenizerJson,
      vocabularyFiles,
      hasOnlySentencePiece,
      tokenizerConfig,
      chatTemplate,
      tensors,
      sources,
    };
  } catch (error) {
    await Promise.all(opened.map((source) => source.close()));
    throw error;
  }
}

/** Byte-level BPE in separate files; undefined unless both are there. */
async function readVocabularyFiles(openSibling: OpenSibling): Promise<HfVocabularyFiles | undefined> {
  const vocab = await readJson(openSibling, "vocab.json", JSON_BYTES_MAX);
  const merges = vocab === undefined ? undefined : await readText(openSibling, "merges.txt", LIST_FILE_BYTES_MAX);
  if (vocab === undefined || merges === undefined) return undefined;
  const addedTokens = await readJson(openSibling, "added_tokens.json", CONFIG_BYTES_MAX);
  const specialTokensMap = await readJson(openSibling, "special_tokens_map.json", CONFIG_BYTES_MAX);
  return { vocab, merges, addedTokens, specialTokensMap };
}

/** Adds every source it opens to `opened`, even when it fails. */
async function openWeights(openSibling: OpenSibling, opened: ByteSource[]): Promise<Map<string, TensorInfo>> {
  const index = await readJson(openSibling, INDEX, LIST_FILE_BYTES_MAX, INDEX_MEMBERS_MAX);
  if (index === undefined) {
    opened.push(await openSibling(WEIGHTS));
    return openSafetensors(opened);
  }
  const shardOf = readIndex(index);
  const names = [...new Set(shardOf.values())];
  if (names.length > SHARDS_MAX)
    fail("safetensors/limit", `${INDEX}: names ${names.length} files, the limit is ${SHARDS_MAX}`);
  for (const name of names) opened.push(await openSibling(name));
  const tensors = await openSafetensors(opened),
    sourceOf = new Map(names.map((name, i) => [name, opened[i]]));
  for (const [tensor, shard] of shardOf) {
    if (tensors.get(tensor)?.source !== sourceOf.get(shard)) {
      fail(
        "safetensors/bad-header",
        `${INDEX}: puts tensor ${quoted(tensor)} in ${shard}, which lacks it; the files belong to different models`,
      );
    }
  }
  return tensors;
}

/** Tensor name → file name. */
function readIndex(index: JsonObject): Map<string, string> {
  const weightMap = index["weight_map"];
  if (!isJsonObject(weightMap)) fail("safetensors/bad-header", `${INDEX}: wanted an object "weight_map"`);
  const shardOf = new Map<string, string>();
  for (const [tensor, shard] of Object.entries(weightMap)) {
    if (typeof shard !== "string" || !SHARD_NAME.test(shard)) {
      fail(
        "safetensors/bad-header",
        `${INDEX}: tensor ${quoted(tensor)} is in ${quoted(String(shard))}, wanted the bare name of a safetensors file`,
      );
    }
    shardOf.set(tensor, shard);
  }
  return shardOf;
}

async function readJson(
  openSibling: OpenSibling,
  name: string,
  sizeBytesMax: number,
  membersMax?: number,
): Promise<JsonObject | undefined> {
  const bytes = await readWhole(openSibling, name, sizeBytesMax);
  if (bytes === undefined) return undefined;
  const parsed = parseJsonObject(bytes, membersMax);
  if ("problem" in parsed) fail("model/bad-config", `${name}: ${parsed.problem.message}`);
  return parsed.value;
}

async function readText(
  openSibling: OpenSibling,
  name: string,
  sizeBytesMax = CONFIG_BYTES_MAX,
): Promise<string | undefined> {
  const bytes = await readWhole(openSibling, name, sizeBytesMax);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** A whole small file, or undefined when there is none. */
async function readWhole(
  openSibling: OpenSibling,
  name: string,
  sizeBytesMax: number,
): Promise<Uint8Array | undefined> {
  const source = await find(openSibling, name);
  if (source === undefined) return undefined;
  try {
    if (source.sizeBytes > sizeBytesMax)
      fail("model/bad-config", `${name}: ${source.sizeBytes} bytes, the limit is ${sizeBytesMax}`);
    return await readBytes(source, 0, source.sizeBytes);
  } finally {
    await source.close();
  }
}

async function isThere(openSibling: OpenSibling, name: string): Promise<boolean> {
  const source = await find(openSibling, name);
  await source?.close();
  return source !== undefined;
}

async function find(openSibling: OpenSibling, name: string): Promise<ByteSource | undefined> {
  try {
    return await openSibling(name);
  } catch (error) {
    if (error instanceof OnebitError && error.code === "file/not-found") return undefined;
    throw error;
  }
}
