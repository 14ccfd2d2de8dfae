/**
 * `onebit bench`: how fast a model reads and writes here.
 *
 * @module
 */
import type { Model } from "../../index.ts";
import { LOAD_OPTION_HELP, LOAD_OPTION_TYPES } from "../command.ts";
import type { Command } from "../command.ts";
import { formatBytes, formatJson } from "../format.ts";
import { loadModel } from "../progress.ts";

const PROMPT_DEFAULT = 128;
const TOKENS_DEFAULT = 64;
const REPEAT_DEFAULT = 3;

export const bench: Command = {
  name: "bench",
  summary: "Measure the speed of loading, reading and writing",
  usage: "onebit bench MODEL [options]   (medians over the repeats; loading is measured once)",
  optionHelp: [
    ["--prompt N", `ids to read at a time (default ${PROMPT_DEFAULT})`],
    ["--tokens N", `tokens to generate (default ${TOKENS_DEFAULT})`],
    ["--repeat N", `times to measure (default ${REPEAT_DEFAULT})`],
    ...LOAD_OPTION_HELP,
    ["--json", "print loadMs, promptTokensPerSecond, tokensPerSecond and the settings"],
  ],
  examples: [
    "onebit bench model.gguf --threads 1",
    "onebit bench model.gguf --prompt 512 --tokens 128 --repeat 5 --json",
  ],
  optionTypes: {
    prompt: { type: "string" },
    tokens: { type: "string" },
    repeat: { type: "string" },
    json: { type: "boolean" },
    ...LOAD_OPTION_TYPES,
  },
  nPositionals: [1, 1],
  async run(context) {
    const { options, terminal, signal } = context;
    const prompt = options.integer("prompt", 1) ?? PROMPT_DEFAULT;
    const tokens = options.integer("tokens", 2) ?? TOKENS_DEFAULT;
    const repeat = options.integer("repeat", 1) ?? REPEAT_DEFAULT;
    // By default no longer than needed: loading writes the whole cache.
    await using model = await loadModel(context, { contextLength: options.integer("context", 1) ?? prompt + tokens });
    const runs: Speeds[] = [];
    for (let i = 0; i < repeat; i++) runs.push(await measure(model, prompt, tokens, signal));
    const result = {
      loadMs: model.loadMs,
      promptTokensPerSecond: median(runs.map((one) => one.promptTokensPerSecond)),
      tokensPerSecond: median(runs.map((one) => one.tokensPerSecond)),
      prompt,
      tokens,
      repeat,
      memory: model.memory,
      engine: model.engine,
    };
    await terminal.out(options.flag("json") ? formatJson(result) : describe(result));
  },
};

interface Speeds {
  readonly promptTokensPerSecond: number;
  readonly tokensPerSecond: number;
}

async function measure(model: Model, prompt: number, tokens: number, signal: AbortSignal): Promise<Speeds> {
  await model.truncate(0);
  const generation = model.generate(pseudoIds(prompt, model.vocabSize), {
    maxTokens: tokens,
    temperature: 0,
    ignoreEnd: true,
    signal,
  });
  const { timings } = await generation.result();
  signal.throwIfAborted();
  // The first token comes from the prompt's last row; each other took one evaluation.
  return {
    promptTokensPerSecond: (timings.promptTokens * 1000) / timings.promptMs,
    tokensPerSecond: ((timings.tokens - 1) * 1000) / timings.generateMs,
  };
}

/** The same ids every time, spread over the vocabulary (the linear congruential generator of Numerical Recipes). */
function pseudoIds(n: number, vocabSize: number): number[] {
  let state = 1;
  return Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % vocabSize;
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function describe(
  result: Speeds & { loadMs: number; prompt: number; tokens: number; memory: Model["memory"]; engine: Model["engine"] },
): string {
  const { engine, memory } = result;
  return [
    `load      ${(result.loadMs / 1000).toFixed(2)} s, ${formatBytes(memory.wasmBytes)} of memory`,
    `prompt    ${result.promptTokensPerSecond.toFixed(1)} tokens/s (${result.prompt} tokens)`,
    `generate  ${result.tokensPerSecond.toFixed(1)} tokens/s (${result.tokens} tokens)`,
    `kernels   ${engine.variant}, ternary by ${engine.ternaryKernel}, ` +
      (engine.dots === "pairs" ? "products by pairs, " : "") +
      `${engine.threads} thread${engine.threads === 1 ? "" : "s"}`,
    "",
  ].join("\n");
}
