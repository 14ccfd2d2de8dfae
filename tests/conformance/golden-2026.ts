/** Golden models of 2026's architectures: beside a checkout, not in it. A `.ids.json` names ids and vocabulary. */
import { existsSync, readFileSync } from "node:fs";

const GOLDEN = "../shared/data/golden";

/** False where the data are; else why a test is skipped. */
export const noGolden: string | false = existsSync(GOLDEN) ? false : `${GOLDEN} is not here`;

export interface Golden {
  readonly path: string;
  readonly ids: readonly number[];
  /** A row of numbers for each id. */
  readonly rows: readonly Float32Array[];
}

/** @param what its numbers: "logits", or "hidden" states */
export function golden(name: string, what: "logits" | "hidden" = "logits"): Golden {
  const { ids } = JSON.parse(readFileSync(`${GOLDEN}/${name}.ids.json`, "utf8")) as { ids: number[] },
    all = floats(`${GOLDEN}/${name}.${what}.f32`),
    width = all.length / ids.length;
  return {
    path: `${GOLDEN}/${name}.gguf`,
    ids,
    rows: ids.map((_, row) => all.subarray(row * width, (row + 1) * width)),
  };
}

/** The vectors of a model for similarity: by the last state, then by the mean of all. */
export function goldenVectors(name: string): readonly [last: Float32Array, mean: Float32Array] {
  const both = floats(`${GOLDEN}/${name}.embd.f32`);
  return [both.subarray(0, both.length / 2), both.subarray(both.length / 2)];
}

function floats(path: string): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

type Rows = readonly ArrayLike<number>[];

/** Largest difference over the largest magnitude. */
export function goldenError(found: Rows, { rows }: Golden): number {
  let error = 0,
    magnitude = 0;
  rows.forEach((row, t) =>
    row.forEach((wanted, i) => {
      const difference = Math.abs(found[t][i] - wanted);
      error = Number.isNaN(difference) ? Infinity : Math.max(error, difference);
      magnitude = Math.max(magnitude, Math.abs(wanted));
    }),
  );
  return error / magnitude;
}

/** The cosine of the rows that are least alike. */
export function leastCosine(found: Rows, { rows }: Golden): number {
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
  return Math.min(...rows.map((row, t) => dot(row, found[t]) / Math.sqrt(dot(row, row) * dot(found[t], found[t]))));
}
