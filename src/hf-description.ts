/**
 * What a Hugging Face folder says of its model. A chunk of its own: pages that open GGUF files, as most do, never fetch it.
 *
 * @module
 */
import type { HfModelFiles } from "./files/hf-folder.ts";
import type { ModelConfig } from "./model/config.ts";
import { configFromHf } from "./model/config-hf.ts";
import { hfNaming } from "./model/naming-hf.ts";
import type { TensorNaming } from "./model/weights.ts";
import { tokenizerFromHf } from "./tokenizer/hf-tokenizer.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

export interface HfDescription {
  readonly config: ModelConfig;
  readonly naming: TensorNaming;
  readonly unusedKeys: readonly string[];
}

/** @throws OnebitError `model/unsupported-architecture`, `model/bad-config`, `model/missing-tensor` */
export function hfConfig(files: HfModelFiles): HfDescription {
  const { config, storage, unusedKeys } = configFromHf(files.config, files.tensors);
  return { config, naming: hfNaming(storage), unusedKeys };
}

/** Undefined where the folder has none. @throws OnebitError `tokenizer/…` */
export function hfTokenizer({ tokenizerJson, tokenizerConfig, chatTemplate, generationConfig }: HfModelFiles): Tokenizer | undefined {
  if (tokenizerJson === undefined) return undefined;
  const eos = generationConfig?.["eos_token_id"], ids = Array.isArray(eos) ? eos : [eos];
  const endOfTurnIds = ids.filter((id): id is number => typeof id === "number");
  return tokenizerFromHf(tokenizerJson, tokenizerConfig, { chatTemplate, endOfTurnIds });
}
