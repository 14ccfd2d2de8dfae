/**
 * What computing together gains, and what it costs: tokens a second in sum of 1, 2, 4, 8 contexts that write at the
 * same time; and how long a context that writes waits for its next token while another reads a prompt.
 *
 *   node benchmarks/run.mjs contexts FILE... [--threads 1,2] [--contexts 1,2,4,8] [--tokens 24] [--rounds 3]
 *       [--prompt 2000] [--stall 250]
 *
 * Rounds of each number in turn; medians, and ratios to one context. The ids of each are compared with those it gives
 * alone.
 */
import { cpus, loadavg } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { load } from "../src/load.ts";
import type { Model } from "../src/model.ts";
import { median } from "./train/median.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1,2" },
    contexts: { type: "string", default: "1,2,4,8" },
    tokens: { type: "string", default: "24" },
    rounds: { type: "string", default: "3" },
    prompt: { type: "string", default: "2000" },
    stall: { type: "string", default: "250" },
  },
});
if (positionals.length === 0) throw new Error("usage: node benchmarks/run.mjs contexts FILE...");
const numbersOf = (text: string): number[] => text.split(",").map(Number),
  counts = numbersOf(values.contexts),
  maxTokens = Number(values.tokens),
  promptTokens = Number(values.prompt),
  maxStallMs = Number(values.stall);
const PROMPT_IDS = 16,
  contextLength = PROMPT_IDS + maxTokens;

/** Tokens a second of `n` contexts from the first token of all to the last. */
async function measure(model: Model, n: number, wanted: Map<number, string>): Promise<number> {
  const contexts = Array.from({ length: n }, () => model.context()),
    promptOf = (i: number): number[] =>
      Array.from({ length: PROMPT_IDS }, (_, at) => (i * 101 + at * 7919) % model.vocabSize);
  for (const [i, context] of contexts.entries()) await context.logits(promptOf(i));
  const begin = performance.now();
  const results = await Promise.all(
    contexts.map((context, i) =>
      context.generate(promptOf(i), { maxTokens, temperature: 0, ignoreEnd: true }).result(),
    ),
  );
  const seconds = (performance.now() - begin) / 1000;
  for (const [i, { ids }] of results.entries()) {
    const found = ids.join();
    if ((wanted.get(i) ?? found) !== found) throw new Error(`context ${i} of ${n}: other ids than alone`);
    wanted.set(i, found);
  }
  for (const context of contexts) context.close();
  return (n * maxTokens) / seconds;
}

/** Milliseconds between the tokens of one context before and while another reads a prompt, and of reading that. */
async function gaps(file: string, threads: number): Promise<{ before: number[]; beside: number[]; promptMs: number }> {
  const found = { before: [] as number[], beside: [] as number[], promptMs: 0 },
    contextLength = promptTokens + 64;
  await using model = await load(file, { threads, contextLength, kvPositions: 2 * contextLength, maxStallMs });
  const ids = Array.from({ length: promptTokens }, (_, i) => (i * 7919 + 3) % model.vocabSize);
  let isReading = false,
    isRead = false,
    lastMs = performance.now();
  const options = { maxTokens: promptTokens, temperature: 0, ignoreEnd: true },
    read = async (): Promise<void> => {
      isReading = true;
      const begin = performance.now();
      await model.context().logits(ids);
      found.promptMs = performance.now() - begin;
      isRead = true;
    };
  let reading: Promise<void> | undefined;
  for await (const _ of model.context().generate([1, 2, 3], options)) {
    const nowMs = performance.now();
    (isReading ? found.beside : found.before).push(nowMs - lastMs);
    lastMs = nowMs;
    if (isRead) break;
    if (found.before.length === 16) reading ??= read();
  }
  await reading;
  return found;
}

/** The value that this share of the others does not exceed. */
function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]!;
}

console.log(`${cpus()[0]?.model}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`);
console.log("| model | threads | contexts | tokens/s in sum | against one |\n|---|---|---|---|---|");
for (const file of positionals) {
  for (const threads of numbersOf(values.threads)) {
    const kvPositions = Math.max(...counts) * Math.ceil(contextLength / 64) * 64;
    await using model = await load(file, { threads, contextLength, kvPositions });
    const wanted = new Map<number, string>(),
      speeds = counts.map((): number[] => []);
    await measure(model, 1, wanted);
    for (let round = 0; round < Number(values.rounds); round++)
      for (const [i, n] of counts.entries()) speeds[i]!.push(await measure(model, n, wanted));
    const one = median(speeds[0]!);
    for (const [i, n] of counts.entries()) {
      const speed = median(speeds[i]!);
      console.log(`| ${basename(file)} | ${threads} | ${n} | ${speed.toFixed(1)} | ${(speed / one).toFixed(2)} |`);
    }
  }
}

console.log(
  `\n| model | threads | a token alone, ms | beside a prompt of ${promptTokens}, p50 | p99 | wanted | prompt, s |\n` +
    "|---|---|---|---|---|---|---|",
);
for (const file of positionals) {
  for (const threads of numbersOf(values.threads)) {
    const { before, beside, promptMs } = await gaps(file, threads),
      one = median(before);
    const cells = [one, quantile(beside, 0.5), quantile(beside, 0.99), maxStallMs + one].map((ms) => ms.toFixed(0));
    console.log(`| ${basename(file)} | ${threads} | ${cells.join(" | ")} | ${(promptMs / 1000).toFixed(1)} |`);
  }
}
