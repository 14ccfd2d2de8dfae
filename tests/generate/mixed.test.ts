/**
 * A long mixed run: calls of every kind to one model at once, each answer compared with the one given alone.
 *
 * ONEBIT_MIXED_S: seconds of each run; `ONEBIT_MIXED_S=3600 node scripts/test.mjs tests/generate/mixed` is two hours.
 */
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

const durationMs = Number(process.env.ONEBIT_MIXED_S ?? 10) * 1000;

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
});
