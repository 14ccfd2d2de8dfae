/**
 * Every branch of the kernels, and of what drives them, that depends on how much work there is: rows of activations,
 * threads, rows and columns of a matrix, positions. Results may not depend on any of them.
 *
 * A test takes its sizes from here and stands on both sides of each threshold. The numbers are read from the sources,
 * so a threshold that moves takes the tests along; `thresholds.test.ts` fails for a constant of the kernels that is not
 * listed.
 *
 *   axis         what is counted                                     tested in
 *   rows         rows of activations of one walk                     tests/nn/thresholds, tests/model/thresholds
 *   outputs      rows of a matrix                                    both
 *   columns      columns of a matrix                                 both
 *   positions    positions of a sequence, or held by the cache       both
 */
import { readFileSync } from "node:fs";

export type Axis = "rows" | "outputs" | "columns" | "positions";

export interface Threshold {
  readonly file: string;
  /** A constant of that file; a number where the source compares with one. */
  readonly limit: string | number;
  readonly axis: Axis;
  /** How many of `axis` one of the constant's units is. Default 1. */
  readonly unit?: number;
  /** Whether each thread has so many of its own. */
  readonly perThread?: boolean;
  /** What happens on one side and on the other. */
  readonly branch: string;
}

const TILE = 32,
  TERNARY_GROUP = 2,
  BINARY_GROUP = 4;

