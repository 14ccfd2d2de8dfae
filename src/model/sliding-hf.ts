/**
 * Which layers of a Hugging Face model see only the last positions: members and defaults of transformers'
 * `Gemma3TextConfig`.
 *
 * @module
 */
import type { ConfigReader } from "./config-reader.ts";
import type { SlidingWindow } from "./config.ts";
import { slidesByPattern } from "./sliding-gguf.ts";

const WINDOW_DEFAULT = 4096,
  PATTERN_DEFAULT = 6,
  LOCAL_BASE_DEFAULT = 10_000;

/** Undefined when no layer slides. @throws OnebitError `model/bad-config` */
export function slidingFromHf(reader: ConfigReader, nLayers: number): SlidingWindow | undefined {
  // A null means that none slides, whatever their types are.
  const positions = reader.has("sliding_window") ? reader.number("sliding_window") : WINDOW_DEFAULT;
  const layers = slidingLayers(reader, nLayers),
    ropeTheta = localBase(reader);
  return positions === undefined || !layers.includes(true) ? undefined : { positions, layers, ropeTheta };
}

function slidingLayers(reader: ConfigReader, nLayers: number): readonly boolean[] {
  const types = reader.texts("layer_types"),
    name = reader.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern",
    pattern = reader.get(name) === undefined ? PATTERN_DEFAULT : reader.count(name);
  if (types.length === 0) return slidesByPattern(pattern, nLayers);
  const isKnown = types.every((type) => type === "sliding_attention" || type === "full_attention");
  if (types.length !== nLayers || !isKnown)
    reader.wrong("layer_types", `"sliding_attention" or "full_attention" for each of ${nLayers} layers`);
  return types.map((type) => type === "sliding_attention");
}

/** Newer configs have rotary parameters for each type of layer. */
function localBase(reader: ConfigReader): number {
  const parameters = reader.child("rope_parameters")?.child("sliding_attention"),
    type = parameters?.text("rope_type") ?? "default";
  if (type !== "default") parameters?.wrong("rope_type", '"default"');
  return parameters?.number("rope_theta") ?? reader.number("rope_local_base_freq") ?? LOCAL_BASE_DEFAULT;
}
