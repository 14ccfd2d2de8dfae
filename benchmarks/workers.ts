/**
 * Cost of an answer of examples/worker in workerd: planned memory, resident memory, processor time of the first answer
 * and the next; then how many of so many conversations, each of a question and an answer, still have all of it in the
 * KV cache when they go on. One process per model; without files, the bundled model.
 *
 *   node benchmarks/run.mjs workers [FILE...]      ( .ci/run runtimes  brings workerd)
 */
import { randomUUID } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { basename, join, resolve } from "node:path";
import { inspect } from "../src/index.ts";
import { peakRssBytesOf, rssBytesOf } from "../tests/runtime/process-memory.ts";
import { type Answer, completionRequest, readAnswer } from "../tests/runtime/worker-answer.ts";
import { FakeBucket, buildWorker, serveWorker, workerdBinary } from "../tests/runtime/served-worker.ts";

/** The kernel's clock ticks a second. */
const TICK_MS = 10;
const N_TOKENS = 50;
/** Of the model in the package, and of a file. */
const N_CONVERSATIONS = { package: 100, file: 8 };
const SAID = "Once more unto the breach, dear friends, once more; or close the wall up with our English dead! In peace";
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
  const paths = process.argv.slice(2);
  await buildWorker(
    folder,
    bucket.url,
    binary,
    paths.map((path) => basename(path)),
  );
  console.log(cpus()[0]?.model);
  for (const path of [undefined, ...paths]) console.log(await measure(path));
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
      const ask = { prompt: PROMPT, model, max_tokens: N_TOKENS, seed: 1 },
        { tokens } = await readAnswer(await fetch(`${worker.url}/v1/completions`, completionRequest(ask)));
      if (tokens !== N_TOKENS) throw new Error(`wanted ${N_TOKENS} tokens, got ${tokens}`);
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
      { nKept, nIds } = await countKept(worker.url, model, nConversations),
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
      `  holds      ${nKept} of ${nConversations} conversations of ${nIds} tokens, ` +
        `${megabytes(withThemBytes - idleBytes)} beyond idle`,
    ].join("\n");
  } finally {
    await worker.stop();
  }
}

/** How many conversations, once all have been begun, go on without reading any of it again. */
async function countKept(url: string, model: string | undefined, n: number): Promise<{ nKept: number; nIds: number }> {
  const names = Array.from({ length: n }, () => randomUUID());
  const say = async (name: string, prompt: string, max_tokens: number): Promise<Answer> => {
    const init = completionRequest({ prompt, model, max_tokens, seed: 1 }, { "x-conversation-id": name });
    return await readAnswer(await fetch(`${url}/v1/completions`, init));
  };
  // Each begins with its own name: nothing is shared. The model in the package has a token for each byte.
  const promptOf = (name: string): string => `${name.slice(0, 8)} ${SAID}`,
    nRead: number[] = [];
  for (const name of names) nRead.push((await say(name, promptOf(name), 1)).promptTokens);
  let nKept = 0;
  for (const [i, name] of names.entries()) {
    const { cachedTokens } = await say(name, `${promptOf(name)} And`, 1);
    // The last token may be another with what follows.
    if (cachedTokens >= nRead[i]! - 1) nKept++;
  }
  return { nKept, nIds: nRead[0]! };
}

function cpuMsOf(pid: number): number {
  // User and system time are fields 14 and 15, after the name in brackets, which may have spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
