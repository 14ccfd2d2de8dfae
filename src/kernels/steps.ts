/**
 * The steps of a program: every field by name, in the order in which the classes of `assembly/steps.ts` and
 * `assembly/train/steps.ts` read them. The compiler requires each field of a step; a test compares both languages.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";

/** What a field holds, in 4 bytes; a flag is 1 or 0. */
export type FieldKind = "address" | "i32" | "f32" | "flag";

const ADDRESS = "address",
  I32 = "i32",
  F32 = "f32",
  FLAG = "flag";

// Fields that several steps share.
const NORM = {
  x: ADDRESS,
  xStride: I32,
  weight: ADDRESS,
  y: ADDRESS,
  yStride: I32,
  dim: I32,
  eps: F32,
  bias: ADDRESS,
} as const;
const TABLES = { q16: ADDRESS, kp: I32, tables: ADDRESS, tableStride: I32, nGroups: I32 } as const;
const ROPE = { x: ADDRESS, xStride: I32, cos: ADDRESS, sin: ADDRESS, nHeads: I32, headDim: I32, nRot: I32 } as const;
const STORE_KV = {
  k: ADDRESS,
  v: ADDRESS,
  kvStride: I32,
  kCache: ADDRESS,
  vCache: ADDRESS,
  nKvHeads: I32,
  headDim: I32,
  nPages: I32,
} as const;
const ATTEND = {
  q: ADDRESS,
  qStride: I32,
  kCache: ADDRESS,
  vCache: ADDRESS,
  out: ADDRESS,
  outStride: I32,
  nHeads: I32,
  nKvHeads: I32,
  headDim: I32,
  nPages: I32,
  contextLength: I32,
  scale: F32,
  window: I32,
} as const;
const GATE = { gate: ADDRESS, up: ADDRESS, out: ADDRESS, dim: I32 } as const;
const SIGNS = { x: ADDRESS, out: ADDRESS, scale: ADDRESS, k: I32, kp: I32, n: I32 } as const;

