/**
 * Tokenizers for the rest of the library, made from a GGUF file's metadata or from a tokenizer.json.
 *
 * @module
 */
export type { TextPart, Tokenizer } from "./parts-tokenizer.ts";
export { tokenizerFromGguf } from "./gguf-tokenizer.ts";
export { tokenizerFromHf } from "./hf-tokenizer.ts";
