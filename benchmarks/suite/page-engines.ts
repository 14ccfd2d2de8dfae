/**
 * Engines in Chromium: onebit in its worker, and wllama (llama.cpp as WebAssembly) in its own. A page keeps its model
 * between turns.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Chromium, DrivenPage } from "./browser.ts";
import { WLLAMA } from "./engine-names.ts";
import type { Engine, Speed, Work } from "./turns.ts";

const ONEBIT_CHROMIUM = "onebit, Chromium";

/** Starts the browser on first use. */
export type BrowserStart = () => Promise<Chromium>;

export const onebitInChromium = (start: BrowserStart): Engine =>
  pageEngine(ONEBIT_CHROMIUM, start, openOnebit, runOnebit);

/** It is slow, so a turn or two with few tokens must do: its speed hardly depends on their number. */
export function wllamaInChromium(
  start: BrowserStart,
  limits: { readonly promptTokens: number; readonly tokens: number; readonly rounds: number },
): Engine {
  const reduce = (work: Work): Work => ({
    ...work,
    promptTokens: Math.min(work.promptTokens, limits.promptTokens),
    tokens: Math.min(work.tokens, limits.tokens),
  });
  const checked = async (): Promise<Chromium> => {
    if (!existsSync("benchmarks/node_modules/@wllama/wllama"))
      throw new Error("not installed (npm ci --ignore-scripts --prefix benchmarks)");
    return start();
  };
  return { ...pageEngine(WLLAMA, checked, openWllama, runWllama), maxRounds: limits.rounds, reduce };
}

interface Opening {
  readonly url: string;
  readonly threads: number;
  readonly contextLength: number;
}

interface Turn {
  readonly promptTokens: number;
  readonly tokens: number;
  /** Changes every turn: both engines cache the last prompt, so no prompt may begin like it. */
  readonly turn: number;
}

function pageEngine(
  name: string,
  start: BrowserStart,
  open: (opening: Opening) => Promise<number>,
  run: (turn: Turn) => Promise<Omit<Speed, "loadMs">>,
): Engine {
  let page: DrivenPage | undefined,
    loadMs = 0,
    turn = 0;
  const measureOnce = (promptTokens: number, tokens: number) =>
    page!.evaluate(run, { promptTokens, tokens, turn: turn++ });
  return {
    name,
    async measure({ file, threads, promptTokens, tokens }) {
      if (page === undefined) {
        page = await (await start()).newPage();
        loadMs = await page.evaluate(open, {
          url: `/model?path=${encodeURIComponent(resolve(file))}`,
          threads,
          contextLength: promptTokens + tokens + 16,
        });
        await measureOnce(2, 2); // starts the threads
      }
      // Browsers may slow a background page.
      await page.bringToFront();
      return { loadMs, ...(await measureOnce(promptTokens, tokens)) };
    },
    async rest() {
      await page?.close();
      page = undefined;
    },
  };
}

// The functions below run in the page: each is sent as text, without its surroundings.

/** Of the packages' own types, what is used. */
interface PageScope {
  onebit: {
    readonly loadMs: number;
    generate(
      ids: number[],
      options: object,
    ): {
      result(): Promise<{ timings: { promptTokens: number; promptMs: number; tokens: number; generateMs: number } }>;
    };
  };
  wllama: {
    loadModel(blobs: Blob[], options: object): Promise<void>;
    createCompletion(
      options: object,
    ): Promise<{ timings: { prompt_per_second: number; predicted_n: number; predicted_ms: number } }>;
  };
}

async function openOnebit({ url, threads, contextLength }: Opening): Promise<number> {
  const path = "/files/dist/worker.js",
    { loadInWorker } = (await import(path)) as {
      loadInWorker(source: Blob, options: object): Promise<PageScope["onebit"]>;
    };
  const model = await loadInWorker(await (await fetch(url)).blob(), { threads, contextLength });
  (globalThis as unknown as PageScope).onebit = model;
  return model.loadMs;
}

async function runOnebit({ promptTokens, tokens, turn }: Turn): Promise<Omit<Speed, "loadMs">> {
  const ids = Array.from({ length: promptTokens }, (_, i) => ((i + turn * 101) * 7919 + 13) % 100_000);
  const { timings } = await (globalThis as unknown as PageScope).onebit
    .generate(ids, { maxTokens: tokens, temperature: 0, ignoreEnd: true })
    .result();
  // The first token comes from the prompt's last row; each other took one evaluation.
  return {
    promptTokensPerSecond: (timings.promptTokens * 1e3) / timings.promptMs,
    tokensPerSecond: ((timings.tokens - 1) * 1e3) / timings.generateMs,
  };
}

async function openWllama({ url, threads, contextLength }: Opening): Promise<number> {
  const root = "/files/benchmarks/node_modules/@wllama/wllama/esm/",
    script = `${root}index.js`;
  const { Wllama } = (await import(script)) as { Wllama: new (paths: object, config: object) => PageScope["wllama"] };
  const blob = await (await fetch(url)).blob(),
    wllama = new Wllama({ default: `${root}wasm/wllama.wasm` }, { suppressNativeLog: true });
  const started = performance.now();
  // One thread: its build without threads.
  await wllama.loadModel([blob], {
    n_ctx: Math.max(256, contextLength),
    n_threads: threads,
    n_gpu_layers: 0,
    n_parallel: 1,
    warmup: false,
  });
  (globalThis as unknown as PageScope).wllama = wllama;
  return performance.now() - started;
}

async function runWllama({ promptTokens, tokens, turn }: Turn): Promise<Omit<Speed, "loadMs">> {
  // Prompts are texts: random letters, which this vocabulary has few words of, so that one is about a token.
  const prompt = Array.from({ length: promptTokens }, (_, i) =>
    String.fromCharCode(97 + ((i * 7 + turn * 5) % 26)),
  ).join("");
  // Always the letter "a" (id 64 of every byte-level vocabulary): it stops at bytes that are not text, which random
  // weights choose.
  const options = {
    prompt,
    max_tokens: tokens,
    temperature: 0,
    ignore_eos: true,
    cache_prompt: false,
    logit_bias: [[64, 1000]],
  };
  const { timings } = await (globalThis as unknown as PageScope).wllama.createCompletion(options);
  // Its time to predict starts after the first token, which comes from the prompt.
  return {
    promptTokensPerSecond: timings.prompt_per_second,
    tokensPerSecond: ((timings.predicted_n - 1) * 1e3) / timings.predicted_ms,
  };
}
