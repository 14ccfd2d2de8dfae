/**
 * `onebit logits`: writes raw logits, for comparing engines.
 *
 * @module
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { fail, quoted } from "../../core/errors.ts";
import { LOAD_OPTION_HELP, LOAD_OPTION_TYPES } from "../command.ts";
import type { Command } from "../command.ts";
import { loadModel } from "../progress.ts";

export const logits: Command = {
  name: "logits",
  summary: "Write the logits after each token id to a file",
  usage: "onebit logits MODEL --ids 1,2,3 --out FILE [options]",
  optionHelp: [
    ["--ids 1,2,3", "token ids to read"],
    ["--out FILE", "f32, little endian: a row of the vocabulary's size for each id"],
    ...LOAD_OPTION_HELP,
  ],
  examples: ["onebit logits model.gguf --ids 1,306,4658 --out logits.f32"],
  optionTypes: { ids: { type: "string" }, out: { type: "string" }, ...LOAD_OPTION_TYPES },
  nPositionals: [1, 1],
  async run(context) {
    const { options, signal } = context;
    const ids = options.ids("ids") ?? fail("usage", "--ids is missing: wanted the token ids to read");
    const path = options.text("out") ?? fail("usage", "--out is missing: wanted the file to write");
    if (/\.(?:npy|npz|json|csv|txt|pt|safetensors|gguf)$/i.test(path))
      fail(
        "usage",
        "--out: the file is raw f32, little endian, whatever its name: wanted a name such as logits.f32, " +
          `got ${quoted(path)}`,
      );
    await using model = await loadModel(context);
    const file = openForWriting(path);
    try {
      await model.eachLogits(ids, (_row, row) => writeAll(file, littleEndian(row), path), { signal });
    } finally {
      closeSync(file);
    }
  },
};

function openForWriting(path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    return fail("file/write", `${path}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

/** One call may write only part. */
function writeAll(file: number, bytes: Uint8Array, path: string): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
  } catch (error) {
    fail("file/write", `${path}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

function littleEndian(row: Float32Array): Uint8Array {
  const bytes = new Uint8Array(row.length * 4);
  const view = new DataView(bytes.buffer);
  row.forEach((value, i) => view.setFloat32(i * 4, value, true));
  return bytes;
}
