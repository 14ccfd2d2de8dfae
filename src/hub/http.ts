/**
 * One request and its answer. Follows redirects by hand, so that a token stays with its host and a hub's headers on the
 * way are kept; sets time limits; makes every failure a typed error.
 *
 * @module
 */
import { OnebitError, fail, printable, quoted, throwIfAborted } from "../core/errors.ts";
import type { ErrorCode } from "../core/errors.ts";
import { HUB_REDIRECTS_MAX, HUB_RETRY_AFTER_MS_MAX } from "../core/limits.ts";
import type { Fetch } from "../core/model-store.ts";
import { PassingFailure, retryAfterMs } from "./retry.ts";
import type { RetryPolicy } from "./retry.ts";
import { shown } from "./source.ts";

export interface Http {
  readonly fetch: Fetch;
  readonly signal: AbortSignal;
  readonly retry: RetryPolicy;
  /** The longest time without an answer, or without {@link SLOWEST_BYTES} of a body. */
  readonly timeoutMs: number;
  /** Sent to this origin only: `Authorization`, or what a user's server wants. */
  readonly secrets?: { readonly origin: string; readonly headers: Readonly<Record<string, string>> };
}

/** An answer; its body must still be read or dropped. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** After redirects. */
  readonly url: string;
  /** Headers of the first host about the file, before it redirected: `X-Linked-ETag`, `X-Repo-Commit`. */
  readonly linked: (name: string) => string | undefined;
  /**
   * The body piece by piece.
   * @throws PassingFailure when it breaks off or stalls, OnebitError `aborted`
   */
  pieces(): AsyncGenerator<Uint8Array, void>;
  /** Ends the request; always call it. */
  drop(): void;
}

export const TIMEOUT_MS_DEFAULT = 30_000;
/** Less than this within the timeout is no download: 1 kB in 30 s, where a modem brings 200 kB. */
const SLOWEST_BYTES = 1024;

/**
 * Sends a GET or HEAD and resolves with the headers of the last hop.
 * @throws PassingFailure, OnebitError `hub/…`, `aborted`
 */
export async function send(http: Http, url: string, init: RequestOf = {}): Promise<Answer> {
  throwIfAborted(http.signal);
  const limit = new TimeLimit(http.signal, http.timeoutMs);
  const hops: Headers[] = [];
  try {
    let at = url;
    for (let nHops = 0; nHops <= HUB_REDIRECTS_MAX; nHops++) {
      const response = await hop(http, at, init, limit);
      hops.push(response.headers);
      const location = response.headers.get("location");
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null)
        return answer(http, response, at, hops, limit);
      dropBody(response);
      at = redirected(at, location);
    }
    return fail("hub/redirect", `${shown(url)}: redirected more than ${HUB_REDIRECTS_MAX} times, last to ${shown(at)}`);
  } catch (error) {
    limit.end();
    throw error;
  }
}

interface RequestOf {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
}

async function hop(
  http: Http,
  url: string,
  { method = "GET", headers = {} }: RequestOf,
  limit: TimeLimit,
): Promise<Response> {
  const ask: Ask = async (at, redirect, secrets) => {
    try {
      return await http.fetch(at, { method, headers: { ...headers, ...secrets }, redirect, signal: limit.signal });
    } catch (cause) {
      throw lost(http, limit, cause, `${shown(at)}: no answer`);
    }
  };
  const secrets = http.secrets !== undefined && new URL(url).origin === http.secrets.origin ? http.secrets.headers : {};
  const response = await ask(url, "manual", secrets);
  return response.type === "opaqueredirect" ? await followHidden(url, secrets, ask) : response;
}

type Ask = (at: string, redirect: RequestRedirect, secrets: Readonly<Record<string, string>>) => Promise<Response>;

/**
 * Browsers hide where a redirect leads, and a fetch that follows it takes all headers along, except `Authorization` to
 * another origin. So with other secrets we first follow without them, which tells where it ends: elsewhere, where the
 * secrets must not go, or on their own host, which we then ask again.
 */
async function followHidden(url: string, secrets: Readonly<Record<string, string>>, ask: Ask): Promise<Response> {
  const follow = async (carried: Readonly<Record<string, string>>): Promise<Response> => {
    const response = await ask(url, "follow", carried);
    if (response.redirected) checkSafety(url, response.url);
    return response;
  };
  const maySend = Object.keys(secrets).every((name) => name.toLowerCase() === "authorization") && stripsAuthorization();
  if (maySend || Object.keys(secrets).length === 0) return await follow(secrets);
  const bare = await follow({}),
    isElsewhere = bare.redirected && new URL(bare.url).origin !== new URL(url).origin;
  if (bare.ok && isElsewhere) return bare;
  dropBody(bare);
  if (bare.redirected && !isElsewhere) {
    const there = await ask(bare.url, "manual", secrets);
    if (there.type !== "opaqueredirect") return there;
  }
  return fail(
    "hub/redirect",
    `${shown(url)}: redirects to an address that this browser hides, and the headers meant ` +
      `for ${new URL(url).host} must not go along; give the address it leads to`,
  );
}

/**
 * Whether a fetch redirected to another origin drops `Authorization`, as the Fetch standard has it since 2022: Safari
 * 16.1, Firefox 111 and Chrome 119 do. We test for a function that exists since Safari 17.4, Firefox 121 and Chrome
 * 119.
 */
function stripsAuthorization(): boolean {
  return "withResolvers" in Promise;
}

/**
 * Cancelling may fail because the connection is gone: all the better. Not awaited, as a stalled body would block us.
 */
