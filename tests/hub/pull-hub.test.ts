/**
 * Repositories: what lands in the cache, what comes from it, and that it is the cache of the huggingface_hub library.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import type { HubOptions, PulledModel } from "../../src/hub/options.ts";
import { pullModel } from "../../src/hub/pull.ts";
import { FakeHub, blobName, closedUrl, randomBytes, sha256 } from "./fake-hub.ts";
import { folderPlatform, memoryPlatform } from "./hub-platform.ts";
import type { FolderPlatform } from "./hub-platform.ts";
import { MemoryModelStore } from "./memory-model-store.ts";
import { rejectsWith } from "./rejects.ts";

const COMMIT = "a".repeat(40),
  NEXT_COMMIT = "b".repeat(40);
const model = randomBytes(5_000_001, 1),
  other = randomBytes(300_000, 2),
  config = new TextEncoder().encode('{"a":1}\n');

let server: FakeHub, place: FolderPlatform;
before(async () => {
  server = await FakeHub.start();
});
after(() => server.stop());
beforeEach(() => {
  server.reset();
  server.repos.set("owner/tiny", {
    commit: COMMIT,
    files: { "tiny-TQ2_0.gguf": model, "sub/tiny-F16.gguf": other, "config.json": config, "README.md": config },
  });
  place = folderPlatform();
});
afterEach(() => place.remove());

const pull = (source: string, options: HubOptions = {}): Promise<PulledModel> =>
  pullModel(source, place.hub, { hubUrl: server.url, backoffMs: 1, ...options });

/** Every path below a folder, links with what they name. */
function tree(folder: string, below = ""): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .flatMap((entry) => {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) return tree(folder, path);
      return [entry.isSymbolicLink() ? `${path} -> ${readlinkSync(join(folder, path))}` : path];
    })
    .sort();
}

