/**
 * Calls of many requests at one model, in workerd: a request that waits for its turn is never forgotten, though others
 * leave at any moment. `tests/generate/turns.test.ts` has the rules; this has the runtime that they are for.
 *
 * ONEBIT_RUNTIMES=all runs it: `.ci/run runtimes` brings workerd.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { build } from "esbuild";
import { seededRandom } from "../synthetic/random.ts";
import { serveWorker, workerdBinary } from "./served-worker.ts";

const skip = process.env.ONEBIT_RUNTIMES === "all" ? false : "runs in .ci/run runtimes";
const CLIENTS = 30;
/**
 * Without the rule of turns.ts, hundreds of requests hang in it, and workerd ends them: it sees that they wait for
 * nothing.
 */
const SECONDS = 10;

/**
 * A turn is 0.5 ms of computing after a wait, as a token is. Nothing else keeps the request alive: a lost call is one
 * that hangs.
 */
const WORKER = `
  import { detectPlatform } from ${JSON.stringify(resolve("src/platform/detect.ts"))};
  import { Turns } from ${JSON.stringify(resolve("src/generate/turns.ts"))};
  const turns = new Turns(detectPlatform());
  export default {
    async fetch() {
      for (let i = 0; i < 10; i++) {
        const turn = turns.open(undefined);
        await turn.begin();
        await new Promise((resolve) => setTimeout(resolve, 0));
        for (let n = 0, x = 0; n < 3e5; n++) x += n % 7;
        turn.end();
      }
      return new Response("answered");
    },
  };`;

describe("turns of requests in workerd", { skip }, () => {
  for (const age of ["newest", "oldest"] as const)
    test(`${age}: every request that stays is answered`, async (t) => {
      const binary =
        workerdBinary(age) ?? assert.fail(`the ${age} workerd is not installed for this machine: run .ci/run runtimes`);
      mkdirSync("build", { recursive: true });
      const folder = mkdtempSync(resolve("build/turns-"));
      try {
        await buildTurns(folder);
        const worker = await serveWorker(folder, binary);
        const counts = await ask(worker.url).finally(() => worker.stop());
        t.diagnostic(JSON.stringify(counts));
        assert.ok(counts.answered > 0 && counts.left > 0);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
});

async function buildTurns(folder: string): Promise<void> {
  await build({
    stdin: { contents: WORKER, resolveDir: resolve("."), loader: "ts" },
    outfile: join(folder, "worker.js"),
    bundle: true,
    format: "esm",
    logLevel: "warning",
  });
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [(name = "main", worker = (
        compatibilityDate = "2026-04-01",
        modules = [(name = "worker.js", esModule = embed "worker.js")],
      ))],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
    );`,
  );
}

/** A third of the requests are left within 0.3 s. @throws AssertionError when one that stays is not answered */
async function ask(url: string): Promise<{ answered: number; left: number }> {
  const counts = { answered: 0, left: 0 },
    untilMs = Date.now() + SECONDS * 1000;
  const client = async (number: number): Promise<void> => {
    const random = seededRandom(number);
    while (Date.now() < untilMs) {
      const leaves = random.u32() % 3 === 0,
        abort = new AbortController(),
        timer = leaves ? setTimeout(() => abort.abort(), random.u32() % 300) : undefined;
      try {
        const response = await fetch(url, { headers: { connection: "close" }, signal: abort.signal });
        assert.deepEqual([response.status, await response.text()], [200, "answered"]);
        counts.answered++;
      } catch (error) {
        if (!abort.signal.aborted) throw error;
        counts.left++;
      } finally {
        clearTimeout(timer);
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  return counts;
}
