/**
 * The stores of browsers over stand-ins for what browsers give: folders in memory, a cache in memory, locks. Both
 * stores and Node's do the same to the same calls, and a pull through each gives the same file.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import type { ModelStore } from "../../src/core/model-store.ts";
import { pullModel } from "../../src/hub/pull.ts";
import { browserCacheStore } from "../../src/platform/browser/cache-store.ts";
import { browserHub } from "../../src/platform/browser/hub.ts";
import { browserModelStore } from "../../src/platform/browser/model-store.ts";
import { nodeModelStore } from "../../src/platform/node/model-store.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { WORKER_SOURCE, openDirectly, openThroughWorker } from "../../src/platform/browser/opfs-access.ts";
import { FakeHub, modelBytes, randomBytes, sha256 } from "./fake-hub.ts";
import { memoryPlatform } from "./hub-platform.ts";
import { rejectsWith } from "./rejects.ts";
import { FakeCache, FakeFolder, FakeLocks } from "./fake-browser.ts";

const COMMIT = "d".repeat(40);
let folder = "",
  server: FakeHub;
before(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/hub-stores-"));
  server = await FakeHub.start();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => server.reset());

const opfs = (
  open: (handle: FileSystemFileHandle) => ReturnType<typeof openDirectly>,
  root: Pick<FakeFolder, "handle"> = new FakeFolder(),
): ModelStore =>
  browserModelStore(
    {
      root: async () => root.handle,
      open,
      locks: new FakeLocks(),
      estimate: async () => ({ quota: 1000, usage: 400 }),
    },
    "opfs",
  );

/** The worker's own script, run here with a channel for its messages, which are copied as a browser does. */
function workerHere(root: FakeFolder): ReturnType<typeof openThroughWorker> {
  return openThroughWorker(
    () => {
      let listener: (answer: readonly [number, unknown]) => void = () => {};
      const scope = { onmessage: undefined as unknown as (event: { data: readonly unknown[] }) => void };
      const navigator = { storage: { getDirectory: async () => root.handle } };
      new Function(
        "scope",
        "navigator",
        "postMessage",
        `let onmessage; ${WORKER_SOURCE}; scope.onmessage = onmessage;`,
      )(scope, navigator, (answer: readonly [number, unknown]) => listener(structuredClone(answer)));
      return {
        postMessage: (data) => scope.onmessage({ data: structuredClone(data) }),
        onAnswer: (given) => (listener = given),
        onFailure: () => {},
      };
    },
    async () => root.handle,
  );
}

const stores: Record<string, () => ModelStore> = {
  "private files, in a worker": () => opfs(openDirectly),
  "private files, from a page": () => {
    const root = new FakeFolder();
    return opfs(workerHere(root), { handle: root.folder("models").handle });
  },
  "private files that cannot be moved": () => opfs(openDirectly, new FakeFolder({ moves: false })),
  "a cache": () =>
    browserCacheStore({ cache: async () => cache, locks: new FakeLocks(), freeBytes: async () => 600 }, "cache"),
  "a folder of Node": () => nodeModelStore(() => mkdtempSync(`${folder}/node-`), nodePlatform().openFile),
};
let cache = new FakeCache();
beforeEach(() => (cache = new FakeCache()));

async function put(store: ModelStore, path: string, bytes: Uint8Array): Promise<void> {
  const file = await store.openWrite(path);
  await file.resize(0);
  await file.write(bytes, 0);
  await file.flush();
  await file.close();
}

async function get(store: ModelStore, path: string): Promise<Uint8Array> {
  const source = await store.openRead(path),
    bytes = new Uint8Array(source.sizeBytes);
  await source.read(bytes, 0);
  await source.close();
  return bytes;
}

