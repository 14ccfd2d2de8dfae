// The numbers both sides agree on: step opcodes and fields, layouts, the control block of the threads. Plain constants,
// so AssemblyScript and TypeScript can both read this file.

// ---- a step: 24 words of 4 bytes; word 0 opcode, word 1 flags, words 2.. the fields of its opcode (program.ts) ----
export const STEP_BYTES = 96;

/** Every thread waits for the others after this step. Siblings that share only inputs omit it. */
export const FLAG_BARRIER = 1;
/** The same, but only with several rows: with one, a thread next reads only what it wrote itself. */
export const FLAG_BARRIER_BATCH = 16;
/** The step works on the rows whose logits are wanted (state: headRowBegin, headRows), not on every row. */
export const FLAG_HEAD_ROWS = 2;

/** With one row, every thread makes its own copy, as row `thread` of the outputs, and nobody waits. */
export const FLAG_OWN_ROW = 4;
/** With one row, a thread reads the copy it made itself. */
export const FLAG_OWN_INPUT = 8;

/** Dot products of bytes are added in pairs of 16 bits: the CPU has no instruction that adds four (DOT_PAIRS). */
export const FLAG_PAIR_DOTS = 32;

export const OP_EMBED = 1;
export const OP_RMS_NORM = 2;
export const OP_LAYER_NORM = 3;
export const OP_RMS_NORM_HEADS = 4;
export const OP_QUANTIZE_TOKEN = 5;
export const OP_QUANTIZE_BLOCKS = 6;
export const OP_TOKEN_BLOCKS = 7;
export const OP_TERNARY_TABLES = 8;
export const OP_BINARY_TABLES = 9;
export const OP_QUANTIZE_Q6_K = 10;
export const OP_MATMUL = 11;
export const OP_ADD_BIAS = 12;
export const OP_SCALE = 13;
export const OP_ADD_SCALED = 14;
export const OP_ROPE_TABLE = 15;
export const OP_ROPE = 16;
export const OP_STORE_KV = 17;
export const OP_STORE_KV_Q8 = 18;
export const OP_ATTEND = 19;
export const OP_ATTEND_Q8 = 20;
export const OP_GATE_SILU = 21;
export const OP_GATE_RELU2 = 22;
export const OP_GATE_GELU = 23;
export const OP_SHORT_TABLES = 24;
export const OP_CONVOLVE = 25;
export const OP_DELTA_NET = 26;
export const OP_GATE_SIGMOID = 27;
export const OP_HADAMARD = 28;

// ---- weight layouts (layouts.ts, src/kernels/layouts.ts). Dense ones carry their GGML type id ----
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

// ---- how the engine adds products of bytes (self-test.ts) ----
export const DOT_OTHER = 0;
export const DOT_FUSED = 1;
export const DOT_PAIRS = 2;

// ---- run state: changes from one walk of the program to the next ----
export const STATE_ROWS = 0;
/** Address of the rows' places (places.ts). */
export const STATE_PLACES = 4;
export const STATE_HEAD_ROW_BEGIN = 8;
export const STATE_HEAD_ROWS = 12;
export const STATE_SCRATCH = 16;
export const STATE_SCRATCH_STRIDE_BYTES = 20;
export const STATE_BYTES = 64;

// ---- control block of the threads: one cache line for each word that threads wait on ----
export const CONTROL_JOB = 0;
export const CONTROL_PROGRAM = 4;
export const CONTROL_STEPS = 8;
export const CONTROL_STATE = 12;
export const CONTROL_THREADS = 16;
/** Sleeps left at barriers before threads spin for long again (barrier.ts). */
export const CONTROL_HASTE = 20;
/** Sleeps at barriers so far. */
export const CONTROL_SLEPT = 24;
/** Not 0: a thread has ended, so others must not wait for it. */
export const CONTROL_LOST = 28;
export const CONTROL_JOB_SLEEPERS = 64;
export const CONTROL_ARRIVED = 128;
export const CONTROL_SLEEPERS = 192;
export const CONTROL_BYTES = 256;

/** Rows of a tile: outputs are padded to a multiple of it, and threads share them in whole tiles. */
export const TILE_ROWS = 32;

/** Activations that share a scale when quantised in blocks: for table and dense layouts. */
export const TERNARY_BLOCK = 64;
export const BINARY_BLOCK = 128;
export const DENSE_BLOCK = 32;
export const Q6_K_BLOCK = 256;

/** Bytes of a packed block of Q6_K weights, and of the 64 activations that go with it (weights/q6-k.ts). */
export const Q6_K_BLOCK_BYTES = 212;
export const Q6_K_ACTIVATION_BYTES = 144;

/** Bytes of the tables of one group of weights (weights/tables.ts), and weights per group. */
export const TABLE_BYTES = 32;
export const TERNARY_GROUP = 2;
export const BINARY_GROUP = 4;

