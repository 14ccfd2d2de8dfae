/**
 * Draws models/loss.svg from the logs of the bundled model and of its twins, which differ only in their weights' type
 * (and the float twin's learning rate).
 *
 *   node benchmarks/run.mjs loss-curves
 *
 * The curves show the loss over the first 24,576 bytes of the validation part; the loss over all of it, which only the
 * last step has, is higher and printed.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { type Curve, lossPlotSvg } from "../src/train/loss-plot.ts";
import { type MetricRecord, parseMetrics } from "../src/train/metrics.ts";

const LOGS = [
  ["ternary: the model in the package", "models/shakespeare.jsonl"],
  ["floats", "models/shakespeare-float.jsonl"],
  ["binary", "models/shakespeare-binary.jsonl"],
] as const;
/** The first validation: before it, the training loss falls from 5.6 and would flatten all curves. */
const FIRST_STEP = 200;
/** Share of a new value in the moving average of the training loss. */
const FRESH = 0.1;

const logs = LOGS.map(([name, path]) => ({ name, records: parseMetrics(readFileSync(path, "utf8")) }));
const curves: Curve[] = [
  { name: "ternary, training (moving average)", points: movingAverage(logs[0].records) },
  ...logs.map(({ name, records }) => ({ name, points: validations(records) })),
];
writeFileSync(
  "models/loss.svg",
  lossPlotSvg(curves, {
    title: "Validation loss on tiny Shakespeare, 3 million weights",
    yLabel: "loss (nats per byte)",
  }),
);
for (const { name, records } of logs)
  console.log(`${name}: ${records.at(-1)?.validationLoss?.toFixed(4)} nats a byte after ${records.at(-1)?.step} steps`);

function movingAverage(records: readonly MetricRecord[]): [number, number][] {
  let average: number | undefined;
  return records.flatMap(({ step, trainLoss }) => {
    if (trainLoss === undefined) return [];
    average = average === undefined ? trainLoss : average + FRESH * (trainLoss - average);
    return step < FIRST_STEP ? [] : [[step, average] as [number, number]];
  });
}

function validations(records: readonly MetricRecord[]): [number, number][] {
  return records
    .slice(0, -1)
    .flatMap(({ step, validationLoss }) =>
      validationLoss === undefined ? [] : [[step, validationLoss] as [number, number]],
    );
}
