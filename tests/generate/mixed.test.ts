/**
 * A long mixed run: calls of every kind to one model at once, each answer compared with the one given alone.
 *
 * ONEBIT_MIXED_S: seconds of each run; `ONEBIT_MIXED_S=3600 node scripts/test.mjs tests/generate/mixed` is two hours.
 */
import { describe, test } from "node:test";
import { load } from "../../src/index.ts";
import { type ConnectionScope, serveWith } from "../../src/web/serve.ts";
import { loadInWorkerOf } from "../../src/web/worker-model.ts";
import { defaultModelBytes } from "../../src/default-model.ts";
import { type AnyModel, mixCalls } from "../runtime/mixed-calls.ts";

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
};

describe("mixed calls give what each gives alone", () => {
  for (const [way, open] of Object.entries(ways)) {
    test(way, { timeout: durationMs * 4 + 600_000 }, async (t) => {
      await using alone = await load();
      t.diagnostic(JSON.stringify(await mixCalls({ open, alone, seed: 1, durationMs })));
    });
  }
});
