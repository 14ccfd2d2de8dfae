/**
 * Models for embeddings have no head: their logits would say nothing.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { ModelConfig } from "./config.ts";

/** @throws OnebitError `model/no-head` */
export function requireHead({ name, embeddingOnly = false }: ModelConfig): void {
  if (!embeddingOnly) return;
  fail("model/no-head", `${name}: wanted a model that writes, found one for embeddings, without a head: use embed`);
}
