/**
 * Cost of an answer of examples/worker in workerd: planned memory, resident memory, processor time of the first answer
 * and the next; then how many of so many conversations, each of a question and an answer, still have all of it in the
 * KV cache when they go on. One process per model; without files, the bundled model.
 *
 *   node benchmarks/run.mjs workers [FILE...]      ( .ci/run runtimes  brings workerd)
 */
import { randomUUID } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { inspect } from "../src/index.ts";
import { peakRssBytesOf, rssBytesOf } from "../tests/runtime/process-memory.ts";
import { FakeBucket, buildWorker, serveWorker, workerdBinary } from "../tests/runtime/served-worker.ts";

/** The kernel's clock ticks a second. */
const TICK_MS = 10;
const N_TOKENS = 50;
/** Of the model in the package, and of a file. */
const N_CONVERSATIONS = { package: 100, file: 8 };
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
  const plan = (await inspect(path, { threads: 1, kvType: "q8" })).memory;
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
    const nConversations = N_CONVERSATIONS[path === undefined ? "package" : "file"],
      nKept = await countKept(worker.url, model, nConversations),
      withThemBytes = rssBytesOf(worker.pid);
    const fetched = path ? `, ${megabytes(statSync(path).size)}, ${reads} reads from R2` : "";
    return [
      `${model ?? "the model in the package"}${fetched}`,
      `  planned    ${megabytes(plan.wasmBytes)} for one conversation: weights ${megabytes(plan.weightBytes)}, ` +
        `keys and values ${megabytes(plan.kvBytes)}`,
      `  resident   ${megabytes(first.rssBytes - idleBytes)} beyond idle (${megabytes(idleBytes)}) after the ` +
        `first answer, ${megabytes(again[4].rssBytes - idleBytes)} after six, at ` +
        `most ${megabytes(peakBytes - idleBytes)}`,
      `  processor  ${first.cpuMs} ms for the first answer of ${N_TOKENS} tokens, loading included; ${nextMs} ms ` +
        "for a later one",
      `  holds      ${nKept} of ${nConversations} conversations, ${megabytes(withThemBytes - idleBytes)} beyond idle`,
    ].join("\n");
  } finally {
    await worker.stop();
  }
}

/** How many conversations, once all have had an answer, go on without reading any of it again. */
async function countKept(url: string, model: string | undefined, n: number): Promise<number> {
  const names = Array.from({ length: n }, () => randomUUID());
  const say = async (name: string, text: string, maxTokens: number): Promise<Record<string, number>> => {
    const body = JSON.stringify({ text, model, maxTokens, seed: 1 }),
      response = await fetch(`${url}/conversations/${name}`, { method: "POST", body }),
      [, end] = /event: end\ndata: (.*)/.exec(await response.text()) ?? [];
    if (end === undefined) throw new Error(`conversation ${name}: no end`);
    return JSON.parse(end);
  };
  const positions: number[] = [];
  for (const name of names) {
    const { promptTokens, tokens } = await say(name, PROMPT, N_TOKENS);
    // The last token of an answer was not read.
    positions.push(promptTokens! + tokens! - 1);
  }
  let nKept = 0;
  for (const [i, name] of names.entries()) if ((await say(name, " And", 1)).cachedTokens === positions[i]) nKept++;
  return nKept;
}

function cpuMsOf(pid: number): number {
  // User and system time are fields 14 and 15, after the name in brackets, which may have spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
