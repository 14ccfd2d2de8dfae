/**
 * Downloads and removals that end at any operation on the disk: their process killed there, the operation refused or
 * torn, the power gone. After each, nothing corrupt is opened, what was whole still is, and the next pull goes on: at
 * most 8 MiB come twice. By enumeration: every operation, every kind of fault.
 *
 * ONEBIT_FAULTS=all takes more codes of errors and more ways to lose power.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ByteSource } from "../../src/core/byte-source.ts";
import { OnebitError } from "../../src/core/errors.ts";
import type { HubPlatform } from "../../src/core/model-store.ts";
import { removeModel } from "../../src/hub/inventory.ts";
import type { HubOptions } from "../../src/hub/options.ts";
import { pullModel } from "../../src/hub/pull.ts";
import { nodeHub } from "../../src/platform/node/hub.ts";
import { nodeModelStore } from "../../src/platform/node/model-store.ts";
import type { ModelFs } from "../../src/platform/node/model-store.ts";
import { openFile } from "../../src/platform/node/source.ts";
import { modelBytes } from "./fake-hub.ts";
import { FaultyDisk, POWER_LOSSES } from "./faulty-disk.ts";
import type { Fault, Survival } from "./faulty-disk.ts";
import { MemoryServer, ORIGIN } from "./memory-server.ts";

const MIB = 1024 * 1024,
  LOST_BYTES_MAX = 8 * MIB,
  COMMIT = "a".repeat(40);
const model = modelBytes(50_000, 1),
  newer = modelBytes(60_000, 2);
/** One part more than come at a time: who begins anew fetches more than is allowed. */
const large = modelBytes(8 * MIB + 12_345, 3);
const URL = `${ORIGIN}/m.gguf`,
  REPO = "hf:o/m",
  LARGE_URL = `${ORIGIN}/large.gguf`,
  LARGE_REPO = "hf:o/large";

function makeServer(): MemoryServer {
  const server = new MemoryServer();
  server.files.set("/m.gguf", { bytes: model, etag: '"one"' });
  server.repos.set("o/m", { commit: COMMIT, files: { "m-TQ2_0.gguf": model } });
  server.files.set("/large.gguf", { bytes: large, etag: '"one"' });
  server.repos.set("o/large", { commit: COMMIT, files: { "m-TQ2_0.gguf": large } });
  return server;
}

function platformOn(fs: ModelFs, server: MemoryServer): HubPlatform {
  const open = (path: string): Promise<ByteSource> => openFile(path, fs),
    { createHash } = nodeHub(open, () => undefined);
  return {
    createHash,
    hubStore: nodeModelStore(() => "/disk/hub", open, fs),
    urlStore: nodeModelStore(() => "/disk/onebit", open, fs),
    fetch: server.fetch,
    environment: () => undefined,
  };
}

/**
 * What came of a call, in words: `done`, or the code of its error. Untyped errors count only where the process lives
 * on.
 */
async function outcomeOf(call: Promise<unknown>, isKilled: () => boolean): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    if (isKilled()) return "killed";
    assert.ok(error instanceof OnebitError, `untyped: ${error instanceof Error ? error.stack : String(error)}`);
    return error.code;
  }
}

async function contentOf(source: string, fs: ModelFs, server: MemoryServer, options: HubOptions): Promise<Uint8Array> {
  const pulled = await pullModel(source, platformOn(fs, server), { hubUrl: ORIGIN, attempts: 1, ...options });
  const opened = await pulled.open(pulled.files[0].name),
    bytes = new Uint8Array(opened.sizeBytes);
  await opened.read(bytes, 0);
  await opened.close();
  return bytes;
}

const isOneOf = (found: Uint8Array, wanted: readonly Uint8Array[]): boolean =>
  wanted.some((bytes) => Buffer.compare(bytes, found) === 0);

interface Scenario {
  readonly source: string;
  readonly options?: HubOptions;
  /** What is there before. */
  readonly before?: (disk: FaultyDisk, server: MemoryServer) => Promise<void>;
  /** Some file that was whole before must still open afterwards, without the network. */
  readonly keepsOld?: boolean;
  readonly hasRanges?: boolean;
  readonly run: (platform: HubPlatform) => Promise<unknown>;
  /** What the next pull gives. */
  readonly after: Uint8Array;
  /** Default: every fault, every way to survive. */
  readonly faults?: readonly Fault[];
  readonly survivals?: readonly Survival[];
  /** Which operations; default: all. */
  readonly at?: RegExp;
}

const download =
  (source: string, options: HubOptions = {}) =>
  (platform: HubPlatform): Promise<unknown> =>
    pullModel(source, platform, { hubUrl: ORIGIN, attempts: 1, ...options });

const pulledBefore =
  (source: string) =>
  async (disk: FaultyDisk, server: MemoryServer): Promise<void> => {
    await download(source)(platformOn(disk.begin(), server));
    disk.end("all");
  };

