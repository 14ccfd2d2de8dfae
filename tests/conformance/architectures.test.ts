/**
 * Every architecture of the table, and every type an embedding or head may have, against the exact pass, on models so
 * small that the whole table takes seconds. `variations.test.ts` has what files add to these, `accuracy.test.ts` the
 * comparison with llama.cpp at width 512.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TensorTypeName } from "../../src/files/tensor-types.ts";
import { type GgufChoices, ggufBytes, value } from "../model/gguf-bytes.ts";
import { hfFolder } from "../model/hf-folder.ts";
import { IDS, VARIANTS, logitsOf, relativeError } from "../model/logits.ts";
import type { TinyShape } from "../model/tiny-model.ts";
import { onebitLogits } from "./compare.ts";
import { exactLogits } from "./exact/forward.ts";

const SHAPE: TinyShape = { nEmbd: 256, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512, nVocab: 72 };
const BITNET: TinyShape = { ...SHAPE, tied: true, subNorms: true, branches: 1 / 32 };
/** Positions allocated; the same in both. */
const CONTEXT_LENGTH = 64;

/** f32 against f64. */
const FLOAT_ERROR_MAX = 1e-5;
/**
 * BitNet's 8-bit activations are part of the model: f32 and f64 may only differ where they round one of them apart,
 * which none of these files happens to have.
 */
const TOKEN_ERROR_MAX = 1e-5;
/** Activations of 12 bits (dense) or 9 (ternary and binary), a scale for 32, or for 64 and 128 of them. */
const DENSE_ERROR_MAX = 1e-3,
  TABLE_ERROR_MAX = 8e-3;

/**
 * Tiny tables hold multiples of 1/64, of which a twelfth would be exactly between two 8-bit activations: what f32 does
 * there says nothing.
 */
const offTheGrid: GgufChoices["tensors"] = (tensors) =>
  tensors.map((tensor) =>
    tensor.kind === "table"
      ? { ...tensor, values: tensor.values.map((each, i) => each + 0.004 * Math.sin(1.7 * i)) }
      : tensor,
  );

interface Row {
  readonly shape: TinyShape;
  readonly choices: GgufChoices;
  /** At every position: the largest difference, over the largest logit. */
  readonly errorMax: number;
}

const minicpm = {
  embedding_scale: value("float32", 12),
  residual_scale: value("float32", 0.2858),
  logit_scale: value("float32", 4),
};
const yarn = {
  "rope.scaling.type": value("string", "yarn"),
  "rope.scaling.factor": value("float32", 4),
  "rope.scaling.original_context_length": value("uint32", 16),
};

/** Sees eight positions where a layer slides. */
const WINDOW = { "attention.sliding_window": value("uint32", 8) };
const GEMMA3: TinyShape = { ...SHAPE, nLayers: 7, headDim: 32, qkNorm: true, postNorms: true, tied: true };

