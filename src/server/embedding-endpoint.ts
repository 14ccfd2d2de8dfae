/**
 * `/v1/embeddings`: texts to vectors.
 *
 * @module
 */
import * as v from "valibot";
import type { AnyModel } from "../any-model.ts";
import { ApiError } from "./api-error.ts";
import { TEXT, checkFields, fields, listOr, oneOf, optional, whole } from "./fields.ts";
import { IGNORED_FIELDS } from "./ignored-fields.ts";
import { pause } from "./life.ts";
import type { Visit } from "./visit.ts";

/** OpenAI's. */
const TEXTS_MAX = 2048;
/** Between as many, others have their turn: 2,048 short texts at once held the loop for 0.66 s. */
const TEXTS_AT_ONCE = 32;

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
    const { vectors, nTokens } = await embedAll(visit, model, texts, dimensions);
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

async function embedAll(
  visit: Visit,
  model: AnyModel,
  texts: readonly string[],
  dimensions: number | undefined,
): Promise<{ readonly vectors: readonly Float32Array[]; readonly nTokens: number }> {
  const vectors: Float32Array[] = [];
  let nTokens = 0;
  for (let at = 0; at < texts.length; at += TEXTS_AT_ONCE) {
    if (at > 0) await pause(0);
    const some = texts.slice(at, at + TEXTS_AT_ONCE);
    const found = await model.embed(some, { dimensions, signal: visit.signal }).catch((error: unknown) => {
      visit.throwIfStopped();
      throw error;
    });
    vectors.push(...found);
    for (const text of some) nTokens += (await model.tokenizer.encode(text)).length;
  }
  return { vectors, nTokens };
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
