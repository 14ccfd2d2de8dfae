/**
 * What the shipped WebAssembly really holds: the features of each variant, nothing imported but memory, the
 * instructions each kernel is built on, and its size.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Disassembly, type WasmFeatures, disassemble, reachableOpcodes } from "./disassembly.ts";

/** A phone on a slow line loads the kernels before anything else: 40 KB is a tenth of a second there. */
const GZIP_BYTES_MAX = 40_000;

const VARIANTS: Readonly<Record<string, WasmFeatures>> = {
  simd: {},
  relaxed: { relaxed_simd: true },
  "simd-threads": { threads: true },
  "relaxed-threads": { relaxed_simd: true, threads: true },
};

const TRAIN_VARIANTS: Readonly<Record<string, WasmFeatures>> = {
  "train-simd": {},
  "train-simd-threads": { threads: true },
};

/** The instruction a kernel stands on. */
interface Kernel {
  readonly file: string;
  readonly kernel: string;
  readonly simd: RegExp;
  readonly relaxed: RegExp;
  /** Functions that the hot loop calls for a whole block at a time. */
  readonly helper?: number;
}

const KERNELS: readonly Kernel[] = [
  {
    file: "ternary-table",
    kernel: "ternaryTableMatmul",
    simd: /^i8x16\.swizzle$/,
    relaxed: /^i8x16\.relaxed_swizzle$/,
  },
  {
    file: "table-block-matmul",
    kernel: "tableBlockMatmul",
    simd: /^i8x16\.swizzle$/,
    relaxed: /^i8x16\.relaxed_swizzle$/,
  },
  { file: "binary-table", kernel: "binaryTableMatmul", simd: /^i8x16\.swizzle$/, relaxed: /^i8x16\.relaxed_swizzle$/ },
  {
    file: "ternary-dot",
    kernel: "ternaryDotMatmul",
    simd: /^i16x8\.extmul_/,
    relaxed: /^i32x4\.relaxed_dot_i8x16_i7x16_add_s$/,
  },
  {
    file: "ternary-dot",
    kernel: "ternaryDotBlockMatmul",
    simd: /^i16x8\.extmul_/,
    relaxed: /^i32x4\.relaxed_dot_i8x16_i7x16_add_s$/,
  },
  { file: "xnor", kernel: "xnorMatmul", simd: /^i(?:8x16|64)\.popcnt$/, relaxed: /^i(?:8x16|64)\.popcnt$/ },
  {
    file: "bit-planes",
    kernel: "bitPlaneMatmul",
    simd: /^i(?:8x16|64)\.popcnt$/,
    relaxed: /^i(?:8x16|64)\.popcnt$/,
    helper: 1,
  },
];

const RELAXED = /relaxed/;
const ATOMIC = /\batomic\b/;

async function readVariant(variant: string): Promise<{ bytes: Uint8Array; code: Disassembly; opcodes: Set<string> }> {
  const bytes = readFileSync(`build/kernels.${variant}.wasm`);
  const code = await disassemble(bytes, { ...VARIANTS, ...TRAIN_VARIANTS }[variant]);
  return { bytes, code, opcodes: new Set([...code.functions.values()].flatMap(({ opcodes }) => [...opcodes])) };
}

const having = (opcodes: ReadonlySet<string>, pattern: RegExp): string[] =>
  [...opcodes].filter((opcode) => pattern.test(opcode));

