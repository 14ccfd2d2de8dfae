/**
 * Sends requests through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name. Deno and Bun do so themselves, as
 * does Node from 22.21 and 24 on with NODE_USE_ENV_PROXY=1. Elsewhere the package `undici` does, if installed: it is
 * Node's own fetch with the proxies that Node leaves out. It has 1.7 MB that most programs never need, so it is no
 * dependency.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { Fetch } from "../../core/model-store.ts";

interface Undici {
  readonly fetch: (url: string, init: RequestInit & { readonly dispatcher: object }) => Promise<Response>;
  readonly ProxyAgent: new (url: string) => object;
}

/** @param environment gives a variable's value, undefined if unset or empty */
export function nodeFetch(environment: (name: string) => string | undefined): Fetch {
  const agents = new Map<string, object>();
  return async (url, init) => {
    const proxy = seesToProxies(environment) ? undefined : proxyFor(new URL(url), environment);
    if (proxy === undefined) return await fetch(url, init);
    const undici = findUndici() ?? noUndici(proxy.variable, new URL(url).hostname);
    const agent = agents.get(proxy.url) ?? new undici.ProxyAgent(proxy.url);
    agents.set(proxy.url, agent);
    return await undici.fetch(url, { ...init, dispatcher: agent });
  };
}

/** Whether the runtime's own fetch uses proxies. */
function seesToProxies(environment: (name: string) => string | undefined): boolean {
  const { node, bun, deno } = process.versions;
  if (bun !== undefined || deno !== undefined) return true;
  const [major, minor] = node.split(".").map(Number),
    isAble = major >= 24 || (major === 22 && minor >= 21);
  return (
    isAble &&
    (environment("NODE_USE_ENV_PROXY") === "1" ||
      [...process.execArgv, ...(environment("NODE_OPTIONS") ?? "").split(" ")].includes("--use-env-proxy"))
  );
}

interface Proxy {
  readonly url: string;
  /** The variable that named it. */
  readonly variable: string;
}

/** @throws OnebitError `option/invalid` for a variable that is not a proxy's address */
export function proxyFor(
  { protocol, hostname, port }: URL,
  environment: (name: string) => string | undefined,
): Proxy | undefined {
  const names = protocol === "https:" ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy", "HTTP_PROXY"],
    variable = names.find((name) => environment(name) !== undefined);
  if (
    variable === undefined ||
    isExempt(
      hostname,
      port || (protocol === "https:" ? "443" : "80"),
      environment("no_proxy") ?? environment("NO_PROXY") ?? "",
    )
  )
    return undefined;
  const text = environment(variable) ?? "",
    url = text.includes("://") ? text : `http://${text}`;
  // Not shown, as it may hold a password.
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
    fail("option/invalid", `${variable}: wanted http://host:port or https://host:port`);
  return { url, variable };
}

/** Matches names and their subdomains, with a port or without; `*` is all. */
function isExempt(hostname: string, port: string, list: string): boolean {
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      if (entry === "*") return true;
      const [, name = "", itsPort] = /^(?:\*?\.)?(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
      return (
        name !== "" &&
        (hostname === name || hostname.endsWith(`.${name}`)) &&
        (itsPort === undefined || itsPort === port)
      );
    });
}

/** Found from the running program (the command line: beside this package), or from the working directory. */
function findUndici(): Undici | undefined {
  const { createRequire } = process.getBuiltinModule("node:module"),
    { join } = process.getBuiltinModule("node:path"),
    { realpathSync } = process.getBuiltinModule("node:fs");
  for (const from of [process.argv[1], join(process.cwd(), "package.json")]) {
    try {
      return createRequire(from === process.argv[1] ? realpathSync(from) : from)("undici") as Undici;
    } catch {
      // Missing, or too new for this Node: try the next place, then tell what to do.
    }
  }
  return undefined;
}

function noUndici(variable: string, hostname: string): never {
  return fail(
    "hub/network",
    `${variable} is set, which Node ${process.versions.node} does not use by itself: install undici beside ` +
      "onebit (npm install undici@6), or run Node 22.21, 24 or later with NODE_USE_ENV_PROXY=1; to go without the " +
      `proxy, put ${hostname} in NO_PROXY`,
  );
}
