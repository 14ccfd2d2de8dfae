/**
 * Log probabilities of tokens, in the shapes of chats and of completions.
 *
 * @module
 */
import type { AnyModel } from "../any-model.ts";
import type { Piece } from "../index.ts";

interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

/** Of one token of a chat's answer. */
export interface ChatLogprob extends TokenLogprob {
  readonly top_logprobs: readonly TokenLogprob[];
}

/** JSON has no -Infinity, which a banned token has. OpenAI writes this for the unlikeliest. */
const LOGPROB_MIN = -9999;

/** Undefined for a piece without them. */
export async function chatLogprob(model: AnyModel, piece: Piece): Promise<ChatLogprob | undefined> {
  const { id, logprob, topLogprobs = [] } = piece;
  if (logprob === undefined) return undefined;
  const top = topLogprobs.map(async (one) => await describe(model, one.id, one.logprob));
  return { ...(await describe(model, id, logprob)), top_logprobs: await Promise.all(top) };
}

async function describe(model: AnyModel, id: number, logprob: number): Promise<TokenLogprob> {
  const bytes = id < model.tokenizer.vocabSize ? await model.tokenizer.tokenBytes(id) : new Uint8Array();
  // A control token has no bytes; its name says which it is.
  const token = bytes.length > 0 ? new TextDecoder().decode(bytes) : await nameOf(model, id);
  return { token, logprob: Math.max(logprob, LOGPROB_MIN), bytes: [...bytes] };
}

async function nameOf({ tokenizer }: AnyModel, id: number): Promise<string> {
  return id < tokenizer.vocabSize ? await tokenizer.tokenText(id) : "";
}
