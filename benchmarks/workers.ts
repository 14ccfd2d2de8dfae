/**
 * Cost of an answer of examples/worker in workerd: planned memory, resident memory, processor time of the first answer
 * and the next. One process per model; without files, the bundled model.
 *
 *   node benchmarks/run.mjs workers [FILE...]      ( .ci/run runtimes  brings workerd)
 */
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { inspect } from "../src/index.ts";
import { peakRssBytesOf, rssBytesOf } from "../tests/runtime/process-memory.ts";
import { FakeBucket, buildWorker, serveWorker, workerdBinary } from "../tests/runtime/served-worker.ts";

/** The kernel's clock ticks a second. */
const TICK_MS = 10;
const N_TOKENS = 64;
const PROMPT = "It was a bright cold day in April, and the clocks were striking thirteen.";

const binary = workerdBinary();
if (binary === undefined) throw new Error("workerd is not installed for this machine: run .ci/run runtimes");
mkdirSync("build", { recursive: true });
const folder = mkdtempSync(resolve("build/workers-benchmark-")),
  installed = join(folder, "node_modules", "onebit"),
  bucket = await FakeBucket.start();
try {
  mkdirSync(installed, { recursive: true });
  cpSync("dist", join(installed, "dist"), { recursive: true });
  copyFileSync("package.json", join(installed, "package.json"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  await buildWorker(folder, bucket.url, binary);
  for (const path of [undefined, ...process.argv.slice(2)]) console.log(await measure(path));
} finally {
  await bucket.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(path: string | undefined): Promise<string> {
  const model = path && basename(path),
    megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  if (path && model) bucket.objects.set(model, new Uint8Array(readFileSync(path)));
  const plan = (await inspect(path, { threads: 1, ...(path ? { kvType: "q8" } : {}) })).memory;
  const worker = await serveWorker(folder, binary!);
  try {
    const answer = async (): Promise<{ cpuMs: number; rssBytes: number }> => {
      const before = cpuMsOf(worker.pid);
      const response = await fetch(`${worker.url}/generate`, {
          method: "POST",
          body: JSON.stringify({ text: PROMPT, model, maxTokens: N_TOKENS, seed: 1 }),
        }),
        body = await response.text();
      if (!body.includes(`"tokens":${N_TOKENS}`)) throw new Error(body.slice(-500));
      return { cpuMs: cpuMsOf(worker.pid) - before, rssBytes: rssBytesOf(worker.pid) };
    };
    await (await fetch(worker.url)).text();
    const idleBytes = rssBytesOf(worker.pid),
      nReads = bucket.reads.length,
      first = await answer(),
      reads = bucket.reads.length - nReads;
    const again: { cpuMs: number; rssBytes: number }[] = [];
    for (let i = 0; i < 5; i++) again.push(await answer());
    const nextMs = again.map(({ cpuMs }) => cpuMs).sort((a, b) => a - b)[2],
      peakBytes = peakRssBytesOf(worker.pid);
    const fetched = path ? `, ${megabytes(statSync(path).size)}, ${reads} reads from R2` : "";
    return [
      `${model ?? "the model in the package"}${fetched}`,
      `  planned    ${megabytes(plan.wasmBytes)}: weights ${megabytes(plan.weightBytes)}, keys and ` +
        `values ${megabytes(plan.kvBytes)}`,
      `  resident   ${megabytes(first.rssBytes - idleBytes)} beyond idle (${megabytes(idleBytes)}) after the ` +
        `first answer, ${megabytes(again[4].rssBytes - idleBytes)} after six, at ` +
        `most ${megabytes(peakBytes - idleBytes)}`,
      `  processor  ${first.cpuMs} ms for the first answer of ${N_TOKENS} tokens, loading included; ${nextMs} ms ` +
        "for a later one",
    ].join("\n");
  } finally {
    await worker.stop();
  }
}

function cpuMsOf(pid: number): number {
  // User and system time are fields 14 and 15, after the name in brackets, which may have spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