describe("the cache", () => {
  test("is laid out as huggingface_hub lays it out", async () => {
    const pulled = await pull("hf:owner/tiny");
    await pull("hf:owner/tiny/sub/tiny-F16.gguf");
    await pull("hf:owner/tiny/config.json");
    // As huggingface_hub 2.0.0 leaves it after hf_hub_download of the same three files, its own .lock files left out.
    const folder = "models--owner--tiny",
      blob = (path: string, bytes: Uint8Array): string => blobName(path, bytes);
    assert.deepEqual(
      tree(place.hubFolder),
      [
        "CACHEDIR.TAG",
        `${folder}/blobs/${blob("m.gguf", model)}`,
        `${folder}/blobs/${blob("o.gguf", other)}`,
        `${folder}/blobs/${blob("config.json", config)}`,
        `${folder}/refs/main`,
        `${folder}/snapshots/${COMMIT}/config.json -> ../../blobs/${blob("config.json", config)}`,
        `${folder}/snapshots/${COMMIT}/sub/tiny-F16.gguf -> ../../../blobs/${blob("o.gguf", other)}`,
        `${folder}/snapshots/${COMMIT}/tiny-TQ2_0.gguf -> ../../blobs/${blob("m.gguf", model)}`,
      ].sort(),
    );
    assert.equal(readFileSync(join(place.hubFolder, folder, "refs/main"), "utf8"), COMMIT);
    assert.match(
      readFileSync(join(place.hubFolder, "CACHEDIR.TAG"), "utf8"),
      /^Signature: 8a477f597d28d172789f06886806bc55\n/,
    );
    assert.equal(pulled.files[0].path, join(place.hubFolder, folder, "snapshots", COMMIT, "tiny-TQ2_0.gguf"));
    assert.ok(readFileSync(pulled.files[0].path).equals(model));
  });

  test("that huggingface_hub made is used as it is", async () => {
    const folder = join(place.hubFolder, "models--owner--tiny"),
      pointer = join(folder, "snapshots", COMMIT, "tiny-TQ2_0.gguf");
    for (const path of [join(folder, "blobs/x"), pointer, join(folder, "refs/x")])
      mkdirSync(dirname(path), { recursive: true });
    writeFileSync(join(folder, "blobs", sha256(model)), model);
    writeFileSync(join(folder, "refs/main"), COMMIT);
    symlinkSync(`../../blobs/${sha256(model)}`, pointer);
    const before = lstatSync(pointer).mtimeMs;
    const offline = await pull("hf:owner/tiny", { offline: true });
    assert.equal(offline.files[0].path, pointer);
    assert.equal(server.requests.length, 0);
    const online = await pull("hf:owner/tiny/tiny-TQ2_0.gguf");
    assert.equal(online.fetchedBytes, 0);
    assert.equal(server.requests.length, 1, "the list, and no more");
    assert.equal(lstatSync(pointer).mtimeMs, before, "its link is left as it is");
  });

  test("keeps one copy of a file that two commits have", async () => {
    await pull("hf:owner/tiny");
    server.repos.set("owner/tiny", { commit: NEXT_COMMIT, files: { "tiny-TQ2_0.gguf": model, "README.md": other } });
    const next = await pull("hf:owner/tiny");
    assert.equal(next.commit, NEXT_COMMIT);
    assert.equal(next.fetchedBytes, 0);
    assert.ok(readFileSync(next.files[0].path ?? "").equals(model));
  });

  test("keeps one copy even without links, as in browsers", async () => {
    const store = new MemoryModelStore({ hasLinks: false }),
      platform = memoryPlatform(store);
    const get = (options: HubOptions = {}): Promise<PulledModel> =>
      pullModel("hf:owner/tiny/tiny-TQ2_0.gguf", platform, { hubUrl: server.url, backoffMs: 1, ...options });
    assert.equal((await get()).fetchedBytes, model.length);
    assert.equal((await get()).fetchedBytes, 0);
    assert.equal((await get({ offline: true })).files[0].hash, `sha256:${sha256(model)}`);
    server.repos.set("owner/tiny", { commit: NEXT_COMMIT, files: { "tiny-TQ2_0.gguf": model } });
    const next = await get();
    assert.equal(next.fetchedBytes, 0);
    const source = await next.open("tiny-TQ2_0.gguf"),
      bytes = new Uint8Array(source.sizeBytes);
    await source.read(bytes, 0);
    assert.equal(sha256(bytes), sha256(model));
    store.files.get(`models--owner--tiny/snapshots/${COMMIT}/tiny-TQ2_0.gguf`)!.bytes[77] ^= 1;
    store.files.get(`models--owner--tiny/snapshots/${COMMIT}/tiny-TQ2_0.gguf`)!.modifiedMs++;
    assert.equal((await get()).fetchedBytes, model.length, "spoiled, fetched again");
  });

  test("a file that was evicted, cut short or changed is fetched again; offline it is refused", async () => {
    const {
        files: [{ path = "" }],
      } = await pull("hf:owner/tiny"),
      blob = join(place.hubFolder, "models--owner--tiny/blobs", sha256(model));
    const spoil: (() => void)[] = [
      () => unlinkSync(blob),
      () => writeFileSync(blob, model.subarray(0, 1000)),
      () =>
        writeFileSync(
          blob,
          Uint8Array.from(model, (byte, i) => (i === 4_000_000 ? byte ^ 4 : byte)),
        ),
      () => rmSync(join(place.hubFolder, "models--owner--tiny"), { recursive: true }),
    ];
    for (const act of spoil) {
      act();
      await rejectsWith(pull("hf:owner/tiny", { offline: true }), /^hub\/(?:offline|checksum)$/, /tiny/);
      const again = await pull("hf:owner/tiny");
      assert.equal(again.fetchedBytes, model.length);
      assert.ok(readFileSync(path).equals(model));
    }
  });

  test("verify: hashes a file that looks untouched", async () => {
    const {
        files: [{ path = "" }],
      } = await pull("hf:owner/tiny"),
      { mtime, atime } = lstatSync(path.replace(/snapshots.*/, `blobs/${sha256(model)}`));
    const blob = path.replace(/snapshots.*/, `blobs/${sha256(model)}`);
    writeFileSync(
      blob,
      Uint8Array.from(model, (byte, i) => (i === 5 ? byte ^ 1 : byte)),
    );
    const { utimesSync } = await import("node:fs");
    utimesSync(blob, atime, mtime);
    assert.equal((await pull("hf:owner/tiny", { verify: true })).fetchedBytes, model.length);
    assert.ok(readFileSync(path).equals(model));
  });
});

