/** How speed changes with the size of the model, the position in the context and the length of the prompt. */
import { type Context, type Measured, fastestNode } from "./context.ts";
import { type Cut, type ModelName, modelFile } from "./models.ts";
import { llamaCpp, onebitInNode } from "./node-engines.ts";
import type { ProfileReport } from "../profile/report.ts";
import { runJson } from "./processes.ts";
import type { PositionsData, PromptRow, PromptsData, SizesData } from "./results.ts";
import { takeTurns } from "./turns.ts";

const BOTH_THREADS = [1, 2];

/** From 54 MB, which needs a smaller vocabulary too, to the whole 815 MB: what a layer costs stays the same. */
const CUTS: readonly Cut[] = [
  { nLayers: 2, nVocab: 8192 },
  { nLayers: 6, nVocab: 32_768 },
  { nLayers: 6 },
  { nLayers: 12 },
  { nLayers: 20 },
  {},
];
const QUICK_CUTS: readonly Cut[] = [{ nLayers: 6 }, {}];

/** The same width, fewer layers. */
export async function measureSizes(context: Context, model: ModelName): Promise<Measured<SizesData>> {
  const rows: SizesData["rows"][number][] = [],
    engine = onebitInNode("onebit", { path: fastestNode(context) });
  for (const cut of context.isQuick ? QUICK_CUTS : CUTS) {
    const file = await modelFile(model, context.note, cut);
    for (const threads of context.isQuick ? [2] : BOTH_THREADS) {
      const { results } = await takeTurns(
        [engine],
        {
          file: file.path,
          threads,
          promptTokens: 8,
          tokens: context.isQuick ? 24 : 48,
          repeats: context.isQuick ? 1 : 2,
        },
        Math.min(context.rounds, 3),
        () => context.note(`${model}, ${file.nLayers} layers, vocabulary of ${file.nVocab}, ${threads} threads`),
      );
      rows.push(
        ...results.map(({ speed }) => ({
          nLayers: file.nLayers,
          nVocab: file.nVocab,
          modelBytes: file.bytes,
          threads,
          tokensPerSecond: speed.tokensPerSecond,
        })),
      );
    }
  }
  return { data: { kind: "sizes", model, rows } };
}

/** A token's program at a position without reading what precedes it: attention takes the same time over any values. */
export async function measurePositions(context: Context, model: ModelName): Promise<Measured<PositionsData>> {
  const rows: PositionsData["rows"][number][] = [],
    { path } = await modelFile(model, context.note);
  for (const threads of context.isQuick ? [2] : BOTH_THREADS) {
    for (const kv of ["f32", "q8"]) {
      context.note(`${model}, positions, ${threads} threads, cache ${kv}`);
      const reports = await profile(context, path, [
        "--position",
        "0,1000,4000",
        "--kv",
        kv,
        "--tokens",
        context.isQuick ? "9" : "25",
        "--threads",
        String(threads),
      ]);
      rows.push(...reports.map(({ position, wholeMs }) => ({ threads, kv, position, tokensPerSecond: 1e3 / wholeMs })));
    }
  }
  return { data: { kind: "positions", model, rows } };
}

/** Time to the first token of a thousand is that of its prompt: the longest case here. */
export async function measurePrompts(context: Context, model: ModelName): Promise<Measured<PromptsData>> {
  const rows: PromptRow[] = [],
    { path } = await modelFile(model, context.note),
    absences: { name: string; reason: string }[] = [];
  const engines = [onebitInNode("onebit", { path: fastestNode(context) }), llamaCpp()];
  for (const threads of context.isQuick ? [2] : BOTH_THREADS) {
    for (const promptTokens of context.isQuick ? [256] : [64, 256, 1000]) {
      const { results, absent } = await takeTurns(
        engines,
        { file: path, threads, promptTokens, tokens: 2, repeats: 1 },
        1,
        (line) => context.note(`${model}, prompt of ${promptTokens}, ${threads} threads: ${line}`),
      );
      const [ours, peer] = engines.map(
        ({ name }) => results.find(({ engine }) => engine === name)?.speed.promptTokensPerSecond,
      );
      if (ours !== undefined) rows.push({ model, threads, promptTokens, onebit: ours, peer });
      absences.push(...absent);
    }
  }
  return { data: { kind: "prompts", rows }, absent: absences };
}

export function profile(context: Context, path: string, args: readonly string[]): Promise<ProfileReport[]> {
  return runJson(fastestNode(context), ["benchmarks/run.mjs", "profile", path, ...args, "--json"]);
}
