/**
 * The parts of a tokenizer's file about conversations: chat templates by name, and texts of special tokens by the names
 * that templates use.
 *
 * Source: transformers' `chat_template` (a text, or a list of named ones) and `special_tokens_map`; the GGUF keys
 * `tokenizer.chat_template`, `tokenizer.chat_template.NAME` and `tokenizer.ggml.*_token_id`.
 *
 * @module
 */
import type { GgufMetadata } from "../files/gguf-metadata.ts";
import { isJsonObject } from "../files/json.ts";
import type { JsonReader } from "./json-reader.ts";
import { badEntry } from "./json-reader.ts";
import { bad } from "./vocabulary.ts";

export interface ChatExtras {
  /** The template for conversations. */
  readonly chatTemplate: string | undefined;
  /** Templates by name: `default`, `tool_use`, `rag`, … */
  readonly chatTemplates: ReadonlyMap<string, string>;
  /** Texts of `bos_token`, `eos_token`, `unk_token`, `sep_token`, `pad_token`, `cls_token` and `mask_token`, if any. */
  readonly specialTokens: ReadonlyMap<string, string>;
}

const GGUF_TEMPLATE = "tokenizer.chat_template";
/** Keys of ids, and the names of the tokens. The specification misspells the first separator. */
const GGUF_TOKENS: readonly (readonly [key: string, name: string])[] = [
  ["bos", "bos_token"],
  ["eos", "eos_token"],
  ["unknown", "unk_token"],
  ["seperator", "sep_token"],
  ["separator", "sep_token"],
  ["padding", "pad_token"],
  ["cls", "cls_token"],
  ["mask", "mask_token"],
];
const HF_TOKENS = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** @param found values known from elsewhere: defaults of `bos` and `eos` */
export function chatFromGguf(
  metadata: GgufMetadata,
  texts: readonly string[],
  found: { readonly bosId: number | undefined; readonly eosId: number | undefined },
): ChatExtras {
  const chatTemplates = new Map<string, string>();
  for (const [key, value] of metadata) {
    const name =
      key === GGUF_TEMPLATE
        ? "default"
        : key.startsWith(`${GGUF_TEMPLATE}.`)
          ? key.slice(GGUF_TEMPLATE.length + 1)
          : undefined;
    if (name === undefined) continue;
    chatTemplates.set(name, typeof value === "string" ? value : bad(`${key}: wanted a string, found ${typeof value}`));
  }
  const specialTokens = new Map<string, string>();
  const setToken = (name: string, id: unknown): void => {
    if (typeof id === "number" && id >= 0 && id < texts.length) specialTokens.set(name, texts[id]);
  };
  for (const [key, name] of GGUF_TOKENS) setToken(name, metadata.get(`tokenizer.ggml.${key}_token_id`));
  setToken("bos_token", found.bosId);
  setToken("eos_token", found.eosId);
  return { chatTemplate: chatTemplates.get("default"), chatTemplates, specialTokens };
}

/**
 * @param settings tokenizer_config.json
 * @param ownTemplate the folder's chat_template.jinja, which wins
 */
export function chatFromHf(settings: JsonReader, ownTemplate: string | undefined): ChatExtras {
  const value = settings.get("chat_template");
  const chatTemplates = new Map<string, string>();
  if (typeof value === "string") chatTemplates.set("default", value);
  else if (value !== undefined) {
    for (const named of settings.children("chat_template")) {
      const text = (key: string): string => named.string(key) ?? badEntry(named.at(key), "a string", undefined);
      chatTemplates.set(text("name"), text("template"));
    }
  }
  if (ownTemplate !== undefined) chatTemplates.set("default", ownTemplate);
  const specialTokens = new Map<string, string>();
  for (const name of HF_TOKENS) {
    const token = settings.get(name);
    const text = isJsonObject(token) ? token["content"] : token;
    if (typeof text === "string") specialTokens.set(name, text);
  }
  return { chatTemplate: chatTemplates.get("default"), chatTemplates, specialTokens };
}
