/** Whole models, in every engine: reading a prompt and writing. */
import type { Context, Measured } from "./context.ts";
import { type ModelName, modelFile } from "./models.ts";
import { BASELINE_NODE_MAJOR, llamaCpp, onebitInNode } from "./node-engines.ts";
import { onebitInChromium, wllamaInChromium } from "./page-engines.ts";
import type { LoadingData, ModelsData } from "./results.ts";
import { takeTurns } from "./turns.ts";

export async function measureModel(context: Context, model: ModelName, threads: number): Promise<Measured<ModelsData>> {
  const { isQuick, nodes, rounds, note } = context,
    { path, bytes } = await modelFile(model, note);
  const engines = [
    onebitInNode(`onebit, Node ${BASELINE_NODE_MAJOR}`, nodes.baseline),
    onebitInNode(`onebit, Node ${nodes.relaxed?.major ?? "with relaxed SIMD"}`, nodes.relaxed),
    onebitInChromium(context.startBrowser),
    llamaCpp(),
    wllamaInChromium(
      context.startBrowser,
      isQuick ? { promptTokens: 6, tokens: 3, rounds: 1 } : { promptTokens: 32, tokens: 8, rounds: 1 },
    ),
  ];
  const work = { file: path, threads, promptTokens: 64, tokens: isQuick ? 24 : 48, repeats: isQuick ? 1 : 3 };
  const { results, absent } = await takeTurns(engines, work, rounds, (line) =>
    note(`${model}, ${threads} threads: ${line}`),
  );
  return { data: { kind: "models", model, modelBytes: bytes, threads, results }, absent };
}

/** Loads from a file already in the system's page cache. */
export async function measureLoading(context: Context, models: readonly ModelName[]): Promise<Measured<LoadingData>> {
  const { nodes, rounds, note } = context,
    rows: LoadingData["rows"][number][] = [],
    missing: { name: string; reason: string }[] = [];
  for (const model of models) {
    const { path, bytes } = await modelFile(model, note);
    const engines = [
      onebitInNode(`onebit, Node ${BASELINE_NODE_MAJOR}`, nodes.baseline),
      onebitInNode(`onebit, Node ${nodes.relaxed?.major ?? "with relaxed SIMD"}`, nodes.relaxed),
      onebitInChromium(context.startBrowser),
      llamaCpp(),
    ];
    const { results, absent } = await takeTurns(
      engines,
      { file: path, threads: 1, promptTokens: 8, tokens: 2, repeats: 1 },
      rounds,
      (line) => note(`loading ${model}: ${line}`),
    );
    rows.push(...results.map(({ engine, speed }) => ({ model, modelBytes: bytes, engine, loadMs: speed.loadMs })));
    missing.push(...absent);
  }
  return { data: { kind: "loading", rows }, absent: missing };
}
