/**
 * Plain URLs, and everything a server and a network can do wrong: each is mended, or a typed error; never a spoiled
 * file.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { HubOptions } from "../../src/hub/options.ts";
import type { PullProgress } from "../../src/hub/progress.ts";
import { pullModel } from "../../src/hub/pull.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { pull as pullAsUser } from "../../src/hub.ts";
import { type Fault, closedUrl, modelBytes, sha256 } from "./fake-hub.ts";
import { memoryPlatform } from "./hub-platform.ts";
import { MemoryModelStore } from "./memory-model-store.ts";
import { FAST, PART_BYTES, bytes, contents, other, place, pull, server, usePlainUrl } from "./plain-url.ts";
import { rejectsWith } from "./rejects.ts";

usePlainUrl();

/** Files under their own names: none may be there that is not whole. */
function finished(): string[] {
  const folder = join(place.urlFolder, "urls");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((key) => readdirSync(join(folder, key)))
    .filter((name) => name.endsWith(".gguf"));
}

describe("a plain URL", () => {
  test("is fetched in parts, kept, and not asked for again", async () => {
    const pulled = await pull();
    assert.ok(contents(pulled).equals(bytes));
    assert.deepEqual(
      server.requests.map(({ range }) => range).sort(),
      [0, 1, 2, 3].map((i) => `bytes=${i * PART_BYTES}-${Math.min(bytes.length, (i + 1) * PART_BYTES) - 1}`).sort(),
    );
    assert.equal(pulled.files[0].hash, undefined, "nobody told what it should be");
    const again = await pull();
    assert.equal(again.fetchedBytes, 0);
    assert.equal(server.requests.length, 4);
    assert.equal((await pull({ sha256: sha256(bytes) })).files[0].hash, `sha256:${sha256(bytes)}`);
    assert.equal((await pull({ offline: true })).fetchedBytes, 0);
    assert.equal(server.requests.length, 4);
  });

  test("downloads while a browser asks whether to persist it: neither silence nor a refusal stops it", async () => {
    for (const answer of [() => new Promise<boolean>(() => {}), () => Promise.reject(new Error("no"))]) {
      let asked = 0;
      const persist = (): Promise<boolean> => (asked++, answer()),
        hub = { ...memoryPlatform(), persist };
      assert.equal((await pullModel(`${server.url}/m.gguf`, hub, FAST)).fetchedBytes, bytes.length);
      assert.equal(asked, 1);
    }
  });

  test("refresh fetches what has changed, and only that", async () => {
    await pull();
    assert.equal((await pull({ refresh: true })).fetchedBytes, 0);
    server.plain.set("/m.gguf", { bytes: other, etag: '"two"' });
    assert.ok(contents(await pull()).equals(bytes));
    const fresh = await pull({ refresh: true });
    assert.equal(fresh.fetchedBytes, other.length);
    assert.ok(contents(fresh).equals(other));
    assert.equal((await pull({ refresh: true })).fetchedBytes, 0);
  });

  test("of one shard fetches all", async () => {
    for (const no of [1, 2])
      server.plain.set(`/s-0000${no}-of-00002.gguf`, { bytes: modelBytes(100, no), etag: `"${no}"` });
    const { files } = await pull({}, undefined, "/s-00002-of-00002.gguf");
    assert.deepEqual(
      files.map(({ name }) => name),
      ["s-00001-of-00002.gguf", "s-00002-of-00002.gguf"],
    );
    await rejectsWith(
      pull({ sha256: "0".repeat(64) }, undefined, "/s-00002-of-00002.gguf"),
      /^option\/invalid$/,
      /2 files/,
    );
  });

  test("the smallest file, one of a whole number of parts, and about that", async () => {
    for (const size of [32, PART_BYTES + 1, PART_BYTES, 2 * PART_BYTES, PART_BYTES - 1]) {
      server.plain.set(`/${size}.gguf`, { bytes: bytes.subarray(0, size), etag: '"e"' });
      assert.ok(contents(await pull({}, undefined, `/${size}.gguf`)).equals(bytes.subarray(0, size)), `${size}`);
    }
  });

  test("from a server without ranges, without lengths, without ETags", async () => {
    for (const [i, fault] of [{ noRanges: true }, { noLength: true }].entries()) {
      server.plain.set(`/${i}.gguf`, { bytes });
      server.fault = () => fault;
      assert.ok(contents(await pull({}, undefined, `/${i}.gguf`)).equals(bytes));
    }
    server.fault = () => undefined;
    server.plain.set("/no-etag.gguf", { bytes });
    assert.ok(contents(await pull({}, undefined, "/no-etag.gguf")).equals(bytes));
  });

  test("headers of the caller go to its host alone", async () => {
    server.plain.set("/there.gguf", { bytes: other, etag: '"x"' });
    server.fault = ({ origin, path }) =>
      origin === "hub" && path === "/m.gguf"
        ? { status: 307, headers: { location: `${server.cdnUrl}/there.gguf` } }
        : undefined;
    await pull({ headers: { authorization: "Basic x" } });
    assert.ok(server.requests.some(({ origin }) => origin === "cdn"));
    for (const { origin, authorization } of server.requests)
      assert.equal(authorization, origin === "hub" ? "Basic x" : undefined);
    assert.equal(
      server.requests.filter(({ origin }) => origin === "hub").length,
      1,
      "where it was sent on to is asked directly",
    );
  });

  test("an address that expires midway is requested again", async () => {
    server.plain.set("/signed.gguf", { bytes, etag: '"one"' });
    let nSigned = 0;
    server.fault = ({ path }) => {
      if (path === "/m.gguf") return { status: 302, headers: { location: `/signed.gguf?until=${nSigned}` } };
      return nSigned++ === 2 ? { status: 403 } : undefined;
    };
    assert.ok(contents(await pull()).equals(bytes));
  });
});

