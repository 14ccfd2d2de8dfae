/**
 * Trains small models and prints, as one line of JSON, the bits of what came out: losses as 16 hexadecimal digits of
 * their doubles, weights and moments as a hash. Every engine and any number of threads must print the same line.
 *
 *   node determinism.js [THREADS]      deno run --no-prompt determinism.js      bun determinism.js
 */
import type { Platform } from "../../src/core/platform.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import { fingerprint } from "../../src/train/digest.ts";
import { openTraining } from "../../src/train/open.ts";
import type { RecipeOptions } from "../../src/train/options.ts";
import { grammarText } from "./train-text.ts";

/** Each of what an engine could compute otherwise: roundings, activations, schedules, vocabularies. */
const RUNS: Readonly<Record<string, RecipeOptions>> = {
  ternary: { steps: 200 },
  binary: { steps: 20, weightBits: 1, schedule: "cosine", activation: "relu2", dropout: 0.1 },
  floats: { steps: 20, weightBits: 32, activation: "gelu", subNorms: false, tied: false, accumulation: 2 },
  pairs: { steps: 20, vocabSize: 300, schedule: "two-stage", activationBits: 1 },
};

export async function trainAndHash(platform: Platform, threads: number): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [name, options] of Object.entries(RUNS)) {
    await using training = await openTraining({
      preset: "tiny",
      batch: 4,
      seqLength: 32,
      validateEvery: 20,
      ...options,
      text: grammarText(20_000),
      platform,
      threads,
    });
    let loss = NaN,
      validation = NaN;
    for await (const event of training) {
      if (event.kind === "step") loss = event.loss;
      if (event.kind === "validation") validation = event.loss;
    }
    const weights = await Promise.all(
      ["token_embd", "blk.0.attn_q", "blk.1.ffn_down", "output_norm"].map((tensor) =>
        fingerprint(training.model.tensor(`${tensor}.weight`)),
      ),
    );
    found[name] = {
      loss: bitsOf(loss),
      validation: bitsOf(validation),
      weights: weights.map((hash) => hash.slice(0, 16)),
    };
  }
  return found;
}

function bitsOf(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}

const platform = detectPlatform();
const line = JSON.stringify(await trainAndHash(platform, Number(globalThis.process?.argv?.[2] ?? 1)));
console.log(line);
