/**
 * Redirects as browsers have them: where one leads is not shown, and a fetch that follows it takes headers along. No
 * header of the caller's goes to another origin, or from https to http. The stand-in for a browser's fetch is as the
 * Fetch standard has it.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Fetch } from "../../src/core/model-store.ts";
import { pullModel } from "../../src/hub/pull.ts";
import type { HubOptions } from "../../src/hub/options.ts";
import { modelBytes, sha256 } from "./fake-hub.ts";
import { memoryPlatform } from "./hub-platform.ts";
import { rejectsWith } from "./rejects.ts";

const model = modelBytes(3000, 1),
  COMMIT = "b".repeat(40);

interface Seen {
  readonly url: string;
  readonly headers: Headers;
}

/**
 * Answers by URL: an address to be sent on to, a status, or a body. `whoMay` says who gets what stands there; others
 * get 401.
 */
type Site = Readonly<Record<string, string | number | Uint8Array>>;

function browserFetch(site: Site, seen: Seen[], whoMay: (request: Seen) => boolean = () => true): Fetch {
  const shaped = (response: Response, more: object): Response =>
    Object.defineProperties(response, Object.fromEntries(Object.entries(more).map(([key, value]) => [key, { value }])));
  return async (address, { redirect, headers: given }) => {
    const headers = new Headers(given);
    for (let at = address, redirected = false; ; redirected = true) {
      const request = { url: at, headers: new Headers(headers) },
        there = whoMay(request) ? (site[at] ?? 404) : 401;
      seen.push(request);
      if (typeof there === "number") return shaped(new Response("no", { status: there }), { url: at, redirected });
      if (typeof there !== "string") {
        const range = /^bytes=(\d+)-(\d+)$/.exec(headers.get("range") ?? "");
        const end = Math.min(there.length, Number(range?.[2] ?? there.length) + 1);
        const more: Record<string, string> =
          range === null ? {} : { "content-range": `bytes ${range[1]}-${end - 1}/${there.length}` };
        return shaped(
          new Response(there.slice(Number(range?.[1] ?? 0), end), {
            status: range === null ? 200 : 206,
            headers: { ...more, etag: '"1"' },
          }),
          { url: at, redirected },
        );
      }
      if (redirect === "manual") return shaped(new Response(null), { type: "opaqueredirect", status: 0, url: at });
      if (new URL(there).origin !== new URL(at).origin) headers.delete("authorization");
      at = there;
    }
  };
}

const A = "https://a.test",
  B = "https://b.test";

async function pullThere(
  site: Site,
  options: HubOptions,
  whoMay?: (request: Seen) => boolean,
): Promise<{ readonly seen: Seen[]; readonly outcome: unknown }> {
  const seen: Seen[] = [];
  const outcome = await pullModel(
    `${A}/m.gguf`,
    { ...memoryPlatform(), fetch: browserFetch(site, seen, whoMay) },
    { attempts: 1, ...options },
  ).catch((error: unknown) => error);
  return { seen, outcome };
}

function assertKept(seen: readonly Seen[], names: readonly string[]): void {
  for (const { url, headers } of seen)
    for (const name of names)
      assert.ok(headers.get(name) === null || url.startsWith(`${A}/`), `${name} went to ${url}`);
}

describe("headers of the caller", () => {
  const headers = { "X-Api-Key": "secret", Authorization: "Bearer secret" },
    names = Object.keys(headers);

  test("stay with their host when it redirects to another", async () => {
    for (const target of [`${B}/m.gguf`, "https://a.test.evil.test/m.gguf", "https://a.test:8443/m.gguf"]) {
      const { seen, outcome } = await pullThere({ [`${A}/m.gguf`]: target, [target]: model }, { headers });
      assert.ok(!(outcome instanceof Error), String(outcome));
      assertKept(seen, names);
      assert.ok(seen.some(({ url }) => url === target));
    }
  });

  test("never go from https to http, nor does the file", async () => {
    for (const options of [{ headers }, { headers: { Authorization: "x" } }, {}]) {
      const { seen, outcome } = await pullThere(
        { [`${A}/m.gguf`]: "http://a.test/m.gguf", "http://a.test/m.gguf": model },
        options,
      );
      await rejectsWith(Promise.reject(outcome), /^hub\/redirect$/, /less secure/);
      assertKept(seen, names);
    }
  });

  test("reach another place on their own host, also through a second one", async () => {
    const whoMay = ({ url, headers: sent }: Seen): boolean =>
      url !== `${A}/there.gguf` || sent.get("x-api-key") === "secret";
    const { seen, outcome } = await pullThere(
      { [`${A}/m.gguf`]: `${A}/there.gguf`, [`${A}/there.gguf`]: model },
      { headers },
      whoMay,
    );
    assert.ok(!(outcome instanceof Error), String(outcome));
    assertKept(seen, names);
    const around = await pullThere(
      { [`${A}/m.gguf`]: `${B}/around`, [`${B}/around`]: `${A}/there.gguf`, [`${A}/there.gguf`]: model },
      { headers },
      whoMay,
    );
    assertKept(around.seen, names);
  });

  test("that only a followed redirect could use: a typed error says what to do", async () => {
    const whoMay = ({ url, headers: sent }: Seen): boolean =>
      url !== `${A}/m.gguf` || sent.get("x-api-key") === "secret";
    const { seen, outcome } = await pullThere(
      { [`${A}/m.gguf`]: `${B}/m.gguf`, [`${B}/m.gguf`]: model },
      { headers: { "X-Api-Key": "secret" } },
      whoMay,
    );
    await rejectsWith(
      Promise.reject(outcome),
      /^hub\/redirect$/,
      /a\.test must not go along; give the address it leads to/,
    );
    assertKept(seen, names);
  });

  test("the hub's token alone: a browser that drops it on redirects does so", async () => {
    const list = JSON.stringify({
      sha: COMMIT,
      siblings: [{ rfilename: "m.gguf", lfs: { sha256: sha256(model), size: model.length } }],
    });
    const site = {
      [`${A}/api/models/o/m/revision/main?blobs=true`]: new TextEncoder().encode(list),
      [`${A}/o/m/resolve/${COMMIT}/m.gguf`]: `${B}/blob`,
      [`${B}/blob`]: model,
    };
    const whoMay = ({ url, headers: sent }: Seen): boolean =>
      url.startsWith(B) || sent.get("authorization") === "Bearer hf_x";
    for (const isNew of [true, false]) {
      const seen: Seen[] = [],
        { withResolvers } = Promise as { withResolvers?: unknown };
      if (isNew)
        Object.defineProperty(Promise, "withResolvers", { value: withResolvers ?? (() => {}), configurable: true });
      else Reflect.deleteProperty(Promise, "withResolvers");
      try {
        const outcome = await pullModel(
          "hf:o/m",
          { ...memoryPlatform(), fetch: browserFetch(site, seen, whoMay) },
          { attempts: 1, hubUrl: A, token: "hf_x" },
        ).catch((error: unknown) => error);
        assertKept(seen, ["authorization"]);
        if (isNew) assert.ok(!(outcome instanceof Error), String(outcome));
        else await rejectsWith(Promise.reject(outcome), /^hub\/redirect$/, /must not go along/);
      } finally {
        if (withResolvers === undefined) Reflect.deleteProperty(Promise, "withResolvers");
        else
          Object.defineProperty(Promise, "withResolvers", { value: withResolvers, configurable: true, writable: true });
      }
    }
  });
});
