/** A worker without a browser: both sides of its protocol over real message ports, on one thread. */
import assert from "node:assert/strict";
import { load } from "../../src/index.ts";
import { type ConnectionScope, serveWith } from "../../src/web/serve.ts";
import { type WorkerModel, loadInWorkerOf } from "../../src/web/worker-model.ts";

/**
 * Where a worker's messages go, as `Worker` hands them over; without `serve` it never answers. `answers` collects what
 * it says.
 */
export function fakeWorker(serve = true, answers: object[] = []): Worker {
  const listeners: ((event: MessageEvent) => void)[] = [];
  if (serve)
    serveWith(load, { addEventListener: (_, listener) => void listeners.push(listener) } satisfies ConnectionScope);
  const postMessage = (data: unknown, ports: MessagePort[]): void => {
    for (const port of ports) {
      const say = port.postMessage.bind(port);
      port.postMessage = (answer: object) => (answers.push(answer), say(answer));
    }
    listeners.forEach((listener) => listener({ data, ports } as unknown as MessageEvent));
  };
  return { postMessage, addEventListener() {} } as unknown as Worker;
}

export function loadInFakeWorker(
  source: Uint8Array,
  options: Parameters<typeof loadInWorkerOf>[2] = {},
): Promise<WorkerModel> {
  return loadInWorkerOf(() => assert.fail("no worker of its own"), source, {
    worker: fakeWorker(),
    threads: 1,
    ...options,
  });
}
