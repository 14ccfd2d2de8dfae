/**
 * A hub that lies: each answer may have an odd status, headers that contradict the body, a list that is none, names
 * that lead out of a folder, a redirect to anywhere, a body that is cut, endless, another one, or never comes. In this
 * process, with a `fetch` that makes its answers; what was pulled is then listed, opened without the network, and
 * removed.
 *
 * Wrong answers it looks for: a secret header at another origin, a file that is not the one the hub named by its hash,
 * a file of a URL that is no model, a path outside of the cache, and an error that carries a control sequence or has no
 * end.
 */
import assert from "node:assert/strict";
import type { Random } from "../../synthetic/random.ts";
import { OnebitError } from "../../../src/core/errors.ts";
import type { HubPlatform } from "../../../src/core/model-store.ts";
import { listModels, removeModel } from "../../../src/hub/inventory.ts";
import type { HubOptions, PulledModel } from "../../../src/hub/options.ts";
import { pullModel } from "../../../src/hub/pull.ts";
import { nodeHub } from "../../../src/platform/node/hub.ts";
import { modelBytes, randomBytes, sha256 } from "../../hub/fake-hub.ts";
import { MemoryModelStore } from "../../hub/memory-model-store.ts";
import type { Attempt, HostileGenerator } from "./generator.ts";

const HUB = "https://hub.test",
  CDN = "https://cdn.test",
  COMMIT = "c".repeat(40),
  ROOM_BYTES = 6_000_000,
  PART_BYTES = 2 * 1024 * 1024,
  LONG_LIST = 100_000,
  DIFFERENT_MAX = 1000;
const ESC = "\u009b31m";

/** One of `choices`. */
const pick = <T>(random: Random, choices: readonly T[]): T => choices[random.u32() % choices.length];
const isOneIn = (random: Random, n: number): boolean => random.u32() % n === 0;

export const generator: HostileGenerator = { name: "hub", weight: 0.2, tryOne };

async function tryOne(random: Random): Promise<Attempt> {
  const hub = new LyingHub(random),
    store = new MemoryModelStore({
      hasLinks: !isOneIn(random, 3),
      roomBytes: ROOM_BYTES,
      tellsRoom: isOneIn(random, 2),
    });
  const platform: HubPlatform = {
    ...nodeHub(
      async () => assert.fail("a file was opened"),
      () => undefined,
    ),
    hubStore: store,
    urlStore: store,
    fetch: hub.fetch,
  };
  const source = pick(random, [
    "hf:o/m",
    "hf:o/m/m-TQ2_0.gguf",
    "hf:o/m@v1",
    `${HUB}/m.gguf`,
    `${HUB}/m.gguf?key=1`,
    `${HUB}/s-00001-of-00002.gguf`,
    `${HUB}/download`,
  ]);
  const options: HubOptions = {
    hubUrl: HUB,
    token: "hf_secret",
    headers: { "x-secret": "secret" },
    attempts: 2,
    backoffMs: 0,
    timeoutMs: 20,
    ...(isOneIn(random, 6) ? { sha256: pick(random, [sha256(hub.model), "0".repeat(64)]) } : {}),
    refresh: isOneIn(random, 3),
    verify: isOneIn(random, 4),
  };
  const outcome = await outcomeOf(
    async () => await checkPulled(await pullModel(source, platform, options), source, hub, options),
  );
  // This store, this server and these checks hold a model many times over.
  if (hub.model.length > PART_BYTES) return { outcome, inputBytes: hub.inputBytes };
  // Again, of a hub that tells other lies; then without it.
  if (isOneIn(random, 2))
    await outcomeOf(async () => await checkPulled(await pullModel(source, platform, options), source, hub, options));
  await outcomeOf(
    async () =>
      await checkPulled(await pullModel(source, platform, { ...options, offline: true }), source, hub, options),
  );
  await outcomeOf(async () => await listModels(platform));
  checkPaths(store);
  await outcomeOf(
    async () =>
      await removeModel(source.replace(/@v1$/, ""), {
        ...platform,
        environment: (name) => (name === "HF_ENDPOINT" ? HUB : undefined),
      }),
  );
  return { outcome, inputBytes: hub.inputBytes };
}

