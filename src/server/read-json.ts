/**
 * Reads the JSON body of a request, with bounds on its bytes, its depth and its time.
 *
 * @module
 */
import { JSON_DEPTH_MAX } from "../core/limits.ts";
import { ApiError } from "./api-error.ts";

/** A body of the default size takes a second on a slow line. */
const BODY_TIMEOUT_MS = 30_000;

/** @throws ApiError 400, 408, 413, 415 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const type = (request.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
  if (type !== "application/json")
    throw new ApiError(415, "unsupported_media_type", "wanted a body of the content type application/json");
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding.trim().toLowerCase() !== "identity")
    throw new ApiError(415, "unsupported_media_type", "wanted a body without a content encoding");
  const text = decode(await readBody(request, maxBytes));
  checkDepth(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(400, "invalid_json", "the body is not valid JSON");
  }
}

/** Counted as it comes: a length in a header may be wrong, or missing. */
async function readBody({ body, headers }: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): never => {
    throw new ApiError(413, "body_too_large", `the body is longer than ${maxBytes} bytes`);
  };
  // So that a client that waits for leave to send is not kept waiting.
  if (Number(headers.get("content-length")) > maxBytes) tooLarge();
  if (body === null) throw new ApiError(400, "invalid_json", "wanted a JSON body");
  const reader = body.getReader(),
    chunks: Uint8Array[] = [];
  let nBytes = 0,
    isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, BODY_TIMEOUT_MS);
  try {
    for (;;) {
      const { value } = await reader.read();
      if (isLate) break;
      if (value === undefined) return joined(chunks, nBytes);
      nBytes += value.length;
      if (nBytes > maxBytes) tooLarge();
      chunks.push(value);
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (!isLate) throw new ApiError(400, "body_incomplete", "the body broke off");
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
  throw new ApiError(408, "request_timeout", `the body did not come within ${BODY_TIMEOUT_MS / 1000} s`);
}

function joined(chunks: readonly Uint8Array[], nBytes: number): Uint8Array {
  const bytes = new Uint8Array(nBytes);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError(400, "invalid_json", "the body is not valid UTF-8");
  }
}

/** Before the parser, which some engines write with recursion. */
function checkDepth(text: string): void {
  let depth = 0,
    isString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text[i];
    if (isString) {
      if (unit === "\\") i++;
      else if (unit === '"') isString = false;
    } else if (unit === '"') isString = true;
    else if (unit === "{" || unit === "[") {
      if (++depth > JSON_DEPTH_MAX)
        throw new ApiError(400, "json_too_deep", `the body nests more than ${JSON_DEPTH_MAX} levels`);
    } else if (unit === "}" || unit === "]") depth--;
  }
}
