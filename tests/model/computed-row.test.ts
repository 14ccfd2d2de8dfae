/** Weights that are finite, and so large that what the model computes is not: an error, never a wrong answer. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { load } from "../../src/load.ts";
import { openSource } from "../runtime/open-engine.ts";
import { ggufBytes } from "./gguf-bytes.ts";
import type { TinyShape } from "./tiny-model.ts";

const SHAPE: TinyShape = { nEmbd: 64, nLayers: 1, nHeads: 2, nKvHeads: 1, headDim: 32, nFf: 128, nVocab: 67 };
const HUGE = 3e38;

/** The model with the values of one row of a tensor made huge. */
function withHugeRow(tensor: string, row: number): Promise<Uint8Array> {
  const damage = (name: string, bytes: Uint8Array): void => {
    if (name !== tensor) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset + 4 * SHAPE.nEmbd * row, 4 * SHAPE.nEmbd);
    for (let i = 0; i < SHAPE.nEmbd; i++) view.setFloat32(4 * i, HUGE, true);
  };
  return ggufBytes(SHAPE, { architecture: "llama", damage });
}

describe("numbers that overflow", () => {
  test("logits: the error names the row and the entry", async () => {
    const model = await load(await withHugeRow("output.weight", 5));
    const wanted = {
      code: "model/not-finite",
      message: /the logits after id 2, row 1, is (?:NaN|-?Infinity) at 5 of 67/,
    };
    await assert.rejects(model.generate([1, 2], { maxTokens: 2, temperature: 0 }).result(), wanted);
    await assert.rejects(model.generate([1, 2], { maxTokens: 2, temperature: 1, seed: 1 }).result(), wanted);
    await assert.rejects(model.logits([1, 2]), { code: "model/not-finite", message: /after id 1, row 0/ });
    await model.close();
  });

  test("hidden states: no vector of NaN", async () => {
    const engine = await openSource(bytesSource(await withHugeRow("output_norm.weight", 0)), {});
    const wanted = { code: "model/not-finite", message: /the hidden state after id 3, row 0, is (?:NaN|-?Infinity)/ };
    await assert.rejects(engine.hidden([3, 4], engine.pages.open([])), wanted);
    await engine.close();
  });
});
