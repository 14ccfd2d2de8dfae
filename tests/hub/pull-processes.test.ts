/**
 * Pulling processes: killed at random moments, side by side, and after each other's death.
 *
 * ONEBIT_KILLS sets how many are killed; 25 by default.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { build } from "esbuild";
import { FakeHub, modelBytes, sha256 } from "./fake-hub.ts";

/** Half of them while they pull from a repository, half from a plain URL. */
const KILLS = Math.ceil(Number(process.env.ONEBIT_KILLS ?? 25) / 2);
const MIB = 1024 * 1024;
/** At most this is fetched twice after a kill. */
const LOST_BYTES_MAX = 8 * MIB;
const COMMIT = "c".repeat(40);
const model = modelBytes(16 * MIB + 12_345, 7);

let server: FakeHub,
  folder = "",
  program = "";

before(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/hub-processes-"));
  program = join(folder, "pull-child.mjs");
  await build({
    entryPoints: ["tests/hub/pull-child.ts"],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "error",
  });
  server = await FakeHub.start();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server.reset();
  server.repos.set("owner/m", { commit: COMMIT, files: { "m-TQ2_0.gguf": model } });
  server.plain.set("/m.gguf", { bytes: model, etag: '"one"' });
});

interface Pulling {
  readonly child: ChildProcess;
  /** Resolves when it says that it waits for another. */
  readonly waiting: Promise<void>;
  /** What it printed; undefined when it was killed first. */
  readonly result: Promise<{ sha256?: string; fetchedBytes?: number; hasWaited?: boolean; code?: string } | undefined>;
}

function startPull(cache: string, source: string, options: object = {}): Pulling {
  const env = {
    ...process.env,
    HF_HOME: join(cache, "hf"),
    ONEBIT_CACHE: join(cache, "onebit"),
    HF_HUB_CACHE: "",
    HF_TOKEN: "",
    HF_HUB_OFFLINE: "",
  };
  const child = spawn(
    process.execPath,
    [program, source, JSON.stringify({ hubUrl: server.url, backoffMs: 10, ...options })],
    { env, stdio: ["ignore", "pipe", "inherit"] },
  );
  let text = "";
  const waiting = new Promise<void>((resolve) =>
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.startsWith("waiting\n")) resolve();
    }),
  );
  const report = (): string => text.replace("waiting\n", "");
  return {
    child,
    waiting,
    result: new Promise((done) => child.on("close", () => done(report() === "" ? undefined : JSON.parse(report())))),
  };
}

/** Files that a reader would take for the model, and the bytes of each. */
function openable(cache: string): Buffer[] {
  const below = (at: string): string[] =>
    existsSync(at) ? readdirSync(at, { recursive: true, encoding: "utf8" }).map((name) => join(at, name)) : [];
  return below(cache)
    .filter((path) => /\.gguf$|blobs[\\/][0-9a-f]{64}$/.test(path))
    .map((path) => readFileSync(path));
}

async function until(holds: () => boolean, isOver = (): boolean => false): Promise<void> {
  while (!holds() && !isOver()) await new Promise((next) => setTimeout(next, 2));
}

describe("kill -9", () => {
  for (const source of ["hf:owner/m", "/m.gguf"]) {
    test(
      `${KILLS} times at random moments of ${source}: nothing corrupt is ever there, at most 8 MiB are fetched ` +
        "twice",
      async (t) => {
        const cache = join(folder, source.replace(/\W/g, "-")),
          url = source.startsWith("/") ? `${server.url}${source}` : source;
        server.bytesPerSecond = 20_000_000;
        let nKilled = 0,
          nDownloads = 1,
          worstBytes = 0,
          totalLostBytes = 0,
          state = 12345;
        const random = (below: number): number => {
          state = (Math.imul(state, 1103515245) + 12345) >>> 0;
          return (state >>> 8) % below;
        };
        while (nKilled < KILLS) {
          server.sentBytes = 0;
          const before = bytesRecorded(cache),
            { child, result } = startPull(cache, url);
          // While parts come, are stored, are hashed, or while the whole file moves into place.
          const sentBytes = Math.min(random(12 * MIB), model.length - before),
            delayMs = random(40);
          let hasEnded = false;
          const ended = result.then(() => (hasEnded = true));
          await until(
            () => server.sentBytes >= Math.max(1, sentBytes),
            () => hasEnded,
          );
          const isOver = await Promise.race([
            ended,
            new Promise<false>((next) => setTimeout(() => next(false), delayMs)),
          ]);
          child.kill("SIGKILL");
          const outcome = await result;
          await new Promise((next) => setTimeout(next, 5));
          if (!isOver) {
            nKilled++;
            // What was sent and is not recorded is fetched again.
            const lostBytes = Math.max(0, server.sentBytes - (bytesRecorded(cache) - before));
            worstBytes = Math.max(worstBytes, lostBytes);
            totalLostBytes += lostBytes;
            assert.ok(lostBytes <= LOST_BYTES_MAX, `kill ${nKilled} lost ${lostBytes} bytes`);
          }
          for (const bytes of openable(cache)) assert.equal(sha256(bytes), sha256(model), `after kill ${nKilled}`);
          if (openable(cache).length > 0 || outcome !== undefined) {
            assert.ok(outcome === undefined || outcome.sha256 === sha256(model), JSON.stringify(outcome));
            nDownloads++;
            rmSync(cache, { recursive: true, force: true });
          }
        }
        server.bytesPerSecond = Infinity;
        const { sha256: found } = (await startPull(cache, url).result) ?? {};
        assert.equal(found, sha256(model));
        t.diagnostic(
          `${nKilled} kills in ${nDownloads} downloads of ${model.length} bytes: at most ${worstBytes} bytes ` +
            `fetched twice, ${Math.round(totalLostBytes / nKilled)} on average`,
        );
      },
    );
  }
});