/** Bytes of the short tables of 640 groups of two ternary weights (weights/short-tables.ts). */
export const SHORT_BLOCK_WEIGHTS = 1280;
export const SHORT_BLOCK_BYTES = 21824;

/** Scratch per thread in the matmuls of table layouts; short tables add a word per row of activations. */
export const TERNARY_TABLE_SCRATCH_BYTES = 576;
export const BINARY_TABLE_SCRATCH_BYTES = 1024;
export const BLOCK_TABLE_SCRATCH_BYTES = 22528;
/** The same for Q8_0: totals of eight rows of weights times four of activations (weights/q8-0-rows.ts). */
export const Q8_0_SCRATCH_BYTES = 512;
/**
 * The same for dot products: four rows of a panel of this many weights (weights/ternary-dot-panel.ts), half of a
 * level-1 cache.
 */
export const PANEL_WEIGHTS = 4096;
export const PANEL_SCRATCH_BYTES = 4 * PANEL_WEIGHTS;

/** Positions of a page of the KV cache, and bytes of a row's place (places.ts). */
export const KV_PAGE_POSITIONS = 64;
export const PLACE_BYTES = 8;
/** What stands before the pages of a context. */
export const CONTEXT_HEAD_BYTES = 12;
/** An 8-bit cache (ops/attention-q8.ts): bytes of a scale, and of a sum, which only keys have. */
export const KV_Q8_SCALE_BYTES = 4;
export const KV_Q8_SUM_BYTES = 4;
/** Scratch behind the scores of a query. */
export const KV_Q8_ROW_TAIL_BYTES = 16;

/** Static data of the module (masks, shuffles) lives in the first page; the host places everything after it. */
export const MODULE_RESERVED_BYTES = 65536;

// ---- training: steps of the training build only (train/program.ts), which define their own sizes ----
export const OP_TRAIN_FIRST = 64;
export const OP_EMBED_ROWS = 64;
export const OP_EMBED_ROWS_BACK = 65;
export const OP_NORM_ROWS = 66;
export const OP_NORM_ROWS_BACK = 67;
export const OP_NORM_COLUMNS_BACK = 68;
export const OP_QUANTIZE_ROWS = 69;
export const OP_CLIP_BACK = 70;
export const OP_WEIGHT_SUMS = 71;
export const OP_WEIGHT_CODES = 72;
export const OP_MATMUL_F32 = 73;
export const OP_ROTATE = 74;
export const OP_ATTEND_SEQUENCES = 75;
export const OP_ATTEND_SEQUENCES_BACK = 76;
export const OP_ACTIVATE = 77;
export const OP_ACTIVATE_BACK = 78;
export const OP_GATE = 79;
export const OP_GATE_BACK = 80;
export const OP_ADD_ARRAYS = 81;
export const OP_PASS = 82;
export const OP_SUM_ROWS = 83;
export const OP_DROPOUT = 84;
export const OP_CROSS_ENTROPY = 85;
export const OP_CROSS_ENTROPY_BACK = 86;
export const OP_SUM_LOSSES = 87;
export const OP_ZERO = 88;
export const OP_SUM_SQUARES = 89;
export const OP_ADAM_W = 90;
export const OP_MATMUL_CODES = 91;
export const OP_WIDEN_CODES = 92;
export const OP_SIGN_CODES = 96;
export const OP_SIGN_BITS = 97;
export const OP_XNOR = 98;

export const FORM_FORWARD = 0;
export const FORM_INPUT = 1;
export const FORM_WEIGHT = 2;
export const KIND_SILU = 0;
export const KIND_RELU2 = 1;
export const KIND_GELU = 2;
/** Elements per partial sum over weights or gradients. */
export const SUM_CHUNK = 4096;
/** Blocks of an f32 product (train/matmul-f32.ts), and their scratch per thread. */
export const MATMUL_K_BLOCK = 384;
export const MATMUL_N_BLOCK = 256;
export const MATMUL_M_BLOCK = 16;
export const MATMUL_SCRATCH_BYTES = 417920;
/** Query rows per step of the backward pass of attention. */
export const ATTENTION_TILE = 32;
/** f32 fields of the optimiser's settings, in bytes. */
export const SETTING_LEARNING_RATE = 0;
export const SETTING_WEIGHT_DECAY = 4;
export const SETTING_BETA1 = 8;
export const SETTING_BETA2 = 12;
export const SETTING_EPSILON = 16;
export const SETTING_CORRECTION1 = 20;
export const SETTING_CORRECTION2 = 24;
export const SETTING_GRADIENT_FACTOR = 28;
export const SETTING_BYTES = 32;
/** u32 of the dropout state: the seed of this pass, and 1 while training. */
export const DROPOUT_SEED = 0;
export const DROPOUT_ACTIVE = 4;
export const DROPOUT_BYTES = 8;
