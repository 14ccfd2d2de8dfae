/**
 * How far onebit is from the exact result, and from llama.cpp on the same files, at width 512: 64 positions.
 *
 * Families trained with float activations: at least as close as llama.cpp (which quantises activations to 8 bits, 32 or
 * 256 at a time). BitNet: the 8-bit activations are part of the model, so little may differ. The bounds without
 * llama.cpp are what is measured, times two or so. Full-size models: `node benchmarks/run.mjs accuracy`.
 *
 * ONEBIT_PEER=1: fail, instead of leaving llama.cpp out, where it is not installed.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { syntheticModel } from "../synthetic/model.ts";
import { shapes } from "../synthetic/shapes.ts";
import type { Shape } from "../synthetic/shapes.ts";
import { writeModelFile } from "../synthetic/write-file.ts";
import { compareEngines, spreadIds } from "./compare.ts";
import type { Divergence } from "./divergence.ts";
import { peerInstalled } from "./peer.ts";

const N_POSITIONS = 64;

/** An exact gap between the first and second choice, in logits of standard deviation 2.5, that no rounding closes. */
const WIDE_GAP = 0.25;

/** Mean Kullback–Leibler divergence from the exact result, nats. */
const KL_MAX = { float: 1e-3, token: 1e-4, dense: 1e-6 };

const MODELS: readonly (readonly [string, Shape, keyof typeof KL_MAX])[] = [
  ["llama TQ2_0", shapes["llama-512"], "float"],
  ["llama TQ1_0", { ...shapes["llama-512"], bodyType: "TQ1_0" }, "float"],
  ["llama Q2_0", { ...shapes["llama-512"], bodyType: "Q2_0" }, "float"],
  ["llama Q1_0", { ...shapes["llama-512"], bodyType: "Q1_0" }, "float"],
  ["qwen3 TQ2_0", shapes["qwen3-512"], "float"],
  ["qwen3 Q2_0", { ...shapes["qwen3-512"], bodyType: "Q2_0", headType: "Q2_0", tied: true }, "float"],
  ["qwen3 Q1_0", { ...shapes["qwen3-512"], bodyType: "Q1_0", headType: "Q1_0", tied: true }, "float"],
  ["qwen3 Q1_0, YaRN", { ...shapes["qwen3-512-yarn"], bodyType: "Q1_0" }, "float"],
  ["qwen2 TQ2_0", shapes["qwen2-512"], "float"],
  ["minicpm TQ2_0", shapes["minicpm-512"], "float"],
  ["gemma3 TQ2_0", shapes["gemma3-512"], "float"],
  ["gemma3, dense", { ...shapes["gemma3-512"], bodyType: "F16", headType: "F32" }, "dense"],
  ["hunyuan-dense TQ2_0", shapes["hunyuan-512"], "float"],
  ["hunyuan-dense, dense", { ...shapes["hunyuan-512"], bodyType: "F16", headType: "F32" }, "dense"],
  ["llama, dense", { ...shapes["llama-512"], bodyType: "F16", headType: "F32" }, "dense"],
  ["qwen3, dense, YaRN", { ...shapes["qwen3-512-yarn"], bodyType: "F16", headType: "F32" }, "dense"],
  ["bitnet TQ2_0", shapes["bitnet-512-silu"], "token"],
  ["bitnet TQ1_0", { ...shapes["bitnet-512-silu"], bodyType: "TQ1_0" }, "token"],
  ["bitnet Q2_0", { ...shapes["bitnet-512-silu"], bodyType: "Q2_0" }, "token"],
];

/** What llama.cpp does not have, or computes otherwise: squared ReLU, I2_S, PrismML's types. */
const WITHOUT_PEER: typeof MODELS = [
  ["bitnet-b1.58 TQ2_0, squared ReLU", shapes["bitnet-b1.58-512"], "token"],
  ["bitnet I2_S, squared ReLU", { ...shapes["bitnet-512"], bodyType: "I2_S" }, "token"],
  ["bitnet, one scale a block", { ...shapes["bitnet-512"], scalePerTensor: false }, "token"],
  ["qwen3 PQ2_0", { ...shapes["qwen3-512"], bodyType: "PQ2_0" }, "float"],
  ["qwen3 PTQ1_0", { ...shapes["qwen3-512"], bodyType: "PTQ1_0" }, "float"],
];

let folder = "";
before(() => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(join("build", "accuracy-"));
  if (process.env.ONEBIT_PEER === "1")
    assert.ok(peerInstalled, "llama.cpp is not installed: npm ci --prefix tests/conformance");
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe(`onebit${peerInstalled ? " and llama.cpp" : ""} against the exact result`, () => {
  for (const [name, shape, kind] of MODELS) compare(name, shape, kind, peerInstalled);
});
describe("onebit against the exact result", () => {
  for (const [name, shape, kind] of WITHOUT_PEER) compare(name, shape, kind, false);
});

function compare(name: string, shape: Shape, kind: keyof typeof KL_MAX, withPeer: boolean): void {
  test(name, async (t) => {
    const path = join(folder, "model.gguf");
    await writeModelFile(path, syntheticModel(shape, 1));
    const { onebit, peer } = await compareEngines(path, spreadIds(N_POSITIONS, shape.nVocab), {
      peer: withPeer,
      load: { threads: 1 },
    });
    t.diagnostic(`onebit ${describeDivergence(onebit)}${peer ? `; llama.cpp ${describeDivergence(peer)}` : ""}`);
    assert.ok(onebit.meanKl <= KL_MAX[kind], `mean KL ${onebit.meanKl}, wanted at most ${KL_MAX[kind]}`);
    assert.ok(
      onebit.widestGapThatDiffers < WIDE_GAP,
      `another first choice across a gap of ${onebit.widestGapThatDiffers}`,
    );
    if (peer) assert.ok(onebit.meanKl <= peer.meanKl, `mean KL ${onebit.meanKl}, llama.cpp has ${peer.meanKl}`);
  });
}

function describeDivergence({ meanKl, relativeError }: Divergence): string {
  return `KL ${meanKl.toExponential(2)}, largest error ${relativeError.toExponential(2)}`;
}
