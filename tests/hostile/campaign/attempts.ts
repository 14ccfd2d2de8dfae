/**
 * The child process of a campaign: makes the inputs numbered FROM to TO − 1, tries each, and tells by lines on
 * descriptor 3 what it starts and how that ended. A process that dies or hangs has said which input it was.
 *
 * The number alone decides generator and input, so any of them can be tried again by itself.
 */
import { writeSync } from "node:fs";
import { seedOf, seededRandom } from "../../synthetic/random.ts";
import { OnebitError } from "../../../src/core/errors.ts";
import type { Attempt, HostileGenerator } from "../generators/generator.ts";
import { peakBytes } from "../peak-memory.ts";

const REPORT_DESCRIPTOR = 3;

/** One line of a child's report. */
export type AttemptLine =
  | { readonly starts: number; readonly generator: string }
  | {
      readonly ends: number;
      readonly outcome: string;
      /** What was thrown that is no `OnebitError`. */
      readonly untyped?: string;
      readonly processorMs: number;
      /** How far the most memory this process ever held rose above what it held before. */
      readonly heldBytes: number;
      readonly inputBytes: number;
    };

/** Tries the inputs that the command line names. */
export async function attemptInputs(generators: readonly HostileGenerator[]): Promise<void> {
  const [from, to] = process.argv.slice(2).map(Number);
  for (let index = from; index < to; index++) {
    const random = seededRandom(seedOf(index, "hostile"));
    const generator = choose(generators, random.u32() / 2 ** 32);
    report({ starts: index, generator: generator.name });
    // Full collections take longer than most inputs: only an input that is tried alone begins with one.
    if (to - from === 1) globalThis.gc?.();
    const rssBytes = process.memoryUsage.rss(),
      peakBefore = peakBytes(),
      before = process.cpuUsage();
    const result = await outcomeOf(() => generator.tryOne(random));
    const { user, system } = process.cpuUsage(before);
    const peak = peakBytes();
    // Below an earlier peak nothing is known; a child tries few inputs, and another order has other peaks.
    const heldBytes = peak > peakBefore ? peak - rssBytes : 0;
    report({ ends: index, ...result, processorMs: (user + system) / 1000, heldBytes });
  }
}

/** The generator whose share of all weights holds `point` (0 to below 1). */
function choose(generators: readonly HostileGenerator[], point: number): HostileGenerator {
  let left = point * generators.reduce((sum, { weight }) => sum + weight, 0);
  return generators.find(({ weight }) => (left -= weight) < 0) ?? generators[generators.length - 1];
}

async function outcomeOf(attempt: () => Attempt | Promise<Attempt>): Promise<Attempt & { untyped?: string }> {
  try {
    return await attempt();
  } catch (error) {
    // A generator catches the typed errors of its input, and tells its size; one it lets through is typed all the same.
    if (error instanceof OnebitError) return { outcome: error.code, inputBytes: 0 };
    const thrown = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { outcome: "untyped", untyped: thrown.slice(0, 2000), inputBytes: 0 };
  }
}

function report(line: AttemptLine): void {
  writeSync(REPORT_DESCRIPTOR, `${JSON.stringify(line)}\n`);
}
