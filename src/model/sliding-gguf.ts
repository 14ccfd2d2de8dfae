/**
 * Which layers of a GGUF file's model see only the last positions: keys and defaults of llama.cpp's `gemma3`.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { type GgufMetadata, findInteger, findNumber } from "../files/gguf-metadata.ts";
import type { SlidingWindow } from "./config.ts";

/** Of every six layers, the last sees all positions. */
const PATTERN_DEFAULT = 6;

/** Undefined when no layer slides: without a window, or with one of 0. @throws OnebitError `model/bad-config` */
export function slidingFromGguf(
  metadata: GgufMetadata,
  key: (suffix: string) => string,
  nLayers: number,
): SlidingWindow | undefined {
  const positions = findInteger(metadata, key("attention.sliding_window")) ?? 0,
    ropeTheta = findNumber(metadata, key("rope.freq_base_swa")) ?? 10_000,
    layers = slidingLayers(metadata, key("attention.sliding_window_pattern"), nLayers);
  return positions === 0 || !layers.includes(true) ? undefined : { positions, layers, ropeTheta };
}

/** A flag for each layer, or a number n: layer i slides unless it is the last of n. */
function slidingLayers(metadata: GgufMetadata, key: string, nLayers: number): boolean[] {
  const value = metadata.get(key);
  if (typeof value !== "object") return slidesByPattern(findInteger(metadata, key, 1) ?? PATTERN_DEFAULT, nLayers);
  const flags = Array.from<unknown>(value as ArrayLike<unknown>);
  if (flags.length === nLayers && flags.every((flag) => typeof flag === "boolean")) return flags;
  return fail(
    "model/bad-config",
    `metadata key "${key}": wanted a number, or true or false for each of ${nLayers} layers, found a list ` +
      `of ${flags.length}`,
  );
}

/** Layer i slides unless it is the last of every `pattern`. */
export function slidesByPattern(pattern: number, nLayers: number): boolean[] {
  return Array.from({ length: nLayers }, (_, layer) => layer % pattern < pattern - 1);
}
