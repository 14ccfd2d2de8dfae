/**
 * The members of `config.json` of models whose layers are gated delta nets and gated attention in turn (`qwen3_5`).
 *
 * @module
 */
import { LAYERS_MAX } from "../core/limits.ts";
import type { ConfigReader } from "./config-reader.ts";
import type { DeltaNet } from "./config.ts";

/** Those of transformers. */
const INTERVAL_DEFAULT = 4;
const ROTARY_SHARE_DEFAULT = 0.25;

/** @throws OnebitError `model/bad-config` */
export function hybridParts(
  reader: ConfigReader,
  nLayers: number,
  headDim: number,
): { readonly ropeDim: number; readonly deltaNet: DeltaNet } {
  if (reader.boolean("attn_output_gate") === false) reader.wrong("attn_output_gate", "true");
  // Layers that guess tokens ahead do not run.
  reader.get("mtp_num_hidden_layers");
  const rope = reader.child("rope_parameters") ?? reader.child("rope_scaling"),
    share = rope?.number("partial_rotary_factor") ?? reader.number("partial_rotary_factor") ?? ROTARY_SHARE_DEFAULT,
    ropeDim = headDim * share;
  const sections = rope?.get("mrope_section") === undefined ? undefined : rope.numbers("mrope_section");
  if (rope !== undefined && sections !== undefined && sections.reduce((sum, each) => sum + each, 0) !== ropeDim / 2)
    rope.wrong("mrope_section", `sections of ${ropeDim / 2} together, half the rotating dimensions`);
  const dim = reader.count("linear_key_head_dim");
  if (reader.count("linear_value_head_dim") !== dim)
    reader.wrong("linear_value_head_dim", `${dim}, that of linear_key_head_dim`);
  return {
    ropeDim,
    deltaNet: {
      isRecurrent: recurrentLayers(reader, nLayers),
      nKeyHeads: reader.count("linear_num_key_heads"),
      nValueHeads: reader.count("linear_num_value_heads"),
      headDim: dim,
      nTaps: reader.count("linear_conv_kernel_dim"),
      isGrouped: true,
    },
  };
}

const KINDS = ["full_attention", "linear_attention"];

function recurrentLayers(reader: ConfigReader, nLayers: number): boolean[] {
  if (nLayers > LAYERS_MAX) reader.wrong("num_hidden_layers", `at most ${LAYERS_MAX}`);
  const interval = reader.number("full_attention_interval") ?? INTERVAL_DEFAULT,
    types = reader.texts("layer_types");
  if (!Number.isInteger(interval) || interval < 1) reader.wrong("full_attention_interval", "a positive integer");
  if (types.length === 0) return Array.from({ length: nLayers }, (_, layer) => (layer + 1) % interval !== 0);
  if (types.length !== nLayers || types.some((type) => !KINDS.includes(type)))
    reader.wrong("layer_types", `${KINDS.map((kind) => `"${kind}"`).join(" or ")} for each of ${nLayers} layers`);
  return types.map((type) => type === "linear_attention");
}
