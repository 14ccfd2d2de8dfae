/**
 * Describes the model of an open file: all that running it needs, besides the weights.
 *
 * @module
 */
import { packagePart } from "../core/package-part.ts";
import type { GgufFile, TensorInfo } from "../files/gguf.ts";
import type { ModelFile } from "../files/model-file.ts";
import type { ModelConfig } from "./config.ts";
import { type GgufPooling, appendsEos, describeGguf, normsInputs, poolingFromGguf } from "./config-gguf.ts";
import { GGUF_NAMING } from "./naming-gguf.ts";
import type { Unpacks } from "./unpacked.ts";
import type { TensorNaming } from "./weights.ts";
import { tokenizerFromGguf } from "../tokenizer/gguf-tokenizer.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

export interface ModelDescription {
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly naming: TensorNaming;
  /** Keys of the metadata, or members of `config.json`, without effect here. */
  readonly unusedKeys: readonly string[];
  readonly tokenizer: Tokenizer | undefined;
  /** Why there is no tokenizer, unless the file simply has none. */
  readonly noTokenizer?: string;
  readonly embedding: { readonly pooling: GgufPooling; readonly appendEos: boolean } | undefined;
}

/**
 * @param unpacks which matrices' beginnings to read, where these tell what the rest is
 * @throws OnebitError `model/…`, `tokenizer/…`, `file/read`, `tensor/bad-data`
 */
export async function describeModel(file: ModelFile, unpacks: Unpacks): Promise<ModelDescription> {
  const tokenizer = await tokenizerOf(file);
  if (file.format === "gguf") return { ...ggufModel(file), tokenizer };
  const { hfConfig, hfNoTokenizer } = await hfDescription();
  return {
    ...(await hfConfig(file, unpacks)),
    noTokenizer: hfNoTokenizer(file),
    tensors: file.tensors,
    tokenizer,
    embedding: undefined,
  };
}

function ggufModel({ metadata, tensors }: GgufFile): Omit<ModelDescription, "tokenizer"> {
  const told = poolingFromGguf(metadata);
  // BitNet embedding models are trained for the last state; the converter writes "mean" for the 270M, as its default.
  const isBitNet = normsInputs(tensors),
    pooling = isBitNet ? "last" : told;
  const embedding = pooling && { pooling, appendEos: told === undefined || appendsEos(metadata) };
  const naming = { ...GGUF_NAMING, normInRequired: isBitNet };
  return { ...describeGguf(metadata, tensors), tensors, naming, embedding };
}

function hfDescription() {
  return packagePart("the reader of Hugging Face models", () => import("./hf-description.ts"));
}

/** Undefined if the file has none. @throws OnebitError `tokenizer/…` */
export async function tokenizerOf(file: ModelFile): Promise<Tokenizer | undefined> {
  if (file.format !== "gguf") return (await hfDescription()).hfTokenizer(file);
  const kind = file.metadata.get("tokenizer.ggml.model");
  return kind === undefined || kind === "no_vocab" || kind === "none" ? undefined : tokenizerFromGguf(file.metadata);
}
