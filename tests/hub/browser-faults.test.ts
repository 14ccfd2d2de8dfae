/**
 * Downloads and removals in a browser that end at any operation of its storage: the tab closed there, the operation
 * refused or torn, the power gone. After each, nothing corrupt is opened and the next pull gives the file; errors are
 * typed.
 *
 * ONEBIT_FAULTS=all takes every operation; without it every fourth.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import type { HubPlatform, ModelStore } from "../../src/core/model-store.ts";
import { removeModel } from "../../src/hub/inventory.ts";
import type { HubOptions } from "../../src/hub/options.ts";
import { pullModel } from "../../src/hub/pull.ts";
import { browserCacheStore } from "../../src/platform/browser/cache-store.ts";
import { browserModelStore } from "../../src/platform/browser/model-store.ts";
import { openDirectly } from "../../src/platform/browser/opfs-access.ts";
import { FakeCache, FakeFolder, FakeLocks } from "./fake-browser.ts";
import type { Operate } from "./fake-browser.ts";
import { modelBytes } from "./fake-hub.ts";
import { memoryPlatform } from "./hub-platform.ts";
import { MemoryServer, ORIGIN } from "./memory-server.ts";

const STEP = process.env.ONEBIT_FAULTS === "all" ? 1 : 4;
const COMMIT = "a".repeat(40),
  model = modelBytes(50_000, 1),
  newer = modelBytes(60_000, 2);

/** The storage of a browser, over all its tabs. */
interface Storage {
  clone(): Storage;
  /** A tab's view of it. */
  open(operate?: Operate): ModelStore;
  /** The tab is gone, maybe with the machine. */
  end(isPowerLoss: boolean): void;
}

function privateFiles(moves: boolean, root = new FakeFolder({ moves })): Storage {
  return {
    clone: () => privateFiles(moves, root.clone()),
    open(operate) {
      root.restart(false, operate);
      return browserModelStore(
        { root: async () => root.handle, open: openDirectly, locks: new FakeLocks(), estimate: async () => ({}) },
        "opfs",
      );
    },
    end: (isPowerLoss) => root.restart(isPowerLoss),
  };
}

function cacheEntries(cache = new FakeCache()): Storage {
  return {
    clone: () => cacheEntries(cache.clone()),
    open(operate) {
      cache.operate = operate ?? (() => ({ part: 1 }));
      return browserCacheStore(
        { cache: async () => cache, locks: new FakeLocks(), freeBytes: async () => undefined },
        "cache",
      );
    },
    end: () => {},
  };
}

type Fault = "kill" | "torn" | "UnknownError" | "QuotaExceededError";
const FAULTS: readonly Fault[] = ["kill", "torn", "UnknownError", "QuotaExceededError"];

/** Counts operations, and lets one of them fail; a full disk stays full, for all that changes. */
class Tab {
  operations: string[] = [];
  isKilled = false;
  readonly #fault: Fault | undefined;
  readonly #at: number;

  constructor(fault?: Fault, at = -1) {
    this.#fault = fault;
    this.#at = at;
  }