const IS_THOROUGH = process.env.ONEBIT_FAULTS === "all";
const FAULTS: readonly Fault[] = [
  { kind: "kill" },
  { kind: "torn" },
  { kind: "error", code: "ENOSPC", from: true },
  { kind: "error", code: "EIO" },
  ...(IS_THOROUGH
    ? ([
        { kind: "short" },
        { kind: "error", code: "EIO", from: true },
        { kind: "error", code: "EACCES" },
        { kind: "error", code: "EMFILE" },
      ] as const)
    : []),
];
const SURVIVALS: readonly Survival[] = IS_THOROUGH ? ["all", ...POWER_LOSSES] : ["all", "synced"];

const SCENARIOS: Record<string, Scenario> = {
  "a download from a repository": { source: REPO, run: download(REPO), after: model },
  "a download from a URL": { source: URL, run: download(URL), after: model },
  "a large download from a repository": {
    source: LARGE_REPO,
    run: download(LARGE_REPO),
    after: large,
    faults: [{ kind: "kill" }],
    survivals: ["synced"],
    at: /\.onebit-part/,
  },
  "a large download from a URL": {
    source: LARGE_URL,
    run: download(LARGE_URL),
    after: large,
    faults: [{ kind: "kill" }],
    survivals: ["synced"],
    at: /\.onebit-part/,
  },
  "a download without ranges": { source: URL, run: download(URL), after: model, hasRanges: false },
  "the refresh of a file that has changed": {
    source: URL,
    run: download(URL, { refresh: true }),
    options: { refresh: true },
    after: newer,
    keepsOld: true,
    async before(disk, server) {
      await pulledBefore(URL)(disk, server);
      server.files.set("/m.gguf", { bytes: newer, etag: '"two"' });
    },
  },
  "the removal of a repository": {
    source: REPO,
    before: pulledBefore(REPO),
    run: (platform) => removeModel(REPO, platform),
    after: model,
  },
  "the removal of a file": {
    source: REPO,
    before: pulledBefore(REPO),
    run: (platform) => removeModel(`${REPO}/m-TQ2_0.gguf`, platform),
    after: model,
  },
  "the removal of a URL's file": {
    source: URL,
    before: pulledBefore(URL),
    run: (platform) => removeModel(URL, platform),
    after: model,
  },
};

/** What there is after the fault, in every way it may survive. */
async function checkAfter(
  scenario: Scenario,
  server: MemoryServer,
  disk: FaultyDisk,
  survivals: readonly Survival[],
  what: string,
): Promise<number> {
  const old = scenario.keepsOld ? [model, newer] : [scenario.after],
    sentBytes = server.sentBytes;
  for (const survival of survivals) {
    const there = disk.clone(),
      where = `${what}, ${survival}`;
    there.end(survival);
    const offline = await contentOf(scenario.source, there.begin(), server, { offline: true }).catch(
      (error: unknown) => error,
    );
    if (offline instanceof Uint8Array) assert.ok(isOneOf(offline, old), `${where}: corrupt`);
    else assert.ok(offline instanceof OnebitError && !scenario.keepsOld, `${where}: offline ${String(offline)}`);
    there.end("all");
    server.sentBytes = sentBytes;
    const bytes = await contentOf(scenario.source, there.begin(), server, scenario.options ?? {});
    assert.ok(isOneOf(bytes, [scenario.after]), `${where}: the next pull is wrong`);
    if (scenario.before === undefined || scenario.keepsOld) {
      const twiceBytes = server.sentBytes - scenario.after.length;
      assert.ok(
        scenario.hasRanges === false || twiceBytes <= LOST_BYTES_MAX,
        `${where}: ${twiceBytes} bytes came twice`,
      );
    }
    there.end("all");
    // The lock and the journal of a process that died after the file was in its place are small, and harm nobody.
    assert.deepEqual(
      there.list().filter((path) => path.endsWith(".onebit-part")),
      [],
      where,
    );
  }
  return survivals.length;
}

describe("a fault at every operation on the disk", () => {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    test(`of ${name}`, async (t) => {
      const server = makeServer(),
        disk = new FaultyDisk();
      server.hasRanges = scenario.hasRanges !== false;
      await scenario.before?.(disk, server);
      const whole = disk.clone();
      await scenario.run(platformOn(whole.begin(), server));
      // Those of a fault-free run; a fault may be met at another one, for parts come side by side.
      const nOperations = whole.operations.length,
        outcomes = new Map<string, number>();
      let nChecked = 0;
      for (const fault of scenario.faults ?? FAULTS) {
        for (let at = 0; at < nOperations; at++) {
          if (scenario.at?.test(whole.operations[at]) === false) continue;
          const one = disk.clone(),
            what = `${JSON.stringify(fault)} at ${at}, ${whole.operations[at]}`;
          server.sentBytes = 0;
          server.isGone = () => one.isKilled;
          const outcome = await outcomeOf(scenario.run(platformOn(one.begin(fault, at), server)), () => one.isKilled);
          server.isGone = () => false;
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          const isEnd = fault.kind === "kill" || fault.kind === "torn";
          nChecked += await checkAfter(
            scenario,
            server,
            one,
            isEnd ? (scenario.survivals ?? SURVIVALS) : ["all"],
            what,
          );
        }
      }
      t.diagnostic(`${nOperations} operations, ${nChecked} ends: ${JSON.stringify(Object.fromEntries(outcomes))}`);
      assert.ok(nOperations > 5 && outcomes.has("killed"));
    });
  }
});
