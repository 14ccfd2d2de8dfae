/**
 * `/v1/embeddings`: texts to vectors.
 *
 * @module
 */
import * as v from "valibot";
import { ApiError } from "./api-error.ts";
import { TEXT, checkFields, fields, listOr, oneOf, optional, whole } from "./fields.ts";
import { IGNORED_FIELDS } from "./ignored-fields.ts";
import type { Visit } from "./visit.ts";

/** OpenAI's. */
const TEXTS_MAX = 2048;

const WANTED = `wanted 1 to ${TEXTS_MAX} texts`;
const NOT_EMPTY = v.pipe(TEXT, v.minLength(1, "wanted a text that is not empty"));
const BODY = fields({
  model: optional(TEXT),
  input: listOr(v.pipe(v.array(NOT_EMPTY), v.minLength(1, WANTED), v.maxLength(TEXTS_MAX, WANTED)), NOT_EMPTY),
  dimensions: optional(whole(1, 2 ** 20)),
  encoding_format: optional(oneOf("float", "base64")),
});

/** @throws ApiError, OnebitError */
export async function embeddings(visit: Visit, body: unknown): Promise<Response> {
  const { model: asked, input, dimensions, encoding_format = "float" } = checkFields(BODY, body, IGNORED_FIELDS),
    name = visit.service.room.nameOf(asked),
    texts = typeof input === "string" ? [input] : input;
  try {
    const model = await visit.enter(name),
      { nEmbd } = model.config;
    if (dimensions !== undefined && dimensions > nEmbd)
      throw new ApiError(400, "invalid_value", `dimensions: the model has ${nEmbd}, got ${dimensions}`, {
        param: "dimensions",
      });
    const vectors = await model.embed(texts, { dimensions, signal: visit.signal }).catch((error: unknown) => {
      visit.throwIfStopped();
      throw error;
    });
    const counts = await Promise.all(texts.map(async (text) => (await model.tokenizer.encode(text)).length)),
      nTokens = counts.reduce((sum, length) => sum + length, 0);
    const data = vectors.map((vector, index) => {
      return { object: "embedding", index, embedding: encoding_format === "base64" ? base64Of(vector) : [...vector] };
    });
    visit.service.metrics.add("onebit_prompt_tokens_total", nTokens);
    return Response.json({
      object: "list",
      data,
      model: name,
      usage: { prompt_tokens: nTokens, total_tokens: nTokens },
    });
  } finally {
    visit.end();
  }
}

/** Floats of 32 bits, the lowest byte first. */
function base64Of(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.length * 4),
    view = new DataView(bytes.buffer);
  vector.forEach((x, i) => view.setFloat32(4 * i, x, true));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
