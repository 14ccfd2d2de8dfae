/**
 * What keeping a reply to a format costs: time of a token of a JSON reply, of a free one, and of the first token.
 *
 *   node benchmarks/run.mjs format FILE... [--threads 1] [--tokens 48] [--rounds 5]
 *
 * Rounds in turn; medians. Tokens that the format leaves no choice about are not counted as tokens here, so that the
 * cost is that of choosing; the last column counts them.
 */
import { cpus, loadavg } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import type { Format } from "../src/generate/format.ts";
import { load } from "../src/load.ts";
import type { Model } from "../src/model.ts";
import { median } from "./train/median.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1" },
    tokens: { type: "string", default: "48" },
    rounds: { type: "string", default: "5" },
  },
});
if (positionals.length === 0) throw new Error("usage: node benchmarks/run.mjs format FILE...");
const maxTokens = Number(values.tokens);

const FREE = { temperature: 0.7, maxTokens, ignoreEnd: true } as const;
const FORMATS: Readonly<Record<string, Format>> = {
  "list of texts": { jsonSchema: { type: "array", items: { type: "string" }, minItems: 400 } },
  "list of persons": {
    jsonSchema: {
      type: "array",
      minItems: 400,
      items: {
        type: "object",
        properties: {
          name: { type: "string", minLength: 1 },
          age: { type: "integer", minimum: 0, maximum: 150 },
          kind: { enum: ["customer", "supplier"] },
        },
        required: ["name", "age", "kind"],
        additionalProperties: false,
      },
    },
  },
};

interface Reply {
  readonly tokenMs: number;
  readonly forced: number;
}

async function reply(model: Model, seed: number, format: Format | undefined): Promise<Reply> {
  const { timings } = await model.generate([1, 2, 3], { ...FREE, seed, format }).result(),
    forced = timings.forcedTokens ?? 0;
  return { tokenMs: timings.generateMs / (timings.tokens - forced), forced };
}

async function measure(file: string): Promise<void> {
  await using model = await load(file, { threads: Number(values.threads), contextLength: maxTokens + 8 });
  const begin = performance.now();
  await model.generate([1, 2, 3], { maxTokens: 1, format: "json" }).result();
  const firstMs = performance.now() - begin;
  for (const [name, format] of Object.entries(FORMATS)) {
    const free: number[] = [],
      kept: number[] = [];
    let forced = 0;
    // Unmeasured: its masks are made.
    await reply(model, 99, format);
    for (let round = 0; round < Number(values.rounds); round++) {
      free.push((await reply(model, round, undefined)).tokenMs);
      const found = await reply(model, round, format);
      kept.push(found.tokenMs);
      forced += found.forced;
    }
    const [freeMs, keptMs] = [median(free), median(kept)],
      forcedShare = (100 * forced) / maxTokens / Number(values.rounds);
    console.log(
      `| ${basename(file)} | ${name} | ${freeMs.toFixed(2)} | ${keptMs.toFixed(2)} | ` +
        `${(keptMs / freeMs).toFixed(3)}× | ${forcedShare.toFixed(0)} % | ${firstMs.toFixed(0)} |`,
    );
  }
}

console.log(
  `${cpus()[0]?.model}, Node ${process.version}, ${values.threads} threads, load ${loadavg()[0]?.toFixed(2)}`,
);
console.log("| model | format | free ms a token | kept ms | kept / free | forced | first use ms |");
console.log("|---|---|---|---|---|---|---|");
for (const file of positionals) await measure(file);
