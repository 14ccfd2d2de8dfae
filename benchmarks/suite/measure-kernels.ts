/** Where a token's time goes, and single products beside onnxruntime-web's. */
import { existsSync } from "node:fs";
import type { ProfileReport } from "../profile/report.ts";
import { shapes } from "../../tests/synthetic/shapes.ts";
import { type Context, type Measured, fastestNode } from "./context.ts";
import { profile } from "./measure-scaling.ts";
import { type ModelName, modelFile } from "./models.ts";
import { runJson } from "./processes.ts";
import type { ProductRow, ProductsData, ProfileData } from "./results.ts";
import type { Absence } from "./turns.ts";

/** One row on one thread and two; the same from the cache; as many rows of a prompt as are read at a time. */
export async function measureProfile(context: Context, model: ModelName): Promise<Measured<ProfileData>> {
  const { path } = await modelFile(model, context.note),
    reports: ProfileReport[] = [];
  const cases = [
    ["--threads", "1"],
    ["--threads", "2"],
    ["--threads", "1", "--cached"],
    ["--threads", "1", "--rows", "batch", "--tokens", "3"],
    ["--threads", "2", "--rows", "batch", "--tokens", "3"],
  ];
  for (const args of cases) {
    context.note(`${model}, profile ${args.join(" ")}`);
    reports.push(...(await profile(context, path, args)));
  }
  return { data: { kind: "profile", model, reports } };
}

/** Weights of one onnxruntime-web call: more than a processor's caches hold. */
const STREAMED_WEIGHTS = 400e6;

export async function measureProducts(context: Context): Promise<Measured<ProductsData>> {
  const model = "2b4t",
    { path } = await modelFile(model, context.note),
    { nEmbd, nFf, nHeads, headDim } = shapes[model];
  const products = [
    { name: "ffn_gate, ffn_up", inputs: nEmbd, outputs: nFf },
    { name: "ffn_down", inputs: nFf, outputs: nEmbd },
    { name: "attn_output", inputs: nHeads * headDim, outputs: nEmbd },
  ];
  const rows: ProductRow[] = [],
    absent: Absence[] = [];
  for (const threads of context.isQuick ? [1] : [1, 2]) {
    for (const asked of ["1", "batch"]) {
      const [{ kinds, rows: nRows }] = await profile(context, path, [
        "--threads",
        String(threads),
        "--rows",
        asked,
        "--tokens",
        "5",
      ]);
      for (const product of context.isQuick ? products.slice(0, 1) : products) {
        context.note(`${product.name}, ${nRows} rows, ${threads} threads`);
        const words = product.name.split(", "),
          kind = kinds.find(({ name }) => words.every((word) => name.includes(word)));
        const peer = (bits: number): Promise<number | undefined> =>
          peerGigamacs(context, { ...product, bits, rows: nRows, threads }, absent);
        if (kind)
          rows.push({
            ...product,
            rows: nRows,
            threads,
            onebit: (kind.weights * nRows) / kind.milliseconds / 1e6,
            peer2: await peer(2),
            peer4: await peer(4),
          });
      }
    }
  }
  return { data: { kind: "products", model, rows }, absent };
}

interface PeerProduct {
  readonly inputs: number;
  readonly outputs: number;
  readonly bits: number;
  readonly rows: number;
  readonly threads: number;
}

async function peerGigamacs(
  context: Context,
  { threads, ...product }: PeerProduct,
  absent: Absence[],
): Promise<number | undefined> {
  const name = `onnxruntime-web, ${product.bits}-bit weights`;
  if (absent.some((absence) => absence.name === name)) return undefined;
  const weights = product.inputs * product.outputs,
    nWeights = context.isQuick ? STREAMED_WEIGHTS / 4 : STREAMED_WEIGHTS;
  // Blocks of 128 weights and 8-bit activations: its form most like ours.
  const description = {
    ...product,
    blockSize: 128,
    accuracyLevel: 4,
    count: product.rows === 1 ? Math.ceil(nWeights / weights) : 2,
  };
  try {
    if (!existsSync("benchmarks/node_modules/onnxruntime-web"))
      throw new Error("not installed (npm ci --ignore-scripts --prefix benchmarks)");
    const args = ["benchmarks/peers/onnx-products.mjs", JSON.stringify(description), String(threads), "3"];
    const { seconds } = await runJson<{ seconds: number }>(fastestNode(context), args);
    return (weights * product.rows) / seconds / 1e9;
  } catch (error) {
    absent.push({ name, reason: (error as Error).message });
    return undefined;
  }
}
