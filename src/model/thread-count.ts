/**
 * How many of the threads take the next token: all of them, as long as none has to sleep until the others come.
 * Sleeping is what they do when another program has a processor, and then one thread can be faster. So one is tried,
 * and later all again.
 *
 * @module
 */

/** Tokens after which it is judged how a number does. */
const WATCHED = 8;
/**
 * Sleepless tokens among those at most: processors shared with other machines make threads sleep at some, where trials
 * cost 8 %.
 */
const SLEEPLESS_MAX = 1;
/** Tokens of a trial: at the worst one of 17 is slower for it. */
const TRIED = 4;
/** Tokens between two trials. */
const KEPT = 64;

export interface ThreadCount {
  /** For the next token. */
  readonly current: number;
  /** What that one took, and whether threads slept meanwhile. */
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
