/** Models of gated delta nets and gated attention in turn (`qwen35`), and rotated weights. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { exactLogits } from "../conformance/exact/forward.ts";
import { type GgufChoices, ggufBytes, value } from "./gguf-bytes.ts";
import { HYBRID, type HybridShape, hadamardKeys, hybridChoices } from "./hybrid-model.ts";
import { IDS, VARIANTS, assertSameBits, logitsOf, relativeError } from "./logits.ts";
import type { TinyTensor } from "./tiny-model.ts";

/** f32 against f64. */
const FLOAT_ERROR_MAX = 1e-4;

const TIED: HybridShape = { ...HYBRID, tied: true };
/** Ternary types hold 256 weights a block. */
const WIDE: HybridShape = {
  ...HYBRID,
  nEmbd: 256,
  nFf: 512,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  stateSize: 64,
  nKeyHeads: 2,
  nValueHeads: 4,
};

const bytesOf = (shape: HybridShape = HYBRID, choices: Partial<GgufChoices> = {}): Promise<Uint8Array> =>
  ggufBytes(shape, hybridChoices(shape, choices));

let folder = "";
before(() => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(join("build", "hybrid-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function exact(bytes: Uint8Array, ids: readonly number[] = IDS): Promise<number[]> {
  const path = join(folder, "model.gguf");
  writeFileSync(path, bytes);
  return (await exactLogits(path, ids)).flatMap((row) => [...row]);
}

describe("against the exact pass", () => {
  const cases: Readonly<Record<string, readonly [HybridShape, Partial<GgufChoices>]>> = {
    plain: [HYBRID, {}],
    tied: [TIED, {}],
    "one tap, a value head a key head": [{ ...HYBRID, nTaps: 1, nValueHeads: 2 }, {}],
    "seven taps": [{ ...HYBRID, nTaps: 7 }, {}],
    "recurrent layers alone": [{ ...HYBRID, isRecurrent: [true, true, true, true] }, {}],
    "layers by an interval": [
      { ...HYBRID, isRecurrent: [true, false, true, false] },
      { keys: { "attention.recurrent_layers": undefined, full_attention_interval: value("uint32", 2) } },
    ],
    "layers by the default interval": [
      { ...HYBRID, isRecurrent: [true, true, true, false] },
      { keys: { "attention.recurrent_layers": undefined } },
    ],
    "a list beside an interval": [HYBRID, { keys: { full_attention_interval: value("uint32", 3) } }],
    "rotated weights": [HYBRID, { keys: hadamardKeys(HYBRID, { block: 16 }) }],
    "rotated weights, values as they are": [HYBRID, { keys: hadamardKeys(HYBRID, { block: 8, grouped: false }) }],
    "rotated weights, tied": [TIED, { keys: hadamardKeys(TIED, { block: 4 }) }],
  };
  for (const [name, [shape, choices]] of Object.entries(cases)) {
    test(name, async () => {
      const bytes = await bytesOf(shape, choices),
        wanted = await exact(bytes);
      for (const variant of VARIANTS) {
        const error = relativeError(await logitsOf(bytes, { variant }), wanted);
        assert.ok(error <= FLOAT_ERROR_MAX, `${variant}: relative error ${error}`);
      }
    });
  }

  test("ternary weights, rotated", async () => {
    const bytes = await bytesOf(WIDE, {
      body: "PQ2_0",
      tables: "BF16",
      keys: hadamardKeys(WIDE, { block: 128 }),
      typeOf: ({ name }) => (/ffn_/.test(name) && !name.includes("norm") ? "PTQ1_0" : undefined),
    });
    const error = relativeError(await logitsOf(bytes), await exact(bytes));
    assert.ok(error <= 0.05, `relative error ${error}`);
  });
});

describe("nothing is ignored", () => {
  let plain: Float32Array = new Float32Array();
  before(async () => {
    plain = await logitsOf(await bytesOf());
  });
  const moves = (name: string, choices: Partial<GgufChoices>) =>
    test(name, async () => {
      const error = relativeError(await logitsOf(await bytesOf(HYBRID, choices)), plain);
      assert.ok(error > 1e-3, `moved only ${error}`);
    });

  const roles = [
    ...["attn_norm", "post_attention_norm", "attn_qkv", "attn_gate", "ssm_alpha", "ssm_beta", "ssm_conv1d"],
    ...["ssm_dt.bias", "ssm_a", "ssm_norm", "ssm_out", "attn_q_norm", "attn_k_norm", "attn_q", "attn_k", "attn_v"],
    ...["attn_output", "ffn_gate", "ffn_up", "ffn_down"],
  ];
  for (const role of roles) {
    const isRole = ({ name }: TinyTensor) =>
      new RegExp(`^blk\\.\\d\\.${role.replace(".", "\\.")}(\\.weight)?$`).test(name);
    moves(`tensor ${role}`, {
      tensors: (tensors) => {
        const change = tensors.find(isRole);
        assert.ok(change, `no tensor ${role}`);
        return tensors.map((tensor) =>
          tensor === change
            ? { ...tensor, codes: undefined, values: tensor.values.map((each, i) => each * (i % 2 ? 1.5 : 0.5)) }
            : tensor,
        );
      },
    });
  }
  moves("attention.layer_norm_rms_epsilon", {
    keys: { "attention.layer_norm_rms_epsilon": value("float32", 0.01) },
  });
  moves("rope.dimension_count", {
    keys: { "rope.dimension_count": value("uint32", 4), "rope.dimension_sections": value("int32[]", [2, 0, 0, 0]) },
  });
  moves("rope.freq_base", { keys: { "rope.freq_base": value("float32", 100) } });

  const rotation = hadamardKeys(HYBRID, { block: 16 });
  test("each part of a rotation", async () => {
    const rotated = await logitsOf(await bytesOf(HYBRID, { keys: rotation })),
      signs = Array.from(rotation["prism.hadamard.sign_values"]![2] as readonly number[]);
    assert.ok(relativeError(rotated, plain) > 0.1);
    const changes: Record<string, typeof rotation> = {
      "block size": { "prism.hadamard.block_size": value("uint32", 8) },
      "first sign": { "prism.hadamard.sign_values": value("int32[]", [-signs[0]!, ...signs.slice(1)]) },
      "last sign": { "prism.hadamard.sign_values": value("int32[]", [...signs.slice(0, -1), -signs.at(-1)!]) },
      "grouped values": { "prism.hadamard.gdn_v_grouped": value("bool", false) },
      "rotated table": { "prism.hadamard.inverse_weight_names": undefined as never },
      "one weight fewer": {
        "prism.hadamard.weight_names": value(
          "string[]",
          (rotation["prism.hadamard.weight_names"]![2] as readonly string[]).slice(1),
        ),
      },
      "no signs": {
        "prism.hadamard.sign_mode": value("string", "identity"),
        "prism.hadamard.sign_widths": undefined as never,
        "prism.hadamard.sign_values": undefined as never,
      },
    };
    for (const [name, keys] of Object.entries(changes)) {
      const error = relativeError(await logitsOf(await bytesOf(HYBRID, { keys: { ...rotation, ...keys } })), rotated);
      assert.ok(error > 1e-3, `${name} moved only ${error}`);
    }
  });

  test("layers that guess tokens ahead neither run nor are required", async () => {
    const withLayer = (tensors: readonly TinyTensor[]): TinyTensor[] => {
      const behind = tensors.filter(({ name }) => name.startsWith("blk.1."));
      const extra = { ...behind[0]!, name: "blk.4.nextn.enorm.weight" };
      return [...tensors, ...behind.map((tensor) => ({ ...tensor, name: tensor.name.replace("1", "4") })), extra];
    };
    const keys = { nextn_predict_layers: value("uint32", 1), block_count: value("uint32", 5) };
    for (const tensors of [withLayer, undefined]) {
      for (const list of [HYBRID.isRecurrent, [...HYBRID.isRecurrent, false]]) {
        const file = await bytesOf(HYBRID, {
          keys: { ...keys, "attention.recurrent_layers": value("bool[]", list) },
          tensors,
        });
        assertSameBits(await logitsOf(file), plain, "with layers that do not run");
      }
    }
  });
});

describe("what cannot be right is refused by name", () => {
  const rotation = hadamardKeys(HYBRID, { block: 16 });
  const refuses = (name: string, pattern: RegExp, choices: Partial<GgufChoices>, shape = HYBRID) =>
    test(name, async () => {
      await assert.rejects(
        bytesOf(shape, choices).then((bytes) => logitsOf(bytes)),
        (error: Error) => {
          assert.match(error.message, pattern);
          return "code" in error && /^(model|gguf)\//.test(String(error.code));
        },
      );
    });
  for (const key of ["conv_kernel", "state_size", "group_count", "time_step_rank", "inner_size"])
    refuses(`no ssm.${key}`, new RegExp(`ssm\\.${key}`), { keys: { [`ssm.${key}`]: undefined } });
  refuses("heads that are no multiple", /value heads/, { keys: { "ssm.group_count": value("uint32", 4) } });
  refuses("a width that is not that of the heads", /ssm\.inner_size/, {
    keys: { "ssm.inner_size": value("uint32", 95) },
  });
  refuses("many taps", /taps/, { keys: { "ssm.conv_kernel": value("uint32", 17) } });
  refuses(
    "states that fit nowhere",
    /6 states|states \d+ MB/,
    { keys: { context_length: value("uint32", 1 << 20) } },
    { ...HYBRID, nKeyHeads: 1, nValueHeads: 1, stateSize: 20_000, isRecurrent: [false, false, true, false] },
  );
  refuses("layers without end", /block_count/, { keys: { block_count: value("uint32", 0xffffffff) } });
  refuses("only layers that do not run", /nextn_predict_layers/, {
    keys: { nextn_predict_layers: value("uint32", 4) },
  });
  refuses("sections of an image", /dimension_sections/, {
    keys: { "rope.dimension_sections": value("int32[]", [3, 3]) },
  });
  refuses("a list of other layers", /recurrent_layers/, {
    keys: { "attention.recurrent_layers": value("bool[]", [true, false]) },
  });
  refuses("a list of numbers", /recurrent_layers/, {
    keys: { "attention.recurrent_layers": value("int32[]", [1, 0, 1, 1]) },
  });
  refuses("layers of the other kind", /blk\.1\.attn_qkv/, {
    keys: { "attention.recurrent_layers": value("bool[]", [true, true, true, true]) },
  });
  refuses("a convolution of another shape", /ssm_conv1d.*shape/, {
    tensors: (tensors) =>
      tensors.map((tensor) =>
        tensor.name.includes("ssm_conv1d") ? { ...tensor, shape: [...tensor.shape].reverse() } : tensor,
      ),
  });

  const rotations: readonly (readonly [key: string, entry: unknown, pattern?: RegExp])[] = [
    ["version", undefined, /prism\.hadamard/],
    ["version", value("uint32", 2)],
    ["version", value("uint32", 3)],
    ["tied_output", value("bool", true), /version/],
    ["transform", value("string", "hadamard")],
    ["transform", undefined],
    ["axis", value("string", "output")],
    ["block_size", value("uint32", 24)],
    ["block_size", value("uint32", 2)],
    ["block_size", value("uint32", 0)],
    ["block_size", value("uint32", 256), /blk\.0\.attn_qkv.*blocks of 256/],
    ["sign_mode", value("string", "random")],
    ["sign_widths", value("int32[]", [64, 48]), /sign_values/],
    ["sign_widths", undefined],
    ["sign_values", value("int32[]", [1, -1])],
    ["weight_names", undefined],
    ["weight_names", value("string[]", [])],
    ["weight_names", value("string[]", ["blk.0.ffn_strange.weight"]), /ffn_strange/],
    ["weight_names", value("string[]", ["blk.0.attn_norm.weight"]), /attn_norm/],
    ["inverse_weight_names", value("string[]", ["output.weight"])],
    ["later", value("uint32", 1)],
  ];
  for (const [key, entry, pattern] of rotations)
    refuses(
      `${key} ${String((entry as readonly unknown[] | undefined)?.[2])}`.slice(0, 60),
      pattern ?? new RegExp(key),
      {
        keys: { ...rotation, [`prism.hadamard.${key}`]: entry as never },
      },
    );
  refuses("signs of no width that is rotated", /signs of its width/, {
    keys: {
      ...rotation,
      "prism.hadamard.sign_widths": value("int32[]", [8]),
      "prism.hadamard.sign_values": value("int32[]", [1, 1, 1, 1, -1, 1, 1, 1]),
    },
  });
  refuses("signs of zero", /1 and −1/, {
    keys: {
      ...rotation,
      "prism.hadamard.sign_widths": value("int32[]", [2]),
      "prism.hadamard.sign_values": value("int32[]", [1, 0]),
    },
  });
  refuses(
    "a rotated table that is the head, without saying so",
    /tied_output/,
    {
      keys: { ...hadamardKeys(TIED, { block: 16, tied: false }) },
    },
    TIED,
  );
});
