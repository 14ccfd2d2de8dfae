/**
 * The keys of models whose layers are gated delta nets and gated attention in turn (`qwen35`).
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { LAYERS_MAX } from "../core/limits.ts";
import { type GgufMetadata, findInteger, findNumberArray, getInteger } from "../files/gguf-metadata.ts";
import type { DeltaNet } from "./config.ts";

/** What these keys say of a model's layers. */
export interface HybridLayers {
  readonly nLayers: number;
  readonly nUnusedLayers?: number;
  readonly deltaNet: DeltaNet;
}

/** llama.cpp's, where a file says nothing. */
const INTERVAL_DEFAULT = 4;

/**
 * @param key adds the architecture to the rest of a key
 * @throws OnebitError `model/bad-config`, `gguf/bad-value`
 */
export function hybridLayers(metadata: GgufMetadata, key: (suffix: string) => string, ropeDim: number): HybridLayers {
  const nBlocks = getInteger(metadata, key("block_count"), 1),
    nUnusedLayers = findInteger(metadata, key("nextn_predict_layers")) ?? 0,
    nLayers = nBlocks - nUnusedLayers;
  if (nBlocks > LAYERS_MAX) bad(key("block_count"), `at most ${LAYERS_MAX}`, String(nBlocks));
  if (nLayers < 1)
    bad(key("nextn_predict_layers"), `fewer than the ${nBlocks} layers of block_count`, String(nUnusedLayers));
  const sections = findNumberArray(metadata, key("rope.dimension_sections")),
    turned = sections && Array.from<number>(sections).reduce((sum, each) => sum + each, 0);
  // With other sections, dimensions would turn by the row and column of an image, which text does not have.
  if (turned !== undefined && turned !== ropeDim / 2)
    bad(
      key("rope.dimension_sections"),
      `sections of ${ropeDim / 2} together, half the rotating dimensions`,
      `${turned}`,
    );
  const nValueHeads = getInteger(metadata, key("ssm.time_step_rank"), 1),
    headDim = getInteger(metadata, key("ssm.state_size"), 1),
    innerSize = getInteger(metadata, key("ssm.inner_size"), 1);
  if (innerSize !== nValueHeads * headDim)
    bad(key("ssm.inner_size"), `${nValueHeads} heads of ${headDim}`, String(innerSize));
  return {
    nLayers,
    ...(nUnusedLayers > 0 ? { nUnusedLayers } : {}),
    deltaNet: {
      isRecurrent: recurrentLayers(metadata, key, nBlocks, nLayers),
      nKeyHeads: getInteger(metadata, key("ssm.group_count"), 1),
      nValueHeads,
      headDim,
      nTaps: getInteger(metadata, key("ssm.conv_kernel"), 1),
      isGrouped: false,
    },
  };
}

/** The list wins over the interval, as in llama.cpp. */
function recurrentLayers(
  metadata: GgufMetadata,
  key: (suffix: string) => string,
  nBlocks: number,
  nLayers: number,
): boolean[] {
  const interval = findInteger(metadata, key("full_attention_interval"), 1) ?? INTERVAL_DEFAULT,
    list = metadata.get(key("attention.recurrent_layers"));
  if (list === undefined) return Array.from({ length: nLayers }, (_, layer) => (layer + 1) % interval !== 0);
  const flags = typeof list === "object" ? Array.from<unknown>(list as ArrayLike<unknown>) : [];
  if (flags.length !== nBlocks && flags.length !== nLayers)
    bad(key("attention.recurrent_layers"), `a list of ${nBlocks} flags, one a layer`, `${flags.length}`);
  if (flags.some((flag) => typeof flag !== "boolean"))
    bad(key("attention.recurrent_layers"), "true or false for each layer", "other values");
  return flags.slice(0, nLayers).map((flag) => flag === true);
}

function bad(key: string, wanted: string, found: string): never {
  return fail("model/bad-config", `metadata key "${key}": wanted ${wanted}; found ${found}`);
}
