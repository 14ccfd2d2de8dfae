/**
 * Decoding with and without `speculate: "lookup"`: tokens a second, and what was guessed.
 *
 *   node benchmarks/run.mjs lookup [FILE...] [--threads 1] [--tokens 160] [--rounds 5] [--json]
 *
 * Replies of the model in the box are its own ("real"): greedy after a passage that stands three times in the prompt,
 * and sampled after ordinary text. Replies of FILE are given ("forced"): the engine computes everything, but the next
 * id is that of a text of this repository (lookup/texts.ts), since the replies of a model of random weights repeat
 * nothing. Both ways take turns, from the same state; medians, and the medians of the rounds' ratios, of the clock's
 * time and of processor time, which on one thread is less disturbed by what else the machine does. In each round
 * guessing starts with nothing measured. The ids (forced: the greedy choices) of both ways are compared, and a
 * difference is an error.
 */
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { Batcher } from "../src/generate/batcher.ts";
import { ContextIds } from "../src/generate/context-ids.ts";
import { Turns } from "../src/generate/turns.ts";
import type { GenerateOptions } from "../src/generate/options.ts";
import type { Speculation } from "../src/generate/speculate.ts";
import { load } from "../src/load.ts";
import { type Decoded, decodeForced, openEngine, processorMsSince, walkTimes } from "./lookup/forced.ts";
import { forcedTexts } from "./lookup/texts.ts";
import { median, medianRatio } from "./train/median.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1" },
    tokens: { type: "string", default: "160" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const nTokens = Number(values.tokens),
  nRounds = Number(values.rounds),
  threads = Number(values.threads);

/** Of the prompts of given replies: 500 to 700 ids. */
const PROMPT_CHARS = 2400;
/** Replies of the model in the box a round: one takes a twentieth of a second. */
const N_REPLIES = 8;
const WALK_ROWS = [1, 2, 3, 4, 6, 8, 12, 15] as const;

interface Row {
  readonly model: string;
  readonly reply: string;
  readonly kind: "real" | "forced";
  readonly tokens: number;
  readonly plain: number;
  readonly lookup: number;
  readonly ratio: number;
  /** The same of the processor time, which other programs on the machine disturb less. */
  readonly processorRatio: number;
  /** Of the last round. */
  readonly speculation: Decoded["speculation"];
}

const rows: Row[] = await measureBundled(),
  walks: Record<string, number[]> = {};
for (const file of positionals) await measureFile(file);
const machine = {
  cpu: cpus()[0].model,
  nCpus: cpus().length,
  loadAverage: loadavg()[0],
  node: process.version,
  threads,
};
if (values.json) console.log(JSON.stringify({ machine, walkRows: WALK_ROWS, walks, rows }, null, 2));
else print();

async function measureBundled(): Promise<Row[]> {
  const excerpt = readFileSync("tests/default-model/excerpt.txt", "utf8"),
    // Its context has 512 positions, a byte each.
    maxTokens = Math.min(nTokens, 200);
  const replies: readonly (readonly [reply: string, promptAt: (at: number) => string, options: GenerateOptions])[] = [
    ["after a passage that repeats, greedy", (at) => excerpt.slice(at, at + 90).repeat(3), { temperature: 0 }],
    ["after ordinary text, sampled at 0.8", (at) => excerpt.slice(at, at + 200), { temperature: 0.8 }],
  ];
  const found: Row[] = [];
  for (const [reply, promptAt, options] of replies) {
    found.push(
      await compare("the model in the box", reply, "real", maxTokens, async (isSpeculative, round) => {
        await using model = await load(undefined, { threads });
        const choices: number[] = [],
          speculations: Speculation[] = [];
        let generateMs = 0,
          processorMs = 0;
        for (let seed = round * N_REPLIES; seed < (round + 1) * N_REPLIES; seed++) {
          const prompt = promptAt((seed * 67) % 1000);
          // So that the cache has the prompt.
          await model.generate(prompt, { maxTokens: 0 }).result();
          const cpu = process.cpuUsage(),
            speculate = isSpeculative ? "lookup" : "off",
            { ids, timings } = await model.generate(prompt, { ...options, maxTokens, seed, speculate }).result();
          processorMs += processorMsSince(cpu);
          generateMs += timings.generateMs;
          choices.push(...ids);
          if (timings.speculation) speculations.push(timings.speculation);
        }
        const tokensPerSecond = (1000 * (choices.length - N_REPLIES)) / generateMs,
          speculation = isSpeculative ? summed(speculations) : undefined;
        return { choices, tokensPerSecond, processorMs, speculation };
      }),
    );
  }
  return found;
}

function summed(speculations: readonly Speculation[]): Speculation {
  const sum = (key: keyof Speculation): number => speculations.reduce((total, counts) => total + counts[key], 0);
  return { walks: sum("walks"), draftedTokens: sum("draftedTokens"), acceptedTokens: sum("acceptedTokens") };
}

async function measureFile(file: string): Promise<void> {
  const texts = forcedTexts(PROMPT_CHARS, nTokens),
    contextLength = Math.max(...texts.map(({ promptIds, replyIds }) => promptIds.length + replyIds.length)),
    engine = await openEngine(file, { threads, contextLength }),
    name = basename(file);
  for (const text of texts) {
    const turns = new Turns(),
      nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve)),
      context = new ContextIds(engine, new Batcher(engine, turns, { maxStallMs: 1000, nextTurn })),
      turn = turns.open(undefined, context);
    await turn.begin();
    rows.push(
      await compare(name, text.name, "forced", text.replyIds.length, (isSpeculative) =>
        decodeForced(engine, context, turn, text, isSpeculative),
      ),
    );
  }
  walks[name] = await walkTimes(engine, WALK_ROWS, texts[0].promptIds);
  await engine.close();
}