describe("choosing", () => {
  test("says what was chosen, and what else there is", async () => {
    const { files, reason, others, source, format } = await pull("hf:owner/tiny");
    assert.deepEqual(
      files.map(({ name }) => name),
      ["tiny-TQ2_0.gguf"],
    );
    assert.deepEqual(others, ["sub/tiny-F16.gguf"]);
    assert.match(reason, /ternary/);
    assert.equal(source, `hf:owner/tiny/tiny-TQ2_0.gguf@${COMMIT}`);
    assert.equal(format, "gguf");
    server.requests.length = 0;
    assert.equal((await pull(source)).fetchedBytes, 0, "the source it gives is one to pull");
    assert.equal(server.requests.length, 0, "a file of a commit needs no question");
    await rejectsWith(pull(source, { sha256: sha256(other) }), /^hub\/checksum$/, /wanted SHA-256/);
  });

  test("fetches all shards of a split model, whichever was named", async () => {
    const shards = Object.fromEntries([1, 2, 3].map((no) => [`big-0000${no}-of-00003.gguf`, randomBytes(1000, no)]));
    server.repos.set("owner/split", { commit: COMMIT, files: shards });
    const { files, open } = await pull("hf:owner/split/big-00002-of-00003.gguf");
    assert.deepEqual(
      files.map(({ name }) => name),
      Object.keys(shards),
    );
    const source = await open("big-00003-of-00003.gguf");
    assert.equal(source.sizeBytes, 1000);
    await source.close();
    await rejectsWith(open("big-00004-of-00003.gguf"), /^file\/not-found$/, /big-00004/);
    delete (shards as Record<string, Uint8Array>)["big-00003-of-00003.gguf"];
    await rejectsWith(pull("hf:owner/split"), /^hub\/no-model$/, /big-00003-of-00003\.gguf.*not there/);
  });

  test("takes a folder of safetensors with all it needs", async () => {
    server.repos.set("owner/folder", {
      commit: COMMIT,
      files: { "model.safetensors": other, "config.json": config, "tokenizer.json": config, "optimizer.pt": model },
    });
    const { files, format } = await pull("hf:owner/folder");
    assert.equal(format, "safetensors");
    assert.deepEqual(
      files.map(({ name }) => name),
      ["model.safetensors", "config.json", "tokenizer.json"],
    );
    assert.equal((await pull("hf:owner/folder", { offline: true })).files.length, 3);
  });

  test("addresses copied from a browser are the same sources", async () => {
    await pull("hf:owner/tiny");
    for (const path of [
      "/owner/tiny",
      "/owner/tiny/tree/main",
      "/owner/tiny/blob/main/tiny-TQ2_0.gguf",
      "/owner/tiny/resolve/main/tiny-TQ2_0.gguf?download=true",
    ]) {
      assert.equal((await pull(`${server.url}${path}`)).fetchedBytes, 0, path);
    }
  });
});

