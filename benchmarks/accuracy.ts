/**
 * How close onebit's and llama.cpp's logits are to exact ones, on the same files: Kullback–Leibler divergence over 64
 * positions. The exact pass of a full-size model takes minutes; build/exact caches its logits.
 *
 *   node benchmarks/run.mjs accuracy FILE... [--positions 64] [--threads 1] [--json] [--no-peer]
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { inspect } from "../src/load.ts";
import { compareEngines, spreadIds } from "../tests/conformance/compare.ts";
import type { Divergence } from "../tests/conformance/divergence.ts";
import { exactLogits } from "../tests/conformance/exact/forward.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    positions: { type: "string", default: "64" },
    threads: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    "no-peer": { type: "boolean", default: false },
  },
});
const rows: { file: string; engine: string; figures: Divergence }[] = [];
for (const path of positionals) {
  const { config } = await inspect(path);
  const ids = spreadIds(Number(values.positions), config.vocabSize);
  const exact = await cachedExact(path, ids);
  const { onebit, peer } = await compareEngines(path, ids, {
    exact,
    peer: !values["no-peer"],
    load: { threads: Number(values.threads) },
  });
  rows.push({ file: basename(path), engine: "onebit", figures: onebit });
  if (peer) rows.push({ file: basename(path), engine: "llama.cpp", figures: peer });
}
if (values.json) console.log(JSON.stringify(rows, null, 2));
else printTable();

async function cachedExact(path: string, ids: readonly number[]): Promise<Float64Array[]> {
  const { size, mtimeMs } = statSync(path);
  const cached = join("build", "exact", `${basename(path)}-${size}-${Math.round(mtimeMs)}-${ids.length}.f64`);
  try {
    const bytes = readFileSync(cached);
    const all = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
    const nVocab = all.length / ids.length;
    return ids.map((_, t) => all.subarray(t * nVocab, (t + 1) * nVocab));
  } catch {
    // Not computed yet.
  }
  const started = performance.now();
  const exact = await exactLogits(path, ids, {
    onLayer: (layer, nLayers) =>
      process.stderr.write(`\rexact pass of ${basename(path)}: layer ${layer + 1} of ${nLayers}`),
  });
  process.stderr.write(`, ${((performance.now() - started) / 1e3).toFixed(0)} s\n`);
  mkdirSync(join("build", "exact"), { recursive: true });
  writeFileSync(cached, Buffer.concat(exact.map((row) => new Uint8Array(row.buffer, row.byteOffset, row.byteLength))));
  return exact;
}

function printTable(): void {
  console.log(
    "| file | engine | mean KL (nats) | max KL | largest error / largest logit | other first choice (widest gap) |",
  );
  console.log("|---|---|---|---|---|---|");
  for (const { file, engine, figures } of rows) {
    const { meanKl, maxKl, relativeError, greedyDiffers, widestGapThatDiffers } = figures;
    const greedy = greedyDiffers === 0 ? "none" : `${greedyDiffers} (${widestGapThatDiffers.toFixed(3)})`;
    console.log(
      `| ${file} | ${engine} | ${meanKl.toExponential(2)} | ${maxKl.toExponential(2)} ` +
        `| ${relativeError.toExponential(2)} | ${greedy} |`,
    );
  }
}
