/** Writes the results as Markdown. */
import type { Agreement } from "./agreement.ts";
import type { ProductRow } from "./measure-products.ts";
import type { Enwik8Figures, StepRow } from "./measure-steps.ts";

export interface TrainReport {
  readonly machine: {
    readonly cpu: string;
    readonly nCpus: number;
    readonly node: string;
    readonly loadAverage: number;
    readonly clock: string;
  };
  readonly contestants: string[];
  readonly agreement: Agreement[];
  readonly products: ProductRow[];
  readonly steps: StepRow[];
  readonly enwik8: Enwik8Figures[];
}

export function formatReport({ machine, contestants, agreement, products, steps, enwik8 }: TrainReport): string {
  const lines = [
    `${machine.cpu}, ${machine.nCpus} processors, Node ${machine.node}; load ` +
      `average ${machine.loadAverage.toFixed(1)} at the start; seconds by ` +
      `the ${machine.clock === "wall" ? "wall" : "processor"}.`,
    ...contestants.map((description) => `- ${description}`),
  ];
  for (const section of [agreementLines(agreement), productLines(products), stepLines(steps), enwik8Lines(enwik8)]) {
    if (section.length > 0) lines.push("", ...section);
  }
  return lines.join("\n");
}

function agreementLines(rows: readonly Agreement[]): string[] {
  return rows.map(({ threads, way, losses, gradientDifference, worstParameter }) => {
    const difference = Math.max(...losses.onebit.map((loss, i) => Math.abs(loss - losses.peer[i])));
    return (
      `Same work, ${threads} threads, tfjs ${way}: losses of ${losses.onebit.length - 1} steps ` +
      `within ${difference.toExponential(1)}, gradients within ${gradientDifference.toExponential(1)} of their ` +
      `norms (${worstParameter}).`
    );
  });
}

function productLines(rows: readonly ProductRow[]): string[] {
  if (rows.length === 0) return [];
  return [
    "Matrix products in f32, GFLOP/s. tfjs transposes first where that is faster for it; in brackets with the " +
      "transposing flags of its own gradients.",
    "",
    "| rows × in × out | form | threads | peak of the engine | onebit | of the peak | tfjs | ratio |",
    "|---|---|---|---|---|---|---|---|",
    ...rows.map((row) => {
      const peer =
        row.peer === undefined ? "–" : `${giga(row.peer)}${row.library === undefined ? "" : ` (${giga(row.library)})`}`;
      const cells = [
        `${row.rows} × ${row.inputs} × ${row.outputs}`,
        row.form,
        row.threads,
        giga(row.peak),
        giga(row.onebit),
        `${(100 * row.shareOfPeak).toFixed(0)} %`,
        peer,
        times(row.ratio),
      ];
      return `| ${cells.join(" | ")} |`;
    }),
  ];
}

function stepLines(rows: readonly StepRow[]): string[] {
  if (rows.length === 0) return [];
  return [
    "Training steps: forward, backward, Adam. The last column is how many times faster onebit's float model is.",
    "",
    "| model | threads | parameters | tokens a step | s a step | tokens/s | GFLOP/s | onebit, float is faster |",
    "|---|---|---|---|---|---|---|---|",
    ...rows.map((row) => {
      const cells = [
        row.name,
        row.threads,
        millions(row.parameters),
        row.tokens,
        row.seconds.toFixed(3),
        row.tokensPerSecond.toFixed(0),
        giga(row.flops),
        times(row.ratio),
      ];
      return `| ${cells.join(" | ")} |`;
    }),
  ];
}

function enwik8Lines(rows: readonly Enwik8Figures[]): string[] {
  if (rows.length === 0) return [];
  return [
    "The model of enwik8 (ternary; dim 512, depth 8, heads 8, key/value heads 4, feed-forward 2048; 4 sequences " +
      "of 1024):",
    "",
    "| threads | parameters | tokens a step | values of a pass | all memory | s a step | tokens/s | GFLOP/s |",
    "|---|---|---|---|---|---|---|---|",
    ...rows.map((row) => {
      const cells = [
        row.threads,
        millions(row.parameters),
        row.tokens,
        megabytes(row.passBytes),
        megabytes(row.memoryBytes),
        row.seconds.toFixed(1),
        (row.tokens / row.seconds).toFixed(0),
        giga(row.flops),
      ];
      return `| ${cells.join(" | ")} |`;
    }),
  ];
}

const giga = (flops: number): string => (flops / 1e9).toFixed(1);
const times = (ratio: number | undefined): string => (ratio === undefined ? "–" : `${ratio.toFixed(2)}×`);
const millions = (count: number): string => `${(count / 1e6).toFixed(2)} M`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