for (const [name, make] of Object.entries(stores)) {
  describe(name, () => {
    let store: ModelStore;
    beforeEach(() => {
      const made = make();
      // A folder's name is asked for at each call.
      store = name.includes("Node")
        ? nodeModelStore(
            (
              (at) => () =>
                at
            )(mkdtempSync(`${folder}/one-`)),
            nodePlatform().openFile,
          )
        : made;
    });

    test("keeps what is written, at any place, over any length", async () => {
      const wanted = new Uint8Array(5_000_000),
        file = await store.openWrite("a/b/c.bin");
      await file.resize(wanted.length);
      for (const [position, count, seed] of [
        [4_999_000, 1000, 1],
        [0, 10, 2],
        [2_097_150, 4, 3],
        [100, 3_000_000, 4],
        [2_000_000, 1, 5],
      ]) {
        const bytes = randomBytes(count, seed);
        wanted.set(bytes, position);
        await file.write(bytes, position);
      }
      await file.flush();
      const back = new Uint8Array(3_500_000);
      await file.read(back, 1_000_000);
      assert.equal(sha256(back), sha256(wanted.subarray(1_000_000, 4_500_000)));
      await assert.rejects(file.read(new Uint8Array(2), wanted.length - 1), { code: "file/read" });
      await file.close();
      assert.equal((await store.stat("a/b/c.bin"))?.sizeBytes, wanted.length);
      assert.equal(sha256(await get(store, "a/b/c.bin")), sha256(wanted));
      const again = await store.openWrite("a/b/c.bin");
      assert.equal(await again.sizeBytes(), wanted.length, "opening keeps it");
      await again.resize(2_500_000);
      await again.resize(2_500_010);
      await again.close();
      wanted.fill(0, 2_500_000);
      assert.equal(
        sha256(await get(store, "a/b/c.bin")),
        sha256(wanted.subarray(0, 2_500_010)),
        "what was cut off comes back as zeros",
      );
    });

    test("lists, moves, links and removes", async () => {
      for (const path of ["x/one.gguf", "x/y/two.gguf", "top.gguf", "x%/a b+é.gguf"])
        await put(store, path, randomBytes(10, path.length));
      const names = async (at: string): Promise<string[]> =>
        (await store.list(at)).map((entry) => `${entry.name}${entry.isFolder ? "/" : ""}`).sort();
      assert.deepEqual(await names(""), ["top.gguf", "x%/", "x/"]);
      assert.deepEqual(await names("x"), ["one.gguf", "y/"]);
      assert.deepEqual(await names("none"), []);
      assert.deepEqual(await names("x%"), ["a b+é.gguf"]);
      await store.rename("x/one.gguf", "top.gguf");
      assert.deepEqual(await get(store, "top.gguf"), randomBytes(10, "x/one.gguf".length));
      assert.equal(await store.stat("x/one.gguf"), undefined);
      await store.link("s/z/link.gguf", "x/y/two.gguf");
      assert.deepEqual(await get(store, "s/z/link.gguf"), randomBytes(10, "x/y/two.gguf".length));
      const target = await store.linkTarget("s/z/link.gguf");
      assert.ok(target === undefined ? (await store.stat("x/y/two.gguf")) === undefined : target === "x/y/two.gguf");
      await store.remove("s");
      await store.remove("none/at/all");
      assert.equal(await store.stat("s/z/link.gguf"), undefined);
      assert.equal(await store.stat("s"), undefined);
      await rejectsWith(store.openRead("s/z/link.gguf"), /^file\/not-found$/, /link\.gguf/);
      await assert.rejects(store.rename("none", "other"), { code: "file/write" });
    });

    test("locks", async () => {
      const first = await store.lock("l/1", {}),
        order: string[] = [];
      assert.equal(await store.lock("l/1", { wait: false }), undefined);
      assert.ok(await store.lock("l/2", { wait: false }));
      const second = store
        .lock("l/1", { onWait: () => order.push("waits") })
        .then((lock) => (order.push("has it"), lock));
      await new Promise((next) => setTimeout(next, 30));
      assert.deepEqual(order, ["waits"]);
      await first.release();
      await (await second).release();
      const third = await store.lock("l/1", {}),
        controller = new AbortController();
      await rejectsWith(
        store.lock("l/1", { signal: controller.signal, onWait: () => controller.abort() }),
        /^aborted$/,
        /abort/,
      );
      await third.release();
    });

    test("a model is pulled into it, and found in it", async () => {
      const model = randomBytes(4_500_000, 9);
      server.repos.set("o/m", { commit: COMMIT, files: { "m-TQ2_0.gguf": model } });
      const roomy: ModelStore = { ...store, name: store.name, freeBytes: async () => undefined };
      const platform = memoryPlatform(roomy, roomy),
        options = { hubUrl: server.url, backoffMs: 1 };
      assert.equal((await pullModel("hf:o/m", platform, options)).fetchedBytes, model.length);
      const again = await pullModel("hf:o/m", platform, { ...options, offline: true, sha256: sha256(model) });
      assert.equal(again.fetchedBytes, 0);
      const source = await again.open("m-TQ2_0.gguf"),
        bytes = new Uint8Array(source.sizeBytes);
      await source.read(bytes, 0);
      assert.equal(sha256(bytes), sha256(model));
    });
  });
}

describe("lack of room in a browser", () => {
  test("is reported, whatever the browser calls it", async () => {
    const quota = Object.assign(new Error("The quota has been exceeded."), { name: "QuotaExceededError" });
    for (const [what, write] of [
      [
        "throws",
        () => {
          throw quota;
        },
      ],
      ["writes less", () => 1],
    ] as const) {
      const store = opfs(async (handle) => ({ ...(await openDirectly(handle)), write: async () => write() }));
      const file = await store.openWrite("m");
      await rejectsWith(file.write(new Uint8Array(10), 0), /^hub\/no-space$/, /opfs\/m/);
      assert.ok(what);
      await file.close();
    }
    cache.put = async () => {
      throw quota;
    };
    const store = browserCacheStore(
      { cache: async () => cache, locks: new FakeLocks(), freeBytes: async () => 0 },
      "cache",
    );
    await rejectsWith(store.openWrite("m"), /^hub\/no-space$/, /quota/);
  });

  test("is foreseen by the browser's estimate", async () => {
    server.plain.set("/m.gguf", { bytes: modelBytes(5000, 1), etag: '"1"' });
    const store = opfs(openDirectly);
    await rejectsWith(
      pullModel(`${server.url}/m.gguf`, memoryPlatform(store, store), {}),
      /^hub\/no-space$/,
      /5000 bytes are still to come, opfs has room for 600/,
    );
  });
});

describe("where there is no storage at all", () => {
  test("a typed error says so", async () => {
    const { hubStore, environment } = browserHub();
    assert.equal(environment("HF_TOKEN"), undefined);
    await rejectsWith(hubStore.stat("x"), /^hub\/unavailable$/, /https/);
  });

  test("hashes are those of Node", async () => {
    for (const algorithm of ["sha1", "sha256"] as const) {
      for (const size of [0, 1, 55, 56, 63, 64, 65, 1000, 1_000_001]) {
        const bytes = randomBytes(size, size + 1),
          hash = browserHub().createHash(algorithm);
        for (let at = 0; at < size; at += 37_777) hash.update(bytes.subarray(at, at + 37_777));
        assert.equal(hash.digestHex(), createHash(algorithm).update(bytes).digest("hex"));
      }
    }
  });
});
