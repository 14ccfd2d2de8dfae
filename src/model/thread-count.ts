/**
 * How many threads compute the next token: all, as long as none has to sleep until the others come. Threads sleep when
 * another program takes a processor; then one thread may be faster. So we try one, and later all again.
 *
 * @module
 */

/** Tokens before judging a number of threads. */
const WATCHED = 8;
/**
 * At most this many of those tokens without sleep: on processors shared with other machines threads sleep now and then,
 * and trials there cost 8 %.
 */
const SLEEPLESS_MAX = 1;
/** Tokens of a trial; at worst one token in 17 is slower for it. */
const TRIED = 4;
/** Tokens between two trials. */
const KEPT = 64;

export interface ThreadCount {
  /** Threads for the next token. */
  readonly current: number;
  /** Reports that token's time, and whether threads slept meanwhile. */
  took(ms: number, slept: boolean): void;
}

export function createThreadCount(nThreads: number): ThreadCount {
  let settled = nThreads,
    settledMs = Infinity,
    trial: number | undefined,
    kept = KEPT,
    times: number[] = [],
    nSlept = 0;
  const judgeTrial = (ms: number, tried: number): void => {
    if (ms < settledMs) settled = tried;
    trial = undefined;
    kept = 0;
  };
  const judgeSettled = (ms: number): void => {
    settledMs = ms;
    kept += WATCHED;
    const other = settled === nThreads ? 1 : nThreads,
      isWorthIt = other === nThreads || nSlept >= WATCHED - SLEEPLESS_MAX;
    if (kept >= KEPT && isWorthIt) trial = other;
  };
  return {
    get current() {
      return trial ?? settled;
    },
    took(ms, slept) {
      times.push(ms);
      if (slept) nSlept++;
      if (times.length < (trial === undefined ? WATCHED : TRIED)) return;
      const typical = times.sort((a, b) => a - b)[times.length >> 1];
      if (trial === undefined) judgeSettled(typical);
      else judgeTrial(typical, trial);
      times = [];
      nSlept = 0;
    },
  };
}
