/**
 * Speed of the dense kernels, of attention and of the operations between matmuls, one thread.
 *
 *   node benchmarks/dense.mjs [--only REGEXP] [--megabytes 256] [--reps 9]
 *
 * GB/s counts weight or cache bytes, GMAC/s multiplications of weights or cached values. Medians of processor time, so
 * that other programs on the machine disturb less (they still share the memory). Nothing is checked here:
 * assembly/__tests__ does that.
 */
import { parseArgs } from "node:util";
import { StepRecord } from "./step-record.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "." },
    megabytes: { type: "string", default: "256" },
    reps: { type: "string", default: "9" },
  },
});
const REPS = Number(options.reps);
const STREAM_BYTES = Number(options.megabytes) * 2 ** 20;

/** The width of BitNet b1.58 2B4T, whose head is 128256 rows of it; 4 MB of rows a call. */
const K = 2560;
const CALL_BYTES = 4e6;
const CACHED_BYTES = 4e5;

const MB = 2 ** 20;
const STEP = MB - 1024,
  X = MB,
  Q = 2 * MB,
  SCALE = 3 * MB,
  SUM = 4 * MB,
  OUT = 5 * MB,
  SCRATCH = 7 * MB,
  WEIGHTS = 16 * MB;

const FILES = [
  "weights/dense-f32",
  "weights/dense-f16",
  "weights/q8-0",
  "weights/q4-0",
  "weights/q4-k",
  "weights/q6-k",
  "weights/dense-row",
  "ops/attention",
  "ops/attention-q8",
  "ops/quantize",
  "ops/norm",
  "ops/rope",
  "ops/activation",
  "ops/logits",
];
/** name, weights and bytes of a block, bytes of an activation; Q6_K as it lies in memory. */
const FORMATS = [
  ["q6K", 256, 212, 144 / 64],
  ["q4K", 256, 144, 2],
  ["q8_0", 32, 34, 2],
  ["q4_0", 32, 18, 2],
  ["f16", 1, 2, 4],
  ["bf16", 1, 2, 4],
  ["f32", 1, 4, 4],
];
/** heads, key/value heads, head size: BitNet b1.58 2B4T, Bonsai 1.7B, Falcon3 1B. */
const HEADS = [
  [20, 5, 128],
  [16, 8, 128],
  [8, 4, 256],
];
const CONTEXT = 4096;

async function main() {
  const memory = new WebAssembly.Memory({ initial: Math.ceil((WEIGHTS + STREAM_BYTES + 2 * CALL_BYTES) / 65536) });
  fillPlausible(memory.buffer);
  const { instance } = await WebAssembly.instantiate(await compile(), { env: { memory } });
  const wanted = new RegExp(options.only),
    kernels = instance.exports;
  const dense = { x: X, xStride: K, q16: Q, scale: SCALE, sum: SUM, k: K, kp: K, block: 32, qMax: 2047 };
  kernels.quantizeBlocks(new StepRecord(memory, STEP, "QuantizeBlocksStep").set(dense), 0, 0, 8);
  for (const format of FORMATS) if (wanted.test(format[0])) reportFormat(kernels, memory, format);
  for (const heads of HEADS) if (wanted.test("attention")) reportAttention(kernels, memory, heads);
  for (const [name, run] of operations(kernels, memory)) {
    if (wanted.test(name)) print(name, [`${(median(run, 5) * 1e6).toFixed(2)} µs`]);
  }
}

function reportFormat(kernels, memory, [name, blockWeights, blockBytes, actBytes]) {
  const rowBytes = (K / blockWeights) * blockBytes,
    matmul = kernels[`${name}Matmul`],
    step = new StepRecord(memory, STEP, "MatmulStep");
  step.set({ act: actBytes === 4 ? X : Q, actRowBytes: K * actBytes, actScale: SCALE, actSum: SUM, y: OUT, k: K });
  step.set({ scaleRowBytes: K / 8 });
  const measure = (bytes, n) => {
    const rows = Math.floor(bytes / rowBytes),
      places = bytes === CALL_BYTES ? Math.floor(STREAM_BYTES / CALL_BYTES) : 1;
    step.set({ rows, yStride: rows });
    let turn = 0;
    const run = () =>
      matmul(step.set({ weights: WEIGHTS + (turn++ % places) * CALL_BYTES }), 0, 0, n, 0, rows, SCRATCH);
    const seconds = median(run, 20);
    const perSecond = (amount) => (amount / seconds / 1e9).toFixed(1);
    return `${perSecond(rows * rowBytes)} GB/s ${perSecond(rows * K * n)} GMAC/s`;
  };
  print(name, [
    `cached ${measure(CACHED_BYTES, 1)}`,
    `stream ${measure(CALL_BYTES, 1)}`,
    ...[2, 4, 8].map((n) => `stream, ${n} rows ${measure(CALL_BYTES, n)}`),
  ]);
}

