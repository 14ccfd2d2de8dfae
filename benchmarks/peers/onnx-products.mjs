/**
 * Speed of onnxruntime-web's products with packed weights (wasm backend), as JSON: seconds of one product.
 *
 *   node benchmarks/peers/onnx-products.mjs PRODUCT THREADS REPEAT
 *
 * PRODUCT is JSON, as in
 *
 *   {"rows":1,"inputs":2560,"outputs":6912,"bits":2,"blockSize":128,"accuracyLevel":4,"count":12}
 */
import * as ort from "onnxruntime-web";
import { productsModel } from "./onnx-model.mjs";

const [product, threads, repeat] = process.argv.slice(2).map((argument) => JSON.parse(argument));
ort.env.wasm.numThreads = threads;
ort.env.logLevel = "error";
const session = await ort.InferenceSession.create(productsModel(product), {
  executionProviders: ["wasm"],
  graphOptimizationLevel: "all",
});
const x = new ort.Tensor(
  "float32",
  Float32Array.from({ length: product.rows * product.inputs }, (_, i) => Math.sin(i)),
  [product.rows, product.inputs],
);
const seconds = [];
for (let i = -2; i < repeat; i++) {
  const started = performance.now();
  await session.run({ x });
  if (i >= 0) seconds.push((performance.now() - started) / 1e3 / product.count);
}
seconds.sort((a, b) => a - b);
console.log(JSON.stringify({ version: ort.env.versions.common, seconds: seconds[seconds.length >> 1] }));
process.exit();
