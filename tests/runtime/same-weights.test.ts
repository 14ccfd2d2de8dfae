/**
 * One model, many files: the same ternary weights in every type that can hold them, and as Hugging Face stores them,
 * give the same logits to the last bit. Float masters are rounded to those weights, with a scale that is a mean.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { syntheticModel } from "../../benchmarks/synthetic/model.ts";
import type { Shape } from "../../benchmarks/synthetic/shapes.ts";
import { bytesSource } from "../../src/core/byte-source.ts";
import { writeGguf } from "../../src/files/gguf-writer.ts";
import { openModelFile } from "../../src/files/model-file.ts";
import { type ModelSource, load } from "../../src/index.ts";
import { type HfForm, writeHfFolder } from "./hf-export.ts";

/** All rows a multiple of 4, all widths of 256: what every type needs. */
const SHAPE: Shape = {
  architecture: "bitnet-b1.58",
  nEmbd: 256, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512, nVocab: 500,
  contextLength: 64, ropeTheta: 10_000, normEps: 1e-5, tied: true,
  bodyType: "TQ2_0", headType: "F32", scalePerTensor: true,
};

const IDS = Array.from({ length: 24 }, (_, i) => (i * 131 + 7) % SHAPE.nVocab);

describe("the same ternary weights", () => {
  let folder = "";
  let wanted = new Float32Array(0);
  before(async () => {
    mkdirSync("build", { recursive: true });
    folder = mkdtempSync(resolve("build/weights-"));
    wanted = await logitsOf(await ggufOf("TQ2_0"));
    assert.ok(wanted.every(Number.isFinite) && wanted.some((value) => value !== 0));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const type of ["TQ1_0", "Q2_0", "Q2_0_G128", "PQ2_0", "PTQ1_0", "I2_S"] as const) {
    test(`as ${type}`, async () => sameBits(await logitsOf(await ggufOf(type)), wanted));
  }

  test("as packed by Hugging Face, scales multiply", async () => sameBits(await logitsOf(await hfOf("multiply")), wanted));

  test("as packed by Hugging Face, scales divide", async () => {
    // 1 / (1 / s) is not s in f32: of the other types only I2_S, whose scale is f32, holds the same number.
    const reciprocal = (scale: number): number => Math.fround(1 / Math.fround(1 / scale));
    const rounded = await withScales(await ggufOf("I2_S"), reciprocal);
    sameBits(await logitsOf(await hfOf("divide")), await logitsOf(rounded));
  });

  test("as float masters, to a part in a thousand", async () => {
    const logits = await logitsOf(await hfOf("masters"));
    assert.equal(logits.length, wanted.length);
    const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (let i = 0; i < wanted.length; i++) assert.ok(Math.abs(logits[i] - wanted[i]) <= 1e-3 * largest, `logit ${i}: ${logits[i]}, ${wanted[i]}`);
  });

  test("and other weights give others", async () => {
    const other = await logitsOf(await ggufOf("TQ2_0", 2));
    assert.throws(() => sameBits(other, wanted));
  });

  async function hfOf(form: HfForm): Promise<string> {
    const at = join(folder, form);
    await writeHfFolder(at, await ggufOf("TQ2_0"), form);
    return at;
  }
});

async function ggufOf(bodyType: Shape["bodyType"], seed = 1): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  await writeGguf({ write: (bytes) => void pieces.push(bytes.slice()) }, syntheticModel({ ...SHAPE, bodyType }, seed));
  return Uint8Array.from(Buffer.concat(pieces));
}

/** An I2_S file with other scales: the f32 after each tensor's codes. */
async function withScales(gguf: Uint8Array, change: (scale: number) => number): Promise<Uint8Array> {
  const file = await openModelFile(bytesSource(gguf));
  const view = new DataView(gguf.buffer, gguf.byteOffset, gguf.byteLength);
  let changed = 0;
  for (const { type, shape, position } of file.tensors.values()) {
    if (type !== "I2_S") continue;
    const at = position + (shape[0] * shape[1]) / 4;
    view.setFloat32(at, change(view.getFloat32(at, true)), true);
    changed++;
  }
  assert.equal(changed, 7 * SHAPE.nLayers);
  return gguf;
}

async function logitsOf(source: ModelSource): Promise<Float32Array<ArrayBuffer>> {
  const model = await load(source, { threads: 1 });
  try {
    return new Float32Array(await model.logits(IDS));
  } finally {
    await model.close();
  }
}

function sameBits(found: Float32Array, wanted: Float32Array): void {
  assert.deepEqual(new Uint32Array(found.buffer), new Uint32Array(wanted.buffer));
}
