// The numbers both sides agree on: step opcodes and fields, layouts, the control block of the threads.
// Plain constants, so that AssemblyScript and TypeScript read this same file.

// ---- a step: 24 words of 4 bytes; word 0 opcode, word 1 flags, words 2.. the fields of its opcode (program.ts) ----
export const STEP_BYTES = 96;

/** Every thread waits for the others after this step. Siblings that only share inputs leave it out. */
export const FLAG_BARRIER = 1;
/** The step works on the rows whose logits are wanted (state: headRowBegin, headRows), not on every row. */
export const FLAG_HEAD_ROWS = 2;

export const OP_EMBED = 1;
export const OP_RMS_NORM = 2;
export const OP_LAYER_NORM = 3;
export const OP_RMS_NORM_HEADS = 4;
export const OP_QUANTIZE_TOKEN = 5;
export const OP_QUANTIZE_BLOCKS = 6;
export const OP_TOKEN_BLOCKS = 7;
export const OP_TERNARY_TABLES = 8;
export const OP_BINARY_TABLES_8 = 9;
export const OP_BINARY_TABLES_4 = 10;
export const OP_MATMUL = 11;
export const OP_ADD_BIAS = 12;
export const OP_SCALE = 13;
export const OP_ADD_SCALED = 14;
export const OP_ROPE_TABLE = 15;
export const OP_ROPE_ADJACENT = 16;
export const OP_ROPE_HALF = 17;
export const OP_STORE_KV = 18;
export const OP_STORE_KV_Q8 = 19;
export const OP_ATTEND = 20;
export const OP_ATTEND_Q8 = 21;
export const OP_GATE_SILU = 22;
export const OP_GATE_RELU2 = 23;
export const OP_GATE_GELU = 24;
export const OP_SHORT_TABLES = 25;

// ---- weight layouts. Dense ones carry their GGML type id ----
export const LAYOUT_F32 = 0;
export const LAYOUT_F16 = 1;
export const LAYOUT_Q4_0 = 2;
export const LAYOUT_Q8_0 = 8;
export const LAYOUT_Q4_K = 12;
export const LAYOUT_Q6_K = 14;
export const LAYOUT_BF16 = 30;
export const LAYOUT_TERNARY_TABLE = 100;
export const LAYOUT_TERNARY_TABLE_BLOCK = 101;
export const LAYOUT_TERNARY_DOT = 102;
export const LAYOUT_TERNARY_DOT_BLOCK = 103;
export const LAYOUT_BINARY_TABLE = 104;
export const LAYOUT_BINARY_TABLE_BLOCK = 105;

// ---- run state: what changes from one walk of the program to the next ----
export const STATE_ROWS = 0;
export const STATE_POSITION = 4;
export const STATE_HEAD_ROW_BEGIN = 8;
export const STATE_HEAD_ROWS = 12;
export const STATE_SCRATCH = 16;
export const STATE_SCRATCH_STRIDE_BYTES = 20;
export const STATE_BYTES = 64;

// ---- control block of the threads: one cache line for each word that is waited on ----
export const CONTROL_JOB = 0;
export const CONTROL_PROGRAM = 4;
export const CONTROL_STEPS = 8;
export const CONTROL_STATE = 12;
export const CONTROL_THREADS = 16;
export const CONTROL_JOB_SLEEPERS = 64;
export const CONTROL_ARRIVED = 128;
export const CONTROL_SLEEPERS = 192;
export const CONTROL_BYTES = 256;

/** Bytes of the short tables of 640 groups of two ternary weights (weights/short-tables.ts). */
export const SHORT_BLOCK_WEIGHTS = 1280;
export const SHORT_BLOCK_BYTES = 22464;

/** Static data of the module (masks, shuffles) lives in the first page; the host places everything after it. */
export const MODULE_RESERVED_BYTES = 65536;