export const THRESHOLDS: readonly Threshold[] = [
  {
    file: "assembly/program.ts",
    limit: 1,
    axis: "rows",
    branch: "one row: barriers left out, each thread makes it for itself",
  },
  {
    file: "assembly/weights/ternary-dot.ts",
    limit: 1,
    axis: "rows",
    branch: "one row: eight weight rows at once; several: tiles",
  },
  {
    file: "assembly/weights/ternary-dot.ts",
    limit: "ROWS",
    axis: "rows",
    branch: "tiles of four rows, or of three; of two; one row by itself",
  },
  {
    file: "assembly/weights/ternary-dot.ts",
    limit: "PAIR_ROWS",
    axis: "rows",
    branch: "by pairs: tiles; from here on panels",
  },
  {
    file: "assembly/weights/ternary-dot-block.ts",
    limit: "ROWS",
    axis: "rows",
    branch: "four rows at a time; fewer one by one",
  },
  {
    file: "assembly/weights/q8-0.ts",
    limit: "ROWS",
    axis: "rows",
    branch: "tiles of four rows, or of three; of two; one row by itself",
  },
  {
    file: "assembly/weights/q6-k.ts",
    limit: "ROWS",
    axis: "rows",
    branch: "tiles of four rows, or of three; of two; one row by itself",
  },
  {
    file: "assembly/weights/table-block-matmul.ts",
    limit: 1,
    axis: "rows",
    branch: "one row: scales made where they are used; several: in pairs",
  },
  { file: "assembly/weights/ternary-dot-panel.ts", limit: 2, axis: "rows", branch: "pairs of rows, then a single one" },
  { file: "assembly/layouts.ts", limit: 2, axis: "rows", branch: "rows shared out in pairs" },
  {
    file: "assembly/step.ts",
    limit: "OWN_ROWS_MIN",
    axis: "rows",
    perThread: true,
    branch: "threads share weights; from here on rows of activations",
  },
  { file: "src/model/plan.ts", limit: "BATCH_ROWS", axis: "rows", branch: "one walk; from here on several" },
  {
    file: "assembly/train/program.ts",
    limit: 4,
    axis: "rows",
    perThread: true,
    branch: "rows shared out in fours; micro-tiles of four, then edges",
  },
  {
    file: "assembly/abi.ts",
    limit: "MATMUL_M_BLOCK",
    axis: "rows",
    perThread: true,
    branch: "blocks of rows of a product of training",
  },

  {
    file: "assembly/abi.ts",
    limit: "TILE_ROWS",
    axis: "outputs",
    perThread: true,
    branch: "whole tiles; a padded one",
  },
  {
    file: "assembly/weights/ternary-table.ts",
    limit: "STREAMS",
    axis: "outputs",
    unit: TILE,
    perThread: true,
    branch: "sets of eight tiles, or of six; what is left as one smaller set",
  },
  {
    file: "assembly/weights/table-block-matmul.ts",
    limit: "STREAMS",
    axis: "outputs",
    unit: TILE,
    perThread: true,
    branch: "sets of eight tiles; the rest",
  },
  {
    file: "assembly/weights/binary-table.ts",
    limit: "STREAMS",
    axis: "outputs",
    unit: TILE,
    perThread: true,
    branch: "sets of eight tiles; the rest",
  },
  { file: "assembly/weights/ternary-dot.ts", limit: "STREAMS", axis: "outputs", branch: "eight distant rows at once" },
  {
    file: "assembly/weights/q8-0.ts",
    limit: "STREAMS",
    axis: "outputs",
    perThread: true,
    branch: "eight distant rows; the last one again",
  },
  {
    file: "assembly/weights/q6-k.ts",
    limit: "STREAMS",
    axis: "outputs",
    perThread: true,
    branch: "eight distant rows; the last one again",
  },
  { file: "assembly/weights/xnor.ts", limit: "STREAMS", axis: "outputs", branch: "four distant rows at once" },
  {
    file: "assembly/abi.ts",
    limit: "MATMUL_N_BLOCK",
    axis: "outputs",
    branch: "blocks of outputs of a product of training",
  },

  {
    file: "assembly/weights/tables.ts",
    limit: "TABLE_GROUPS",
    axis: "columns",
    unit: TERNARY_GROUP,
    branch: "one k-block; several (ternary weights)",
  },
  {
    file: "assembly/weights/tables.ts",
    limit: "TABLE_GROUPS",
    axis: "columns",
    unit: BINARY_GROUP,
    branch: "one k-block; several (binary weights)",
  },
  {
    file: "assembly/weights/table-block-matmul.ts",
    limit: "BLOCK_GROUPS",
    axis: "columns",
    unit: TERNARY_GROUP,
    branch: "activation blocks",
  },
  {
    file: "assembly/weights/ternary-table.ts",
    limit: "TURN_GROUPS",
    axis: "columns",
    unit: TERNARY_GROUP,
    branch: "groups of a pair before the next pair's turn",
  },
  {
    file: "assembly/abi.ts",
    limit: "PANEL_WEIGHTS",
    axis: "columns",
    branch: "one panel; several",
  },
  { file: "assembly/weights/q8-0.ts", limit: "TURN_BLOCKS", axis: "columns", unit: 32, branch: "one turn; several" },
  {
    file: "assembly/weights/q8-0-rows.ts",
    limit: "TURN_BLOCKS",
    axis: "columns",
    unit: 32,
    branch: "the same, several rows of activations",
  },
  {
    file: "assembly/weights/xnor.ts",
    limit: "BYTE_STEPS",
    axis: "columns",
    unit: 128,
    branch: "popcounts that add up in a byte",
  },
  { file: "assembly/abi.ts", limit: "MATMUL_K_BLOCK", axis: "columns", branch: "blocks of k of an f32 product" },
  {
    file: "assembly/abi.ts",
    limit: "MATMUL_K_BLOCK",
    axis: "columns",
    unit: 2,
    branch: "blocks of k of a product of codes, which are pairs",
  },
  { file: "assembly/abi.ts", limit: "SUM_CHUNK", axis: "columns", branch: "chunks of the sums over a matrix" },

  { file: "assembly/ops/attention.ts", limit: 4, axis: "positions", branch: "four positions at a time; one by one" },
  { file: "assembly/ops/attention.ts", limit: "TILE", axis: "positions", branch: "the next tile is loaded ahead" },
  {
    file: "assembly/ops/attention.ts",
    limit: "TILE",
    axis: "positions",
    unit: 2,
    branch: "there is a next tile to load ahead",
  },
  { file: "assembly/ops/attention-q8.ts", limit: "KEY_POSITIONS", axis: "positions", branch: "a record of eight keys" },
  {
    file: "assembly/ops/attention-q8.ts",
    limit: "STREAMS",
    axis: "positions",
    unit: 8,
    branch: "records in one turn; in several",
  },
  { file: "assembly/abi.ts", limit: "KV_PAGE_POSITIONS", axis: "positions", branch: "a page of keys and values" },
  {
    file: "assembly/ops/attention-q8.ts",
    limit: "STREAMS",
    axis: "positions",
    unit: 64,
    branch: "tiles in one turn; in several",
  },
  {
    file: "assembly/abi.ts",
    limit: "ATTENTION_TILE",
    axis: "positions",
    branch: "tiles of queries of attention's gradient",
  },
];

