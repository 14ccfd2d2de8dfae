/**
 * Loads a model, runs it and closes it, again and again, and prints after each time what the process holds: one line
 * of JSON a cycle.
 *
 *   node --expose-gc load-cycles.js MODEL COUNT
 */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { load } from "../../src/load.ts";

export interface Cycle {
  readonly weightBytes: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Where the system tells: open files, and threads of the process. */
  readonly nFiles: number;
  readonly nOsThreads: number;
  readonly logitsHash: string;
}

const [path, count] = process.argv.slice(2);
const ids = [1, 2, 3, 4];

for (let i = 0; i < Number(count); i++) {
  const { weightBytes, logitsHash } = await runOnce();
  await new Promise((resolve) => setImmediate(resolve));
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const cycle: Cycle = {
    weightBytes,
    residentBytes: rss,
    heapBytes: heapUsed,
    nFiles: entries("/proc/self/fd"),
    nOsThreads: entries("/proc/self/task"),
    logitsHash,
  };
  process.stdout.write(`${JSON.stringify(cycle)}\n`);
}

async function runOnce(): Promise<{ weightBytes: number; logitsHash: string }> {
  const model = await load(path, { threads: 2 });
  const logits = await model.logits(ids);
  await model.generate(ids, { maxTokens: 2, temperature: 0 }).result();
  await model.close();
  return {
    weightBytes: model.memory.weightBytes,
    logitsHash: createHash("sha256").update(new Uint8Array(logits.buffer)).digest("hex"),
  };
}

function entries(folder: string): number {
  try {
    return readdirSync(folder).length;
  } catch {
    return 0;
  }
}