describe("refusals", () => {
  test("are typed, and say where", async () => {
    server.repos.set("owner/gated", { commit: COMMIT, files: { "g.gguf": other }, token: "hf_right" });
    await rejectsWith(pull("hf:owner/none"), /^hub\/unauthorized$/, /owner\/none.*401.*HF_TOKEN/);
    await rejectsWith(pull("hf:owner/gated"), /^hub\/unauthorized$/, /gated/);
    await rejectsWith(pull("hf:owner/gated", { token: "hf_wrong" }), /^hub\/forbidden$/, /accept its terms/);
    await rejectsWith(pull("hf:owner/tiny@nosuch"), /^hub\/not-found$/, /404/);
    await rejectsWith(
      pull("hf:owner/tiny/nosuch.gguf"),
      /^hub\/not-found$/,
      /has no file "nosuch.gguf".*tiny-TQ2_0\.gguf/,
    );
    await rejectsWith(pull("hf:owner/tiny", { sha256: "0".repeat(64) }), /^hub\/checksum$/, /wanted SHA-256 000/);
    await rejectsWith(pull("hf:owner/tiny@v1", { revision: "v2" }), /^option\/invalid$/, /v1.*v2/);
    await rejectsWith(
      pull("hf:owner/tiny", { offline: true }),
      /^hub\/offline$/,
      /owner\/tiny@main.*run `onebit pull` while online/,
    );
    server.repos.set("owner/empty", { commit: COMMIT, files: { "README.md": config } });
    await rejectsWith(pull("hf:owner/empty"), /^hub\/no-model$/, /README\.md/);
    assert.deepEqual(existsSync(place.hubFolder) ? tree(place.hubFolder) : [], [], "nothing is left of them");
  });

  test("the token goes to the hub, not to where it sends us", async () => {
    server.repos.set("owner/gated", { commit: COMMIT, files: { "g.gguf": other }, token: "hf_right" });
    place.environment.HF_TOKEN = "hf_right";
    await pull("hf:owner/gated");
    assert.ok(server.requests.some(({ origin }) => origin === "cdn"));
    for (const { origin, authorization } of server.requests)
      assert.equal(authorization, origin === "hub" ? "Bearer hf_right" : undefined);
  });

  test("a list that is no list, and names that leave their folder", async () => {
    server.repos.set("owner/evil", {
      commit: COMMIT,
      files: { "../../evil.gguf": other, "a/../../b.gguf": other, "c\\d.gguf": other, "ok.gguf": other },
    });
    assert.deepEqual(
      (await pull("hf:owner/evil")).files.map(({ name }) => name),
      ["ok.gguf"],
    );
    server.repos.set("owner/evil", { commit: "../../x", files: { "ok.gguf": other } });
    await rejectsWith(pull("hf:owner/evil"), /^hub\/bad-response$/, /40 hexadecimal/);
  });
});

describe("without hashes in the list", () => {
  test("the file's headers supply them", async () => {
    server.repos.set("owner/mirror", {
      commit: COMMIT,
      files: { "m-TQ2_0.gguf": model, "config.json": config },
      withoutHashes: true,
    });
    assert.equal((await pull("hf:owner/mirror")).files[0].hash, `sha256:${sha256(model)}`);
    const sha1 = createHash("sha1").update(`blob ${config.length}\0`).update(config).digest("hex");
    assert.equal((await pull("hf:owner/mirror/config.json")).files[0].hash, `git-sha1:${sha1}`);
  });
});

describe("without the network", () => {
  test("what is there is used, and marked as possibly stale", async () => {
    await pull("hf:owner/tiny");
    const nobody = await closedUrl(),
      away = await pull("hf:owner/tiny", { hubUrl: nobody });
    assert.equal(away.isStale, true);
    assert.equal(away.commit, COMMIT);
    server.fault = () => ({ status: 503 });
    assert.equal((await pull("hf:owner/tiny", { attempts: 2 })).isStale, true);
    await rejectsWith(pull("hf:owner/unknown", { hubUrl: nobody }), /^hub\/network$/, /ECONNREFUSED/);
  });

  test("HF_HUB_OFFLINE makes no request, whatever is asked", async () => {
    await pull("hf:owner/tiny");
    place.environment.HF_HUB_OFFLINE = "1";
    server.requests.length = 0;
    await pull("hf:owner/tiny");
    await rejectsWith(pull("hf:owner/unknown"), /^hub\/offline$/, /unknown/);
    await rejectsWith(pull(`${server.url}/x.gguf`), /^hub\/offline$/, /x\.gguf/);
    assert.equal(server.requests.length, 0);
  });
});
