/** The tables of a run over many schemas. */
import { isPassing, type MaskRun } from "./measure.ts";

interface ReportOptions {
  readonly trieMs: number;
  readonly trieBytes: number;
  readonly failures: boolean;
  /** Memory was measured, not times. */
  readonly memory: boolean;
}

const MICROSECONDS = 1000;
const MEGABYTE = 1e6;

export function reportText(runs: readonly MaskRun[], { trieMs, trieBytes, failures, memory }: ReportOptions): string {
  const compiled = runs.filter(({ refused }) => refused === undefined);
  const sum = (of: (run: MaskRun) => number): number => compiled.reduce((total, run) => total + of(run), 0);
  const passing = runs.filter(isPassing).length;
  const lines = [
    `schemas                 ${runs.length}`,
    `passing                 ${passing} (${((100 * passing) / Math.max(runs.length, 1)).toFixed(1)} %)`,
    `refused                 ${runs.length - compiled.length}`,
    `valid values refused    ${sum(({ validRefused }) => validRefused)}`,
    `invalid values accepted ${sum(({ invalidAccepted }) => invalidAccepted)}`,
    ...(memory
      ? [
          `memory of a schema, MB  ${quantiles(
            compiled.map(({ heldBytes }) => heldBytes / MEGABYTE),
            1,
          )}`,
        ]
      : [
          `time of a mask, µs      ${shownTimes(compiled.flatMap(({ maskMs }) => maskMs))}`,
          `time to the first, µs   ${shownTimes(compiled.map(({ firstMs }) => firstMs))}`,
        ]),
    `vocabulary              ${trieMs.toFixed(0)} ms, ${(trieBytes / MEGABYTE).toFixed(1)} MB`,
    "",
    ...refusals(runs),
  ];
  if (failures) lines.push("", ...runs.filter((run) => !isPassing(run)).map(failureText));
  return `${lines.join("\n")}\n`;
}

function shownTimes(milliseconds: readonly number[]): string {
  const mean = milliseconds.reduce((total, ms) => total + ms, 0) / Math.max(milliseconds.length, 1);
  const all = milliseconds.map((ms) => ms * MICROSECONDS);
  return `avg ${(mean * MICROSECONDS).toFixed(0)}, ${quantiles(all, 0)} (of ${milliseconds.length})`;
}

function quantiles(values: readonly number[], places: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(places);
  return `p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(1)}`;
}

/** Which keywords schemas were refused for. */
function refusals(runs: readonly MaskRun[]): string[] {
  const byReason = new Map<string, number>();
  for (const { refused } of runs) {
    if (refused === undefined) continue;
    const code = refused.slice(0, refused.indexOf(": "));
    const about = refused.slice(code.length + 2).replace(/^schema at ".*?": /, "");
    const keyword = /^"[^"]*"/.exec(about)?.[0] ?? about.slice(0, 60);
    byReason.set(`${code} ${keyword}`, (byReason.get(`${code} ${keyword}`) ?? 0) + 1);
  }
  return [...byReason].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${String(count).padStart(4)}  ${reason}`);
}

function failureText({ name, refused, validRefused, invalidAccepted }: MaskRun): string {
  return `${name}: ${refused ?? `${validRefused} valid refused, ${invalidAccepted} invalid accepted`}`;
}