function reportAttention(kernels, memory, [nHeads, nKvHeads, headDim]) {
  const bytes = nKvHeads * CONTEXT * headDim * 4,
    width = nHeads * headDim,
    items = nKvHeads * Math.ceil(nHeads / nKvHeads / 2),
    step = new StepRecord(memory, STEP, "AttendStep");
  step.set({ q: X, qStride: width, kCache: WEIGHTS, vCache: WEIGHTS + bytes, out: OUT, outStride: width });
  step.set({ nHeads, nKvHeads, headDim, contextLength: CONTEXT, scale: headDim ** -0.5 });
  for (const length of [256, CONTEXT]) {
    const cells = [
      ["f32", () => kernels.attend(STEP, length - 1, 1, 0, items, SCRATCH)],
      ["8-bit", () => kernels.attendQ8(STEP, length - 1, 1, 0, items, SCRATCH)],
    ].map(([cache, run]) => {
      const seconds = median(run, 20);
      return `${cache} ${(seconds * 1e6).toFixed(0)} µs ${((2 * width * length) / seconds / 1e9).toFixed(1)} GMAC/s`;
    });
    print(`attention ${nHeads}/${nKvHeads}x${headDim}, ${length}`, cells);
  }
}

/** What else a token costs, in the sizes of BitNet b1.58 2B4T. */
function operations(x, memory) {
  const quantized = { x: X, xStride: K, q16: OUT, scale: SCALE + MB / 2, sum: SUM + MB / 2, k: K, kp: K };
  let at = STEP;
  const step = (className, values) => new StepRecord(memory, (at -= 128), className).set(values);
  const norm = step("NormStep", { x: X, xStride: K, weight: WEIGHTS, y: OUT, yStride: K, dim: K, eps: 1e-5 }),
    token = step("QuantizeTokenStep", quantized),
    blocks = step("QuantizeBlocksStep", { ...quantized, block: 128, qMax: 255, magnitudes: 1 }),
    dense = step("QuantizeBlocksStep", { ...quantized, block: 32, qMax: 2047 }),
    angles = { cos: WEIGHTS, sin: WEIGHTS + 256 },
    rope = step("RopeStep", { x: X, xStride: K, ...angles, nHeads: 20, headDim: 128, nRot: 128 });
  return [
    ["RMS norm 2560", () => x.rmsNorm(norm, 0, 0, 1)],
    ["token int8 2560", () => x.quantizeToken(token, 0, 0, 1)],
    ["blocks of 128, 2560", () => x.quantizeBlocks(blocks, 0, 0, 1)],
    ["dense blocks 2560", () => x.quantizeBlocks(dense, 0, 0, 1)],
    ["rope table 64", () => x.ropeTable(WEIGHTS, 64, 1000, 1, OUT, SCRATCH)],
    ["rope 20x128 halves", () => x.rotate(rope, 1, 0, 20)],
    ["gate relu2 6912", () => x.gateRelu2(WEIGHTS, WEIGHTS, OUT, 0, 6912)],
    ["gate silu 6912", () => x.gateSilu(WEIGHTS, WEIGHTS, OUT, 0, 6912)],
    ["softmax 4096", () => x.softmax(WEIGHTS, 4096, OUT)],
    ["argmax 128256", () => x.argmax(WEIGHTS, 128256)],
    ["top 40 of 128256", () => x.topK(WEIGHTS, 128256, 40, OUT, SCRATCH)],
    ["f16 row 2560", () => x.denseRow(1, WEIGHTS, K, OUT)],
    ["q8_0 of a row 2560", () => x.quantizeRowQ8_0(WEIGHTS, K, OUT)],
  ];
}

function print(name, cells) {
  process.stdout.write(`${name.padEnd(28)}${cells.join(" | ")}\n`);
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
  const entries = FILES.map((file) => `assembly/${file}.ts`);
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
  let binary;
  const writeFile = (name, data) => void (name === "bench.wasm" && (binary = data));
  const { error, stderr } = await asc.main([...entries, ...flags, "--outFile", "bench.wasm"], { writeFile });
  if (error) throw new Error(stderr.toString());
  return binary;
}

/** Bytes that are ordinary numbers both as f16 and as f32: arithmetic on subnormal ones is many times slower. */
function fillPlausible(buffer) {
  new Float32Array(buffer, X, MB / 4).forEach((_, i, x) => (x[i] = Math.sin(i)));
  const words = new Uint32Array(buffer, SCRATCH);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = (state & 0x83ff83ff) | 0x28002800;
  }
}

await main();