async function outcomeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "accepted";
  } catch (error) {
    if (!(error instanceof OnebitError)) throw error;
    assert.ok(error.message.length < 4000, `an error of ${error.message.length} characters`);
    assert.doesNotMatch(error.message, /[\u0000-\u0008\u001b\u007f-\u009f]/, "a control sequence in an error");
    return error.code;
  }
}

/** What is opened is what the hub named by its hash; of a URL, at least a model. */
async function checkPulled(
  pulled: PulledModel,
  source: string,
  hub: LyingHub,
  { sha256: wanted }: HubOptions,
): Promise<void> {
  for (const file of pulled.files) {
    const opened = await pulled.open(file.name),
      bytes = new Uint8Array(opened.sizeBytes);
    await opened.read(bytes, 0);
    const hex = sha256(bytes);
    if (wanted !== undefined) assert.equal(hex, wanted);
    if (file.hash?.startsWith("sha256:")) assert.equal(`sha256:${hex}`, file.hash);
    if (source.startsWith("hf:") && !hub.hasLiedInList) assert.equal(hex, sha256(hub.model));
    if (source.startsWith("https:") && wanted === undefined)
      assert.equal(new TextDecoder("latin1").decode(bytes.subarray(0, 4)), "GGUF");
  }
}

function checkPaths({ files, links }: MemoryModelStore): void {
  for (const path of [...files.keys(), ...links.keys(), ...links.values()]) {
    assert.match(path, /^(?:models--o--m\/|urls\/[0-9a-f]{16}\/|verified\/|CACHEDIR\.TAG$)/, JSON.stringify(path));
    assert.ok(
      path.split("/").every((part) => part !== "" && part !== "." && part !== ".."),
      JSON.stringify(path),
    );
  }
}

/** One byte more. Not by spreading, which holds 90 MB for two: a bound of this generator's own would be broken. */
function longer(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + 1);
  all.set(bytes);
  return all;
}

class LyingHub {
  readonly model: Uint8Array;
  /** What onebit was sent, and lists of which it was sent a part: a list is made whole. */
  inputBytes = 0;
  hasLiedInList = false;
  readonly #random: Random;
  /** One answer in so many lies: often enough that most pulls meet one, seldom enough that many get far. */
  readonly #rarity: number;
  /** Of the request that is answered. */
  #signal: AbortSignal | undefined;

  constructor(random: Random) {
    this.#random = random;
    this.#rarity = pick(random, [2, 4, 8, 16]);
    this.model = modelBytes(
      isOneIn(random, 30) ? PART_BYTES + 3000 : pick(random, [32, 1000, 70_000]),
      1 + (random.u32() % 5),
    );
  }

