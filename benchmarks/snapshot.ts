/**
 * What a saved context gains: the time to save it, to restore it, and to read its ids again.
 *
 *   node benchmarks/run.mjs snapshot FILE... [--threads 1] [--ids 1000] [--kv f32,q8] [--rounds 3]
 *
 * Reading is measured once, as it takes long; saving and restoring as medians of the rounds, the latter also with the
 * file's read. The logits after one more id are compared bit for bit.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import type { KvType } from "../src/kernels/choices.ts";
import { load } from "../src/load.ts";
import { median } from "./train/median.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1" },
    ids: { type: "string", default: "1000" },
    kv: { type: "string", default: "f32,q8" },
    rounds: { type: "string", default: "3" },
  },
});
if (positionals.length === 0) throw new Error("usage: node benchmarks/run.mjs snapshot FILE...");
const nIds = Number(values.ids),
  threads = Number(values.threads);

interface Figures {
  readonly bytes: number;
  readonly readMs: number;
  readonly saveMs: number;
  readonly restoreMs: number;
  readonly fromFileMs: number;
}

async function timed<T>(action: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const begin = performance.now(),
    result = await action();
  return { ms: performance.now() - begin, result };
}

async function measure(file: string, kvType: KvType, folder: string): Promise<Figures> {
  // Room for the context and for one restored.
  const options = { threads, kvType, contextLength: nIds + 1, kvPositions: 2 * (nIds + 64) },
    ids = (vocabSize: number): number[] => Array.from({ length: nIds }, (_, i) => (i * 7919 + 3) % vocabSize);
  await using model = await load(file, options);
  using context = model.context();
  const { ms: readMs } = await timed(() => context.logits(ids(model.vocabSize))),
    saves = [],
    restores = [],
    fromFile = [];
  const path = join(folder, "context");
  for (let round = 0; round < Number(values.rounds); round++) {
    const { ms: saveMs, result: bytes } = await timed(() => context.save());
    saves.push(saveMs);
    writeFileSync(path, bytes);
    // A group of its own finds nothing that is cached.
    const { ms: restoreMs } = await timed(() => model.restore(bytes, { cacheGroup: `bytes ${round}` }));
    restores.push(restoreMs);
    const restore = () => model.restore(readFileSync(path), { cacheGroup: `file ${round}` });
    const { ms, result } = await timed(restore);
    fromFile.push(ms);
    if (result.cachedIds.length !== nIds) throw new Error("the restored context is not cached");
    await context.logits(ids(model.vocabSize));
  }
  const bytes = await context.save();
  await compare(bytes, await context.logits([...context.ids, 1]), file, options);
  const [saveMs, restoreMs, fromFileMs] = [saves, restores, fromFile].map(median);
  return { bytes: bytes.length, readMs, saveMs: saveMs!, restoreMs: restoreMs!, fromFileMs: fromFileMs! };
}

/** Another load of the file goes on with the same bits. */
async function compare(bytes: Uint8Array, wanted: Float32Array, file: string, options: object): Promise<void> {
  await using model = await load(file, options);
  using context = await model.restore(bytes);
  const found = await context.logits([...context.ids, 1]);
  if (Buffer.compare(Buffer.from(found.buffer), Buffer.from(wanted.slice().buffer)) !== 0)
    throw new Error("other logits than of the context that was saved");
}

const folder = mkdtempSync(join(tmpdir(), "onebit-snapshot-"));
try {
  console.log(`${cpus()[0]?.model}, Node ${process.version}, load ${loadavg()[0]?.toFixed(2)}`);
  console.log("| model | cache | ids | MB | read ms | save ms | restore ms | with its file | reading / that |");
  console.log("|---|---|---|---|---|---|---|---|---|");
  for (const file of positionals) {
    for (const kvType of values.kv.split(",") as KvType[]) {
      const { bytes, readMs, saveMs, restoreMs, fromFileMs } = await measure(file, kvType, folder);
      const ms = [readMs, saveMs, restoreMs, fromFileMs].map((each) => each.toFixed(0)).join(" | ");
      console.log(
        `| ${basename(file)} | ${kvType} | ${nIds} | ${(bytes / 1e6).toFixed(1)} | ${ms} | ` +
          `${(readMs / fromFileMs).toFixed(0)}× |`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
