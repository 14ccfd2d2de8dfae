/**
 * Where a token's time goes: times every step of a model's program, sums by kind, and compares with the memory's limit.
 *
 *   node benchmarks/run.mjs profile FILE... [--threads 1] [--rows 1|batch] [--logits all] [--position 64,1000]
 *       [--tokens 9] [--kv f32] [--variant simd] [--ternary dot] [--dots pairs] [--cached] [--json]
 *
 * A step here is the part between two barriers. GB/s counts the weights it reads; the limit is a plain WebAssembly loop
 * that reads the same weights in four streams, on one thread, measured before. Medians over tokens. `--cached` times
 * each step right after a run of it, with its weights, if they fit, in the processor's cache.
 */
import { cpus } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { type ProfiledModel, openProfiled } from "./profile/model.ts";
import { readBandwidth } from "./profile/read-bandwidth.ts";
import { type KindReport, type ProfileReport, profileTable } from "./profile/report.ts";
import { stepGroups } from "./profile/step-groups.ts";
import { median } from "./train/median.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1" },
    rows: { type: "string", default: "1" },
    logits: { type: "string", default: "1" },
    position: { type: "string", default: "64" },
    tokens: { type: "string", default: "9" },
    kv: { type: "string", default: "f32" },
    variant: { type: "string" },
    ternary: { type: "string" },
    dots: { type: "string" },
    cached: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
if (positionals.length === 0) throw new Error("usage: node benchmarks/run.mjs profile FILE...");
const threads = Number(values.threads),
  positions = values.position.split(",").map(Number);

/** Positions after the first row: as many as a batch has, and position 4000 fits into a context of 4096. */
const CONTEXT_AFTER = 64;

const reports: ProfileReport[] = [];
for (const file of positionals) {
  const model = await openProfiled(file, {
    threads,
    contextLength: Math.max(...positions) + CONTEXT_AFTER,
    kvType: values.kv as "f32" | "q8",
    variant: values.variant as "simd" | undefined,
    ternaryKernel: values.ternary as "dot" | undefined,
    dots: values.dots as "pairs" | undefined,
  });
  const bandwidth = await readBandwidth(model),
    rows = values.rows === "batch" ? model.plan.nBatch : Number(values.rows);
  if (rows > model.plan.nBatch)
    throw new Error(`--rows: wanted at most ${model.plan.nBatch}, the rows of a batch, got ${rows}`);
  // A prompt needs the logits of its last row; contexts that decode together need all.
  const headRows = values.logits === "all" ? rows : Number(values.logits);
  if (headRows > Math.min(rows, model.plan.nHeadRows))
    throw new Error(`--logits: wanted at most ${Math.min(rows, model.plan.nHeadRows)} rows, got ${headRows}`);
  for (const position of positions)
    reports.push({
      file: basename(file),
      variant: model.variant,
      threads,
      rows,
      headRows,
      position,
      kv: values.kv,
      isCached: values.cached,
      bandwidth,
      ...profile(model, rows, headRows, position),
    });
  await model.close();
}
if (values.json) console.log(JSON.stringify(reports, null, 2));
else for (const report of reports) print(report);

function profile(
  model: ProfiledModel,
  rows: number,
  headRows: number,
  position: number,
): Pick<ProfileReport, "wholeMs" | "totalMs" | "kinds"> {
  const groups = stepGroups(model, rows, headRows),
    times = groups.map((): number[] => []),
    wholes: number[] = [];
  for (let token = -2; token < Number(values.tokens); token++) {
    model.prepare(rows, position, headRows);
    const wholeMs = time(() => model.run(model.plan.program, model.program.nSteps));
    if (token >= 0) wholes.push(wholeMs);
    model.prepare(rows, position, headRows);
    groups.forEach(({ at, nSteps, kind }, i) => {
      const run = (): void => model.run(at, nSteps);
      // Not steps that add to their own input: running them twice changes the result.
      if (values.cached && kind.bytes > 0) run();
      const milliseconds = time(run);
      if (token >= 0) times[i].push(milliseconds);
    });
  }
  const kinds = new Map<string, Pick<KindReport, "name" | "bytes" | "weights" | "milliseconds" | "count">>();
  groups.forEach(({ kind: { name, bytes, weights } }, i) => {
    const sum = kinds.get(name) ?? { name, bytes: 0, weights: 0, milliseconds: 0, count: 0 };
    kinds.set(name, {
      name,
      bytes: sum.bytes + bytes,
      weights: sum.weights + weights,
      milliseconds: sum.milliseconds + median(times[i]),
      count: sum.count + 1,
    });
  });
  const all = [...kinds.values()],
    totalMs = all.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return {
    wholeMs: median(wholes),
    totalMs,
    kinds: all
      .map((kind) => ({
        ...kind,
        share: kind.milliseconds / totalMs,
        gigabytesPerSecond: kind.bytes / kind.milliseconds / 1e6,
      }))
      .sort((a, b) => b.milliseconds - a.milliseconds),
  };
}

function time(run: () => void): number {
  const started = performance.now();
  run();
  return performance.now() - started;
}

function print(report: ProfileReport): void {
  const { file, variant, rows, headRows, position, kv, bandwidth, wholeMs, totalMs } = report;
  console.log(
    `${cpus()[0].model}, Node ${process.version}, ${variant}, threads ${threads}, rows ${rows} ` +
      `(${headRows} with logits), position ${position}, cache ${kv}`,
  );
  console.log(
    `${file}: ${wholeMs.toFixed(1)} ms, ${((rows * 1e3) / wholeMs).toFixed(1)} tokens/s; step by ` +
      `step ${totalMs.toFixed(1)} ms; one thread reads ${bandwidth.toFixed(1)} GB/s`,
  );
  console.log(profileTable(report).join("\n"));
}
