/**
 * Who may ask: checks of a request before anything of it is read.
 *
 * A page of any site can send requests to a server on this machine, also under a name of its own that resolves to it
 * (DNS rebinding). So `Host` must be a known name, `Origin` an allowed one or this server's own, and a body must be
 * JSON, which other sites' pages cannot send without asking first.
 *
 * @module
 */
import { ApiError } from "./api-error.ts";
import type { ServerSettings } from "./server-options.ts";

/** Names of this machine. */
const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** @throws ApiError 403 */
export function checkHost(request: Request, { allowedHosts }: ServerSettings): void {
  const given = [new URL(request.url).host, request.headers.get("host")].filter((host) => host !== null);
  if (!given.every((host) => isKnownHost(host, allowedHosts)))
    throw new ApiError(403, "host_not_allowed", "this server does not answer to this host name: allow it first", {
      type: "permission_error",
    });
}

/** @param host as in the header, with or without a port */
export function isKnownHost(host: string, allowedHosts: readonly string[] | "any"): boolean {
  if (allowedHosts === "any") return true;
  const name = host.toLowerCase(),
    bare = name.replace(/:\d*$/, "");
  return LOOPBACK.has(bare) || allowedHosts.some((allowed) => [name, bare].includes(allowed.toLowerCase()));
}

/**
 * The origin to name in the answer's CORS headers; undefined where none is needed.
 * @throws ApiError 403
 */
export function checkOrigin(request: Request, { allowedOrigins }: ServerSettings): string | undefined {
  const origin = request.headers.get("origin");
  if (origin === null) return undefined;
  if (allowedOrigins.includes(origin)) return origin;
  const { protocol, host } = new URL(request.url);
  if (origin === `${protocol}//${host}`) return undefined;
  throw new ApiError(403, "origin_not_allowed", "pages of this origin may not ask this server: allow it first", {
    type: "permission_error",
  });
}

export function corsHeaders(origin: string): Record<string, string> {
  return {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": "retry-after, x-request-id",
    vary: "Origin",
  };
}

/** Clients send a dozen of their own, which change nothing here. */
const HEADERS_ASKED_MAX = 2000;

/** The answer to an allowed page's question whether it may send a request, and with which headers. */
export function preflightResponse({ headers }: Request): Response {
  const asked = headers.get("access-control-request-headers") ?? "",
    isList = asked.length <= HEADERS_ASKED_MAX && /^[\w-]+(?: *, *[\w-]+)*$/.test(asked);
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": "GET, POST",
      "access-control-allow-headers": isList ? asked : "authorization, content-type",
      "access-control-max-age": "600",
    },
  });
}

/** Compares keys by their hashes, in a time that says nothing of either. */
export class KeyCheck {
  readonly #keys: readonly string[];

  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  /** @throws ApiError 401 */
  async check(request: Request): Promise<void> {
    if (this.#keys.length === 0) return;
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1],
      hash = await hashOf(given ?? ""),
      // Each time: in workerd no request may wait for what another began.
      hashes = await Promise.all(this.#keys.map(hashOf));
    // All of them: which one it is takes no less time than none.
    const isKnown = hashes.map((known) => areEqual(known, hash)).includes(true);
    if (given === undefined || !isKnown)
      throw new ApiError(
        401,
        "invalid_api_key",
        "wanted the header Authorization: Bearer KEY with a key of this server",
        {
          type: "authentication_error",
          headers: { "www-authenticate": "Bearer" },
        },
      );
  }
}

async function hashOf(key: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  let differences = 0;
  for (let i = 0; i < a.length; i++) differences |= a[i] ^ b[i];
  return differences === 0;
}
