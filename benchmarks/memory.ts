/**
 * What loading a model costs: time, resident memory, JavaScript heap; whether memory grows while generating; whether
 * loading and closing it many times leaks.
 *
 *   node benchmarks/run.mjs memory FILE [--cycles 100] [--tokens 32] [--context 512] [--threads 1] [--json]
 *   node benchmarks/run.mjs memory FILE --cycles-file SMALL   cycles on another (small) file
 *
 * Each figure comes from a fresh process. Peak resident memory is the kernel's count (VmHWM).
 */
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cycles: { type: "string", default: "100" },
    "cycles-file": { type: "string" },
    tokens: { type: "string", default: "32" },
    context: { type: "string", default: "512" },
    threads: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    child: { type: "string" },
  },
});
const [file] = positionals;
if (!file) throw new Error("usage: node benchmarks/run.mjs memory FILE");
if (values.child === "load") await reportLoad();
else if (values.child === "cycles") await reportCycles();
else report();

interface LoadFigures {
  readonly loadMs: number;
  readonly peakRssBytes: number;
  /** The most in use, sampled every 5 ms while loading and at the end. */
  readonly heapBytes: number;
  readonly kvBytes: number;
  readonly wasmBytes: number;
  /** Resident memory after generating, less that after the first tokens. */
  readonly grownBytes: number;
}

interface CycleFigures {
  readonly cycles: number;
  /** Resident and heap memory after the last cycle, less those after a tenth of them. */
  readonly rssGrowthBytes: number;
  readonly heapGrowthBytes: number;
}

function report(): void {
  const { size: fileBytes } = statSync(file);
  readFileSync(file); // the page cache is warm from here on
  const load = child<LoadFigures>("load", file);
  const cycles = Number(values.cycles) > 0 ? child<CycleFigures>("cycles", values["cycles-file"] ?? file) : undefined;
  if (values.json) return console.log(JSON.stringify({ file: basename(file), fileBytes, load, cycles }, null, 2));
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  console.log(`${basename(file)}: ${mb(fileBytes)}`);
  console.log(`load           ${(load.loadMs / 1e3).toFixed(2)} s, ${(fileBytes / 1e3 / load.loadMs).toFixed(0)} MB/s`);
  console.log(`peak resident  ${mb(load.peakRssBytes)}; the file and the KV cache are ${mb(fileBytes + load.kvBytes)}`);
  console.log(`JS heap        ${mb(load.heapBytes)}`);
  console.log(
    `wasm memory    ${mb(load.wasmBytes)}, of it KV ${mb(load.kvBytes)}; resident memory grew ` +
      `by ${mb(load.grownBytes)} while generating`,
  );
  if (cycles) {
    console.log(
      `${cycles.cycles} load/close cycles: resident ${mb(cycles.rssGrowthBytes)}, ` +
        `heap ${mb(cycles.heapGrowthBytes)} more at the end`,
    );
  }
}

function child<Figures>(kind: string, path: string): Figures {
  const own = process.argv[1];
  const args = [
    "--expose-gc",
    own,
    path,
    "--child",
    kind,
    "--tokens",
    values.tokens,
    "--threads",
    values.threads,
    "--context",
    values.context,
    "--cycles",
    values.cycles,
  ];
  return JSON.parse(
    execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }),
  ) as Figures;
}

async function openModel() {
  const { load } = await import("../src/load.ts");
  return load(file, { threads: Number(values.threads), contextLength: Number(values.context) });
}

async function reportLoad(): Promise<void> {
  let heapBytes = 0;
  const watch = () => (heapBytes = Math.max(heapBytes, process.memoryUsage().heapUsed));
  const watching = setInterval(watch, 5);
  const model = await openModel();
  clearInterval(watching);
  const generate = (maxTokens: number) =>
    model.generate([1, 2, 3, 4], { maxTokens, temperature: 0, ignoreEnd: true }).result();
  await generate(2);
  const before = process.memoryUsage().rss;
  await generate(Number(values.tokens));
  watch();
  const figures: LoadFigures = {
    loadMs: model.loadMs,
    peakRssBytes: peakRssBytes(),
    heapBytes,
    kvBytes: model.memory.kvBytes,
    wasmBytes: model.memory.wasmBytes,
    grownBytes: process.memoryUsage().rss - before,
  };
  console.log(JSON.stringify(figures));
  await model.close();
}

async function reportCycles(): Promise<void> {
  const cycles = Number(values.cycles);
  let early = { rss: 0, heapUsed: 0 };
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const model = await openModel();
    await model.generate([1, 2, 3], { maxTokens: 2, temperature: 0, ignoreEnd: true }).result();
    await model.close();
    await collect();
    if (cycle === Math.ceil(cycles / 10)) early = process.memoryUsage();
  }
  const late = process.memoryUsage();
  const figures: CycleFigures = {
    cycles,
    rssGrowthBytes: late.rss - early.rss,
    heapGrowthBytes: late.heapUsed - early.heapUsed,
  };
  console.log(JSON.stringify(figures));
}

/** A wasm memory is freed when its owner is collected, which takes a turn of the event loop or two. */
async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Linux keeps the high-water mark; elsewhere libuv's maxRSS, in kilobytes as well. */
function peakRssBytes(): number {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}
