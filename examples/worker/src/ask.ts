/** What a client may ask for, checked: everything else in its JSON is ignored. */
import { type GenerateOptions, OnebitError } from "onebit";

/** An answer must end: the memory of one that waits for its reader, and the processor's time, are bounded by it. */
const TOKENS_MAX = 500;
const TEXT_CHARS_MAX = 20_000;
/** JSON may write a character as six, and there are a few more: enough for every text that is short enough. */
const BODY_BYTES_MAX = 6 * TEXT_CHARS_MAX + 10_000;
/**
 * Of a longer one this much is read and dropped: a client hears the refusal, where one that is cut off hears nothing.
 */
const DROPPED_BYTES_MAX = 32e6;
const BODY_TIMEOUT_MS = 10_000;
const LATE = `wanted the body within ${BODY_TIMEOUT_MS / 1000} s`;

export interface Ask {
  readonly text: string;
  /** An object in R2; undefined: the model in the package. */
  readonly model: string | undefined;
  readonly options: GenerateOptions & { readonly maxTokens: number };
}

/** @throws OnebitError `option/invalid` */
export async function readAsk(request: Request): Promise<Ask> {
  const body = parse(await readBody(request));
  const { text, model, maxTokens = 200, temperature, topK, topP, minP, seed, stop } = body;
  if (typeof text !== "string" || text.length > TEXT_CHARS_MAX)
    refuse(`text: wanted a string of at most ${TEXT_CHARS_MAX} characters`);
  if (model !== undefined && typeof model !== "string") refuse("model: wanted the name of an object in the bucket");
  if (!(Number.isInteger(maxTokens) && (maxTokens as number) >= 1 && (maxTokens as number) <= TOKENS_MAX))
    refuse(`maxTokens: wanted an integer from 1 to ${TOKENS_MAX}`);
  // These the library checks, when the generation starts.
  return { text, model, options: { maxTokens, temperature, topK, topP, minP, seed, stop } as Ask["options"] };
}

/** Counted as it comes: a length in a header may be wrong, or not there. */
async function readBody({ body }: Request): Promise<string> {
  if (body === null) return refuse("wanted a body");
  const reader = body.getReader(),
    decoder = new TextDecoder();
  let text = "",
    nBytes = 0,
    isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, BODY_TIMEOUT_MS);
  try {
    for (;;) {
      // workerd ends a read by an error where the body is cancelled, or its sender gone.
      const { value } = await reader.read().catch(() => refuse(isLate ? LATE : "the body broke off"));
      if (isLate) refuse(LATE);
      nBytes += value?.length ?? 0;
      const isTooLong = nBytes > BODY_BYTES_MAX;
      if (isTooLong && (value === undefined || nBytes > DROPPED_BYTES_MAX))
        refuse(`wanted a body of at most ${BODY_BYTES_MAX} bytes`);
      if (value === undefined) return text + decoder.decode();
      text = isTooLong ? "" : text + decoder.decode(value, { stream: true });
    }
  } finally {
    clearTimeout(timer);
    // Of what is refused no more need come.
    reader.cancel().catch(() => {});
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    const body = JSON.parse(text) as unknown;
    if (typeof body === "object" && body !== null) return body as Record<string, unknown>;
  } catch {
    // Refused below, as JSON of another kind is.
  }
  return refuse("wanted a body that is a JSON object");
}

function refuse(message: string): never {
  throw new OnebitError("option/invalid", message);
}
