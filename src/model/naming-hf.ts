/**
 * How Hugging Face checkpoints name tensors (blocks.ts) and store matrices.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { TensorInfo } from "../files/gguf.ts";
import { HF_ENDS, type VectorChange } from "./blocks.ts";
import type { StoredEncoding, TensorNaming } from "./weights.ts";

/** How a checkpoint stores its weights. */
export interface HfStorage {
  /** Norms are stored without their 1 (Gemma). */
  readonly normsAboveOne?: boolean;
  /** Parts with other names than most models give them, by their names in GGUF. */
  readonly renamed: Readonly<Record<string, string>>;
  /** False if the config says there are no biases; true if it says nothing, and the tensors decide. */
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  /** Undefined for a model without BitLinear layers. */
  readonly bitLinear: BitLinearStorage | undefined;
}

/** What `quantization_config` says about linears: packed scales divide or multiply, floats may be masters. */
export interface BitLinearStorage {
  readonly scaleDivides: boolean;
  readonly floatsAreMasters: boolean;
  /** Names of modules, or runs of their parts between dots, that are stored unconverted. */
  readonly keptModules: ReadonlySet<string>;
  /** True: every projection norms its input. */
  readonly normIn?: boolean;
}

/** @param unpacked matrices by name, of which {@link findUnpacked} has seen that they hold 1-bit weights */
export function hfNaming(
  { renamed, normsAboveOne, attentionBias, mlpBias, bitLinear }: HfStorage,
  unpacked: ReadonlyMap<string, StoredEncoding> = new Map(),
): TensorNaming {
  const ofNorms = normsAboveOne ? ADD_ONE : undefined;
  return {
    ...HF_ENDS,
    vector: (layer, { gguf, hf }, isBare) =>
      (renamed[gguf] === undefined ? hf : [renamed[gguf]]).map(
        (name) => `${HF_ENDS.layer(layer)}${name}${isBare ? "" : ".weight"}`,
      ),
    change: (part) => part.hfChange ?? (part.kind === "vector" ? part.change : undefined) ?? ofNorms,
    outputNormChange: ({ hybrid }) => (hybrid ? ADD_ONE : ofNorms),
    linear: (layer, { hf: [name] }) => HF_ENDS.layer(layer) + name,
    normIn: (linear) => [`${linear}.rms_norm.weight`, `${linear}.norm_in.weight`],
    normInRequired: bitLinear?.normIn === true,
    bias: (linear) => ((linear.includes(".mlp.") ? mlpBias : attentionBias) ? `${linear}.bias` : undefined),
    outputScale: () => undefined,
    encoding: (matrix) => unpacked.get(matrix.name) ?? encodingOf(matrix, bitLinear),
    isHarmless: (name, { alwaysTied, hybrid }) =>
      ROTARY_TABLE.test(name) || (alwaysTied && name === HF_ENDS.output) || (hybrid === true && name.startsWith(AHEAD)),
  };
}

const ADD_ONE: VectorChange = { kind: "add one" };

/** Layers of multi-token prediction, which do not run. */
const AHEAD = "mtp.";

/** Frequencies that old releases of transformers saved; all now compute them from the config. */
const ROTARY_TABLE = /\.rotary_emb\.inv_freq$/;

function encodingOf(matrix: TensorInfo, bitLinear: BitLinearStorage | undefined): StoredEncoding {
  const isKept = bitLinear === undefined || isKeptModule(matrix.name.replace(/\.weight$/, ""), bitLinear.keptModules);
  if (matrix.type !== "U8") return { kind: bitLinear?.floatsAreMasters && !isKept ? "masters" : "typed" };
  if (!isKept)
    return { kind: "packed", scale: matrix.name.replace(/\.weight$/, ".weight_scale"), divide: bitLinear.scaleDivides };
  const why =
    bitLinear === undefined
      ? "config.json has no quantization_config that says how it is packed"
      : "modules_to_not_convert says that it is not packed";
  return fail("tensor/unsupported-type", `tensor ${quoted(matrix.name)}: wanted F32, F16 or BF16, found U8: ${why}`);
}

/** True if the name, or a run of its parts between dots, is in the list. */
function isKeptModule(name: string, kept: ReadonlySet<string>): boolean {
  const parts = name.split(".");
  return parts.some((_, begin) =>
    parts.some((_, end) => end >= begin && kept.has(parts.slice(begin, end + 1).join("."))),
  );
}
