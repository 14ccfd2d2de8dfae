/**
 * Training speed, onebit beside TensorFlow.js with its wasm backend (SIMD, threads) in one run: matrix products, whole
 * training steps of a transformer of 2 million parameters, and the memory and step time of one of real size.
 *
 *   node benchmarks/run.mjs train [--threads 1,2] [--rounds 5] [--only agreement,products,steps,enwik8] [--json FILE]
 *       [--seconds 0.2]      a measurement of a product repeats it for so long
 *       [--steps 2]          training steps of a round
 *       [--enwik8-steps 1]   steps of the model of real size
 *       [--clock processor]  for one thread on a busy machine
 *
 * Contestants are processes that take turns, so that a busy moment of the machine hits all; medians over the rounds.
 * Ratios are medians of the rounds' ratios. Both sides must agree on losses and gradients before any timing.
 */
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { checkAgreement } from "./train/agreement.ts";
import { CLOCKS, type ClockName } from "./train/clock.ts";
import { measureProducts } from "./train/measure-products.ts";
import { measureEnwik8, measureSteps } from "./train/measure-steps.ts";
import { type OptimizerOptions, answerOnebit } from "./train/onebit-contestant.ts";
import { answerPeak } from "./train/peak.ts";
import { createPrograms } from "./train/programs.ts";
import { type TrainReport, formatReport } from "./train/report.ts";

const { values } = parseArgs({
  options: {
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "agreement,products,steps,enwik8" },
    seconds: { type: "string", default: "0.2" },
    steps: { type: "string", default: "2" },
    "enwik8-steps": { type: "string", default: "1" },
    clock: { type: "string", default: "wall" },
    json: { type: "string" },
    child: { type: "string" },
  },
});

/** For both sides. Decay and clipping are off: tfjs has neither. */
const OPTIMIZER: OptimizerOptions = {
  learningRate: 1e-3,
  weightDecay: 0,
  clipNorm: 0,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
};

if (values.child === "onebit") answerOnebit();
else if (values.child === "peak") answerPeak();
else await main();

async function main(): Promise<void> {
  if (!Object.hasOwn(CLOCKS, values.clock))
    throw new Error(`--clock: wanted one of ${Object.keys(CLOCKS).join(", ")}, got ${values.clock}`);
  if (values.clock === "processor" && values.threads !== "1")
    throw new Error("--clock processor: wanted --threads 1, since threads that wait take processor time too");
  const programs = createPrograms(process.argv[1], values.clock as ClockName),
    wanted = new Set(values.only.split(",")),
    rounds = Number(values.rounds);
  if (!programs.peerInstalled)
    process.stderr.write("tfjs is not installed (npm ci --ignore-scripts --prefix benchmarks): onebit alone\n");
  const load = loadavg()[0],
    report: TrainReport = {
      machine: {
        cpu: cpus()[0].model,
        nCpus: cpus().length,
        node: process.version,
        loadAverage: load,
        clock: values.clock,
      },
      contestants: [],
      agreement: [],
      products: [],
      steps: [],
      enwik8: [],
    };
  for (const threads of values.threads.split(",").map(Number)) {
    report.contestants.push(...(await describe(programs, threads)));
    if (wanted.has("agreement") && programs.peerInstalled) {
      for (const way of ["fast", "library"])
        report.agreement.push(await checkAgreement(programs, threads, way, OPTIMIZER));
    }
    if (wanted.has("products"))
      report.products.push(...(await measureProducts(programs, threads, { rounds, seconds: Number(values.seconds) })));
    if (wanted.has("steps"))
      report.steps.push(
        ...(await measureSteps(programs, threads, { rounds, steps: Number(values.steps), optimizer: OPTIMIZER })),
      );
    if (wanted.has("enwik8"))
      report.enwik8.push(
        await measureEnwik8(programs, threads, { rounds, steps: Number(values["enwik8-steps"]), optimizer: OPTIMIZER }),
      );
  }
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  console.log(formatReport(report));
}

async function describe(programs: ReturnType<typeof createPrograms>, threads: number): Promise<string[]> {
  const descriptions: string[] = [];
  for (const name of programs.peerInstalled ? (["onebit", "tfjs"] as const) : (["onebit"] as const)) {
    const contestant = await programs.start(name, threads);
    descriptions.push(contestant.description);
    await contestant.stop();
  }
  return descriptions;
}