/** Bytes of parts that the journals of a cache record, and of files that are whole. */
function bytesRecorded(cache: string): number {
  const below = existsSync(cache) ? readdirSync(cache, { recursive: true, encoding: "utf8" }) : [];
  const whole = below.some((path) => /\.gguf$|blobs[\\/][0-9a-f]{64}$/.test(path));
  if (whole) return model.length;
  const journal = below.find((path) => path.endsWith(".onebit-part.journal"));
  if (journal === undefined) return 0;
  const [, ...parts] = readFileSync(join(cache, journal), "utf8").split("\n").slice(0, -1);
  return parts.reduce((sum, index) => sum + Math.min(2 * MIB, model.length - Number(index) * 2 * MIB), 0);
}

describe("two processes", () => {
  test("that pull the same model make one download", async () => {
    for (const source of ["hf:owner/m", `${server.url}/m.gguf`]) {
      server.reset();
      server.repos.set("owner/m", { commit: COMMIT, files: { "m-TQ2_0.gguf": model } });
      server.plain.set("/m.gguf", { bytes: model, etag: '"one"' });
      server.bytesPerSecond = 10_000_000;
      const cache = mkdtempSync(join(folder, "two-")),
        results = await Promise.all([1, 2, 3].map(() => startPull(cache, source).result));
      for (const result of results) assert.equal(result?.sha256, sha256(model));
      assert.equal(
        results.reduce((sum, result) => sum + (result?.fetchedBytes ?? 0), 0),
        model.length,
      );
      assert.ok(results.some((result) => result?.hasWaited));
      assert.ok(server.sentBytes < model.length + 2000, `${server.sentBytes}`);
    }
  });

  test("of which the first is killed: the second continues at once from its parts", async () => {
    const cache = mkdtempSync(join(folder, "heir-"));
    server.bytesPerSecond = 5_000_000;
    const first = startPull(cache, "hf:owner/m");
    await until(() => server.sentBytes > 8 * MIB);
    // So slow from here on that it does not end before the second is there.
    server.bytesPerSecond = 50_000;
    const second = startPull(cache, "hf:owner/m");
    await second.waiting;
    first.child.kill("SIGKILL");
    server.bytesPerSecond = Infinity;
    const begin = performance.now(),
      result = await second.result;
    assert.equal(result?.sha256, sha256(model));
    assert.ok(result.hasWaited);
    assert.ok((result.fetchedBytes ?? 0) < model.length);
    assert.ok(performance.now() - begin < 30_000, "a dead holder is not waited out");
  });
});

describe("a lock", () => {
  test("of a reused process number, of garbage, of another machine long ago: is free", async () => {
    const { lockFile } = await import("../../src/platform/node/file-lock.ts");
    const { utimesSync } = await import("node:fs");
    const path = join(folder, "stale.lock"),
      long = new Date(Date.now() - 120_000);
    const mine = await lockFile(path, {}),
      content = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    assert.equal(await lockFile(path, { wait: false }), undefined, "held");
    assert.equal(await mine?.isHeld(), true);
    await mine?.release();
    assert.ok(!existsSync(path));
    const stale: (readonly [text: string, date?: Date])[] = [
      [JSON.stringify({ ...content, token: "a", pid: 2 ** 30 })],
      [JSON.stringify({ ...content, token: "c", machine: "elsewhere" }), long],
      ["garbage", long],
      ["", long],
      ...(content.started === undefined ? [] : [[JSON.stringify({ ...content, token: "b", started: "1" })] as const]),
    ];
    for (const [text, date] of stale) {
      writeFileSync(path, text);
      if (date !== undefined) utimesSync(path, date, date);
      const lock = await lockFile(path, { wait: false });
      assert.ok(lock !== undefined, text);
      await lock.release();
    }
    for (const text of [
      JSON.stringify({ ...content, token: "c", machine: "elsewhere" }),
      JSON.stringify({ ...content, token: "d" }),
      "",
    ]) {
      writeFileSync(path, text);
      assert.equal(await lockFile(path, { wait: false }), undefined, `${text} may be alive`);
    }
    rmSync(path);
  });

  test("goes to one of many", async () => {
    const { lockFile } = await import("../../src/platform/node/file-lock.ts");
    const path = join(folder, "many.lock");
    let nHolding = 0,
      nHeld = 0;
    writeFileSync(path, JSON.stringify({ token: "dead", pid: 2 ** 30, machine: "?" }));
    const { utimesSync } = await import("node:fs");
    utimesSync(path, 0, 0);
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        const lock = await lockFile(path, {});
        assert.equal(++nHolding, 1, "alone");
        nHeld++;
        await new Promise((next) => setTimeout(next, 3));
        nHolding--;
        await lock?.release();
      }),
    );
    assert.equal(nHeld, 12);
  });

  test("waits no longer than the caller wants", async () => {
    const { lockFile } = await import("../../src/platform/node/file-lock.ts");
    const path = join(folder, "wanted.lock"),
      lock = await lockFile(path, {}),
      controller = new AbortController();
    const waiting = lockFile(path, { signal: controller.signal, onWait: () => controller.abort() });
    await assert.rejects(waiting, { code: "aborted" });
    await lock?.release();
  });
});
