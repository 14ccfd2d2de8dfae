/** The hot loops of the kernels, how each is told from others of its function, and the most that it may cost. */
import type { Variant } from "../../src/kernels/variant.ts";

/** Instructions that tell loops apart. */
export const KINDS = {
  lookups: /^vpshufb/,
  byteDots: /^(?:vpmaddubsw|vpdpbusd)/,
  pairDots: /^vpmaddwd/,
} as const;

export interface KernelLoop {
  readonly what: string;
  readonly variant: Variant;
  readonly function: string;
  /** How many of each kind one turn has; of several such loops the shortest is meant. */
  readonly has: Readonly<Partial<Record<keyof typeof KINDS, number>>>;
  /** Products of a weight and an activation in one turn. */
  readonly products: number;
  /** Cycles for 1,000 products by LLVM's name of the CPU: a twentieth above what was measured. */
  readonly most: Readonly<Record<string, number>>;
}

/** Relaxed ones on x86 without AVX-VNNI. */
export const KERNEL_LOOPS: readonly KernelLoop[] = [
  {
    what: "ternary, dot products by pairs",
    variant: "relaxed",
    function: "weights/ternary-pair-dot/pairDotRows4",
    has: { byteDots: 16 },
    products: 256,
    most: { skylake: 81, znver4: 54 },
  },
  {
    what: "ternary, dot products by pairs, four rows of activations",
    variant: "relaxed",
    function: "weights/ternary-dot-rows/fours<i16>",
    has: { byteDots: 32 },
    products: 512,
    most: { skylake: 67, znver4: 51 },
  },
  {
    what: "ternary, dot products of bytes",
    variant: "relaxed",
    function: "weights/ternary-dot/dotRows8",
    has: { byteDots: 32 },
    products: 512,
    most: { skylake: 171, znver4: 111 },
  },
  {
    what: "ternary, tables, chunks of two groups",
    variant: "relaxed",
    function: "weights/ternary-table/addTwos",
    has: { lookups: 8 },
    products: 256,
    most: { skylake: 58, znver4: 45 },
  },
  {
    what: "the same",
    variant: "simd",
    function: "weights/ternary-table/addTwos",
    has: { lookups: 8 },
    products: 256,
    most: { skylake: 75, znver4: 62 },
  },
  {
    what: "binary, tables",
    variant: "relaxed",
    function: "weights/table-sums/sumTiles",
    has: { lookups: 24 },
    products: 768,
    most: { skylake: 33, znver4: 23 },
  },
  {
    what: "binary, tables, two rows of activations",
    variant: "relaxed",
    function: "weights/table-sums/sumTwoRows",
    has: { lookups: 24 },
    products: 768,
    most: { skylake: 33, znver4: 22 },
  },
  {
    what: "Q6_K by pairs",
    variant: "relaxed",
    function: "weights/q6-k/addBlocks",
    has: { byteDots: 32 },
    products: 256,
    most: { skylake: 216, znver4: 146 },
  },
  {
    what: "Q6_K by pairs, four rows of activations",
    variant: "relaxed",
    function: "weights/q6-k-rows/fours<i16>",
    has: { byteDots: 32 },
    products: 256,
    most: { skylake: 156, znver4: 114 },
  },
  {
    what: "Q6_K, four rows of activations",
    variant: "simd",
    function: "weights/q6-k-rows/fours<i32>",
    has: { pairDots: 32 },
    products: 256,
    most: { skylake: 148, znver4: 107 },
  },
  {
    what: "Q6_K",
    variant: "relaxed",
    function: "weights/q6-k/blockSums",
    has: { byteDots: 8 },
    products: 64,
    most: { skylake: 339, znver4: 236 },
  },
  {
    what: "the same",
    variant: "simd",
    function: "weights/q6-k/blockSums",
    has: { pairDots: 8 },
    products: 64,
    most: { skylake: 221, znver4: 172 },
  },
  {
    what: "XNOR and popcount",
    variant: "simd",
    function: "weights/xnor/xnorMatmul",
    has: { lookups: 32 },
    products: 2048,
    most: { skylake: 29, znver4: 22 },
  },
];