async function compare(
  model: string,
  reply: string,
  kind: Row["kind"],
  tokens: number,
  decode: (isSpeculative: boolean, round: number) => Promise<Decoded>,
): Promise<Row> {
  const rounds: { plain: number; lookup: number; plainCpu: number; lookupCpu: number }[] = [];
  let speculation: Decoded["speculation"];
  for (let round = 0; round < nRounds; round++) {
    const found = { plain: 0, lookup: 0, plainCpu: 0, lookupCpu: 0 },
      choices: string[] = [];
    // Each goes first in turn.
    for (const isSpeculative of round % 2 === 0 ? [false, true] : [true, false]) {
      const decoded = await decode(isSpeculative, round);
      found[isSpeculative ? "lookup" : "plain"] = decoded.tokensPerSecond;
      found[isSpeculative ? "lookupCpu" : "plainCpu"] = decoded.processorMs;
      choices.push(decoded.choices.join());
      speculation = decoded.speculation ?? speculation;
    }
    if (choices[0] !== choices[1]) throw new Error(`${model}, ${reply}: other ids with speculation`);
    rounds.push(found);
  }
  return {
    model,
    reply,
    kind,
    tokens,
    plain: median(rounds.map(({ plain }) => plain)),
    lookup: median(rounds.map(({ lookup }) => lookup)),
    ratio: medianRatio(rounds, "lookup", "plain"),
    processorRatio: medianRatio(rounds, "plainCpu", "lookupCpu"),
    speculation,
  };
}

function print(): void {
  const { cpu, nCpus, loadAverage, node } = machine,
    row = (...cells: readonly (string | number)[]): void => console.log(`| ${cells.join(" | ")} |`);
  console.log(
    `${cpu}, ${nCpus} processors, load average ${loadAverage.toFixed(1)}; Node ${node}, ${threads} threads. ` +
      "Tokens a second.",
  );
  row("model", "reply", "ids", "without", "with lookup", "ratio", "by processor", "drafted, accepted in walks");
  row(...Array.from({ length: 8 }, () => "---"));
  for (const { model, reply, kind, tokens, plain, lookup, speculation, ...ratios } of rows) {
    const { draftedTokens = 0, acceptedTokens = 0, walks: nWalks = 0 } = speculation ?? {},
      counts = `${draftedTokens}, ${acceptedTokens} in ${nWalks}`,
      [ratio, byProcessor] = [ratios.ratio, ratios.processorRatio].map((of) => `${of.toFixed(2)}×`);
    row(model, `${reply} (${kind})`, tokens, plain.toFixed(1), lookup.toFixed(1), ratio, byProcessor, counts);
  }
  for (const [name, times] of Object.entries(walks)) {
    const costs = times.map((ms, i) => `${WALK_ROWS[i]}: ${(ms / times[0]).toFixed(2)}`);
    console.log(`${name}: a walk of so many rows against one of ${times[0].toFixed(1)} ms: ${costs.join(", ")}`);
  }
}
