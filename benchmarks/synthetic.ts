/**
 * Writes a synthetic model file: the architecture, types and sizes of a real 1-bit model with random weights.
 *
 *   node benchmarks/run.mjs synthetic --shape 2b4t --out /tmp/2b4t.gguf
 *   node benchmarks/run.mjs synthetic --shape llama-512 --type TQ1_0 --head-type Q4_K --seed 7 --out /tmp/small.gguf
 */
import { parseArgs } from "node:util";
import { shapes } from "../tests/synthetic/shapes.ts";
import { syntheticModel } from "../tests/synthetic/model.ts";
import { writeModelFile } from "../tests/synthetic/write-file.ts";
import type { TensorTypeName } from "../src/files/tensor-types.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string" },
    out: { type: "string" },
    type: { type: "string" },
    "head-type": { type: "string" },
    layers: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const shape = shapes[values.shape ?? ""];
if (!shape || !values.out) {
  console.error(
    `usage: synthetic --shape ${Object.keys(shapes).join("|")} --out FILE [--type T] [--head-type T] [--layers ` +
      "N] [--seed N]",
  );
  process.exit(2);
}
const started = performance.now();
const model = syntheticModel(
  {
    ...shape,
    bodyType: (values.type as TensorTypeName | undefined) ?? shape.bodyType,
    headType: (values["head-type"] as TensorTypeName | undefined) ?? shape.headType,
    nLayers: values.layers ? Number(values.layers) : shape.nLayers,
  },
  Number(values.seed),
);
const sizeBytes = await writeModelFile(values.out, model);
console.log(
  `${values.out}: ${(sizeBytes / 1e6).toFixed(1)} MB in ${((performance.now() - started) / 1e3).toFixed(1)} s`,
);
