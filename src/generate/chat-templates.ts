/**
 * Chat templates for model families whose files carry none, or a wrong one.
 *
 * @module
 */
import { fail, shown } from "../core/errors.ts";
import { didYouMean } from "../core/nearest-name.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/**
 * Chat templates of families whose files come without one, or with a wrong one, by the name that `chatTemplate` takes.
 */
export const CHAT_TEMPLATES = {
  /** BitNet b1.58 2B4T, as in the `tokenizer.py` of Microsoft's BitNet repository. */
  bitnet:
    "{{ bos_token }}{% for message in messages %}{{ message.role | capitalize }}: {{ (message.content or '') | " +
    "trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}",
  /** Qwen, Bonsai, Falcon-E, BitCPM and many others. */
  chatml:
    `{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + (message.content or '') + ` +
    `'<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`,
  /** Falcon3 Instruct. */
  falcon3:
    `{% for message in messages %}{{ '<|' + message.role + '|>\\n' + (message.content or '') + (eos_token + '\\n' ` +
    `if message.role == 'assistant' else '\\n') }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' ` +
    "}}{% endif %}",
  /** Llama 3 Instruct. */
  llama3:
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message.role + " +
    `'<|end_header_id|>\\n\\n' + (message.content or '') | trim + '<|eot_id|>' }}{% endfor %}{% if ` +
    `add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}`,
} as const satisfies Record<string, string>;

/** The name of one of {@link CHAT_TEMPLATES}. */
export type ChatTemplateName = keyof typeof CHAT_TEMPLATES;

/** BitNet 2B4T and its conversions. */
const BITNET_ARCHITECTURES = new Set(["bitnet", "bitnet-b1.58", "bitnet-25"]);

/** A text without a tag is no template: it would print itself whatever the messages are. */
const TAG = /\{[{%]/;

/**
 * Whether a text is a Jinja template rather than a name: whether it holds `{{` or `{%`.
 *
 * @example
 * ```ts
 * import { CHAT_TEMPLATES, isChatTemplateText } from "onebit";
 *
 * console.log(isChatTemplateText("chatml"), isChatTemplateText(CHAT_TEMPLATES.chatml)); // false true
 * ```
 */
export function isChatTemplateText(text: string): boolean {
  return TAG.test(text);
}

/** Names the option `chatTemplate` accepts: the file's own templates, then {@link CHAT_TEMPLATES}. */
export function chatTemplateNames(tokenizer: Tokenizer | undefined): string[] {
  return [...new Set([...(tokenizer?.chatTemplates.keys() ?? []), ...Object.keys(CHAT_TEMPLATES)])];
}

/**
 * The template to use: the caller's (a name of {@link chatTemplateNames} or a template's text), the model's own, or the
 * family's. With tools, a file's `tool_use` template goes before its `default`, as in transformers.
 * @throws OnebitError `template/missing`, `option/invalid`
 */
export function chooseChatTemplate(
  wanted: string | undefined,
  tokenizer: Tokenizer,
  config: ModelConfig,
  hasTools = false,
): string {
  if (wanted !== undefined) return templateNamed(wanted, tokenizer);
  if (isKnownWrong(tokenizer, config)) return CHAT_TEMPLATES.bitnet;
  const own = (hasTools ? tokenizer.chatTemplates.get("tool_use") : undefined) ?? tokenizer.chatTemplate;
  if (own !== undefined) return own;
  if (/falcon-?3/i.test(config.name) && has(tokenizer, "<|assistant|>")) return CHAT_TEMPLATES.falcon3;
  if (has(tokenizer, "<|im_start|>") && has(tokenizer, "<|im_end|>")) return CHAT_TEMPLATES.chatml;
  const names = chatTemplateNames(tokenizer).slice(0, 20).join(", ");
  const which =
    tokenizer.chatTemplates.size > 0 ? " for all conversations" : ", so it may not be trained to chat; if it is";
  fail(
    "template/missing",
    `${config.name}: the model file has no chat template${which}, give chatTemplate: ${names} or a template's text`,
  );
}

function templateNamed(wanted: string, tokenizer: Tokenizer): string {
  const own = tokenizer.chatTemplates.get(wanted);
  if (own !== undefined) return own;
  if (isTemplateName(wanted)) return CHAT_TEMPLATES[wanted];
  if (isChatTemplateText(wanted)) return wanted;
  const names = chatTemplateNames(tokenizer),
    nearest = didYouMean(wanted, names);
  return fail(
    "option/invalid",
    `chatTemplate: ${shown(wanted)} names no template, and as a template text it has no {{ or ` +
      `{%${nearest || `: there are ${names.slice(0, 20).join(", ")}`}`,
  );
}

function isTemplateName(name: string): name is ChatTemplateName {
  return Object.hasOwn(CHAT_TEMPLATES, name);
}

/**
 * 2B4T ends every turn with `<|eot_id|>`; its early GGUF files carry another model's template ("Human: …
 * BITNETAssistant: …"), or none.
 */
function isKnownWrong(tokenizer: Tokenizer, config: ModelConfig): boolean {
  if (!BITNET_ARCHITECTURES.has(config.architecture) || !has(tokenizer, "<|eot_id|>")) return false;
  const { chatTemplate } = tokenizer;
  const is2B4T = config.nEmbd === 2560 && config.nLayers === 30;
  return chatTemplate === undefined
    ? is2B4T
    : chatTemplate.includes("BITNETAssistant") || (is2B4T && !chatTemplate.includes("<|eot_id|>"));
}

function has(tokenizer: Tokenizer, token: string): boolean {
  return tokenizer.tokenId(token) !== undefined;
}
