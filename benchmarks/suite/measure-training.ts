/** Training beside TensorFlow.js: `train`, without its model of real size. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import type { TrainReport } from "../train/report.ts";
import type { Context, Measured } from "./context.ts";
import type { TrainingData } from "./results.ts";

const REPORT = "build/benchmarks/training.json";

export async function measureTraining({ rounds, note }: Context, threads: number): Promise<Measured<TrainingData>> {
  note(`training, ${threads} threads`);
  mkdirSync("build/benchmarks", { recursive: true });
  const args = [
    "benchmarks/run.mjs",
    "train",
    "--threads",
    String(threads),
    "--only",
    "agreement,products,steps",
    "--rounds",
    String(rounds),
    "--json",
    REPORT,
  ];
  execFileSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  const report = JSON.parse(readFileSync(REPORT, "utf8")) as TrainReport;
  const absent = existsSync("benchmarks/node_modules/@tensorflow/tfjs-backend-wasm")
    ? []
    : [{ name: "TensorFlow.js", reason: "not installed (npm ci --ignore-scripts --prefix benchmarks)" }];
  return { data: { kind: "training", report }, absent };
}