/** Constants of the kernels that are no thresholds of these axes: sizes of records, values, waiting. */
export const NOT_THRESHOLDS: Readonly<Record<string, readonly string[]>> = {
  "assembly/barrier.ts": ["SPINS", "SPINS_HASTY", "HASTY_SLEEPS", "SLEEPS_MAX"],
  "assembly/ops/quantize-q6-k.ts": ["Q_MAX"],
  "assembly/weights/bit-planes.ts": ["STREAMS"], // No layout uses them: their spec and benchmark do.
  "assembly/weights/decode.ts": [
    "TQ1_0",
    "TQ2_0",
    "I2_S",
    "Q2_0",
    "PQ2_0",
    "PTQ1_0",
    "STQ1_0",
    "DECODED",
    "NOT_TERNARY",
    "BAD_SCALE",
  ],
  "assembly/weights/decode-binary.ts": ["Q1_0"],
  "assembly/weights/decode-unpacked.ts": ["F32", "F16", "BF16", "EXACT", "OTHER_WEIGHT", "NOT_FINITE", "SCALE_ROUNDS"],
  "assembly/weights/q4-0.ts": ["BLOCK", "BLOCK_BYTES"],
  "assembly/weights/q4-k.ts": ["BLOCK", "BLOCK_BYTES"],
  "assembly/weights/q6-k.ts": ["FILE_BLOCK_BYTES"],
  "assembly/weights/q6-k-products.ts": ["CHUNKS", "FACTOR", "CHUNK_BYTES"],
  "assembly/weights/q8-0.ts": ["BLOCK", "BLOCK_BYTES"],
  "assembly/weights/q8-0-rows.ts": ["BLOCK", "BLOCK_BYTES", "TOTALS_BYTES"],
  // They depend on the sizes of activations: assembly/__tests__/ternary-table.spec.ts.
  "assembly/weights/short-tables.ts": [
    "PLACES_OFFSET",
    "TABLES_OFFSET",
    "RUN_SUMS_MAX",
    "SPLIT",
    "UPPER",
    "MIDDLE",
    "LOWER",
    "TINY",
    "LARGE_MAX",
    "UPPER_MAX",
    "MIDDLE_MAX",
    "LOWER_MAX",
    "TINY_MAX",
  ],
  "assembly/weights/ternary-table.ts": ["TILE_SUM_BYTES", "PAIR_SUM_BYTES", "TOUCHED"],
};

/** The whole numbers that a source gives names to, on one line or several: `const STREAMS: i32 = 8, TILE: i32 = 16;` */
export function constantsOf(file: string): Map<string, number> {
  const found = new Map<string, number>();
  const source = readFileSync(file, "utf8");
  for (const [declaration] of source.matchAll(/^(?:export )?const [A-Z][A-Z0-9_]*(?:: \w+)? =[^;]*;/gm)) {
    for (const [, name, digits] of declaration.matchAll(
      /\b([A-Z][A-Z0-9_]*)(?:: (?:i32|usize))? = ([0-9][0-9_]*)(?=[,;])/g,
    ))
      found.set(name, Number(digits.replaceAll("_", "")));
  }
  return found;
}

/** The sizes at which the branch turns, for one thread to `nThreads`. */
export function limitsOf({ file, limit, unit = 1, perThread = false }: Threshold, nThreads = 4): number[] {
  const value = typeof limit === "number" ? limit : constantsOf(file).get(limit);
  if (value === undefined) throw new Error(`${file} has no constant ${limit}`);
  return Array.from({ length: perThread ? nThreads : 1 }, (_, i) => value * unit * (i + 1));
}

/**
 * Every size next to a threshold of an axis, up to `max`, ascending: one below it, it, one above it. `step` is the
 * size's own unit.
 */
export function sizesAround(axis: Axis, max: number, step = 1): number[] {
  const limits = THRESHOLDS.filter((threshold) => threshold.axis === axis).flatMap((threshold) => limitsOf(threshold));
  const sizes = limits.flatMap((limit) => [-1, 0, 1].map((side) => (Math.round(limit / step) + side) * step));
  return [...new Set(sizes)].filter((size) => size >= 1 && size <= max).sort((a, b) => a - b);
}
