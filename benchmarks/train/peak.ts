/**
 * The most f32 arithmetic this engine does: a loop of SIMD multiplications and additions on registers alone, no memory.
 *
 * Each of `chains` sums is s = s · a + b, and the chains are what runs side by side. A link takes 7 or 8 cycles, and
 * two or three instructions can start in a cycle, so 8 to 12 chains keep a processor busy; 13 with a and b fill the
 * registers that V8 has (15), one more would spill. The best of three counts is the peak.
 */
import { Worker } from "node:worker_threads";
import wabt from "wabt";
import { CLOCKS, type Clock } from "./clock.ts";
import { type OpenOptions, answer } from "./contestant.ts";

const CHAINS = [8, 12, 13];
const FLOPS_PER_LINK = 8; // four lanes, one multiplication and one addition each
const WARM_UP_CALLS = 50,
  WARM_UP_LINKS = 10_000;

/** Runs in a worker: answers each number of links with the time at which it had computed them. */
const WORKER_SOURCE = `
const { parentPort, workerData } = require("node:worker_threads");
const { exports } = new WebAssembly.Instance(workerData);
for (let i = 0; i < ${WARM_UP_CALLS}; i++) exports.run(${WARM_UP_LINKS});
parentPort.on("message", (links) => { exports.run(links); parentPort.postMessage("done"); });
parentPort.postMessage("ready");
`;

interface Loop {
  readonly chains: number;
  readonly run: (links: number) => number;
  readonly workers: readonly Worker[];
}

export function answerPeak(): void {
  let loops: Loop[] = [],
    clock: Clock;
  answer({
    async open({ threads, clock: name }: OpenOptions) {
      clock = CLOCKS[name];
      loops = await Promise.all(CHAINS.map((chains) => startLoop(chains, threads)));
      return `${CHAINS.join(", ")} chains of f32x4 multiply-adds in registers`;
    },
    /** FLOP/s over all threads; each count of chains runs for about `seconds`. */
    async peak({ seconds }: { seconds: number }) {
      let best = 0;
      for (const loop of loops) best = Math.max(best, await measure(loop, seconds, clock));
      return best;
    },
  });
}

async function startLoop(chains: number, threads: number): Promise<Loop> {
  const module = new WebAssembly.Module(await assemble(chains));
  const run = new WebAssembly.Instance(module).exports.run as Loop["run"];
  for (let i = 0; i < WARM_UP_CALLS; i++) run(WARM_UP_LINKS);
  const workers = Array.from(
    { length: threads - 1 },
    () => new Worker(WORKER_SOURCE, { eval: true, workerData: module }),
  );
  await Promise.all(workers.map(nextMessage));
  return { chains, run, workers };
}

async function measure({ chains, run, workers }: Loop, seconds: number, clock: Clock): Promise<number> {
  const trial = WARM_UP_LINKS * 100,
    begin = clock();
  run(trial);
  const links = Math.ceil((trial * seconds) / (clock() - begin)),
    start = clock();
  const others = workers.map(nextMessage);
  for (const worker of workers) worker.postMessage(links);
  run(links);
  await Promise.all(others);
  return ((workers.length + 1) * links * chains * FLOPS_PER_LINK) / (clock() - start);
}

function nextMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (message) => {
      worker.off("error", reject);
      resolve(message);
    });
  });
}

/** `run(links)`: links · chains multiply-adds; the sum of the chains, so that all are needed. */
async function assemble(chains: number): Promise<Uint8Array<ArrayBuffer>> {
  const names = Array.from({ length: chains }, (_, i) => `$s${i}`);
  const link = (s: string) => `(local.set ${s} (f32x4.add (f32x4.mul (local.get ${s}) (local.get $a)) (local.get $b)))`;
  const total = names.map((s) => `(local.get ${s})`).reduce((sum, s) => `(f32x4.add ${sum} ${s})`);
  const source = `(module (func (export "run") (param $links i32) (result f32)
    (local $a v128) (local $b v128) ${names.map((s) => `(local ${s} v128)`).join(" ")}
    (local.set $a (f32x4.splat (f32.const 0.75))) (local.set $b (f32x4.splat (f32.const 0.25)))
    ${names.map((s, i) => `(local.set ${s} (f32x4.splat (f32.const ${1 + i / 8})))`).join("\n")}
    (loop $next ${names.map(link).join("\n")}
      (br_if $next (local.tee $links (i32.sub (local.get $links) (i32.const 1)))))
    (f32x4.extract_lane 0 ${total})))`;
  const module = (await wabt()).parseWat("peak.wat", source, { simd: true });
  return new Uint8Array(module.toBinary({}).buffer);
}
