/**
 * Conversations with a name: they move between processes without being read again, and no snapshot changes an answer.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import { folderSnapshots } from "../../src/server/folder-snapshots.ts";
import type { Handler } from "../../src/server/handler.ts";
import type { SnapshotStore } from "../../src/server/server-options.ts";
import { type Json, answered, handlerOf, loadShakespeare, post } from "./ask.ts";

const PROMPT = "KING HENRY V:\nOnce more unto the breach, dear friends, once more;\n";
const NAME = { "x-conversation-id": "6fe1a5d0-talk" };

/** A store in memory that counts. */
function memoryStore(minIds = 32): SnapshotStore & { readonly files: Map<string, Uint8Array>; nReads: number } {
  const files = new Map<string, Uint8Array>(),
    store = {
      files,
      nReads: 0,
      minIds,
      async read(key: string) {
        store.nReads++;
        return files.get(key);
      },
      async write(key: string, bytes: Uint8Array) {
        files.set(key, bytes);
      },
    };
  return store;
}

async function goOn(handler: Handler, prompt: string, more: object = {}, headers: object = NAME): Promise<Json> {
  const body = { prompt, max_tokens: 12, seed: 1, ...more },
    { status, json } = await answered(handler, post("/v1/completions", body, { headers: { ...headers } }));
  assert.equal(status, 200, JSON.stringify(json));
  return json;
}

const textOf = (json: Json): string => String(json.choices[0].text);
const cachedOf = (json: Json): number => Number(json.usage.prompt_tokens_details.cached_tokens);

describe("conversations with a name", () => {
  let here: Model, there: Model;
  before(async () => {
    here = await loadShakespeare();
    there = await loadShakespeare();
  });
  after(async () => {
    await here.close();
    await there.close();
  });

  /** Of a turn and the next, without a name. */
  async function alone(group: string): Promise<readonly [string, string]> {
    const handler = handlerOf(here),
      first = textOf(await goOn(handler, PROMPT, { cache_group: group }, {})),
      second = textOf(await goOn(handler, `${PROMPT}${first}\nO`, { cache_group: group }, {}));
    return [first, second];
  }

  test("move to another process, which reads only what is new", async () => {
    const [first, second] = await alone("move, alone"),
      store = memoryStore(),
      group = { cache_group: "move" };
    assert.equal(textOf(await goOn(handlerOf(here, { snapshots: store }), PROMPT, group)), first);
    assert.equal(store.files.size, 1);
    const moved = await goOn(handlerOf(there, { snapshots: store }), `${PROMPT}${first}\nO`, group);
    assert.equal(textOf(moved), second);
    // The last id of a turn was not read yet.
    assert.equal(cachedOf(moved), PROMPT.length + 12 - 1);
  });

  test("that stay are not looked up again, and are stored when enough is new", async () => {
    const store = memoryStore(64),
      handler = handlerOf(here, { snapshots: store });
    const sizes: (number | undefined)[] = [];
    for (let turn = 0, said = PROMPT; turn < 6; turn++) {
      said += textOf(await goOn(handler, said, { cache_group: "stay", max_tokens: 20 }));
      sizes.push([...store.files.values()][0]?.length);
    }
    assert.equal(store.nReads, 1);
    // 66 and 19 ids at first; 64 more in the fifth turn.
    assert.equal(new Set(sizes.slice(0, 4)).size, 1);
    assert.ok(sizes[5]! > sizes[0]!, String(sizes));
    const metrics = await (await handler(new Request("http://localhost/metrics"))).text();
    assert.match(metrics, /^onebit_snapshots_total\{outcome="stored"\} 2$/m);
  });

  test("are read where a snapshot is damaged, of another model, or out of reach: the answer is the same", async () => {
    const [first, second] = await alone("damage, alone"),
      store = memoryStore(),
      errors: unknown[] = [];
    await goOn(handlerOf(here, { snapshots: store }), PROMPT, { cache_group: "damage" });
    const [[key, bytes]] = store.files;
    const damaged = bytes.slice();
    damaged[damaged.length >> 1] ^= 1;
    const stores: Readonly<Record<string, SnapshotStore>> = {
      damaged: { read: async () => damaged, write: async () => {} },
      cut: { read: async () => bytes.subarray(0, 100), write: async () => {} },
      nonsense: { read: async () => new Uint8Array(3), write: async () => {} },
      failing: { read: () => Promise.reject(new Error("no disk")), write: () => Promise.reject(new Error("no disk")) },
      failsToWrite: { ...store, read: async () => bytes, write: () => Promise.reject(new Error("full")), minIds: 1 },
    };
    assert.match(key, /^[\da-f]{64}$/);
    for (const [name, snapshots] of Object.entries(stores)) {
      const handler = handlerOf(there, { snapshots, onError: (error) => errors.push(error) }),
        found = await goOn(handler, `${PROMPT}${first}\nO`, { cache_group: name });
      assert.equal(textOf(found), second, name);
    }
    assert.equal(errors.length, 5);
  });

  test("names and groups are apart, and choices and streams have them too", async () => {
    const store = memoryStore(),
      handler = handlerOf(here, { snapshots: store });
    await goOn(handler, PROMPT, { cache_group: "a" });
    await goOn(handler, PROMPT, { cache_group: "b", n: 2 });
    await goOn(handler, PROMPT, { cache_group: "a" }, { "x-conversation-id": "another" });
    await goOn(handler, PROMPT, { cache_group: "c" }, {});
    assert.equal(store.files.size, 3);
    const streamed = { prompt: PROMPT, max_tokens: 12, stream: true, cache_group: "d" };
    await (await handler(post("/v1/completions", streamed, { headers: NAME }))).text();
    assert.equal(store.files.size, 4);
  });

  test("a name that is none is refused", async () => {
    const headers = { "x-conversation-id": "../up" };
    const { status, json } = await answered(handlerOf(here), post("/v1/completions", { prompt: "a" }, { headers }));
    assert.deepEqual([status, json.error.param], [400, "x-conversation-id"]);
  });
});

test("a folder of snapshots keeps those that were used last, within its space", async () => {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/snapshots-"));
  try {
    const store = folderSnapshots(join(folder, "deep"), 3000),
      key = (i: number): string => String(i).repeat(64);
    assert.equal(await store.read(key(0)), undefined);
    for (let i = 0; i < 3; i++) {
      await store.write(key(i), new Uint8Array(1000).fill(i));
      utimesSync(join(folder, "deep", `${key(i)}.context`), 1000 + i, 1000 + i);
    }
    writeFileSync(join(folder, "deep", "someone-elses.txt"), "x".repeat(9000));
    // Used again: the second makes room, when the size is looked at.
    assert.equal((await store.read(key(0)))![0], 0);
    for (let i = 0; i < 14; i++) await store.write(key(4), new Uint8Array(1000));
    assert.deepEqual(readdirSync(join(folder, "deep")).sort(), [
      `${key(0)}.context`,
      `${key(2)}.context`,
      `${key(4)}.context`,
      "someone-elses.txt",
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