describe("faults that pass", () => {
  const cases: Record<string, (index: number) => Fault | undefined> = {
    "429 with Retry-After": (i) => (i % 2 === 0 ? { status: 429, headers: { "retry-after": "0" } } : undefined),
    "500, 502, 503": (i) => (i % 3 < 2 ? { status: [500, 502, 503][i % 3] } : undefined),
    "a cut before the first byte": (i) => (i % 2 === 0 ? { cutAfterBytes: 0 } : undefined),
    "a cut in every answer but the last": (i) => (i < 12 ? { cutAfterBytes: 300_001 } : undefined),
    "no answer": (i) => (i === 1 ? { silent: true } : undefined),
    "a stall": (i) => (i === 1 || i === 2 ? { stallAfterBytes: 100_000 } : undefined),
  };
  for (const [name, fault] of Object.entries(cases)) {
    test(name, async () => {
      server.fault = (_request, index) => fault(index);
      assert.ok(contents(await pull({ timeoutMs: 400, attempts: 10 })).equals(bytes));
      assert.ok(server.requests.length > 4, "something was asked for again");
    });
  }

  // Of what came just before a cut, the fetch of Node may drop a buffer full.
  test("cuts after any byte cost almost no refetching", async () => {
    for (const cutAfterBytes of [1, 2, 65_536, 1_000_000, PART_BYTES - 1]) {
      server.reset();
      const path = `/cut-${cutAfterBytes}.gguf`;
      server.plain.set(path, { bytes, etag: '"one"' });
      server.fault = (_request, index) => (index === 0 ? { cutAfterBytes } : undefined);
      assert.ok(contents(await pull({}, undefined, path)).equals(bytes));
      assert.ok(server.sentBytes - bytes.length <= 128 * 1024, `${server.sentBytes - bytes.length}`);
    }
  });

  test("a file that changes midway starts over", async () => {
    server.fault = (_request, index) => {
      if (index === 2) server.plain.set("/m.gguf", { bytes: other, etag: '"two"' });
      return undefined;
    };
    assert.ok(contents(await pull()).equals(other));
  });

  test("a file that shrinks midway starts over", async () => {
    server.plain.set("/m.gguf", { bytes });
    const half = bytes.subarray(0, 3_000_000);
    server.fault = (_request, index) => {
      if (index === 2) server.plain.set("/m.gguf", { bytes: half });
      return undefined;
    };
    assert.ok(contents(await pull()).equals(half));
  });

  test("waits as Retry-After says", async () => {
    server.fault = (_request, index) => (index === 0 ? { status: 503, headers: { "retry-after": "1" } } : undefined);
    const begin = performance.now();
    await pull();
    assert.ok(performance.now() - begin >= 990);
  });
});