  readonly operate: Operate = (what) => {
    if (this.isKilled) throw new Error("the tab is gone");
    const index = this.operations.push(what) - 1,
      stays = this.#fault === "QuotaExceededError" && index > this.#at && /^(?:write|put|truncate)/.test(what);
    if (this.#at < 0 || (index !== this.#at && !stays)) return { part: 1 };
    this.isKilled = this.#fault === "kill" || this.#fault === "torn";
    return {
      part: this.#fault === "kill" ? 0 : 0.5,
      then: Object.assign(new Error(this.#fault), { name: this.#fault }),
    };
  };
}

const URL = `${ORIGIN}/m.gguf`,
  REPO = `hf:o/m/m-TQ2_0.gguf@${COMMIT}`;
const pull = (source: string, store: ModelStore, server: MemoryServer, options: HubOptions = {}) =>
  pullModel(source, { ...memoryPlatform(store, store), fetch: server.fetch } satisfies HubPlatform, {
    hubUrl: ORIGIN,
    attempts: 1,
    ...options,
  });

async function contentOf(
  source: string,
  store: ModelStore,
  server: MemoryServer,
  options: HubOptions,
): Promise<Uint8Array> {
  const pulled = await pull(source, store, server, options),
    opened = await pulled.open(pulled.files[0].name),
    bytes = new Uint8Array(opened.sizeBytes);
  await opened.read(bytes, 0);
  return bytes;
}

interface Scenario {
  readonly source: string;
  readonly options?: HubOptions;
  readonly isKept?: boolean;
  readonly run: (store: ModelStore, server: MemoryServer) => Promise<unknown>;
  readonly wanted: Uint8Array;
}

const SCENARIOS: Record<string, Scenario> = {
  "a download from a repository": { source: REPO, run: (store, server) => pull(REPO, store, server), wanted: model },
  "a download from a URL": { source: URL, run: (store, server) => pull(URL, store, server), wanted: model },
  "the refresh of a file that has changed": {
    source: URL,
    options: { refresh: true },
    isKept: true,
    run: (store, server) => pull(URL, store, server, { refresh: true }),
    wanted: newer,
  },
  "the removal of a repository": {
    source: REPO,
    isKept: true,
    run: (store) => removeModel("hf:o/m", memoryPlatform(store, store)),
    wanted: model,
  },
  "the removal of a URL's file": {
    source: URL,
    isKept: true,
    run: (store) => removeModel(URL, memoryPlatform(store, store)),
    wanted: model,
  },
};

async function checkAfter(
  { source, options, wanted }: Scenario,
  storage: Storage,
  server: MemoryServer,
  ways: readonly boolean[],
  what: string,
): Promise<void> {
  for (const isPowerLoss of ways) {
    const there = storage.clone(),
      where = `${what}${isPowerLoss ? ", power lost" : ""}`;
    there.end(isPowerLoss);
    const offline = await contentOf(source, there.open(), server, { offline: true }).catch((error: unknown) => error);
    const isWhole =
      offline instanceof Uint8Array && [model, newer].some((bytes) => Buffer.compare(bytes, offline) === 0);
    assert.ok(
      isWhole || offline instanceof OnebitError,
      `${where}: offline ${offline instanceof Uint8Array ? "corrupt" : String(offline)}`,
    );
    there.end(false);
    const bytes = await contentOf(source, there.open(), server, options ?? {}).catch((error: unknown) =>
      assert.fail(`${where}: the next pull fails: ${String(error)}`),
    );
    assert.ok(Buffer.compare(bytes, wanted) === 0, `${where}: the next pull is wrong`);
  }
}

for (const [name, make] of Object.entries({
  "private files": () => privateFiles(true),
  "private files that cannot be moved": () => privateFiles(false),
  "a cache": () => cacheEntries(),
})) {
  describe(`a fault at every operation of ${name}`, () => {
    for (const [what, scenario] of Object.entries(SCENARIOS)) {
      test(`of ${what}`, async (t) => {
        const server = new MemoryServer(),
          before = make();
        server.files.set("/m.gguf", { bytes: model, etag: '"1"' });
        server.repos.set("o/m", { commit: COMMIT, files: { "m-TQ2_0.gguf": model } });
        if (scenario.isKept) await pull(scenario.source, before.open(), server);
        if (scenario.options?.refresh) server.files.set("/m.gguf", { bytes: newer, etag: '"2"' });
        const whole = new Tab();
        await scenario.run(before.clone().open(whole.operate), server);
        const nOperations = whole.operations.length,
          outcomes = new Map<string, number>();
        let nEnds = 0;
        for (const fault of FAULTS) {
          for (let at = 0; at < nOperations; at += STEP) {
            const storage = before.clone(),
              tab = new Tab(fault, at),
              where = `${fault} at ${at}, ${whole.operations[at]}`;
            server.isGone = () => tab.isKilled;
            const outcome = await scenario.run(storage.open(tab.operate), server).then(
              () => "done",
              (error: unknown) => {
                if (tab.isKilled) return "killed";
                assert.ok(
                  error instanceof OnebitError,
                  `${where}: untyped ${error instanceof Error ? error.stack : String(error)}`,
                );
                return error.code;
              },
            );
            server.isGone = () => false;
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
            nEnds += tab.isKilled ? 2 : 1;
            // A storage that refuses does not take the power away too.
            await checkAfter(scenario, storage, server, tab.isKilled ? [false, true] : [false], where);
          }
        }
        t.diagnostic(`${nOperations} operations, ${nEnds} ends: ${JSON.stringify(Object.fromEntries(outcomes))}`);
        assert.ok(outcomes.has("killed") && outcomes.size > 1);
      });
    }
  });
}
