/** Bytes without structure, with the magic of a known format or none, given to `load` as a model. */
import { OnebitError } from "../../../src/core/errors.ts";
import { load } from "../../../src/load.ts";
import type { HostileGenerator } from "./generator.ts";

const MAGICS: readonly string[] = [
  "",
  "GGUF\x03\0\0\0",
  "GGUF\x02\0\0\0",
  "{",
  "\x10\0\0\0\0\0\0\0{",
  "PK\x03\x04",
  "\x1f\x8b\x08",
  "<!doctype html>",
];
const BYTES_MAX = 4096;

export const generator: HostileGenerator = {
  name: "random-bytes",
  weight: 1,
  async tryOne(random) {
    const magic = MAGICS[random.u32() % MAGICS.length];
    const bytes = Uint8Array.from({ length: random.u32() % BYTES_MAX }, (_, i) =>
      i < magic.length ? magic.charCodeAt(i) : random.u32(),
    );
    try {
      const model = await load(bytes);
      await model.close();
      return { outcome: "accepted", inputBytes: bytes.length };
    } catch (error) {
      if (error instanceof OnebitError) return { outcome: error.code, inputBytes: bytes.length };
      throw error;
    }
  },
};