describe("faults that stay", () => {
  const cases: readonly (readonly [name: string, fault: Fault, code: RegExp, message: RegExp])[] = [
    ["401", { status: 401 }, /^hub\/unauthorized$/, /m\.gguf: the server answered 401/],
    ["403", { status: 403 }, /^hub\/forbidden$/, /403/],
    ["404", { status: 404 }, /^hub\/not-found$/, /404/],
    ["410", { status: 410 }, /^hub\/not-found$/, /gone/],
    ["416", { status: 416 }, /^hub\/range$/, /416/],
    ["418", { status: 418 }, /^hub\/server$/, /418/],
    ["500", { status: 500 }, /^hub\/server$/, /500; tried 3 times/],
    ["429 for an hour", { status: 429, headers: { "retry-after": "3600" } }, /^hub\/server$/, /asks to wait 3600 s/],
    ["silence", { silent: true }, /^hub\/timeout$/, /no answer within 300 ms; tried 3 times/],
    ["a stall", { stallAfterBytes: 0 }, /^hub\/timeout$/, /within 300 ms; tried 3 times/],
    ["cuts", { cutAfterBytes: 0 }, /^hub\/length$/, /announced 2097152 bytes, ended after 0; tried 3 times/],
    [
      "a Content-Length that lies",
      { noRanges: true, announceMoreBytes: 1000 },
      /^hub\/length$/,
      /announced 7001003 bytes, ended after \d+; tried 3 times/,
    ],
    [
      "a redirect to itself",
      { status: 302, headers: { location: "/m.gguf" } },
      /^hub\/redirect$/,
      /more than 10 times/,
    ],
    ["a redirect to nowhere", { status: 302, headers: { location: "http://" } }, /^hub\/redirect$/, /no URL/],
    [
      "a redirect to a file",
      { status: 302, headers: { location: "file:///etc/passwd" } },
      /^hub\/redirect$/,
      /less secure/,
    ],
    [
      "a range of another place",
      { headers: { "content-range": "bytes 1-2097152/7000003" } },
      /^hub\/bad-response$/,
      /asked for bytes 0 to 2097151, got 1 to 2097152/,
    ],
    ["a range that is none", { headers: { "content-range": "all" } }, /^hub\/bad-response$/, /"all"/],
    [
      "a range beyond the file",
      { headers: { "content-range": "bytes 0-2097151/17" } },
      /^hub\/bad-response$/,
      /Content-Range/,
    ],
  ];
  for (const [name, fault, code, message] of cases) {
    test(name, async () => {
      server.fault = () => fault;
      // A busy machine takes longer than that to be refused a connection.
      await rejectsWith(pull({ timeoutMs: code.source.includes("timeout") ? 300 : 10_000 }), code, message);
      assert.deepEqual(finished(), []);
      server.fault = () => undefined;
      assert.ok(contents(await pull()).equals(bytes), "and afterwards all is well");
    });
  }

  test("no server, no such host", async () => {
    await rejectsWith(
      pullModel(`${await closedUrl()}/m.gguf`, place.hub, FAST),
      /^hub\/network$/,
      /ECONNREFUSED.*tried 2 times/,
    );
    await rejectsWith(
      pullModel("http://no-such-host.invalid/m.gguf", place.hub, FAST),
      /^hub\/network$/,
      /ENOTFOUND|EAI_AGAIN/,
    );
  });

  test("a file that changes at every request", async () => {
    server.fault = (_request, index) => void server.plain.set("/m.gguf", { bytes, etag: `"${index}"` }) as undefined;
    await rejectsWith(pull(), /^hub\/changed$/, /ETag was .*begun 4 times/);
  });

  test("the wrong hash", async () => {
    await rejectsWith(
      pull({ sha256: sha256(other) }),
      /^hub\/checksum$/,
      new RegExp(`wanted sha256 ${sha256(other)}.*${sha256(bytes)}`),
    );
    assert.deepEqual(finished(), []);
    server.fault = () => ({ headers: { "x-linked-etag": `"${sha256(other)}"` } });
    await rejectsWith(pull(), /^hub\/checksum$/, /wanted sha256/);
  });

  test("bad sources and options", async () => {
    const cases: readonly (readonly [source: string, options: HubOptions, code: RegExp])[] = [
      ["http://", {}, /^hub\/bad-source$/],
      ["http://user:pass@host/m.gguf", {}, /^hub\/bad-source$/],
      ["hf:owner", {}, /^hub\/bad-source$/],
      ["hf:", {}, /^hub\/bad-source$/],
      ["hf:a/../b", {}, /^hub\/bad-source$/],
      ["hf:owner/repo/../../x", {}, /^hub\/bad-source$/],
      ["hf:owner/repo@../x", {}, /^hub\/bad-source$/],
      ["model.gguf", {}, /^hub\/bad-source$/],
      ["hf:a/b", { sha256: "12" }, /^option\/invalid$/],
      ["hf:a/b", { token: "a b" }, /^option\/invalid$/],
      ["hf:a/b", { hubUrl: "ftp://x" }, /^option\/invalid$/],
      ["hf:a/b", { timeoutMs: 0 }, /^option\/invalid$/],
      ["hf:a/b", { attempts: 0 }, /^option\/invalid$/],
      ["hf:a/b", { backoffMs: -1 }, /^option\/invalid$/],
      ["hf:a/b", { headers: { "x y": "1" } }, /^option\/invalid$/],
      ["hf:a/b", { headers: { x: "1\r\ny: 2" } }, /^option\/invalid$/],
      ["hf:a/b", { revision: "a b" }, /^hub\/bad-source$/],
    ];
    const platform = { ...nodePlatform(), hub: place.hub };
    for (const [source, options, code] of cases)
      await rejectsWith(pullAsUser(source, { ...options, platform }), code, /./);
  });
});

