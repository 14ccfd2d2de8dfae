/**
 * What is kept: one flipped bit anywhere in it is found, lists are right, removing removes, `load` runs what was
 * pulled.
 *
 * ONEBIT_FLIPS sets how many bits are flipped, each in a copy of its own; 40 by default.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { syntheticModel } from "../synthetic/model.ts";
import { writeModelFile } from "../synthetic/write-file.ts";
import { OnebitError } from "../../src/core/errors.ts";
import type { Platform } from "../../src/core/platform.ts";
import { listModels, removeModel } from "../../src/hub/inventory.ts";
import type { HubOptions, PulledModel } from "../../src/hub/options.ts";
import { pullModel } from "../../src/hub/pull.ts";
import { inspect, load, loadTokenizer } from "../../src/load.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { FakeHub, modelBytes, randomBytes, sha256 } from "./fake-hub.ts";
import { folderPlatform, memoryPlatform } from "./hub-platform.ts";
import type { FolderPlatform } from "./hub-platform.ts";
import { MemoryModelStore } from "./memory-model-store.ts";
import { rejectsWith } from "./rejects.ts";

const FLIPS = Number(process.env.ONEBIT_FLIPS ?? 40);
const COMMIT = "e".repeat(40);

let server: FakeHub, place: FolderPlatform;
before(async () => {
  server = await FakeHub.start();
});
after(() => server.stop());
beforeEach(() => {
  server.reset();
  place = folderPlatform();
  place.environment.HF_ENDPOINT = server.url;
});
afterEach(() => place.remove());

const pull = (source: string, options: HubOptions = {}): Promise<PulledModel> =>
  pullModel(source, place.hub, { hubUrl: server.url, backoffMs: 1, ...options });

describe("one flipped bit", () => {
  const model = randomBytes(2_200_000, 11),
    options = (): HubOptions => ({ hubUrl: server.url, backoffMs: 1, attempts: 2 });
  const positions = Array.from(
    { length: FLIPS },
    (_, i) => Math.floor(((i + 0.5) / FLIPS) * model.length * 8) + (i % 8),
  );
  const put = (): void => void server.repos.set("o/m", { commit: COMMIT, files: { "m-TQ2_0.gguf": model } });

  test(`on the way, ${FLIPS} times: refused, and nothing stays`, async () => {
    for (const bit of positions) {
      put();
      const store = new MemoryModelStore(),
        begin = Math.floor((bit >> 3) / (2 * 1024 * 1024)) * 2 * 1024 * 1024;
      server.fault = ({ range }) => (range?.startsWith(`bytes=${begin}-`) ? { flipBit: bit - begin * 8 } : undefined);
      await rejectsWith(
        pullModel("hf:o/m", memoryPlatform(store, store), options()),
        /^hub\/checksum$/,
        /wanted sha256/,
      );
      assert.ok(![...store.files.keys(), ...store.links.keys()].some((path) => /\.gguf$|[0-9a-f]{64}$/.test(path)));
    }
  });

  test(`on the disk, ${FLIPS} times: found, offline refused, online fetched again`, async () => {
    put();
    const store = new MemoryModelStore(),
      platform = memoryPlatform(store, store);
    await pullModel("hf:o/m", platform, options());
    const blob = store.files.get(`models--o--m/blobs/${sha256(model)}`)!;
    for (const [i, bit] of positions.entries()) {
      const current = store.files.get(`models--o--m/blobs/${sha256(model)}`) ?? blob;
      current.bytes[bit >> 3] ^= 1 << (bit & 7);
      // Every other one as rot does it: without a new time of change, which only --verify finds.
      const isSilent = i % 2 === 1;
      if (!isSilent) current.modifiedMs += 1;
      await rejectsWith(
        pullModel("hf:o/m", platform, { ...options(), offline: true, verify: isSilent }),
        /^hub\/checksum$/,
        /has changed since it was pulled/,
      );
      const again = await pullModel("hf:o/m", platform, { ...options(), verify: isSilent });
      assert.equal(again.fetchedBytes, model.length);
    }
  });
});

describe("the list", () => {
  const one = modelBytes(1000, 1),
    two = modelBytes(2000, 2),
    text = new TextEncoder().encode("{}");
  beforeEach(() => {
    server.repos.set("o/m", {
      commit: COMMIT,
      files: { "m-TQ2_0.gguf": one, "m-Q8_0.gguf": two, "config.json": text },
    });
    server.repos.set("a/notes", { commit: COMMIT, files: { "config.json": text } });
    server.plain.set("/x/p.gguf", { bytes: two, etag: '"1"' });
  });

  test("has what was pulled, by the names that remove takes", async () => {
    assert.deepEqual(await listModels(place.hub), []);
    await pull("hf:o/m");
    await pull("hf:o/m/m-Q8_0.gguf");
    await pull("hf:a/notes/config.json");
    await pull(`${server.cdnUrl}/x/p.gguf`);
    const models = await listModels(place.hub);
    assert.deepEqual(
      models.map(({ source, sizeBytes, unfinishedBytes, files }) => ({
        source,
        sizeBytes,
        unfinishedBytes,
        files: files.map(({ name }) => name),
      })),
      [
        { source: "hf:o/m", sizeBytes: 3000, unfinishedBytes: 0, files: ["m-Q8_0.gguf", "m-TQ2_0.gguf"] },
        { source: `${server.cdnUrl}/x/p.gguf`, sizeBytes: 2000, unfinishedBytes: 0, files: ["p.gguf"] },
      ],
    );
    for (const { files } of models)
      for (const { path, sizeBytes } of files) assert.equal(readFileSync(path ?? "").length, sizeBytes);
    assert.deepEqual(await removeModel("hf:o/m/m-Q8_0.gguf", place.hub), { freedBytes: 2000 });
    assert.equal((await pull("hf:o/m", { offline: true })).files[0].name, "m-TQ2_0.gguf");
    for (const { source, sizeBytes } of await listModels(place.hub)) {
      const { freedBytes } = await removeModel(source, place.hub);
      assert.ok(
        freedBytes >= sizeBytes && freedBytes < sizeBytes + 1000,
        `${freedBytes}: the notes beside it are small`,
      );
    }
    assert.deepEqual(await listModels(place.hub), []);
    await rejectsWith(pull("hf:o/m", { offline: true }), /^hub\/offline$/, /o\/m/);
    assert.deepEqual(readdirSync(join(place.urlFolder, "urls")), []);
  });

  test("a file that two names share stays until the last is removed", async () => {
    server.repos.set("o/m", { commit: COMMIT, files: { "a-TQ2_0.gguf": one, "b-TQ2_0.gguf": one } });
    await pull("hf:o/m/a-TQ2_0.gguf");
    await pull("hf:o/m/b-TQ2_0.gguf");
    assert.deepEqual(await removeModel("hf:o/m/a-TQ2_0.gguf", place.hub), { freedBytes: 0 });
    assert.equal((await pull("hf:o/m/b-TQ2_0.gguf", { offline: true })).files.length, 1);
    assert.deepEqual(await removeModel("hf:o/m/b-TQ2_0.gguf", place.hub), { freedBytes: 1000 });
  });

  test("removing follows no link out of the cache", async () => {
    const outside = join(place.folder, "outside"),
      repo = join(place.hubFolder, "models--o--m"),
      pointers = join(repo, "snapshots", COMMIT);
    const mine = join(outside, "mine.gguf"),
      isThere = (): boolean => existsSync(mine) && readFileSync(mine).equals(one);
    mkdirSync(outside, { recursive: true });
    writeFileSync(mine, one);
    // A link where a file of a repository should be: to a file elsewhere, and to one elsewhere in the cache.
    await pull("hf:o/m");
    for (const target of [mine, join(place.hubFolder, "models--a--notes/blobs/x")]) {
      symlinkSync(target, join(pointers, "evil.gguf"));
      if (target !== mine) mkdirSync(dirname(target), { recursive: true }), writeFileSync(target, one);
      assert.deepEqual(await removeModel("hf:o/m/evil.gguf", place.hub), { freedBytes: 0 });
      assert.ok(isThere() && existsSync(target) && !existsSync(join(pointers, "evil.gguf")));
    }
    // Folders that are links: of snapshots, of blobs, the repository's own.
    for (const folder of [pointers, join(repo, "blobs"), repo]) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(dirname(folder), { recursive: true });
      symlinkSync(outside, folder);
      await removeModel("hf:o/m/mine.gguf", place.hub).catch((error: unknown) =>
        assert.ok(error instanceof OnebitError, String(error)),
      );
      assert.ok(isThere(), folder);
      await removeModel("hf:o/m", place.hub).catch((error: unknown) =>
        assert.ok(error instanceof OnebitError, String(error)),
      );
      assert.ok(isThere(), folder);
    }
    await pull(`${server.cdnUrl}/x/p.gguf`);
    const folder = join(place.urlFolder, "urls", readdirSync(join(place.urlFolder, "urls"))[0]);
    rmSync(folder, { recursive: true });
    symlinkSync(outside, folder);
    await removeModel(`${server.cdnUrl}/x/p.gguf`, place.hub);
    assert.ok(isThere() && !existsSync(folder));
    await rejectsWith(place.hub.urlStore.remove("../outside/mine.gguf"), /^file\/write$/, /a link leads out of/);
    assert.ok(isThere());
  });

  test("what is missing or being downloaded is not removed", async () => {
    await rejectsWith(removeModel("hf:o/none", place.hub), /^file\/not-found$/, /o\/none/);
    await rejectsWith(removeModel("hf:o/m/none.gguf", place.hub), /^file\/not-found$/, /none/);
    await rejectsWith(removeModel(`${server.url}/none.gguf`, place.hub), /^file\/not-found$/, /none/);
    await rejectsWith(removeModel("some/path.gguf", place.hub), /^hub\/bad-source$/, /wanted hf/);
    await rejectsWith(removeModel("hf:o/m@main", place.hub), /^hub\/bad-source$/, /leave @main out/);
    server.fault = ({ origin }) => (origin === "cdn" ? { stallAfterBytes: 100 } : undefined);
    const controller = new AbortController();
    let tried: Promise<unknown> | undefined;
    const onProgress = (): void =>
      void (tried ??= rejectsWith(removeModel("hf:o/m", place.hub), /^hub\/busy$/, /being downloaded/).finally(() =>
        controller.abort(),
      ));
    await assert.rejects(pullModel("hf:o/m", place.hub, { hubUrl: server.url, onProgress }, controller.signal), {
      code: "aborted",
    });
    await tried;
    assert.ok((await listModels(place.hub))[0].unfinishedBytes > 0);
    await removeModel("hf:o/m", place.hub);
    assert.deepEqual(await listModels(place.hub), []);
  });
});

describe("what is no file", () => {
  const pipe = (path: string): void => {
    rmSync(path, { force: true });
    execFileSync("mkfifo", [path]);
  };

  test("is refused where a model should be: pipes, devices, folders", async () => {
    const fifo = join(place.folder, "model.gguf");
    pipe(fifo);
    const folder = join(place.folder, "hf");
    mkdirSync(folder);
    pipe(join(folder, "config.json"));
    for (const [path, message] of [
      [fifo, /wanted a file, found a pipe/],
      ["/dev/zero", /found a device/],
      ["/dev/null", /found a device/],
      [folder, /found a pipe/],
    ] as const) {
      await rejectsWith(load(path), /^file\/read$/, message);
      await rejectsWith(inspect(path), /^file\/read$/, message);
    }
    await rejectsWith(pull(fifo), /^hub\/bad-source$/, /wanted hf/);
  });

  test("and in the cache: typed, or replaced, and nothing waits for a writer", async () => {
    const model = modelBytes(3000, 6),
      url = `${server.url}/x.gguf`;
    server.plain.set("/x.gguf", { bytes: model, etag: '"1"' });
    await pull(url);
    const folder = join(place.urlFolder, "urls", readdirSync(join(place.urlFolder, "urls"))[0]);
    for (const name of [
      "x.gguf",
      "x.gguf.json",
      "x.gguf.onebit-part",
      "x.gguf.onebit-part.journal",
      "x.gguf.onebit-part.record",
      "x.gguf.onebit-lock",
    ]) {
      pipe(join(folder, name));
      if (name.includes("-")) rmSync(join(folder, "x.gguf"), { force: true });
      const outcome = await pull(url).catch((error: unknown) => error);
      if (outcome instanceof Error)
        assert.ok(outcome instanceof OnebitError && /found a pipe/.test(outcome.message), `${name}: ${outcome}`);
      rmSync(join(folder, name), { force: true });
      assert.ok(readFileSync((await pull(url)).files[0].path ?? "").equals(model), name);
    }
  });
});

describe("load", () => {
  let model: Uint8Array;
  before(async () => {
    mkdirSync("build", { recursive: true });
    const path = join("build", `hub-model-${process.pid}.gguf`);
    await writeModelFile(
      path,
      syntheticModel(
        {
          architecture: "qwen3",
          nEmbd: 256,
          nLayers: 1,
          nHeads: 4,
          nKvHeads: 2,
          headDim: 64,
          nFf: 256,
          nVocab: 640,
          contextLength: 256,
          ropeTheta: 10_000,
          normEps: 1e-6,
          tied: true,
          bodyType: "TQ2_0",
          headType: "F16",
          scalePerTensor: false,
        },
        1,
      ),
    );
    model = readFileSync(path);
    unlinkSync(path);
  });
  const platform = (): Platform => ({ ...nodePlatform(), hub: place.hub });

  test("runs a model of a repository and one of a URL; then again offline", async () => {
    server.repos.set("o/m", { commit: COMMIT, files: { "m-TQ2_0.gguf": model } });
    server.plain.set("/m.gguf", { bytes: model, etag: '"1"' });
    const local = await load(model, { platform: platform(), threads: 1 });
    const wanted = await local.generate("Hello", { maxTokens: 4, temperature: 0 }).text();
    await local.close();
    for (const source of ["hf:o/m", `${server.url}/m.gguf`, new URL(`${server.url}/m.gguf`)]) {
      for (const offline of [false, true]) {
        const loaded = await load(source, { platform: platform(), threads: 1, hub: { offline } });
        assert.equal(await loaded.generate("Hello", { maxTokens: 4, temperature: 0 }).text(), wanted);
        await loaded.close();
      }
      assert.equal((await inspect(source, { platform: platform() })).config.architecture, "qwen3");
      assert.ok(await loadTokenizer(source, { platform: platform() }));
    }
  });

  test("says what is no model, stops when told, and says where there is no hub", async () => {
    server.plain.set("/page.gguf", { bytes: new TextEncoder().encode("<!doctype html>"), etag: '"1"' });
    await rejectsWith(load(`${server.url}/page.gguf`, { platform: platform() }), /^file\/unknown-format$/, /web page/);
    await rejectsWith(load("hf:o/m", { platform: platform(), signal: AbortSignal.abort() }), /^aborted$/, /abort/);
    const { hub: _, ...bare } = nodePlatform();
    await rejectsWith(load("hf:o/m", { platform: bare }), /^hub\/unavailable$/, /cannot store models/);
  });
});

describe("the command line", () => {
  const CLI = resolve("dist/cli.js");
  const onebit = (...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> =>
    new Promise((done) => {
      const child = spawn(process.execPath, [CLI, ...args], {
        env: { ...process.env, HF_TOKEN: "", HF_HUB_OFFLINE: "", HF_HUB_CACHE: "", ...place.environment },
      });
      let stdout = "",
        stderr = "";
      child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
      child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
      child.on("close", (status) => done({ status, stdout, stderr }));
    });

  test("pulls, lists and removes", async () => {
    const bytes = randomBytes(3000, 5);
    server.repos.set("o/m", {
      commit: COMMIT,
      files: { "m-TQ2_0.gguf": bytes, "m-Q8_0.gguf": bytes.subarray(1) },
      token: "hf_t",
    });
    assert.match((await onebit("pull", "hf:o/m")).stderr, /^onebit: .*HF_TOKEN.*\[hub\/unauthorized\]\n$/);
    const pulled = await onebit("pull", "hf:o/m", "--token", "hf_t", "--sha256", sha256(bytes));
    assert.equal(pulled.status, 0, pulled.stderr);
    assert.match(
      pulled.stderr,
      /chose m-TQ2_0\.gguf \(a GGUF file of 1-bit or ternary weights\); there are also m-Q8_0\.gguf/,
    );
    assert.match(pulled.stdout, /^hf:o\/m\/m-TQ2_0\.gguf@e{40}: 3\.0 kB, 3\.0 kB downloaded\n\/.*m-TQ2_0\.gguf\n$/);
    const json = JSON.parse((await onebit("pull", "hf:o/m", "--offline", "--json")).stdout) as Record<string, unknown>;
    assert.deepEqual(Object.keys(json), [
      "source",
      "format",
      "commit",
      "files",
      "reason",
      "others",
      "fetchedBytes",
      "isStale",
    ]);
    assert.equal(json.fetchedBytes, 0);
    assert.match((await onebit("list")).stdout, /^ +3\.0 kB {2}hf:o\/m\n {10}m-TQ2_0\.gguf {2}3\.0 kB\n$/);
    const [listed] = JSON.parse((await onebit("list", "--json")).stdout) as Record<string, unknown>[];
    assert.deepEqual(Object.keys(listed), ["source", "files", "sizeBytes", "unfinishedBytes"]);
    assert.match((await onebit("remove", "hf:o/m")).stdout, /^hf:o\/m: removed, freed 3\.0 kB\n$/);
    assert.deepEqual(JSON.parse((await onebit("list", "--json")).stdout), []);
    assert.equal((await onebit("remove", "hf:o/m")).status, 1);
    assert.equal((await onebit("pull")).status, 2);
    const wrong = await onebit("pull", "hf:o/m", "--token", "hf_t", "--sha256", sha256(bytes.subarray(1)));
    assert.match(wrong.stderr, /\[hub\/checksum\]/);
    assert.ok(!existsSync(join(place.hubFolder, "models--o--m", "snapshots")));
  });
});
