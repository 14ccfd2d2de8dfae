/**
 * How work grows with the size of its input: the exponent e of T(n) = O(n^e), fitted over several sizes.
 *
 * Two measures. Blocks of our code that run, as V8's coverage counts them: exact, the same on every machine. And
 * processor time, for what the engine's own functions do (joins, copies, regular expressions): caches that end and a
 * collector that wakes give a linear loop up to n^1.25, so its limit only tells n from n².
 */
import assert from "node:assert/strict";
import { Session } from "node:inspector";

/** A quadratic algorithm has 2; sorting over these sizes has 1.07. */
const BLOCKS_EXPONENT_MAX = 1.15;
const TIME_EXPONENT_MAX = 1.5;
/** A burst of other work can spoil one fit of times; an algorithm that is not linear spoils them all. */
const TIME_FITS_MAX = 4;
const TRIES = 3;
/** A try is repeated for so long, so that the clock's steps do not show. */
const TRY_MS = 4;

/** What is done at size `n`; what it needs is made before. */
export type Work = (n: number) => () => unknown;

/** The exponents of the blocks that run and of the time they take. Fails when one is above its limit. */
export function assertLinear(sizes: readonly number[], work: Work): { blocks: number; time: number } {
  assert.ok(sizes[sizes.length - 1] >= 16 * sizes[0], "sizes too close to tell exponents apart");
  const blocks = fit(sizes, (n) => blocksRun(work(n)));
  assert.ok(blocks.exponent <= BLOCKS_EXPONENT_MAX, `blocks run grow with ${blocks.text}`);
  const fits: string[] = [];
  while (fits.length < TIME_FITS_MAX) {
    const time = fit(sizes, (n) => costMs(work(n)));
    if (time.exponent <= TIME_EXPONENT_MAX) return { blocks: blocks.exponent, time: time.exponent };
    fits.push(time.text);
  }
  return assert.fail(`milliseconds grow with ${fits.join("; ")}`);
}

interface Fit {
  readonly exponent: number;
  readonly text: string;
}

/** Slope of log cost over log n, by least squares. */
function fit(sizes: readonly number[], costOf: (n: number) => number): Fit {
  const points = sizes.map((n) => [n, costOf(n)] as const);
  const logs = points.map(([n, cost]) => [Math.log(n), Math.log(cost)] as const);
  const meanX = logs.reduce((sum, [x]) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length;
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const exponent = covariance / logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const costs = points.map(([n, cost]) => `${n}: ${Number(cost.toPrecision(4))}`);
  return { exponent, text: `n^${exponent.toFixed(2)} (${costs.join(", ")})` };
}

const session = new Session();
session.connect();
session.post("Profiler.enable");
// Before what is measured is first called: V8 counts blocks only in functions that it compiles from now on.
session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });

function blocksRun(run: () => unknown): number {
  takeBlocks();
  run();
  return takeBlocks();
}

/** Blocks of code outside of Node's own that ran since the last call. */
function takeBlocks(): number {
  let blocks = 0;
  session.post("Profiler.takePreciseCoverage", (error, coverage) => {
    if (error !== null) throw error;
    const ours = coverage.result.filter(({ url }) => url.startsWith("file:"));
    for (const { functions } of ours) {
      for (const { ranges } of functions) for (const { count } of ranges) blocks += count;
    }
  });
  return blocks;
}

/** Processor time of this process, the least of several tries, so that other work on the machine shows little. */
function costMs(run: () => unknown): number {
  let least = Infinity;
  for (let i = 0; i < TRIES; i++) {
    let [runs, ms] = [0, 0];
    for (const begin = process.cpuUsage(); ms < TRY_MS; runs++) {
      run();
      const { user, system } = process.cpuUsage(begin);
      ms = (user + system) / 1000;
    }
    least = Math.min(least, ms / runs);
  }
  return least;
}