function dropBody(response: Response): void {
  void response.body?.cancel().catch(() => {});
}

function redirected(from: string, location: string): string {
  let to: URL;
  try {
    to = new URL(location, from);
  } catch (cause) {
    return fail("hub/redirect", `${shown(from)}: redirects to ${quoted(location)}, which is no URL`, cause);
  }
  checkSafety(from, to.href);
  return to.href;
}

function checkSafety(from: string, to: string): void {
  const isAsSafe = to.startsWith("https:") || (to.startsWith("http:") && from.startsWith("http:"));
  if (!isAsSafe) fail("hub/redirect", `${shown(from)}: redirects to ${shown(to)}, which is less secure`);
}

function answer(http: Http, response: Response, url: string, hops: readonly Headers[], limit: TimeLimit): Answer {
  return {
    status: response.status,
    headers: response.headers,
    url: response.redirected ? response.url : url,
    linked: (name) => hops.map((headers) => headers.get(name)).find((value) => value !== null) ?? undefined,
    async *pieces() {
      if (response.body === null) return;
      const reader = response.body.getReader();
      try {
        for (;;) {
          const { done, value } = await reader.read().catch((cause: unknown) => {
            throw lost(http, limit, cause, `${shown(url)}: the connection was cut`);
          });
          if (done) return;
          limit.sawBytes(value.length);
          yield value;
        }
      } finally {
        // Fails if the connection is gone: all the better.
        await reader.cancel().catch(() => {});
      }
    },
    drop: () => limit.end(),
  };
}

/** Why a fetch threw: the caller's stop, our time limit, or the network. */
function lost(http: Http, limit: TimeLimit, cause: unknown, what: string): Error {
  if (cause instanceof OnebitError) return cause;
  if (http.signal.aborted)
    return new OnebitError("aborted", "stopped by the caller's abort signal", { cause: http.signal.reason });
  if (limit.isOver)
    return new PassingFailure(new OnebitError("hub/timeout", `${what} within ${http.timeoutMs} ms`, { cause }));
  const reason = reasonOf(cause);
  return new PassingFailure(new OnebitError("hub/network", `${what}: ${reason}`, { cause }), {
    isUnreachable: UNREACHABLE.test(reason),
  });
}

const UNREACHABLE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ENETDOWN|bad port/;

/** Node says "fetch failed" and hides the reason in the causes. */
function reasonOf(error: unknown): string {
  const reasons: string[] = [];
  for (let at: unknown = error; at instanceof Error && reasons.length < 4; at = at.cause) {
    const code = (at as { code?: unknown }).code;
    reasons.push(typeof code === "string" && !at.message.includes(code) ? `${at.message} (${code})` : at.message);
    const [first] = at instanceof AggregateError ? at.errors : [];
    if (first instanceof Error) reasons.push(first.message);
  }
  return printable(reasons.filter((reason) => reason !== "").join(": ") || String(error));
}

interface Refusal {
  readonly code: ErrorCode;
  readonly hint: string;
}

const REFUSALS: ReadonlyMap<number, Refusal> = new Map([
  [
    401,
    {
      code: "hub/unauthorized",
      hint: "it does not exist, or is private or gated and needs a token (option token, --token or HF_TOKEN)",
    },
  ],
  [
    403,
    { code: "hub/forbidden", hint: "the token may not read it; for a gated model accept its terms on its page first" },
  ],
  [404, { code: "hub/not-found", hint: "there is no such repository, revision or file" }],
  [410, { code: "hub/not-found", hint: "it is gone" }],
  [416, { code: "hub/range", hint: "the server does not have the requested bytes" }],
] satisfies [number, Refusal][]);
/** Answers that may change a little later. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Throws the error for an unwanted answer. @throws PassingFailure for those that may pass */
export function refuse(answer: Answer, url: string): never {
  const { status, headers } = answer;
  answer.drop();
  const said = headers.get("x-error-message"),
    more = said === null ? "" : ` (${quoted(said)})`;
  const refusal = REFUSALS.get(status);
  if (refusal !== undefined) fail(refusal.code, `${shown(url)}: the server answered ${status}: ${refusal.hint}${more}`);
  const error = new OnebitError("hub/server", `${shown(url)}: the server answered ${status}${more}`);
  if (!PASSING.has(status)) throw error;
  const waitMs = retryAfterMs(headers.get("retry-after"), Date.now());
  if (waitMs !== undefined && waitMs > HUB_RETRY_AFTER_MS_MAX) {
    fail("hub/server", `${error.message} and asks to wait ${Math.round(waitMs / 1000)} s`);
  }
  throw new PassingFailure(error, { waitMs });
}

/** Aborts a request when the caller does, or when nothing arrives for too long. */
class TimeLimit {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal;
  readonly #timeoutMs: number;
  readonly #stop = (): void => this.#controller.abort(this.#caller.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #seenBytes = 0;
  isOver = false;

  constructor(caller: AbortSignal, timeoutMs: number) {
    this.#caller = caller;
    this.#timeoutMs = timeoutMs;
    caller.addEventListener("abort", this.#stop, { once: true });
    this.#start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  sawBytes(count: number): void {
    this.#seenBytes += count;
    if (this.#seenBytes >= SLOWEST_BYTES) this.#start();
  }

  /** Ends the request if it still runs, and releases the caller's signal. */
  end(): void {
    clearTimeout(this.#timer);
    this.#caller.removeEventListener("abort", this.#stop);
    this.#controller.abort();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#seenBytes = 0;
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.#controller.abort(new Error("timeout"));
    }, this.#timeoutMs);
  }
}
