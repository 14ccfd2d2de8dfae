/** What the page keeps of a conversation's context, with real models in a worker and a cache in memory. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { defaultModelBytes } from "../../src/default-model.ts";
import { type ContextStorage, KeptContext } from "../../src/web/page/state/kept-context.ts";
import { type KeyedStorage, Memory } from "../../src/web/page/state/memory.ts";
import type { WorkerModel } from "../../src/web/worker-model.ts";
import { ggufBytes } from "../model/gguf-bytes.ts";
import { loadInFakeWorker } from "./fake-worker.ts";

const TEXT = "ROMEO: What light is this that breaks through yonder window?\n";
const SHAPE = {
  nEmbd: 256,
  nLayers: 1,
  nHeads: 4,
  nKvHeads: 4,
  headDim: 64,
  nFf: 256,
  nVocab: 300,
  subNorms: true,
} as const;
const LONG = { maxTokens: 20, temperature: 0 } as const;

/** As a browser's Cache keeps entries: by URL, the newest last. */
function cacheInMemory(freeBytes?: number): ContextStorage & { readonly entries: Map<string, Uint8Array> } {
  const entries = new Map<string, Uint8Array>(),
    urlOf = (key: RequestInfo | URL): string => (key instanceof Request ? key.url : String(key));
  return {
    entries,
    freeBytes: async () => freeBytes,
    open: async () => ({
      match: async (key) => {
        const bytes = entries.get(urlOf(key));
        return bytes && new Response(new Uint8Array(bytes));
      },
      async put(key, response) {
        const bytes = new Uint8Array(await response.arrayBuffer());
        entries.delete(urlOf(key));
        entries.set(urlOf(key), bytes);
      },
      delete: async (key) => entries.delete(urlOf(key)),
      keys: async () => [...entries.keys()].map((url) => new Request(url)),
    }),
  };
}

function storage(): KeyedStorage {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
}

describe("the context of a conversation", () => {
  let models: WorkerModel[];
  /** Two of the same model: one before the reload, one behind it. */
  const load = async (): Promise<WorkerModel> => await loadInFakeWorker(await defaultModelBytes());
  before(async () => void (models = [await load(), await load()]));
  after(() => Promise.all(models.map((model) => model.close())));

  test("goes on behind a reload: nothing is read again, and the answer is the same", async () => {
    const cache = cacheInMemory(),
      [shared, tab] = [storage(), storage()],
      context = await models[0].context(),
      text = TEXT + (await context.generate(TEXT, LONG).text());
    assert.equal(await new KeptContext(cache, new Memory(shared, tab)).keep(models[0], context), true);
    const restored = await new KeptContext(cache, new Memory(shared, tab)).restore(models[1]);
    assert.ok(restored !== undefined);
    assert.deepEqual(await restored.cachedIds, await context.cachedIds);
    const [expected, found] = await Promise.all([
      context.generate(text, LONG).result(),
      restored.generate(text, LONG).result(),
    ]);
    assert.deepEqual(found.ids, expected.ids);
    assert.ok(found.timings.cachedTokens > 20);
    await Promise.all([context.close(), restored.close()]);
  });

  test("of each tab its own; a new tab begins with the last, and forgets none but its own", async () => {
    const cache = cacheInMemory(),
      shared = storage(),
      keptIn = (tab: KeyedStorage): KeptContext => new KeptContext(cache, new Memory(shared, tab));
    const tabs = [storage(), storage(), storage(), storage()],
      context = await models[0].context();
    const cachedBy = async (tab: KeyedStorage): Promise<number | undefined> => {
      const restored = await keptIn(tab).restore(models[1]),
        length = (await restored?.cachedIds)?.length;
      await restored?.close();
      return length;
    };
    const lengths: number[] = [];
    for (const [i, tab] of tabs.slice(0, 3).entries()) {
      await context.generate("O ".repeat(10 * (i + 1)), { maxTokens: 1 }).result();
      await keptIn(tab).keep(models[0], context);
      lengths.push((await context.cachedIds).length);
    }
    for (const [i, tab] of tabs.slice(0, 3).entries()) assert.equal(await cachedBy(tab), lengths[i]);
    assert.equal(await cachedBy(tabs[3]), lengths[2]);
    await keptIn(tabs[3]).forget();
    assert.equal(await cachedBy(tabs[3]), undefined);
    assert.equal(await cachedBy(tabs[2]), lengths[2]);
    await keptIn(tabs[2]).forget();
    assert.deepEqual([await cachedBy(tabs[2]), await cachedBy(tabs[1])], [undefined, lengths[1]]);
    // The fourth that keeps one makes the oldest go.
    for (const tab of tabs.slice(1)) await keptIn(tab).keep(models[0], context);
    assert.deepEqual([await cachedBy(tabs[0]), cache.entries.size], [undefined, 3]);
    await context.close();
  });

  test("damaged, it is thrown away; of another model, it waits for that one", async () => {
    const cache = cacheInMemory(),
      memory = new Memory(storage(), storage()),
      kept = new KeptContext(cache, memory),
      context = await models[0].context(),
      other = await loadInFakeWorker(await ggufBytes(SHAPE, { architecture: "bitnet", body: "TQ2_0" }));
    await context.generate(TEXT, LONG).result();
    await kept.keep(models[0], context);
    assert.equal(await kept.restore(other), undefined);
    const [[url, bytes]] = cache.entries;
    bytes[bytes.length >> 1] ^= 1;
    assert.equal(await kept.restore(models[1]), undefined);
    assert.deepEqual([url !== "", cache.entries.size], [true, 0]);
    await Promise.all([context.close(), other.close()]);
  });

  test("a storage that never answers keeps no model from opening", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const memory = new Memory(storage(), storage()),
      stalled: ContextStorage = { open: () => new Promise(() => {}), freeBytes: async () => undefined };
    memory.ownContextId();
    const restored = new KeptContext(stalled, memory).restore(models[0]);
    t.mock.timers.tick(5000);
    assert.equal(await restored, undefined);
  });

  test("what cannot be kept costs nothing but the time: no room, no storage, a model that is gone", async () => {
    const memory = new Memory(storage(), storage()),
      context = await models[0].context(),
      absent: ContextStorage = {
        open: () => Promise.reject(new Error("no storage")),
        freeBytes: async () => undefined,
      };
    assert.equal(await new KeptContext(cacheInMemory(), memory).keep(models[0], context), false, "nothing is read");
    await context.generate(TEXT, LONG).result();
    assert.equal(await new KeptContext(cacheInMemory(10_000), memory).keep(models[0], context), false);
    const kept = new KeptContext(absent, memory);
    assert.equal(await kept.keep(models[0], context), false);
    assert.equal(await kept.restore(models[0]), undefined);
    await kept.forget();
    await context.close();
    assert.equal(await new KeptContext(cacheInMemory(), memory).keep(models[0], context), false);
  });
});
