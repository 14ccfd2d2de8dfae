/**
 * examples/worker under visitors who leave, stall and send nonsense (tests/runtime/worker-visitors.ts), on the newest
 * and the oldest workerd; and its memory after many conversations in turn. Fails if an answer differs from the one
 * given alone.
 *
 *   node benchmarks/run.mjs visitors [--requests 5000] [--clients 30] [--conversations 500]
 *
 * `.ci/run runtimes` brings workerd.
 */
import { randomUUID } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { peakRssBytesOf, rssBytesOf } from "../tests/runtime/process-memory.ts";
import {
  FakeBucket,
  type ServedWorker,
  buildWorker,
  serveWorker,
  workerdBinary,
} from "../tests/runtime/served-worker.ts";
import { SYNTHETIC } from "../tests/runtime/synthetic-models.ts";
import { completionRequest, readAnswer } from "../tests/runtime/worker-answer.ts";
import { visit } from "../tests/runtime/worker-visitors.ts";
import { syntheticModel } from "../tests/synthetic/model.ts";
import { writeModelFile } from "../tests/synthetic/write-file.ts";

/** One in this many reads of the bucket never ends. */
const STALLED = 40;

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "5000" },
    clients: { type: "string", default: "30" },
    conversations: { type: "string", default: "500" },
    workerd: { type: "string", multiple: true, default: ["newest", "oldest"] },
  },
});
console.log(cpus()[0]?.model);
for (const age of values.workerd as ("newest" | "oldest")[]) {
  const binary = workerdBinary(age);
  if (binary === undefined)
    throw new Error(`the ${age} workerd is not installed for this machine: run .ci/run runtimes`);
  await measure(age, binary);
}

async function measure(age: string, binary: string): Promise<void> {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/visitors-")),
    installed = join(folder, "node_modules", "onebit"),
    bucket = await FakeBucket.start();
  try {
    mkdirSync(installed, { recursive: true });
    cpSync("dist", join(installed, "dist"), { recursive: true });
    copyFileSync("package.json", join(installed, "package.json"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const files: Record<string, string> = {};
    for (const [name, nLayers] of [
      ["small.gguf", 4],
      ["other.gguf", 8],
    ] as const) {
      files[name] = join(folder, name);
      await writeModelFile(files[name], syntheticModel({ ...SYNTHETIC["llama-tq1_0"], nLayers }, nLayers));
      bucket.objects.set(name, new Uint8Array(readFileSync(files[name])));
    }
    await buildWorker(folder, bucket.url, binary, Object.keys(files));
    await withWorker(folder, binary, `build/visitors.${age}.turns.log`, async ({ url, pid }) => {
      await (await fetch(url)).text();
      const idleBytes = rssBytesOf(pid);
      for (let i = 0; i < Number(values.conversations); i++) {
        const model = i % 5 === 4 ? "small.gguf" : undefined,
          ask = { prompt: "ROMEO:", max_tokens: 8, seed: i, model },
          init = completionRequest(ask, { "x-conversation-id": randomUUID() });
        await readAnswer(await fetch(`${url}/v1/completions`, init));
      }
      console.log(
        `${age} workerd: ${values.conversations} conversations in ` +
          `turn, ${megabytes(rssBytesOf(pid) - idleBytes)} beyond idle (${megabytes(idleBytes)}), at ` +
          `most ${megabytes(peakRssBytesOf(pid) - idleBytes)}`,
      );
    });
    await withWorker(folder, binary, `build/visitors.${age}.log`, async (worker) => {
      let nReads = 0;
      bucket.beforeRead = () => (++nReads % STALLED === 0 ? new Promise(() => {}) : undefined);
      const begin = performance.now(),
        { outcomes, stalledMs } = await visit({
          worker,
          nRequests: Number(values.requests),
          nClients: Number(values.clients),
          seed: 1,
          files,
        });
      console.log(
        `${age} workerd: ${values.requests} requests of ${values.clients} clients ` +
          `in ${((performance.now() - begin) / 1000).toFixed(0)} s, every answer the one given alone, no ` +
          `connection lost, none stuck; the clients stood still for ${stalledMs} ms at most`,
        outcomes,
      );
    });
  } finally {
    await bucket.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function withWorker(
  folder: string,
  binary: string,
  log: string,
  use: (worker: ServedWorker) => Promise<void>,
): Promise<void> {
  const worker = await serveWorker(folder, binary, log);
  await use(worker).finally(() => worker.stop());
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
