/**
 * Chat templates of model families whose files come without one, or with a wrong one.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/**
 * By name, so that callers can choose one too.
 * - `bitnet`: BitNet b1.58 2B4T, as in the `tokenizer.py` of Microsoft's BitNet repository.
 * - `chatml`: Qwen, Bonsai, Falcon-E, BitCPM and many others.
 * - `falcon3`: Falcon3 Instruct.
 * - `llama3`: Llama 3 Instruct.
 */
export const CHAT_TEMPLATES = {
  bitnet: `{{ bos_token }}{% for message in messages %}{{ message.role | capitalize }}: {{ message.content | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}`,
  chatml: `{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`,
  falcon3: `{% for message in messages %}{{ '<|' + message.role + '|>\\n' + message.content + (eos_token + '\\n' if message.role == 'assistant' else '\\n') }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}`,
  llama3: `{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}`,
} as const satisfies Record<string, string>;

export type ChatTemplateName = keyof typeof CHAT_TEMPLATES;

/** BitNet 2B4T and its conversions. */
const BITNET_ARCHITECTURES = new Set(["bitnet", "bitnet-b1.58", "bitnet-25"]);

/**
 * The template to use: the caller's (a name of {@link CHAT_TEMPLATES} or a template's text), the model's own, or the
 * family's.
 * @throws OnebitError `template/missing`
 */
export function chooseChatTemplate(wanted: string | undefined, tokenizer: Tokenizer, config: ModelConfig): string {
  if (wanted !== undefined) return isTemplateName(wanted) ? CHAT_TEMPLATES[wanted] : wanted;
  if (isKnownWrong(tokenizer, config)) return CHAT_TEMPLATES.bitnet;
  if (tokenizer.chatTemplate !== undefined) return tokenizer.chatTemplate;
  if (/falcon-?3/i.test(config.name) && has(tokenizer, "<|assistant|>")) return CHAT_TEMPLATES.falcon3;
  if (has(tokenizer, "<|im_start|>") && has(tokenizer, "<|im_end|>")) return CHAT_TEMPLATES.chatml;
  fail(
    "template/missing",
    `${config.name}: the model file has no chat template, so it may not be trained to chat; if it is, give chatTemplate: ${Object.keys(CHAT_TEMPLATES).join(", ")} or a template's text`,
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
  return chatTemplate === undefined ? is2B4T : chatTemplate.includes("BITNETAssistant") || (is2B4T && !chatTemplate.includes("<|eot_id|>"));
}

function has(tokenizer: Tokenizer, token: string): boolean {
  return tokenizer.tokenId(token) !== undefined;
}
