/** Damaged headers of model files, and damaged JSON, given to their parsers alone: thousands a second. */
import { parseGguf } from "../../../src/files/gguf.ts";
import { parseJsonObject } from "../../../src/files/json.ts";
import { parseSafetensors } from "../../../src/files/safetensors.ts";
import { OnebitError } from "../../../src/core/errors.ts";
import { GGUF_SEEDS, JSON_SEEDS, SAFETENSORS_SEEDS } from "../header-seeds.ts";
import { mutate } from "../mutate.ts";
import type { HostileGenerator } from "./generator.ts";
import { unit } from "./pick.ts";

function damaged(
  name: string,
  weight: number,
  seeds: readonly Uint8Array[],
  parse: (bytes: Uint8Array) => string,
): HostileGenerator {
  return {
    name,
    weight,
    tryOne(random) {
      const bytes = mutate(seeds, unit(random));
      try {
        return { outcome: parse(bytes), inputBytes: bytes.length };
      } catch (error) {
        if (error instanceof OnebitError) return { outcome: error.code, inputBytes: bytes.length };
        throw error;
      }
    },
  };
}

export const ggufHeaders = damaged("gguf-headers", 1, GGUF_SEEDS, (bytes) => (parseGguf(bytes), "accepted"));
export const safetensorsHeaders = damaged(
  "safetensors-headers",
  1,
  SAFETENSORS_SEEDS,
  (bytes) => (parseSafetensors(bytes), "accepted"),
);
export const json = damaged("json", 1, JSON_SEEDS, (bytes) => {
  const parsed = parseJsonObject(bytes);
  return "problem" in parsed ? parsed.problem.kind : "accepted";
});
