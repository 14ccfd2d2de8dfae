/**
 * Speed of every ternary and binary kernel, one thread: in the level-2 cache, streaming from memory, with few and many
 * rows.
 *
 *   node benchmarks/kernels.mjs [--variant simd|relaxed] [--only REGEXP] [--megabytes 400] [--reps 5]
 *
 * GMAC/s counts weights × activation rows; GB/s counts weight and scale bytes. Medians of processor time, so that other
 * programs on the machine disturb less (they still share the memory). Weights and activations are random bytes, except
 * where time depends on the activations: ternary-table is measured with normal ones, as before a projection, and with
 * those behind a gated squared ReLU. Nothing is checked here (assembly/__tests__ does that).
 */
import { parseArgs } from "node:util";
import { StepRecord } from "./step-record.mjs";

const { values: options } = parseArgs({
  options: {
    variant: { type: "string", default: "simd" },
    only: { type: "string", default: "." },
    megabytes: { type: "string", default: "400" },
    reps: { type: "string", default: "5" },
  },
});
const REPS = Number(options.reps);
const STREAM_BYTES = Number(options.megabytes) * 2 ** 20;

/** In the cache; the two widest matrices of BitNet b1.58 2B4T; contexts that decode together; a prompt. */
const CACHED = { rows: 1024, kp: 2560 };
const STREAMED = [
  { rows: 6912, kp: 2560 },
  { rows: 2560, kp: 6912 },
];
const FEW_ROWS = [2, 4, 8];
const MANY_ROWS = 48;

const STEP = 65536 - 1024;
const SCRATCH = 65536;
const SCALES = SCRATCH + 65536;
const ACTIVATIONS = SCALES + 2 ** 20;
const OUT = ACTIVATIONS + 16 * 2 ** 20;
const WEIGHTS = OUT + 4 * 2 ** 20;

const FILES = [
  "../abi",
  "ternary-table",
  "ternary-dot",
  "binary-table",
  "table-block-matmul",
  "xnor",
  "bit-planes",
  "tables",
  "short-tables",
  "decode",
  "pack-ternary",
  "pack-binary",
  "pack-t2",
];

async function main() {
  const memory = new WebAssembly.Memory({ initial: Math.ceil((WEIGHTS + STREAM_BYTES + 2 ** 26) / 65536) });
  fillRandom(new Uint32Array(memory.buffer, SCRATCH));
  const { instance } = await WebAssembly.instantiate(await compile(), { env: { memory } });
  const wanted = new RegExp(options.only);
  for (const kernel of kernels({ ...instance.exports, memory })) {
    if (wanted.test(kernel.name)) report(kernel);
  }
  for (const pass of loading({ ...instance.exports, memory })) {
    if (wanted.test(pass.name)) reportPass(pass);
  }
}

/**
 * Every matmul: name, weight bits with scales, what to prepare for a shape, and the call.
 *
 *   actBytes     a row of activations
 *   actBlock     activations that share a scale; 0: the row
 *   scaleBlock   weights that share a scale, which lies behind the weights; 0: the row
 */
function kernels(x) {
  const ternaryTables = (kp) => kp * 16,
    binaryTables = (kp) => kp * 8,
    bytes = (kp) => kp,
    short = (kp) => shortBytes(x, kp),
    ternaryBlock = { kernel: x.tableBlockMatmul, layout: x.LAYOUT_TERNARY_TABLE_BLOCK.value, actBytes: ternaryTables };
  return [
    { name: "ternary-table normal", bits: 2, kernel: x.ternaryTableMatmul, actBytes: short, draw: normal },
    {
      name: "ternary-table relu2",
      bits: 2,
      kernel: x.ternaryTableMatmul,
      actBytes: short,
      draw: () => Math.max(0, normal()) ** 2 * normal(),
    },
    { name: "ternary-table-block64", bits: 2.25, ...ternaryBlock, actBlock: 64, scaleBlock: 64 },
    { name: "ternary-table-block256", bits: 2.0625, ...ternaryBlock, actBlock: 64, scaleBlock: 256 },
    { name: "ternary-dot", bits: 2, kernel: x.ternaryDotMatmul, actBytes: bytes },
    {
      name: "ternary-dot-block256",
      bits: 2.0625,
      kernel: x.ternaryDotBlockMatmul,
      actBytes: bytes,
      actBlock: 64,
      scaleBlock: 256,
    },
    { name: "binary-table", bits: 1, kernel: x.binaryTableMatmul, actBytes: binaryTables },
    {
      name: "binary-table-block",
      bits: 1.125,
      kernel: x.tableBlockMatmul,
      layout: x.LAYOUT_BINARY_TABLE_BLOCK.value,
      actBytes: binaryTables,
      actBlock: 128,
      scaleBlock: 128,
    },
    { name: "bit-planes", bits: 1, kernel: x.bitPlaneMatmul, actBytes: bytes },
  ]
    .map((kernel) => matmul(x, kernel))
    .concat(xnor(x));
}

