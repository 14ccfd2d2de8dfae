/**
 * Tiny models of gated delta nets and gated attention in turn (`qwen35`), for ggufBytes: tensors, and the keys that say
 * what they are. Numbers are multiples of powers of two, as in tiny-model.ts.
 */
import type { GgufEntry } from "../../src/files/gguf-writer.ts";
import { seedOf, seededRandom } from "../synthetic/random.ts";
import { type GgufChoices, value } from "./gguf-bytes.ts";
import { type TinyShape, type TinyTensor, tinyTensors } from "./tiny-model.ts";

export interface HybridShape extends TinyShape {
  readonly isRecurrent: readonly boolean[];
  readonly nKeyHeads: number;
  readonly nValueHeads: number;
  /** Width of the heads of the delta net. */
  readonly stateSize: number;
  readonly nTaps: number;
  readonly ropeDim: number;
}

/** Three value heads a key head, two layers of each kind, 37 ids that fill no batch evenly. */
export const HYBRID: HybridShape = {
  nEmbd: 64,
  nLayers: 4,
  nHeads: 3,
  nKvHeads: 1,
  headDim: 16,
  nFf: 96,
  nVocab: 67,
  isRecurrent: [true, false, true, true],
  nKeyHeads: 2,
  nValueHeads: 6,
  stateSize: 16,
  nTaps: 4,
  ropeDim: 8,
};

/** The choices that make ggufBytes write this model. */
export function hybridChoices(shape: HybridShape, choices: Partial<GgufChoices> = {}): GgufChoices {
  const { keys = {}, tensors: change = (tensors) => tensors, ...others } = choices;
  return {
    architecture: "qwen35",
    ...others,
    keys: { ...hybridKeys(shape), ...keys },
    tensors: () => change(hybridTensors(shape)),
  };
}

function hybridKeys(shape: HybridShape): Record<string, GgufEntry> {
  return {
    "rope.dimension_count": value("uint32", shape.ropeDim),
    "rope.dimension_sections": value("int32[]", [shape.ropeDim / 2 - 2, 1, 1, 0]),
    "ssm.conv_kernel": value("uint32", shape.nTaps),
    "ssm.state_size": value("uint32", shape.stateSize),
    "ssm.group_count": value("uint32", shape.nKeyHeads),
    "ssm.time_step_rank": value("uint32", shape.nValueHeads),
    "ssm.inner_size": value("uint32", shape.nValueHeads * shape.stateSize),
    "attention.recurrent_layers": value("bool[]", shape.isRecurrent),
  };
}

/** As GGUF has them. */
export function hybridTensors(shape: HybridShape): readonly TinyTensor[] {
  const { nEmbd, nHeads, headDim, isRecurrent } = shape;
  // Ternary matrices of the right widths, borrowed by name from models of attention alone.
  const linear = (name: string, k: number, rows: number): TinyTensor =>
    renamed(
      tinyTensors({ ...shape, nEmbd: k, nFf: rows, nLayers: 1, nHeads: 1, nKvHeads: 1, headDim: 4 }),
      "blk.0.ffn_gate.weight",
      name,
    );
  return tinyTensors({ ...shape, qkNorm: true }).flatMap((tensor): readonly TinyTensor[] => {
    const [, prefix = "", layer = "", role = ""] = /^(blk\.(\d+)\.)(\w+)\.weight$/.exec(tensor.name) ?? [];
    if (role === "ffn_norm") return [{ ...tensor, name: `${prefix}post_attention_norm.weight` }];
    if (!role.startsWith("attn_") || role === "attn_norm") return [tensor];
    if (isRecurrent[Number(layer)] !== true)
      return [role === "attn_q" ? linear(tensor.name, nEmbd, 2 * nHeads * headDim) : tensor];
    return role === "attn_q" ? deltaNetTensors(shape, prefix, linear) : [];
  });
}

function deltaNetTensors(
  shape: HybridShape,
  prefix: string,
  linear: (name: string, k: number, rows: number) => TinyTensor,
): TinyTensor[] {
  const { nEmbd, nKeyHeads, nValueHeads, stateSize, nTaps } = shape,
    values = nValueHeads * stateSize,
    channels = 2 * nKeyHeads * stateSize + values;
  const floats = (name: string, size: readonly number[], of: (steps: number) => number): TinyTensor => {
    const random = seededRandom(seedOf(3, prefix + name)),
      n = size.reduce((all, each) => all * each, 1);
    const numbers = Float32Array.from({ length: n }, () => of((random.u32() % 129) - 64));
    return { name: prefix + name, kind: size.length === 1 ? "vector" : "table", shape: size, values: numbers };
  };
  return [
    linear(`${prefix}attn_qkv.weight`, nEmbd, channels),
    linear(`${prefix}attn_gate.weight`, nEmbd, values),
    floats("ssm_alpha.weight", [nEmbd, nValueHeads], (steps) => steps / 256),
    floats("ssm_beta.weight", [nEmbd, nValueHeads], (steps) => steps / 256),
    { ...floats("ssm_conv1d.weight", [nTaps, channels], (steps) => steps / 64), kind: "vector" },
    floats("ssm_dt.bias", [nValueHeads], (steps) => steps / 64),
    floats("ssm_a", [nValueHeads], (steps) => -(steps + 80) / 128),
    floats("ssm_norm.weight", [stateSize], (steps) => 1 + steps / 256),
    linear(`${prefix}ssm_out.weight`, values, nEmbd),
  ];
}

function renamed(tensors: readonly TinyTensor[], from: string, name: string): TinyTensor {
  const found = tensors.find((tensor) => tensor.name === from);
  if (found === undefined) throw new Error(`no tensor ${from}`);
  return { ...found, name };
}

/** Keys of a rotation of all projections, but those of single heads. */
export function hadamardKeys(
  shape: HybridShape,
  { block, grouped = true, tied = shape.tied ?? false }: { block: number; grouped?: boolean; tied?: boolean },
): Record<string, GgufEntry> {
  const rotated = hybridTensors(shape).filter(
    ({ name, kind }) => (kind === "linear" && !/alpha|beta/.test(name)) || name === "output.weight",
  );
  const widths = [...new Set(rotated.map(({ shape: [k] }) => k!))],
    random = seededRandom(4);
  const signs = widths.flatMap((width) => Array.from({ length: width }, () => (random.u32() & 1024 ? 1 : -1)));
  return {
    "prism.hadamard.version": value("uint32", tied ? 2 : 1),
    "prism.hadamard.block_size": value("uint32", block),
    "prism.hadamard.transform": value("string", "normalized-sylvester-walsh-hadamard"),
    "prism.hadamard.axis": value("string", "input-last-dimension"),
    "prism.hadamard.sign_mode": value("string", "explicit"),
    "prism.hadamard.sign_widths": value("int32[]", widths),
    "prism.hadamard.sign_values": value("int32[]", signs),
    "prism.hadamard.weight_names": value(
      "string[]",
      rotated.map(({ name }) => name),
    ),
    "prism.hadamard.inverse_weight_names": value("string[]", ["token_embd.weight"]),
    "prism.hadamard.gdn_v_grouped": value("bool", grouped),
    ...(tied ? { "prism.hadamard.tied_output": value("bool", true) } : {}),
  };
}