for (const [variant, features] of Object.entries(VARIANTS)) {
  describe(`kernels.${variant}.wasm`, () => {
    test("imports memory and nothing else", async () => {
      assert.deepEqual((await readVariant(variant)).code.imports, ["env.memory"]);
    });

    test("uses the features it is named for and no other", async () => {
      const { bytes, opcodes } = await readVariant(variant);
      assert.equal(having(opcodes, RELAXED).length > 0, features.relaxed_simd === true, "relaxed instructions");
      assert.equal(having(opcodes, ATOMIC).length > 0, features.threads === true, "atomic instructions");
      assert.deepEqual(
        having(opcodes, /relaxed_(?:n?madd|min|max|trunc)/),
        [],
        "relaxed floats round differently from engine to engine",
      );
      for (const missing of ["relaxed_simd", "threads"] as const) {
        if (features[missing])
          await assert.rejects(disassemble(bytes, { ...features, [missing]: false }), `without ${missing}`);
      }
    });

    test("reaches the table kernels from the program, and XNOR by name", async () => {
      const { code } = await readVariant(variant);
      const lookup = features.relaxed_simd ? "i8x16.relaxed_swizzle" : "i8x16.swizzle";
      assert.ok(reachableOpcodes(code, "run").has(lookup), lookup);
      if (features.relaxed_simd) assert.ok(reachableOpcodes(code, "run").has("i32x4.relaxed_dot_i8x16_i7x16_add_s"));
      assert.notDeepEqual(having(reachableOpcodes(code, "xnorMatmul"), /\.popcnt$/), []);
    });

    test(`fits ${GZIP_BYTES_MAX / 1000} KB compressed`, async (t) => {
      const { bytes } = await readVariant(variant);
      const gzipBytes = gzipSync(bytes, { level: 9 }).length;
      t.diagnostic(`${variant}: ${bytes.length} bytes, ${gzipBytes} compressed`);
      assert.ok(gzipBytes <= GZIP_BYTES_MAX, `${gzipBytes} bytes`);
    });
  });
}

for (const variant of Object.keys(TRAIN_VARIANTS)) {
  test(`kernels.${variant}.wasm reaches XNOR from the program`, async () => {
    const { code } = await readVariant(variant);
    assert.notDeepEqual(having(reachableOpcodes(code, "run"), /^i(?:8x16|64)\.popcnt$/), []);
  });
}

// A kernel compiled alone: in the shipped module the optimiser has merged kernels into their callers.
describe("each kernel alone", () => {
  for (const variant of ["simd", "relaxed"] as const) {
    const compiled = new Map<string, Promise<Disassembly>>();
    for (const kernel of KERNELS) {
      test(`${kernel.kernel} [${variant}]`, async () => {
        const code = await (compiled.get(kernel.file) ??
          compiled.set(kernel.file, compileAlone(kernel.file, variant)).get(kernel.file))!;
        const opcodes = reachableOpcodes(code, kernel.kernel);
        assert.notDeepEqual(having(opcodes, kernel[variant]), [], String(kernel[variant]));
        const hot = new Map([...code.functions].filter(([, body]) => having(body.opcodes, kernel[variant]).length > 0));
        const called = new Set([...code.functions.values()].flatMap(({ innerCalls }) => [...innerCalls]));
        const helpers = [...called].filter((index) => hot.has(index) && !hot.get(index)?.opcodes.has("loop"));
        assert.equal(
          helpers.length,
          kernel.helper ?? 0,
          "helpers that hold the instruction and are called from an innermost loop",
        );
      });
    }
  }
});

async function compileAlone(file: string, variant: "simd" | "relaxed"): Promise<Disassembly> {
  const asc = await import("assemblyscript/asc");
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
  ];
  flags.push("--enable", "simd", "--outFile", "kernel.wasm");
  if (variant === "relaxed") flags.push("--enable", "relaxed-simd");
  let binary: Uint8Array | undefined;
  const writeFile = (name: string, data: Uint8Array | string): void => {
    if (name === "kernel.wasm" && typeof data !== "string") binary = new Uint8Array(data);
  };
  const { error, stderr } = await asc.main([`assembly/weights/${file}.ts`, ...flags], { writeFile });
  if (error || !binary) throw new Error(`asc, ${file}: ${stderr.toString()}`);
  return disassemble(binary, variant === "relaxed" ? VARIANTS.relaxed : VARIANTS.simd);
}
