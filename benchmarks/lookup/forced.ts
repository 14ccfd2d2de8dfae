/**
 * Decodes a given reply: the engine computes all it would for a reply of its own, and the greedy choice is made after
 * each id, but the next id is the given one. So a model of random weights, whose own replies are noise, is measured on
 * the repetition of real text.
 */
import { guardedSource } from "../../src/core/byte-source.ts";
import { openModelFile } from "../../src/files/model-file.ts";
import type { ContextIds } from "../../src/generate/context-ids.ts";
import {
  type LogitsSource,
  type Speculation,
  SpeculativeContext,
  lookupDrafting,
} from "../../src/generate/speculate.ts";
import type { Turn } from "../../src/generate/turns.ts";
import { KERNELS } from "../../src/kernels/binaries.ts";
import { describeModel } from "../../src/model/description.ts";
import type { Engine } from "../../src/model/engine-interface.ts";
import { type EngineOptions, createEngine } from "../../src/model/engine.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import type { ForcedText } from "./texts.ts";

export async function openEngine(path: string, options: EngineOptions): Promise<Engine> {
  const platform = nodePlatform(),
    source = guardedSource(await platform.openFile(path));
  try {
    const file = await openModelFile(source, () => {
      throw new Error(`${path}: split files are not measured`);
    });
    return await createEngine({ ...(await describeModel(file, "all")), platform, binaries: KERNELS }, options);
  } finally {
    await source.close();
  }
}

export interface Decoded {
  readonly tokensPerSecond: number;
  /** The process's own time, on all threads, whatever else the machine does. */
  readonly processorMs: number;
  /** What the model itself would have said after each id. */
  readonly choices: readonly number[];
  readonly speculation?: Speculation;
}

/** The cache keeps the prompt from one call to the next. Guessing starts with nothing measured each time. */
export async function decodeForced(
  engine: Engine,
  context: ContextIds,
  turn: Turn,
  { promptIds, replyIds }: ForcedText,
  isSpeculative: boolean,
): Promise<Decoded> {
  const speculative = isSpeculative ? new SpeculativeContext(context, new Set(), lookupDrafting()) : undefined,
    source: LogitsSource = speculative ?? context;
  await source.read(promptIds, { turn });
  const choices: number[] = [],
    cpu = process.cpuUsage(),
    begin = performance.now();
  for (const [i, id] of replyIds.entries()) {
    const logits = await source.append(id, turn, replyIds.length - i);
    choices.push(engine.numeric.argmax(logits));
  }
  const seconds = (performance.now() - begin) / 1000,
    processorMs = processorMsSince(cpu);
  speculative?.settle();
  return { tokensPerSecond: replyIds.length / seconds, processorMs, choices, speculation: speculative?.counts };
}

export function processorMsSince(begin: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000;
}

/** Milliseconds of a walk of each number of rows after these ids, in turn; medians. */
export async function walkTimes(engine: Engine, rows: readonly number[], before: readonly number[]): Promise<number[]> {
  const sequence = engine.pages.open(before, { isPrivate: true });
  await engine.evaluate(before.slice(sequence.length), sequence, { want: "none" });
  const times = rows.map((): number[] => []);
  for (let round = 0; round < 5; round++) {
    for (const [i, n] of rows.entries()) {
      const ids = Array.from({ length: n }, (_, at) => (at * 7919 + round) % engine.vocabSize),
        begin = performance.now();
      await engine.evaluate(ids, sequence, n === 1 ? {} : { want: "all", onLogits() {} });
      times[i].push(performance.now() - begin);
      sequence.truncate(before.length);
    }
  }
  sequence.close();
  return times.map((all) => all.sort((a, b) => a - b)[all.length >> 1]);
}