function matmul(x, { name, bits, kernel, layout = 0, actBytes, actBlock = 0, scaleBlock = 0, draw }) {
  const step = new StepRecord(x.memory, STEP, "MatmulStep");
  return {
    name,
    bits,
    prepare: ({ rows, kp }, n) => {
      step.set({ layout, scaleBlock, act: ACTIVATIONS, actRowBytes: actBytes(kp), actScale: SCALES, actSum: SCALES });
      step.set({ scaleRowBytes: actBlock === 0 ? 4 : (4 * kp) / actBlock, y: OUT, yStride: rows, rows, k: kp });
      if (draw) buildShort(x, { rows, kp }, n, draw);
    },
    call: ({ rows, kp }, n, weights) => {
      const scale = scaleBlock === 0 ? SCALES : weights + (rows * kp * Math.floor(bits)) / 8;
      kernel(step.set({ weights, scale }), 0, 0, n, 0, rows, SCRATCH);
    },
  };
}

function xnor(x) {
  const step = new StepRecord(x.memory, STEP, "XnorStep");
  return {
    name: "xnor",
    bits: 1,
    prepare: ({ rows, kp }, n) => step.set({ bits: ACTIVATIONS, y: OUT, k: kp, n, rows, kp }),
    call: ({ rows }, _n, weights) => x.xnorMatmul(step.set({ weights }), 0, rows),
  };
}

/** Tables of n rows of activations drawn from `draw`, quantised to 8 bits by their largest, at ACTIVATIONS. */
function buildShort(x, m, n, draw) {
  for (let i = 0; i < n; i++) {
    const values = Array.from({ length: m.kp }, draw);
    const largest = Math.max(...values.map(Math.abs));
    new Int16Array(x.memory.buffer, OUT, m.kp).set(values.map((v) => Math.round((v * 127) / largest)));
    x.buildShortTables(OUT, ACTIVATIONS + i * shortBytes(x, m.kp), m.kp / 2, 0, shortBlocks(x, m.kp));
  }
}

const shortBlocks = (x, kp) => Math.ceil(kp / 2 / x.TABLE_GROUPS.value);
const shortBytes = (x, kp) => shortBlocks(x, kp) * x.SHORT_BLOCK_BYTES.value;

/** Normal numbers (Box and Muller 1958). */
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

/** What happens once a token (tables) and once a load (decode, pack): million weights, or activations, a second. */
function loading(x) {
  const k = 2560,
    big = 256 * 1024,
    codes = OUT,
    from = WEIGHTS,
    to = WEIGHTS + 2 ** 20;
  const unpacked = (type) => () => x.decodeTernaryRow(type, from, big, codes, SCALES);
  return [
    { name: "tables ternary", count: k, run: () => x.buildTernaryTables(from, ACTIVATIONS, 0, k / 2) },
    {
      name: "tables short",
      count: k,
      prepare: () => buildShort(x, { kp: k }, 1, normal),
      run: () => x.buildShortTables(OUT, ACTIVATIONS, k / 2, 0, shortBlocks(x, k)),
    },
    { name: "tables binary", count: k, run: () => x.buildBinaryTables(from, ACTIVATIONS, 0, k / 4) },
    { name: "decode TQ1_0", count: big, run: unpacked(34) },
    { name: "decode TQ2_0", count: big, run: unpacked(35) },
    { name: "decode I2_S", count: big, run: unpacked(36) },
    { name: "decode Q2_0", count: big, run: unpacked(42) },
    { name: "decode PTQ1_0", count: big, run: unpacked(143) },
    { name: "decode Q1_0", count: big, run: () => x.decodeBinaryRow(41, from, big, codes, SCALES) },
    { name: "pack ternary", count: 32 * k, run: () => x.packTernaryTile(codes, k, to, 0, 1, k) },
    { name: "pack binary", count: 32 * k, run: () => x.packBinaryTile(codes, k, to, 0, 1, k) },
    { name: "pack T2", count: 32 * k, run: () => x.packT2Rows(codes, k, to, 0, 32, k) },
  ];
}