const ARCHITECTURES: Readonly<Record<string, Row>> = {
  bitnet: { shape: BITNET, choices: { architecture: "bitnet", body: "TQ2_0" }, errorMax: TOKEN_ERROR_MAX },
  "bitnet, squared ReLU": {
    shape: BITNET,
    choices: { architecture: "bitnet", body: "TQ1_0", keys: { hidden_activation: value("string", "relu2") } },
    errorMax: TOKEN_ERROR_MAX,
  },
  "bitnet-b1.58": { shape: BITNET, choices: { architecture: "bitnet-b1.58", body: "I2_S" }, errorMax: TOKEN_ERROR_MAX },
  "bitnet-b1.58, SiLU": {
    shape: BITNET,
    choices: { architecture: "bitnet-b1.58", body: "I2_S", keys: { hidden_activation: value("string", "silu") } },
    errorMax: TOKEN_ERROR_MAX,
  },
  "bitnet-25": { shape: BITNET, choices: { architecture: "bitnet-25", body: "TQ2_0" }, errorMax: TOKEN_ERROR_MAX },
  "bitnet, a scale a block": {
    shape: { ...BITNET, scales: "blocks" },
    choices: { architecture: "bitnet", body: "TQ2_0" },
    errorMax: TOKEN_ERROR_MAX,
  },
  "bitnet, its own head ignored": {
    shape: { ...BITNET, tied: false },
    choices: { architecture: "bitnet", body: "TQ2_0" },
    errorMax: TOKEN_ERROR_MAX,
  },
  llama: { shape: SHAPE, choices: { architecture: "llama", body: "F16" }, errorMax: FLOAT_ERROR_MAX },
  "llama of BitNet training (I2_S)": {
    shape: { ...SHAPE, branches: 1 / 32 },
    choices: { architecture: "llama", body: "I2_S" },
    errorMax: TOKEN_ERROR_MAX,
  },
  "llama, tied": {
    shape: { ...SHAPE, tied: true },
    choices: { architecture: "llama", body: "BF16" },
    errorMax: FLOAT_ERROR_MAX,
  },
  minicpm: {
    shape: { ...SHAPE, tied: true },
    choices: { architecture: "minicpm", body: "F16", keys: minicpm },
    errorMax: FLOAT_ERROR_MAX,
  },
  qwen2: {
    shape: { ...SHAPE, biases: true },
    choices: { architecture: "qwen2", body: "F16" },
    errorMax: FLOAT_ERROR_MAX,
  },
  qwen3: {
    shape: { ...SHAPE, qkNorm: true, headDim: 32, tied: true },
    choices: { architecture: "qwen3", body: "F16" },
    errorMax: FLOAT_ERROR_MAX,
  },
  "qwen3, norms of inputs, I2_S (BitNet embedding)": {
    shape: { ...SHAPE, qkNorm: true, normIn: true, branches: 1 / 32 },
    choices: { architecture: "qwen3", body: "I2_S", vectors: "F16" },
    errorMax: TOKEN_ERROR_MAX,
  },
  "qwen3, YaRN with a magnitude of its own": {
    shape: { ...SHAPE, qkNorm: true },
    choices: { architecture: "qwen3", keys: { ...yarn, "rope.scaling.attn_factor": value("float32", 0.75) } },
    errorMax: FLOAT_ERROR_MAX,
  },
  "gemma3, every sixth layer sees all": {
    shape: GEMMA3,
    choices: { architecture: "gemma3", body: "F16", keys: { ...WINDOW, "rope.freq_base": value("float32", 1e6) } },
    errorMax: FLOAT_ERROR_MAX,
  },
  "gemma3, a list of windows, another base there, scaling elsewhere": {
    shape: { ...GEMMA3, nLayers: 3, tied: false },
    choices: {
      architecture: "gemma3",
      keys: {
        ...WINDOW,
        "attention.sliding_window_pattern": value("bool[]", [false, true, true]),
        "rope.freq_base_swa": value("float32", 500),
        "rope.scaling.type": value("string", "linear"),
        "rope.scaling.factor": value("float32", 8),
      },
    },
    errorMax: FLOAT_ERROR_MAX,
  },
  "gemma3 without a window": {
    shape: { ...GEMMA3, nLayers: 2 },
    choices: { architecture: "gemma3", keys: { "rope.freq_base": value("float32", 1e6) } },
    errorMax: FLOAT_ERROR_MAX,
  },
  "gemma3 of the 27B's layers: another scale of attention": {
    shape: { ...GEMMA3, nEmbd: 64, nHeads: 4, nKvHeads: 1, headDim: 32, nFf: 32, nLayers: 62 },
    choices: { architecture: "gemma3", keys: WINDOW },
    errorMax: FLOAT_ERROR_MAX,
  },
  "hunyuan-dense": {
    shape: { ...SHAPE, qkNorm: true, tied: true },
    choices: { architecture: "hunyuan-dense", body: "F16" },
    errorMax: FLOAT_ERROR_MAX,
  },
  "hunyuan-dense, its base raised": {
    shape: { ...SHAPE, qkNorm: true, tied: true },
    choices: { architecture: "hunyuan-dense", keys: { "rope.scaling.alpha": value("float32", 1000) } },
    errorMax: FLOAT_ERROR_MAX,
  },
  "hunyuan-dense, STQ1_0": {
    shape: { ...SHAPE, qkNorm: true, tied: true, threeOfFour: true, scales: "blocks", branches: 1 / 8 },
    choices: { architecture: "hunyuan-dense", body: "STQ1_0" },
    errorMax: TABLE_ERROR_MAX,
  },
  "odd sizes": {
    shape: { ...SHAPE, nEmbd: 84, nHeads: 3, nKvHeads: 1, headDim: 28, nFf: 148, nVocab: 71 },
    choices: { architecture: "qwen2" },
    errorMax: FLOAT_ERROR_MAX,
  },
  "a key head for all": {
    shape: { ...SHAPE, nHeads: 8, nKvHeads: 1, headDim: 4, nVocab: 65 },
    choices: { architecture: "llama" },
    errorMax: FLOAT_ERROR_MAX,
  },
};

