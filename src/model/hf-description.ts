/**
 * Describes the model of a Hugging Face folder. A chunk of its own: pages that open GGUF files, as most do, never fetch
 * it.
 *
 * @module
 */
import type { HfModelFiles } from "../files/hf-folder.ts";
import type { ModelConfig } from "./config.ts";
import { configFromHf } from "./config-hf.ts";
import { hfNaming } from "./naming-hf.ts";
import { type Unpacks, findUnpacked } from "./unpacked.ts";
import { type TensorNaming, plainLinears } from "./weights.ts";
import { tokenizerFromHf } from "../tokenizer/hf-tokenizer.ts";
import { HOW_TO_MAKE_TOKENIZER_JSON, joinVocabularyFiles } from "../tokenizer/vocabulary-files.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

export interface HfDescription {
  readonly config: ModelConfig;
  readonly naming: TensorNaming;
  readonly unusedKeys: readonly string[];
}

/**
 * @param unpacks which matrices to look at for 1-bit weights that are written out as floats. A model with BitLinear
 *   layers says itself which are, and computes the others with float activations
 * @throws OnebitError `model/unsupported-architecture`, `model/bad-config`, `model/missing-tensor`, `file/read`,
 *   `tensor/bad-data`
 */
export async function hfConfig(files: HfModelFiles, unpacks: Unpacks): Promise<HfDescription> {
  const { config, storage, unusedKeys } = configFromHf(files.config, files.tensors),
    naming = hfNaming(storage);
  if (storage.bitLinear !== undefined) return { config, naming, unusedKeys };
  const unpacked = await findUnpacked(plainLinears(config, files.tensors, naming), files.tensors, unpacks);
  return { config, naming: hfNaming(storage, unpacked), unusedKeys };
}

/** Undefined if the folder has none. @throws OnebitError `tokenizer/…` */
export function hfTokenizer({
  config,
  tokenizerJson,
  vocabularyFiles,
  tokenizerConfig,
  chatTemplate,
  generationConfig,
}: HfModelFiles): Tokenizer | undefined {
  const eos = generationConfig?.["eos_token_id"],
    ids = Array.isArray(eos) ? eos : [eos];
  const extras = { chatTemplate, endOfTurnIds: ids.filter((id): id is number => typeof id === "number") };
  if (tokenizerJson !== undefined) return tokenizerFromHf(tokenizerJson, tokenizerConfig, extras);
  if (vocabularyFiles === undefined) return undefined;
  const joined = joinVocabularyFiles(
    vocabularyFiles,
    tokenizerConfig ?? {},
    typeof config["model_type"] === "string" ? config["model_type"] : "",
  );
  return tokenizerFromHf(joined.json, joined.config, extras);
}

/** Why there is no tokenizer, unless the folder simply has none. */
export function hfNoTokenizer({ hasOnlySentencePiece }: HfModelFiles): string | undefined {
  return hasOnlySentencePiece
    ? `the folder has tokenizer.model, but tokenizer.json is missing; ${HOW_TO_MAKE_TOKENIZER_JSON}`
    : undefined;
}