describe("stopping and going on", () => {
  test("an abort stops at once, and the next pull fetches only the rest", async () => {
    server.bytesPerSecond = 4_000_000;
    const controller = new AbortController();
    let stoppedMs = 0;
    const onProgress = ({ doneBytes }: PullProgress): void => {
      if (doneBytes > 4_500_000 && !controller.signal.aborted) {
        stoppedMs = performance.now();
        controller.abort();
      }
    };
    await rejectsWith(pull({ onProgress }, controller.signal), /^aborted$/, /abort signal/);
    assert.ok(performance.now() - stoppedMs < 1000);
    server.bytesPerSecond = Infinity;
    const pulled = await pull();
    assert.ok(contents(pulled).equals(bytes));
    assert.ok(pulled.fetchedBytes <= bytes.length);
    assert.ok(server.sentBytes - bytes.length <= 8 * 1024 * 1024);
    await rejectsWith(pull({}, AbortSignal.abort(), "/x.gguf"), /^aborted$/, /abort/);
  });

  test("leftovers of another file at the same address are not mixed in", async () => {
    const controller = new AbortController();
    server.bytesPerSecond = 4_000_000;
    await assert.rejects(
      pull({ onProgress: ({ doneBytes }) => doneBytes > 4_500_000 && controller.abort() }, controller.signal),
    );
    server.bytesPerSecond = Infinity;
    server.plain.set("/m.gguf", { bytes: other, etag: '"two"' });
    assert.ok(contents(await pull()).equals(other));
  });

  test("parts that rotted on disk are found by the hash and fetched again", async () => {
    const controller = new AbortController();
    server.bytesPerSecond = 4_000_000;
    const options = { sha256: sha256(bytes) };
    await assert.rejects(
      pull(
        { ...options, onProgress: ({ doneBytes }) => doneBytes > 5_500_000 && controller.abort() },
        controller.signal,
      ),
    );
    server.bytesPerSecond = Infinity;
    const folder = join(place.urlFolder, "urls", readdirSync(join(place.urlFolder, "urls"))[0]),
      partial = join(folder, "m.gguf.onebit-part");
    const rotten = readFileSync(partial);
    for (let at = 0; at < rotten.length; at += 1_000_000) rotten[at] ^= 1;
    writeFileSync(partial, rotten);
    assert.ok(contents(await pull(options)).equals(bytes));
  });

  test("progress: bytes only grow, end at the size, and tell speed and time", async () => {
    server.bytesPerSecond = 8_000_000;
    const seen: PullProgress[] = [];
    await pull({ onProgress: (progress) => seen.push(progress) });
    assert.ok(seen.length > 3);
    assert.ok(seen.every(({ doneBytes }, i) => i === 0 || doneBytes >= seen[i - 1].doneBytes));
    assert.deepEqual(
      { done: seen.at(-1)?.doneBytes, total: seen.at(-1)?.totalBytes },
      { done: bytes.length, total: bytes.length },
    );
    assert.ok(
      seen.some(
        ({ bytesPerSecond, remainingMs }) => bytesPerSecond > 0 && remainingMs !== undefined && remainingMs > 0,
      ),
    );
  });
});