const TABLE_TYPES: Readonly<Partial<Record<TensorTypeName, number>>> = {
  F32: FLOAT_ERROR_MAX,
  F16: FLOAT_ERROR_MAX,
  BF16: FLOAT_ERROR_MAX,
  Q8_0: DENSE_ERROR_MAX,
  Q4_0: DENSE_ERROR_MAX,
  Q4_K: DENSE_ERROR_MAX,
  Q6_K: DENSE_ERROR_MAX,
  TQ1_0: TABLE_ERROR_MAX,
  TQ2_0: TABLE_ERROR_MAX,
  Q2_0: TABLE_ERROR_MAX,
  PQ2_0: TABLE_ERROR_MAX,
  PTQ1_0: TABLE_ERROR_MAX,
  Q1_0: TABLE_ERROR_MAX,
};

let folder = "";
before(() => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(join("build", "architectures-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("every architecture against the exact pass", () => {
  for (const [name, row] of Object.entries(ARCHITECTURES)) compare(name, row);
});

describe("every type of embedding and head", () => {
  for (const [type, errorMax] of Object.entries(TABLE_TYPES) as [TensorTypeName, number][]) {
    for (const tied of [true, false]) {
      compare(`${type}, ${tied ? "tied" : "untied"}`, {
        shape: { ...SHAPE, tied },
        choices: { architecture: "llama", body: "F16", tables: type },
        errorMax,
      });
    }
  }
});

describe("every dense type of projection", () => {
  for (const body of ["F32", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q6_K"] as const) {
    compare(body, {
      shape: { ...SHAPE, branches: 1 / 8 },
      choices: { architecture: "llama", body },
      errorMax: body.startsWith("Q") ? DENSE_ERROR_MAX : FLOAT_ERROR_MAX,
    });
  }
});

describe("Hugging Face, sizes that GGUF's ternary types cannot have", () => {
  for (const linears of ["multiply", "divide", "masters"] as const) {
    test(linears, async (t) => {
      const shape = { ...BITNET, nEmbd: 84, nHeads: 3, nKvHeads: 1, headDim: 28, nFf: 148, nVocab: 66 },
        path = join(folder, "floats.gguf");
      // The values of the ternary weights as floats, for the exact pass alone.
      writeFileSync(path, await ggufBytes(shape, { architecture: "bitnet-b1.58", tensors: offTheGrid }));
      const exact = (await exactLogits(path, IDS, { activations: "token" })).flatMap((row) => [...row]);
      const files = await hfFolder(shape, { modelType: "bitnet", linears, tensors: offTheGrid });
      for (const variant of VARIANTS) {
        const error = relativeError(await logitsOf(files, { variant }), exact);
        t.diagnostic(`${variant}: ${error.toExponential(1)}`);
        assert.ok(error <= TOKEN_ERROR_MAX, `${variant}: relative error ${error}`);
      }
    });
  }
});

function compare(name: string, { shape, choices, errorMax }: Row): void {
  test(name, async (t) => {
    const path = join(folder, "model.gguf");
    writeFileSync(path, await ggufBytes(shape, { tensors: offTheGrid, ...choices }));
    const exact = await exactLogits(path, IDS, { contextLength: CONTEXT_LENGTH });
    for (const variant of VARIANTS) {
      const found = await onebitLogits(path, IDS, { threads: 1, contextLength: CONTEXT_LENGTH, variant });
      const error = Math.max(...found.map((row, position) => relativeError(row, exact[position])));
      t.diagnostic(`${variant}: ${error.toExponential(1)}`);
      assert.ok(error <= errorMax, `${variant}: relative error ${error}, wanted at most ${errorMax}`);
    }
  });
}