function report({ name, bits, call, prepare }) {
  prepare(CACHED, 1);
  const cells = [
    rate(
      CACHED,
      1,
      bits,
      median(() => call(CACHED, 1, WEIGHTS), 50),
      "cached",
    ),
  ];
  for (const shape of STREAMED) {
    prepare(shape, 1);
    const bytes = matrixBytes(shape, bits);
    const count = Math.floor(STREAM_BYTES / bytes);
    const all = () => {
      for (let i = 0; i < count; i++) call(shape, 1, WEIGHTS + i * bytes);
    };
    cells.push(rate(shape, 1, bits, median(all, 1) / count, `stream ${shape.rows}x${shape.kp}`));
  }
  for (const n of FEW_ROWS) {
    prepare(STREAMED[0], n);
    const bytes = matrixBytes(STREAMED[0], bits);
    const count = Math.floor(STREAM_BYTES / bytes / n);
    const all = () => {
      for (let i = 0; i < count; i++) call(STREAMED[0], n, WEIGHTS + i * bytes);
    };
    cells.push(rate(STREAMED[0], n, bits, median(all, 1) / count, `stream, ${n} rows`));
  }
  prepare(CACHED, MANY_ROWS);
  cells.push(
    rate(
      CACHED,
      MANY_ROWS,
      bits,
      median(() => call(CACHED, MANY_ROWS, WEIGHTS), 50),
      `${MANY_ROWS} rows`,
    ),
  );
  process.stdout.write(`${name.padEnd(24)}${cells.join(" | ")}\n`);
}

const matrixBytes = ({ rows, kp }, bits) => Math.ceil((rows * kp * bits) / 8 / 64) * 64;

function rate({ rows, kp }, n, bits, seconds, label) {
  const gmacs = ((rows * kp * n) / seconds / 1e9).toFixed(1);
  const gbytes = n === 1 ? ` ${((rows * kp * bits) / 8 / seconds / 1e9).toFixed(1)} GB/s` : "";
  return `${label} ${gmacs} GMAC/s${gbytes}`;
}

function reportPass({ name, count, run, prepare = () => undefined }) {
  prepare();
  const seconds = median(run, 20);
  process.stdout.write(
    `${name.padEnd(24)}${(count / seconds / 1e9).toFixed(2)} G/s, ${(seconds * 1e6).toFixed(1)} µs for ${count}\n`,
  );
}

/** Median processor seconds of a call, over REPS rounds of about `milliseconds`. */
function median(run, milliseconds) {
  for (let i = 0; i < 3; i++) run();
  const calls = Math.max(1, Math.round(milliseconds / 1000 / Math.max(processorSeconds(run), 1e-6)));
  const rounds = [];
  for (let round = 0; round < REPS; round++) {
    const seconds = processorSeconds(() => {
      for (let i = 0; i < calls; i++) run();
    });
    rounds.push(seconds / calls);
  }
  return rounds.sort((a, b) => a - b)[REPS >> 1];
}

function processorSeconds(run) {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function compile() {
  const asc = await import("assemblyscript/asc");
  const entries = FILES.map((file) => `assembly/weights/${file}.ts`);
  const flags = [
    "--config",
    "none",
    "--importMemory",
    "--runtime",
    "stub",
    "-O3",
    "--converge",
    "--noAssert",
    "--use",
    "abort=",
    "--enable",
    "simd",
  ];
  if (options.variant === "relaxed") flags.push("--enable", "relaxed-simd");
  let binary;
  const writeFile = (name, data) => void (name === "bench.wasm" && (binary = data));
  const { error, stderr } = await asc.main([...entries, ...flags, "--outFile", "bench.wasm"], { writeFile });
  if (error) throw new Error(stderr.toString());
  return binary;
}

function fillRandom(words) {
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    // Also plausible f16 and f32 scales: arithmetic on subnormal numbers is many times slower.
    words[i] = (state & 0x83ff83ff) | 0x28002800;
  }
}

await main();
