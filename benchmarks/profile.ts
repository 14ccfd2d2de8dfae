/**
 * Where the time of a token goes: every step of a model's program timed by itself, summed by kind, beside what memory
 * would allow.
 *
 *   node benchmarks/run.mjs profile FILE... [--threads 1] [--rows 1] [--position 64] [--tokens 9] [--kv f32]
 *       [--variant simd] [--ternary dot] [--json]
 *
 * A step here is what lies between two barriers. GB/s counts the bytes of weights that it reads; the limit is a plain
 * WebAssembly loop that reads the same weights in four streams, one thread, measured before. Medians over tokens.
 */
import { cpus } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { type ProfiledModel, openProfiled } from "./profile/model.ts";
import { readBandwidth } from "./profile/read-bandwidth.ts";
import { type StepKind, stepGroups } from "./profile/step-groups.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1" },
    rows: { type: "string", default: "1" },
    position: { type: "string", default: "64" },
    tokens: { type: "string", default: "9" },
    kv: { type: "string", default: "f32" },
    variant: { type: "string" },
    ternary: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
if (positionals.length === 0) throw new Error("usage: node benchmarks/run.mjs profile FILE...");

interface KindReport extends StepKind {
  /** Parts of this kind in a token. */
  readonly count: number;
  readonly milliseconds: number;
  readonly share: number;
  readonly gigabytesPerSecond: number;
}

for (const file of positionals) {
  const model = await openProfiled(file, {
    threads: Number(values.threads), contextLength: Number(values.position) + Number(values.rows), kvType: values.kv as "f32" | "q8",
    variant: values.variant as "simd" | undefined, ternaryKernel: values.ternary as "dot" | undefined,
  });
  const bandwidth = await readBandwidth(model);
  const report = profile(model);
  await model.close();
  if (values.json) console.log(JSON.stringify({ file: basename(file), bandwidth, variant: model.variant, ...report }, null, 2));
  else print(file, model, bandwidth, report);
}

function profile(model: ProfiledModel): { totalMs: number; kinds: KindReport[] } {
  const rows = Number(values.rows), groups = stepGroups(model, rows), position = Number(values.position);
  const times = groups.map((): number[] => []);
  for (let token = -2; token < Number(values.tokens); token++) {
    model.prepare(rows, position);
    groups.forEach(({ at, nSteps }, i) => {
      const started = performance.now();
      model.run(at, nSteps);
      if (token >= 0) times[i].push(performance.now() - started);
    });
  }
  const kinds = new Map<string, { name: string; bytes: number; milliseconds: number; count: number }>();
  groups.forEach(({ kind }, i) => {
    const sum = kinds.get(kind.name) ?? { name: kind.name, bytes: 0, milliseconds: 0, count: 0 };
    kinds.set(kind.name, { ...sum, bytes: sum.bytes + kind.bytes, milliseconds: sum.milliseconds + median(times[i]), count: sum.count + 1 });
  });
  const all = [...kinds.values()], totalMs = all.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return {
    totalMs,
    kinds: all.map((kind) => ({ ...kind, share: kind.milliseconds / totalMs, gigabytesPerSecond: kind.bytes / kind.milliseconds / 1e6 }))
      .sort((a, b) => b.milliseconds - a.milliseconds),
  };
}

function print(file: string, model: ProfiledModel, bandwidth: number, { totalMs, kinds }: { totalMs: number; kinds: KindReport[] }): void {
  console.log(`${cpus()[0].model}, Node ${process.version}, ${model.variant}, threads ${values.threads}, rows ${values.rows}, position ${values.position}`);
  console.log(`${basename(file)}: ${totalMs.toFixed(1)} ms, ${((Number(values.rows) * 1e3) / totalMs).toFixed(1)} tokens/s; one thread reads ${bandwidth.toFixed(1)} GB/s`);
  console.log("| step | times | ms | share | GB/s | of the limit |\n|---|---|---|---|---|---|");
  for (const { name, count, milliseconds, share, bytes, gigabytesPerSecond: speed } of kinds) {
    const [rate, limit] = bytes === 0 ? ["", ""] : [speed.toFixed(1), `${((100 * speed) / bandwidth / Number(values.threads)).toFixed(0)} %`];
    console.log(`| ${name} | ${count} | ${milliseconds.toFixed(2)} | ${(100 * share).toFixed(1)} % | ${rate} | ${limit} |`);
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}
