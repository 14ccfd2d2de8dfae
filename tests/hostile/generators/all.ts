/** Every generator of hostile input. */
import { generator as api } from "./api.ts";
import { generator as commandLines } from "./cli.ts";
import type { HostileGenerator } from "./generator.ts";
import { generator as ggufModels } from "./gguf-models.ts";
import { ggufHeaders, json, safetensorsHeaders } from "./headers.ts";
import { generator as hfFolders } from "./hf-folders.ts";
import { generator as hub } from "./hub.ts";
import { generator as randomBytes } from "./random-bytes.ts";
import { generator as templates } from "./templates.ts";
import { generator as texts } from "./texts.ts";
import { generator as tokenizers } from "./tokenizers.ts";
import { generator as training } from "./training.ts";

export const GENERATORS: readonly HostileGenerator[] = [
  api,
  commandLines,
  ggufHeaders,
  ggufModels,
  hfFolders,
  hub,
  json,
  randomBytes,
  safetensorsHeaders,
  templates,
  texts,
  tokenizers,
  training,
];
