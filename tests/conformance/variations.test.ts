/**
 * What some model files add to the plain architectures, against the exact pass and (where it computes the same) against
 * llama.cpp: rotary frequencies that are divided, interpolated, or chosen by the context length; biases and scales of
 * projections; norms of their inputs. Weights are dense, so that nothing but the last bits of f32 may differ.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { syntheticModel } from "../synthetic/model.ts";
import { shapes } from "../synthetic/shapes.ts";
import type { Shape } from "../synthetic/shapes.ts";
import { writeModelFile } from "../synthetic/write-file.ts";
import type { GgufEntry, GgufTensorToWrite } from "../../src/files/gguf-writer.ts";
import { compareEngines, onebitLogits, spreadIds } from "./compare.ts";
import { divergence } from "./divergence.ts";
import { peerInstalled } from "./peer.ts";

const IDS = spreadIds(32, 1024);
/** f32 against f64: about 1e-6 of the largest logit. */
const RELATIVE_ERROR_MAX = 1e-5;
/** llama.cpp has its keys and values, and the activations of f16 weights, in half precision. */
const PEER_RELATIVE_ERROR_MAX = 1e-2;

const llama: Shape = { ...shapes["llama-512"], nLayers: 2, bodyType: "F16", headType: "F32" };
const qwen3: Shape = { ...shapes["qwen3-512"], nLayers: 2, bodyType: "F16", headType: "F32" };
const hybrid: Shape = { ...shapes["qwen35-512"], bodyType: "F16", headType: "F32" };
const HALF = llama.headDim / 2;

const vector = (name: string, values: readonly number[]): GgufTensorToWrite => ({
  name,
  type: "F32",
  shape: [values.length],
  data: () => [new Uint8Array(Float32Array.from(values).buffer)],
});
const ramp = (length: number, from: number, to: number) =>
  Array.from({ length }, (_, i) => from + ((to - from) * i) / (length - 1));
const longRope = (originalContext: number): GgufEntry[] => [
  ["llama.rope.scaling.type", "string", "longrope"],
  ["llama.rope.scaling.original_context_length", "uint32", originalContext],
  ["llama.rope.scaling.attn_factor", "float32", 1.19],
];
const longRopeTensors = [
  vector("rope_factors_short.weight", ramp(HALF, 1, 1.5)),
  vector("rope_factors_long.weight", ramp(HALF, 1, 40)),
];

interface Variation {
  readonly shape: Shape;
  readonly metadata?: readonly GgufEntry[];
  readonly tensors?: readonly GgufTensorToWrite[];
  readonly peer: boolean;
}

const VARIATIONS: Readonly<Record<string, Variation>> = {
  "rope_freqs (Llama 3.1)": { shape: llama, tensors: [vector("rope_freqs.weight", ramp(HALF, 1, 8))], peer: true },
  "linear scaling": {
    shape: llama,
    peer: true,
    metadata: [
      ["llama.rope.scaling.type", "string", "linear"],
      ["llama.rope.scaling.factor", "float32", 4],
    ],
  },
  "LongRoPE, short": { shape: llama, metadata: longRope(512), tensors: longRopeTensors, peer: true },
  "LongRoPE, long": { shape: llama, metadata: longRope(128), tensors: longRopeTensors, peer: true },
  "gated delta nets": { shape: hybrid, peer: true },
  "gated delta nets, layers by a list": {
    shape: hybrid,
    metadata: [
      ["qwen35.attention.recurrent_layers", "bool[]", [true, true, true, false]],
      ["qwen35.full_attention_interval", "uint32", 2],
    ],
    peer: false,
  },
  YaRN: { shape: { ...qwen3, yarn: { factor: 4, originalContextLength: 64 } }, peer: true },
  "half of each head rotates": {
    shape: qwen3,
    metadata: [["qwen3.rope.dimension_count", "uint32", qwen3.headDim / 2]],
    peer: false,
  },
  "biases of projections": {
    shape: qwen3,
    peer: false,
    tensors: [0, 1].flatMap((layer) => [
      vector(`blk.${layer}.attn_q.bias`, ramp(qwen3.nHeads * qwen3.headDim, -0.5, 0.5)),
      vector(`blk.${layer}.attn_output.bias`, ramp(qwen3.nEmbd, 0.3, -0.3)),
      vector(`blk.${layer}.ffn_down.bias`, ramp(qwen3.nEmbd, -0.2, 0.4)),
    ]),
  },
  "scales of projections": {
    shape: llama,
    peer: false,
    tensors: [
      vector("blk.0.attn_v.scale", [0.75]),
      vector("blk.1.ffn_down.scale", [1.5]),
      vector("blk.1.ffn_gate.scale", [-1.25]),
    ],
  },
  "norms of every projection's input (BitNet embedding models)": {
    shape: qwen3,
    peer: false,
    tensors: [0, 1].flatMap((layer) =>
      ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"].map((name, i) =>
        vector(
          `blk.${layer}.${name}_norm_in.weight`,
          ramp(name === "ffn_down" ? qwen3.nFf : qwen3.nEmbd, 0.8 + i / 20, 1.1),
        ),
      ),
    ),
  },
};

let folder = "";
before(() => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(join("build", "variations-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("variations of the architectures", () => {
  for (const [name, variation] of Object.entries(VARIATIONS)) {
    test(name, async (t) => {
      const path = await write(variation);
      const { onebit, peer } = await compareEngines(path, IDS, { peer: variation.peer, load: { threads: 1 } });
      const error = ({ relativeError }: { readonly relativeError: number }) => relativeError.toExponential(1);
      t.diagnostic(`onebit ${error(onebit)}${peer ? `, llama.cpp ${error(peer)}` : ""}`);
      assert.ok(onebit.relativeError <= RELATIVE_ERROR_MAX, `relative error ${onebit.relativeError}`);
      // Were the exact pass wrong in the same way as the engine, llama.cpp would be far from both.
      if (peer)
        assert.ok(peer.relativeError <= PEER_RELATIVE_ERROR_MAX, `llama.cpp: relative error ${peer.relativeError}`);
    });
  }

  test("each of them changes the result: none is ignored", async () => {
    for (const [name, variation] of Object.entries(VARIATIONS)) {
      // A model of another architecture has no plain twin, and two lists may say the same.
      if (variation.shape.hybrid !== undefined) continue;
      const { yarn: _, ...plain } = variation.shape;
      const without = await onebitLogits(await write({ shape: plain, peer: false }), IDS, { threads: 1 });
      const found = await onebitLogits(await write(variation), IDS, { threads: 1 });
      assert.ok(divergence(without, found).relativeError > 100 * RELATIVE_ERROR_MAX, `${name} changes nothing`);
    }
  });
});

test(
  "llama.cpp takes part",
  { skip: peerInstalled || process.env.ONEBIT_PEER === "1" ? false : "it is not installed here" },
  () => assert.ok(peerInstalled),
);

async function write({ shape, metadata = [], tensors = [] }: Variation): Promise<string> {
  const path = join(folder, "model.gguf");
  const model = syntheticModel(shape, 3);
  const changed = new Set(metadata.map(([key]) => key));
  await writeModelFile(path, {
    metadata: [...model.metadata.filter(([key]) => !changed.has(key)), ...metadata],
    tensors: [...model.tensors, ...tensors],
  });
  return path;
}
