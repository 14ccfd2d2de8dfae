/** The cases every ternary and binary matmul must pass. Each returns 0, or a number for the first failed case. */
import { ALL_HIGH, ALL_LOW, ENDS, MIXED, RANDOM, SMALL, SPARSE, ZERO } from "./fixtures";
import { Case, wrongBytes } from "./matmul-case";

/** Numbers of tiles that do not fill the eight streams, fill them exactly, and leave some over. */
const TILES: StaticArray<i32> = [1, 3, 5, 8, 9, 17];
/** Multiples of a scale block, below, at and above k-blocks (640 groups: 1280 ternary, 2560 binary weights). */
const WIDTHS: StaticArray<i32> = [256, 1280, 1536, 2816];
const KINDS: StaticArray<i32> = [RANDOM, ALL_HIGH, ALL_LOW, ENDS];
const ACTIVATION_KINDS: StaticArray<i32> = [RANDOM, ALL_HIGH, ALL_LOW, ENDS, SMALL, SPARSE, ZERO, MIXED];
const SCALE_BLOCKS: StaticArray<i32> = [64, 128, 256];

/** Rows of activations below, at and above those of every tile, pair and set of a kernel. */
const BATCHES: StaticArray<i32> = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17];

/** Batches of rows over one set of tiles and what is left of it; the width has two k-blocks. */
export function failingBatch(kernel: i32, flags: i32 = 0): i32 {
  for (let b = 0; b < BATCHES.length; b++) {
    for (let t = 0; t < 2; t++) {
      const c = new Case();
      c.flags = flags;
      c.tiles = 1 + 8 * t;
      c.tileEnd = c.tiles;
      c.kp = t == 0 ? 2816 : 256;
      c.n = BATCHES[b];
      c.scaleBlock = SCALE_BLOCKS[b % 3];
      c.seed = <u32>(b * 2 + t);
      if (wrongBytes(kernel, c) != 0) return 1000 + c.n * 10 + t;
    }
  }
  return 0;
}

/** All shapes, with one and with five activation rows. */
export function failingShape(kernel: i32, flags: i32 = 0): i32 {
  for (let t = 0; t < TILES.length; t++) {
    for (let w = 0; w < WIDTHS.length; w++) {
      const c = new Case();
      c.flags = flags;
      c.tiles = TILES[t];
      c.tileEnd = TILES[t];
      c.kp = WIDTHS[w];
      c.n = (t + w) % 2 == 0 ? 1 : 5;
      c.scaleBlock = SCALE_BLOCKS[(t + w) % 3];
      c.seed = <u32>(t * 16 + w);
      if (wrongBytes(kernel, c) != 0) return c.tiles * 1000000 + c.kp * 10 + c.n;
    }
  }
  return 0;
}

/** Every combination of weights and activations at their ends; 4224 weights exceed a panel of dots by pairs. */
export function failingExtreme(kernel: i32, flags: i32 = 0): i32 {
  for (let i = 0; i < KINDS.length; i++) {
    for (let j = 0; j < ACTIVATION_KINDS.length; j++) {
      const c = new Case();
      c.flags = flags;
      c.weightKind = KINDS[i];
      c.actKind = ACTIVATION_KINDS[j];
      c.kp = 4224;
      c.n = 1 + (1 << i);
      c.seed = <u32>(i * 8 + j);
      if (wrongBytes(kernel, c) != 0) return 100 + i * 10 + j;
    }
  }
  return 0;
}

/** Every range of tiles of a tensor of 10: nothing outside the range may be touched. */
export function failingRange(kernel: i32, flags: i32 = 0): i32 {
  for (let begin = 0; begin < 10; begin++) {
    for (let end = begin; end <= 10; end++) {
      const c = new Case();
      c.flags = flags;
      c.tiles = 10;
      c.tileBegin = begin;
      c.tileEnd = end;
      c.kp = 128;
      c.n = 1 + ((begin + end) % 5);
      c.seed = <u32>(begin * 16 + end);
      if (wrongBytes(kernel, c) != 0) return 1000 + begin * 100 + end;
    }
  }
  return 0;
}

/** The narrowest ternary row, one block of 64, which a scale block of 64 covers. */
export function failingNarrow(kernel: i32, flags: i32 = 0): i32 {
  const c = new Case();
  c.flags = flags;
  c.tiles = 2;
  c.tileEnd = 2;
  c.kp = 64;
  c.n = 3;
  return wrongBytes(kernel, c);
}
