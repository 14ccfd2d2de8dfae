/** Writes a synthetic model to a path. */
import { closeSync, openSync, writeSync } from "node:fs";
import { writeGguf } from "../../src/files/gguf-writer.ts";
import type { SyntheticModel } from "./model.ts";

/** @returns the size of the file in bytes */
export async function writeModelFile(path: string, model: SyntheticModel): Promise<number> {
  const file = openSync(path, "w");
  const write = (bytes: Uint8Array) => {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
  };
  try {
    return await writeGguf({ write }, model);
  } finally {
    closeSync(file);
  }
}