export const STEPS = {
  embed: {
    op: abi.OP_EMBED,
    fields: {
      ids: ADDRESS,
      layout: I32,
      weights: ADDRESS,
      scale: ADDRESS,
      scaleBlock: I32,
      rows: I32,
      k: I32,
      kp: I32,
      x: ADDRESS,
      embeddingScale: F32,
      rowBytes: I32,
    },
  },
  rmsNorm: { op: abi.OP_RMS_NORM, fields: NORM },
  layerNorm: { op: abi.OP_LAYER_NORM, fields: NORM },
  rmsNormHeads: {
    op: abi.OP_RMS_NORM_HEADS,
    fields: { x: ADDRESS, xStride: I32, weight: ADDRESS, nHeads: I32, headDim: I32, eps: F32 },
  },
  quantizeToken: {
    op: abi.OP_QUANTIZE_TOKEN,
    fields: {
      x: ADDRESS,
      xStride: I32,
      q8: ADDRESS,
      q16: ADDRESS,
      scale: ADDRESS,
      sum: ADDRESS,
      k: I32,
      kp: I32,
      magnitudes: FLAG,
    },
  },
  quantizeBlocks: {
    op: abi.OP_QUANTIZE_BLOCKS,
    fields: {
      x: ADDRESS,
      xStride: I32,
      q16: ADDRESS,
      scale: ADDRESS,
      sum: ADDRESS,
      k: I32,
      kp: I32,
      block: I32,
      qMax: I32,
      magnitudes: FLAG,
    },
  },
  quantizeQ6K: { op: abi.OP_QUANTIZE_Q6_K, fields: { x: ADDRESS, xStride: I32, q: ADDRESS, scale: ADDRESS, k: I32 } },
  tokenBlocks: {
    op: abi.OP_TOKEN_BLOCKS,
    fields: {
      scale: ADDRESS,
      q16: ADDRESS,
      blockScale: ADDRESS,
      blockSum: ADDRESS,
      kp: I32,
      block: I32,
      magnitudes: FLAG,
    },
  },
  ternaryTables: { op: abi.OP_TERNARY_TABLES, fields: TABLES },
  binaryTables: { op: abi.OP_BINARY_TABLES, fields: TABLES },
  shortTables: { op: abi.OP_SHORT_TABLES, fields: TABLES },
  matmul: {
    op: abi.OP_MATMUL,
    fields: {
      layout: I32,
      weights: ADDRESS,
      scale: ADDRESS,
      scaleBlock: I32,
      act: ADDRESS,
      actScale: ADDRESS,
      actSum: ADDRESS,
      y: ADDRESS,
      yStride: I32,
      rows: I32,
      k: I32,
      actRowBytes: I32,
      scaleRowBytes: I32,
    },
  },
  addBias: { op: abi.OP_ADD_BIAS, fields: { y: ADDRESS, yStride: I32, bias: ADDRESS, dim: I32 } },
  scale: { op: abi.OP_SCALE, fields: { y: ADDRESS, yStride: I32, factor: F32 } },
  addScaled: { op: abi.OP_ADD_SCALED, fields: { x: ADDRESS, y: ADDRESS, factor: F32, dim: I32, yStride: I32 } },
  ropeTable: {
    op: abi.OP_ROPE_TABLE,
    fields: { frequencies: ADDRESS, nHalf: I32, magnitude: F32, cos: ADDRESS, sin: ADDRESS },
  },
  rope: { op: abi.OP_ROPE, fields: ROPE },
  storeKv: { op: abi.OP_STORE_KV, fields: STORE_KV },
  storeKvQ8: { op: abi.OP_STORE_KV_Q8, fields: STORE_KV },
  attend: { op: abi.OP_ATTEND, fields: ATTEND },
  attendQ8: { op: abi.OP_ATTEND_Q8, fields: ATTEND },
  gateSilu: { op: abi.OP_GATE_SILU, fields: GATE },
  gateRelu2: { op: abi.OP_GATE_RELU2, fields: GATE },
  gateGelu: { op: abi.OP_GATE_GELU, fields: GATE },
  gateSigmoid: {
    op: abi.OP_GATE_SIGMOID,
    fields: { x: ADDRESS, xStride: I32, gate: ADDRESS, gateStride: I32, dim: I32 },
  },
  convolve: {
    op: abi.OP_CONVOLVE,
    fields: {
      x: ADDRESS,
      xStride: I32,
      weights: ADDRESS,
      y: ADDRESS,
      yStride: I32,
      states: ADDRESS,
      stateBytes: I32,
      nTaps: I32,
      nKeyHeads: I32,
      nValueHeads: I32,
      headDim: I32,
      eps: F32,
    },
  },
  deltaNet: {
    op: abi.OP_DELTA_NET,
    fields: {
      x: ADDRESS,
      xStride: I32,
      z: ADDRESS,
      zStride: I32,
      alpha: ADDRESS,
      beta: ADDRESS,
      gateStride: I32,
      decay: ADDRESS,
      dtBias: ADDRESS,
      weight: ADDRESS,
      states: ADDRESS,
      stateBytes: I32,
      out: ADDRESS,
      outStride: I32,
      nKeyHeads: I32,
      nValueHeads: I32,
      headDim: I32,
      eps: F32,
      grouped: FLAG,
      regroup: FLAG,
    },
  },
  hadamard: {
    op: abi.OP_HADAMARD,
    fields: { x: ADDRESS, xStride: I32, y: ADDRESS, signs: ADDRESS, width: I32, block: I32, inverse: FLAG },
  },

  // Only in the training build.
  embedRows: { op: abi.OP_EMBED_ROWS, fields: { ids: ADDRESS, table: ADDRESS, dim: I32, out: ADDRESS, n: I32 } },
  embedRowsBack: {
    op: abi.OP_EMBED_ROWS_BACK,
    fields: { ids: ADDRESS, dy: ADDRESS, dim: I32, dTable: ADDRESS, n: I32 },
  },
  normRows: {
    op: abi.OP_NORM_ROWS,
    fields: { x: ADDRESS, weight: ADDRESS, bias: ADDRESS, y: ADDRESS, dim: I32, eps: F32, n: I32 },
  },
  normRowsBack: {
    op: abi.OP_NORM_ROWS_BACK,
    fields: {
      x: ADDRESS,
      weight: ADDRESS,
      dy: ADDRESS,
      dx: ADDRESS,
      stats: ADDRESS,
      dim: I32,
      eps: F32,
      add: FLAG,
      n: I32,
      centered: FLAG,
    },
  },
  normColumnsBack: {
    op: abi.OP_NORM_COLUMNS_BACK,
    fields: { x: ADDRESS, dy: ADDRESS, stats: ADDRESS, dWeight: ADDRESS, dBias: ADDRESS, n: I32, dim: I32 },
  },
  quantizeRows: {
    op: abi.OP_QUANTIZE_ROWS,
    fields: { x: ADDRESS, codes: ADDRESS, scale: ADDRESS, k: I32, n: I32, bits: I32, kp: I32 },
  },
  clipBack: { op: abi.OP_CLIP_BACK, fields: { x: ADDRESS, dy: ADDRESS, dx: ADDRESS, add: FLAG, total: I32 } },
  weightSums: { op: abi.OP_WEIGHT_SUMS, fields: { weights: ADDRESS, count: I32, partial: ADDRESS } },
  weightCodes: {
    op: abi.OP_WEIGHT_CODES,
    fields: {
      weights: ADDRESS,
      count: I32,
      partial: ADDRESS,
      ternary: FLAG,
      codes: ADDRESS,
      scale: ADDRESS,
      k: I32,
      kp: I32,
    },
  },
  matmulF32: {
    op: abi.OP_MATMUL_F32,
    fields: {
      form: I32,
      a: ADDRESS,
      aStride: I32,
      b: ADDRESS,
      bStride: I32,
      c: ADDRESS,
      cStride: I32,
      m: I32,
      n: I32,
      k: I32,
      add: FLAG,
      kScale: ADDRESS,
      scale: ADDRESS,
      rowScale: ADDRESS,
      codes: FLAG,
    },
  },
  matmulCodes: {
    op: abi.OP_MATMUL_CODES,
    fields: {
      x: ADDRESS,
      weights: ADDRESS,
      scale: ADDRESS,
      rowScale: ADDRESS,
      y: ADDRESS,
      kp: I32,
      n: I32,
      outputs: I32,
    },
  },
  widenCodes: { op: abi.OP_WIDEN_CODES, fields: { codes: ADDRESS, out: ADDRESS, k: I32, kp: I32, n: I32 } },
  signCodes: { op: abi.OP_SIGN_CODES, fields: SIGNS },
  signBits: { op: abi.OP_SIGN_BITS, fields: SIGNS },
  xnor: {
    op: abi.OP_XNOR,
    fields: {
      weights: ADDRESS,
      rowScale: ADDRESS,
      bits: ADDRESS,
      actScale: ADDRESS,
      y: ADDRESS,
      k: I32,
      n: I32,
      rows: I32,
      kp: I32,
    },
  },
  rotate: {
    op: abi.OP_ROTATE,
    fields: { x: ADDRESS, cos: ADDRESS, sin: ADDRESS, length: I32, nHeads: I32, headDim: I32, sign: F32, n: I32 },
  },
  attendSequences: {
    op: abi.OP_ATTEND_SEQUENCES,
    fields: {
      q: ADDRESS,
      k: ADDRESS,
      v: ADDRESS,
      out: ADDRESS,
      stats: ADDRESS,
      weights: ADDRESS,
      length: I32,
      nHeads: I32,
      nKvHeads: I32,
      headDim: I32,
      causal: FLAG,
      nSequences: I32,
    },
  },
  attendSequencesBack: {
    op: abi.OP_ATTEND_SEQUENCES_BACK,
    fields: {
      q: ADDRESS,
      k: ADDRESS,
      v: ADDRESS,
      stats: ADDRESS,
      dOut: ADDRESS,
      dq: ADDRESS,
      dk: ADDRESS,
      dv: ADDRESS,
      addQ: FLAG,
      addK: FLAG,
      addV: FLAG,
      length: I32,
      nHeads: I32,
      nKvHeads: I32,
      headDim: I32,
      causal: FLAG,
      nSequences: I32,
    },
  },
  sumRows: { op: abi.OP_SUM_ROWS, fields: { dy: ADDRESS, n: I32, dim: I32, db: ADDRESS } },
  crossEntropy: {
    op: abi.OP_CROSS_ENTROPY,
    fields: { logits: ADDRESS, stride: I32, vocab: I32, targets: ADDRESS, loss: ADDRESS, n: I32 },
  },
  crossEntropyBack: {
    op: abi.OP_CROSS_ENTROPY_BACK,
    fields: { logits: ADDRESS, stride: I32, vocab: I32, targets: ADDRESS, scale: F32, dLogits: ADDRESS, n: I32 },
  },
  sumLosses: { op: abi.OP_SUM_LOSSES, fields: { loss: ADDRESS, targets: ADDRESS, n: I32, out: ADDRESS } },
  sumSquares: { op: abi.OP_SUM_SQUARES, fields: { gradients: ADDRESS, count: I32, partial: ADDRESS } },
  activate: { op: abi.OP_ACTIVATE, fields: { kind: I32, x: ADDRESS, out: ADDRESS, total: I32 } },
  activateBack: {
    op: abi.OP_ACTIVATE_BACK,
    fields: { kind: I32, x: ADDRESS, dy: ADDRESS, dx: ADDRESS, add: FLAG, total: I32 },
  },
  gateArrays: { op: abi.OP_GATE, fields: { kind: I32, gate: ADDRESS, up: ADDRESS, out: ADDRESS, total: I32 } },
  gateArraysBack: {
    op: abi.OP_GATE_BACK,
    fields: {
      kind: I32,
      gate: ADDRESS,
      up: ADDRESS,
      dy: ADDRESS,
      dGate: ADDRESS,
      addGate: FLAG,
      dUp: ADDRESS,
      addUp: FLAG,
      total: I32,
    },
  },
  addArrays: { op: abi.OP_ADD_ARRAYS, fields: { a: ADDRESS, b: ADDRESS, out: ADDRESS, total: I32 } },
  pass: { op: abi.OP_PASS, fields: { from: ADDRESS, to: ADDRESS, add: FLAG, total: I32 } },
  dropout: {
    op: abi.OP_DROPOUT,
    fields: { x: ADDRESS, out: ADDRESS, state: ADDRESS, salt: I32, threshold: I32, keep: F32, add: FLAG, total: I32 },
  },
  zero: { op: abi.OP_ZERO, fields: { x: ADDRESS, total: I32 } },
  adamW: {
    op: abi.OP_ADAM_W,
    fields: {
      weights: ADDRESS,
      gradients: ADDRESS,
      m: ADDRESS,
      v: ADDRESS,
      settings: ADDRESS,
      decays: FLAG,
      total: I32,
    },
  },
} as const satisfies Readonly<
  Record<string, { readonly op: number; readonly fields: Readonly<Record<string, FieldKind>> }>
>;

export type StepName = keyof typeof STEPS;

/** The fields of a step; a `Place` becomes an address later. */
export type StepFields<Name extends StepName, Place> = {
  readonly [Field in keyof (typeof STEPS)[Name]["fields"]]: FieldValue<(typeof STEPS)[Name]["fields"][Field], Place>;
};

type FieldValue<Kind, Place> = Kind extends "address" ? Place : Kind extends "flag" ? boolean : number;

/** Byte offset of a field in its step. */
export function fieldOffset<Name extends StepName>(name: Name, field: keyof (typeof STEPS)[Name]["fields"]): number {
  return 8 + 4 * Object.keys(STEPS[name].fields).indexOf(field as string);
}