describe("a body of unknown length", () => {
  test("has a limit, and leaves nothing", async () => {
    const store = new MemoryModelStore(),
      piece = new Uint8Array(16 * 1024 * 1024),
      openWrite = store.openWrite.bind(store);
    piece.set(bytes.subarray(0, 1000));
    let cameBytes = 0;
    // What is written goes nowhere, and is not hashed: it is 16 GiB.
    store.openWrite = async (path) => ({ ...(await openWrite(path)), write: async () => {} });
    const endless = (): Response =>
      new Response(
        new ReadableStream({ pull: (controller) => ((cameBytes += piece.length), controller.enqueue(piece)) }),
      );
    const platform = {
      ...memoryPlatform(store, store),
      createHash: () => ({ update: () => {}, digestHex: () => "" }),
      fetch: async () => endless(),
    };
    await rejectsWith(
      pullModel("https://x.test/m.gguf", platform, FAST),
      /^hub\/length$/,
      /more than 17179869184 bytes, and does not announce how many/,
    );
    assert.ok(cameBytes <= 2 ** 34 + 4 * piece.length);
    assert.deepEqual([...store.files.keys()], []);
  });
});

describe("room", () => {
  test("is checked first", async () => {
    const store = new MemoryModelStore({ roomBytes: 1_000_000 });
    await rejectsWith(
      pullModel(`${server.url}/m.gguf`, memoryPlatform(store, store), FAST),
      /^hub\/no-space$/,
      /7000003 bytes are still to come, memory has room for 999\d+/,
    );
    assert.ok(server.sentBytes <= PART_BYTES);
  });

  test("that runs out midway is an error; with more room the download continues", async () => {
    const store = new MemoryModelStore({ roomBytes: 5_000_000, tellsRoom: false }),
      platform = memoryPlatform(store, store);
    await rejectsWith(pullModel(`${server.url}/m.gguf`, platform, FAST), /^hub\/no-space$/, /no room/);
    store.roomBytes = Infinity;
    const { fetchedBytes } = await pullModel(`${server.url}/m.gguf`, platform, FAST);
    assert.ok(fetchedBytes < bytes.length, `${fetchedBytes}`);
    const file = [...store.files].find(([path]) => path.endsWith("/m.gguf"))?.[1];
    assert.equal(sha256(file!.bytes), sha256(bytes));
  });

  test("a store that fails at any change leaves what the next pull can use", async () => {
    const small = bytes.subarray(0, PART_BYTES + 100_000),
      counter = new MemoryModelStore();
    server.plain.set("/m.gguf", { bytes: small, etag: '"one"' });
    await pullModel(`${server.url}/m.gguf`, memoryPlatform(new MemoryModelStore(), counter), FAST);
    for (let failing = 0; failing < counter.nChanges; failing++) {
      const store = new MemoryModelStore(),
        platform = memoryPlatform(store, store);
      const error = Object.assign(new Error("torn"), { code: "EIO" });
      store.beforeChange = (index) => {
        if (index === failing) throw error;
      };
      await pullModel(`${server.url}/m.gguf`, platform, FAST).catch((caught: unknown) => assert.equal(caught, error));
      const { open } = await pullModel(`${server.url}/m.gguf`, platform, FAST);
      const source = await open("m.gguf"),
        found = new Uint8Array(source.sizeBytes);
      await source.read(found, 0);
      assert.equal(sha256(found), sha256(small), `change ${failing}`);
    }
  });
});