  readonly fetch = async (
    address: string,
    { method = "GET", headers, redirect, signal }: RequestInit,
  ): Promise<Response> => {
    const url = new URL(address),
      sent = new Headers(headers);
    this.#signal = signal ?? undefined;
    assert.ok(/^https?:$/.test(url.protocol), address);
    if (url.origin !== HUB)
      assert.ok(sent.get("authorization") === null && sent.get("x-secret") === null, `a secret went to ${address}`);
    assert.ok(url.protocol === "https:", `the way led to ${address}`);
    if (this.#lies(4)) return await this.#odd(signal ?? undefined);
    if (url.pathname.startsWith("/api/")) return this.#list();
    if (url.origin === HUB && url.pathname.includes("/resolve/") && !this.#lies(4)) {
      return redirect === "manual"
        ? new Response("", {
            status: 302,
            headers: { location: `${CDN}/blob`, "x-linked-etag": `"${sha256(this.model)}"` },
          })
        : this.#file(method, sent);
    }
    return this.#file(method, sent);
  };

  #lies(seldomer = 1): boolean {
    return isOneIn(this.#random, this.#rarity * seldomer);
  }

  /** No answer, one that leads elsewhere, or one whose status says no. */
  async #odd(signal: AbortSignal | undefined): Promise<Response> {
    const random = this.#random;
    switch (random.u32() % 5) {
      case 0:
        throw new TypeError("fetch failed", {
          cause: Object.assign(new Error(`connect ${ESC}`), {
            code: pick(random, ["ECONNRESET", "ENOTFOUND", "CERT_HAS_EXPIRED"]),
          }),
        });
      case 1:
        return await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));
      case 2:
        return new Response("", {
          status: pick(random, [301, 302, 303, 307, 308]),
          headers: { location: this.#location() },
        });
      default: {
        const status = pick(
          random,
          [200, 201, 204, 206, 304, 400, 401, 403, 404, 408, 410, 416, 418, 429, 451, 500, 503, 599],
        );
        const body = [204, 304].includes(status) ? null : this.#body(this.#other());
        return new Response(body, {
          status,
          headers: {
            ...this.#oddHeaders(),
            "retry-after": pick(random, ["0", "-1", "soon", "999999", "Thu, 01 Jan 1970 00:00:00 GMT"]),
            "set-cookie": "a=b",
          },
        });
      }
    }
  }

  #location(): string {
    const random = this.#random;
    return pick(random, [
      "/m.gguf",
      "/a?b",
      CDN,
      `${CDN}/login?next=${"x".repeat(3000)}`,
      "http://hub.test/m.gguf",
      "http://",
      "//",
      "//cdn.test",
      "",
      "file:///etc/passwd",
      "data:,GGUF",
      "javascript:1",
      "blob:https://hub.test/1",
      `${HUB}:8443/m.gguf`,
      "https://hub.test.evil.test/",
      "https://hub.test@cdn.test/",
      "https://user:pass@hub.test/m.gguf",
      "\\\\cdn.test\\x",
      "%",
      "https://[::1",
      `?${random.u32()}`,
      ESC,
    ]);
  }

  #oddHeaders(): Record<string, string> {
    const random = this.#random,
      headers: Record<string, string> = {},
      count = random.u32() % 4;
    const odd: Readonly<Record<string, readonly string[]>> = {
      "content-length": ["0", "1", "-1", "1e3", "99999999999999", "4398046511104", "999999999999999999999", "abc"],
      "content-range": [
        "bytes 0-0/1",
        "bytes 0-99/50",
        "bytes */0",
        "bytes */7",
        "bytes 5-4/10",
        "bytes 0-2097151/4398046511104",
        "bytes 0-9/*",
        "all",
        ESC,
        "bytes 0-999999999999999/999999999999999",
      ],
      "content-encoding": ["gzip", "identity", "br", "x"],
      "content-type": ["text/html", "application/json", ""],
      etag: ['"x"', 'W/"y"', "", `"${ESC}"`, "e".repeat(5000), `"${"0".repeat(64)}"`],
      "last-modified": ["now", "Thu, 01 Jan 1970 00:00:00 GMT"],
      "x-linked-etag": [`"${"1".repeat(64)}"`, '"short"', `"${"0".repeat(40)}"`, ""],
      "x-linked-size": ["0", "-5", "9007199254740993", "x"],
      "x-error-message": [ESC, "no".repeat(2000)],
    };
    for (let i = 0; i < count; i++) {
      const name = pick(random, Object.keys(odd));
      headers[name] = pick(random, odd[name]);
    }
    return headers;
  }

  /** What may stand where a model or a list should be. */
  #other(): Uint8Array {
    const random = this.#random,
      text = (string: string): Uint8Array => new TextEncoder().encode(string);
    return pick(random, [
      () => new Uint8Array(),
      () => text("<!doctype html><title>Log in</title>"),
      () => text('{"error":"no"}'),
      () => text("version https://git-lfs.github.com/spec/v1\n"),
      () => text("GGUF"),
      () => randomBytes(5000, random.u32()),
      () => modelBytes(32 + (random.u32() % 5000), random.u32()),
      () => this.model.subarray(0, this.model.length >> 1),
      () => longer(this.model),
      () => Uint8Array.of(0x1f, 0x8b, 8, 0),
      () => text("[".repeat(100_000)),
    ])();
  }

  /** In pieces of odd sizes; it may be cut, stall, or have no end. */
  #body(bytes: Uint8Array): ReadableStream<Uint8Array> {
    const random = this.#random,
      ends = pick(random, this.#lies() ? (["cut", "stall", "endless"] as const) : (["well"] as const)),
      pieceBytes = pick(random, [1 + (bytes.length >> 3), 65_536, bytes.length + 1]);
    let at = 0;
    const signal = this.#signal;
    return new ReadableStream({
      // As a fetch ends a body that nobody waits for any more.
      start: (controller) =>
        signal?.addEventListener("abort", () => {
          try {
            controller.error(new Error("aborted"));
          } catch {
            // It has ended.
          }
        }),
      pull: (controller) => {
        const isOver = at >= bytes.length;
        if (isOver && ends === "well") return controller.close();
        if (ends === "cut" && (isOver || isOneIn(random, 3))) return controller.error(new Error("terminated"));
        if (isOver && ends === "stall") return new Promise<void>(() => {});
        const piece = isOver ? new Uint8Array(1_000_000) : bytes.slice(at, at + pieceBytes);
        at += piece.length;
        this.inputBytes += piece.length;
        controller.enqueue(piece);
        return undefined;
      },
    });
  }

  #file(method: string, sent: Headers): Response {
    const random = this.#random,
      bytes = this.#lies() ? this.#other() : this.model,
      match = this.#lies() ? null : /^bytes=(\d+)-(\d+)$/.exec(sent.get("range") ?? "");
    const begin = Number(match?.[1] ?? 0),
      end = Math.min(bytes.length, Number(match?.[2] ?? bytes.length - 1) + 1),
      headers: Record<string, string> = { etag: '"1"' };
    if (match !== null && begin >= bytes.length)
      return new Response("", { status: 416, headers: { "content-range": `bytes */${bytes.length}` } });
    if (match !== null) headers["content-range"] = `bytes ${begin}-${end - 1}/${bytes.length}`;
    if (isOneIn(random, 2)) headers["content-length"] = String(end - begin);
    if (this.#lies()) Object.assign(headers, this.#oddHeaders());
    return new Response(method === "HEAD" ? null : this.#body(bytes.subarray(begin, end)), {
      status: match === null ? 200 : 206,
      headers,
    });
  }

  #list(): Response {
    const random = this.#random,
      honest = {
        rfilename: "m-TQ2_0.gguf",
        size: this.model.length,
        lfs: { sha256: sha256(this.model), size: this.model.length },
      };
    if (!this.#lies())
      return Response.json({
        sha: COMMIT,
        siblings: [honest, { rfilename: "README.md", size: 3, blobId: "a".repeat(40) }],
      });
    this.hasLiedInList = true;
    const odd = (): unknown =>
      pick<unknown>(random, [
        null,
        -1,
        1.5,
        2 ** 60,
        "",
        "../../x",
        "a\u0000b",
        ESC,
        [],
        {},
        true,
        "x".repeat(500),
        Number.MAX_VALUE,
        "__proto__",
        { toString: 1 },
      ]);
    const name = (): unknown =>
      pick(random, [
        "m-TQ2_0.gguf",
        "../../m.gguf",
        "/etc/m.gguf",
        "a/../m.gguf",
        "c:\\m.gguf",
        "m\u0000.gguf",
        "nul.gguf",
        "m-00001-of-00003.gguf",
        "m-00001-of-99999.gguf",
        "m-00000-of-00000.gguf",
        "config.json",
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        `${"d/".repeat(400)}m.gguf`,
        "__proto__",
        "constructor/m.gguf",
        ` .gguf`,
        "m.GGUF",
        `${ESC}.gguf`,
        odd(),
      ]);
    const sibling = (): unknown =>
      isOneIn(random, 8)
        ? odd()
        : {
            ...honest,
            rfilename: name(),
            ...(isOneIn(random, 3) ? { size: odd() } : {}),
            ...(isOneIn(random, 3) ? { blobId: odd() } : {}),
            ...(isOneIn(random, 2)
              ? {
                  lfs: isOneIn(random, 2)
                    ? odd()
                    : { sha256: pick(random, ["0".repeat(64), "F".repeat(64), odd()]), size: odd() },
                }
              : {}),
          };
    const count = isOneIn(random, 200) ? LONG_LIST : random.u32() % 12,
      some = Array.from({ length: Math.min(count, DIFFERENT_MAX) }, sibling);
    // A long list repeats itself: making 100,000 different ones takes longer than choosing from them.
    const siblings = isOneIn(random, 6) ? odd() : Array.from({ length: count }, (_, i) => some[i % some.length]);
    const text = JSON.stringify({
      sha: isOneIn(random, 4) ? odd() : COMMIT,
      siblings,
      ...(isOneIn(random, 4) ? { sha2: odd() } : {}),
    });
    this.inputBytes += text.length;
    const body = isOneIn(random, 5)
      ? text.slice(0, random.u32() % (text.length + 1))
      : isOneIn(random, 20)
        ? "[".repeat(200_000)
        : text;
    return new Response(this.#body(new TextEncoder().encode(body)), {
      status: 200,
      headers: this.#lies() ? this.#oddHeaders() : {},
    });
  }
}
