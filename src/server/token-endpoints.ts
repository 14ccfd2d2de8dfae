/**
 * `/tokenize` and `/detokenize`, as llama.cpp's server has them.
 *
 * @module
 */
import * as v from "valibot";
import type { AnyTokenizer } from "../any-model.ts";
import { BOOLEAN, TEXT, checkFields, fields, optional, whole } from "./fields.ts";
import type { Visit } from "./visit.ts";

const TOKENIZE = fields({
  model: optional(TEXT),
  content: TEXT,
  add_special: optional(BOOLEAN),
  parse_special: optional(BOOLEAN),
  with_pieces: optional(BOOLEAN),
});
const DETOKENIZE = fields({
  model: optional(TEXT),
  tokens: v.array(whole(0, 2 ** 31 - 1), "wanted a list of token ids"),
});
const NONE: ReadonlySet<string> = new Set();

/** @throws ApiError, OnebitError */
export async function tokenize(visit: Visit, body: unknown): Promise<Response> {
  const {
    model: asked,
    content,
    add_special: addSpecial = false,
    parse_special: parseSpecial = false,
    with_pieces: withPieces = false,
  } = checkFields(TOKENIZE, body, NONE);
  try {
    const { tokenizer } = await visit.enter(visit.service.room.nameOf(asked)),
      ids = await tokenizer.encode(content, { addSpecial, parseSpecial });
    return Response.json({ tokens: withPieces ? await piecesOf(tokenizer, ids) : ids });
  } finally {
    visit.end();
  }
}

/** Each token is asked for once: a million of them, with a promise each, would take seconds. */
async function piecesOf(tokenizer: AnyTokenizer, ids: readonly number[]): Promise<{ id: number; piece: string }[]> {
  const pieces = new Map<number, string>();
  for (const id of new Set(ids)) pieces.set(id, await tokenizer.tokenText(id));
  return ids.map((id) => ({ id, piece: pieces.get(id)! }));
}

/** @throws ApiError, OnebitError */
export async function detokenize(visit: Visit, body: unknown): Promise<Response> {
  const { model: asked, tokens } = checkFields(DETOKENIZE, body, NONE);
  try {
    const { tokenizer } = await visit.enter(visit.service.room.nameOf(asked));
    return Response.json({ content: await tokenizer.decode(tokens, { continued: true, special: true }) });
  } finally {
    visit.end();
  }
}
