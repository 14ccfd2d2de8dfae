/**
 * A long mixed run: calls of every kind to one model at once, each answer compared with the one given alone.
 *
 * ONEBIT_MIXED_S: seconds of each run; `ONEBIT_MIXED_S=3600 node scripts/test.mjs tests/generate/mixed` is four hours.
 * ONEBIT_DAY_S: seconds of the last one, of 32 users; `ONEBIT_DAY_S=1200 node scripts/test.mjs tests/generate/mixed
 * --name="32 users"`.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { LookupDrafter } from "../../src/generate/lookup.ts";
import { load, loadTokenizer } from "../../src/index.ts";
import { Model } from "../../src/model.ts";
import { type ConnectionScope, serveWith } from "../../src/web/serve.ts";
import { loadInWorkerOf } from "../../src/web/worker-model.ts";
import { defaultModelBytes } from "../../src/default-model.ts";
import { type AnyModel, mixCalls } from "../runtime/mixed-calls.ts";
import { openSource } from "../runtime/open-engine.ts";
import { seededRandom } from "../synthetic/random.ts";
import { anySize, draftingOf } from "./draftings.ts";

const durationMs = Number(process.env.ONEBIT_MIXED_S ?? 10) * 1000,
  dayMs = Number(process.env.ONEBIT_DAY_S ?? 20) * 1000;

/** A worker whose script serves, in this thread. */
function servingWorker(): Worker {
  const listeners: ((event: MessageEvent) => void)[] = [];
  serveWith(load, { addEventListener: (_, listener) => void listeners.push(listener) } satisfies ConnectionScope);
  const postMessage = (data: unknown, ports: MessagePort[]): void =>
    listeners.forEach((listener) => listener({ data, ports } as unknown as MessageEvent));
  return { postMessage, addEventListener() {} } as unknown as Worker;
}

const ways: Readonly<Record<string, () => Promise<AnyModel>>> = {
  "one thread": () => load(undefined, { threads: 1 }),
  "two threads": () => load(undefined, { threads: 2 }),
  "through the messages of a worker": async () =>
    await loadInWorkerOf(
      async () => ({ worker: servingWorker(), started() {}, stop() {} }),
      await defaultModelBytes(),
      { threads: 1 },
    ),
  "with guesses of any number": async () => {
    const bytes = await defaultModelBytes(),
      engine = await openSource(bytesSource(bytes), { threads: 1 }),
      drafting = draftingOf((capacity) => new LookupDrafter(capacity), anySize(seededRandom(1)));
    return new Model({ engine, tokenizer: await loadTokenizer(bytes), drafting, loadMs: 0 });
  },
};

describe("mixed calls give what each gives alone", () => {
  for (const [way, open] of Object.entries(ways)) {
    test(way, { timeout: durationMs * 4 + 600_000 }, async (t) => {
      await using alone = await load();
      t.diagnostic(JSON.stringify(await mixCalls({ open, alone, seed: 1, durationMs })));
    });
  }

  test("of 32 users, whose contexts have an eighth of the room they want, and memory stays flat", {
    timeout: dayMs + 600_000,
  }, async (t) => {
    const options = { threads: 2, contextLength: 256, kvPositions: 1024 },
      peakBytes = [0, 0, 0, 0],
      beginMs = Date.now();
    const timer = setInterval(() => {
      const quarter = Math.min(3, Math.floor((4 * (Date.now() - beginMs)) / dayMs));
      peakBytes[quarter] = Math.max(peakBytes[quarter]!, process.memoryUsage().rss);
    }, 100);
    await using alone = await load();
    const counts = await mixCalls({
      open: () => load(undefined, options),
      alone,
      seed: 2,
      durationMs: dayMs,
      nClients: 32,
    }).finally(() => clearInterval(timer));
    t.diagnostic(JSON.stringify({ ...counts, peakBytes }));
    // Models that were closed leave their memory until the engine collects it: some of them at any time, and in seconds
    // it has not settled.
    const [, before, , after] = peakBytes,
      growth = dayMs < 600_000 ? 2 : 1.25;
    assert.ok(after! < growth * before!, `${before} bytes at most in the second quarter, ${after} in the last`);
  });
});
