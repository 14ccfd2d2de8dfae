/**
 * What went wrong, as OpenAI's clients read it: a status and `{ error: { message, type, param, code } }`.
 *
 * Causes stay here: a client never learns a path, a stack or where a model comes from.
 *
 * @module
 */
import { OnebitError } from "../core/errors.ts";

export interface ApiErrorDetails {
  /** OpenAI's kind of error. Default `invalid_request_error`. */
  readonly type?: string;
  /** The field of the request it is about: `messages[0].content`. */
  readonly param?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly type: string;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, details: ApiErrorDetails = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.type = details.type ?? "invalid_request_error";
    this.param = details.param ?? null;
    this.headers = details.headers ?? {};
  }

  get body(): { error: { message: string; type: string; param: string | null; code: string } } {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code } };
  }
}

/** What an error of the library is to a client. */
interface Meaning {
  /** The beginning of its code. */
  readonly code: string;
  readonly status: number;
  /** Instead of the library's code, where OpenAI has a name. */
  readonly as?: string;
  /** The field it is about, where the library's message does not begin with an option. */
  readonly param?: string;
  /** Instead of the library's message, which names files. */
  readonly message?: string;
}

const MEANINGS: readonly Meaning[] = [
  { code: "option/", status: 400, as: "invalid_value" },
  { code: "grammar/", status: 400, param: "response_format" },
  { code: "template/", status: 400 },
  { code: "model/context-full", status: 400, as: "context_length_exceeded" },
  { code: "model/bad-token", status: 400 },
  { code: "model/no-head", status: 400, message: "the model is for embeddings: it does not write" },
  { code: "tokenizer/missing", status: 400 },
  { code: "model/closed", status: 503, message: "the model was closed: try again" },
  { code: "engine/thread-lost", status: 503, message: "the model lost a thread and must be loaded again" },
  { code: "engine/worker-lost", status: 503, message: "the model lost its worker and must be loaded again" },
  { code: "model/not-enough-memory", status: 503, message: "there is not enough memory for the model now" },
  { code: "model/not-finite", status: 500, message: "the model's numbers overflowed" },
  { code: "file/", status: 503, message: "the model cannot be read" },
  { code: "hub/", status: 503, message: "the model cannot be fetched" },
];

/**
 * @param nameOf the request's name for an option of the library
 */
export function apiErrorOf(error: unknown, nameOf: (option: string) => string | undefined = () => undefined): ApiError {
  if (error instanceof ApiError) return error;
  const meaning = error instanceof OnebitError ? MEANINGS.find(({ code }) => error.code.startsWith(code)) : undefined;
  if (!(error instanceof OnebitError) || meaning === undefined)
    return new ApiError(500, "internal_error", "the server failed", { type: "server_error" });
  const { status, as = error.code, message } = meaning,
    type = status < 500 ? "invalid_request_error" : "server_error";
  if (message !== undefined) return new ApiError(status, as, message, { type });
  // "topP: wanted a number …" is about the field `top_p`.
  const option = /^[a-z]\w*/i.exec(error.message)?.[0] ?? "",
    field = nameOf(option);
  const renamed = field === undefined ? error.message : field + error.message.slice(option.length);
  return new ApiError(status, as, renamed, { type, param: field ?? meaning.param });
}

/** The response of an error. */
export function errorResponse(error: ApiError): Response {
  return Response.json(error.body, { status: error.status, headers: { ...error.headers } });
}
