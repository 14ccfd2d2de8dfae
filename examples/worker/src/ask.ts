/** What a client may ask for, checked: everything else in its JSON is ignored. */
import { type GenerateOptions, OnebitError } from "onebit";

/** An answer must end: the memory of one that waits for its reader, and the processor's time, are bounded by it. */
const TOKENS_MAX = 500;
const TEXT_CHARS_MAX = 20_000;

export interface Ask {
  readonly text: string;
  /** An object in R2; undefined: the model in the package. */
  readonly model: string | undefined;
  readonly options: GenerateOptions & { readonly maxTokens: number };
}

/** @throws OnebitError `option/invalid` */
export async function readAsk(request: Request): Promise<Ask> {
  // Twice as many bytes: enough for every text that is short enough, and never more than that in memory.
  if (!(Number(request.headers.get("content-length")) <= 2 * TEXT_CHARS_MAX)) refuse(`wanted a body of at most ${2 * TEXT_CHARS_MAX} bytes, and its content-length`);
  const body = (await request.json().catch(() => refuse("wanted JSON"))) as Record<string, unknown>;
  const { text, model, maxTokens = 200, temperature, topK, topP, minP, seed, stop } = body ?? {};
  if (typeof text !== "string" || text.length > TEXT_CHARS_MAX) refuse(`text: wanted a string of at most ${TEXT_CHARS_MAX} characters`);
  if (model !== undefined && typeof model !== "string") refuse("model: wanted the name of an object in the bucket");
  if (!(Number.isInteger(maxTokens) && (maxTokens as number) >= 1 && (maxTokens as number) <= TOKENS_MAX)) refuse(`maxTokens: wanted an integer from 1 to ${TOKENS_MAX}`);
  // These the library checks, when the generation starts.
  return { text, model, options: { maxTokens, temperature, topK, topP, minP, seed, stop } as Ask["options"] };
}

function refuse(message: string): never {
  throw new OnebitError("option/invalid", message);
}
