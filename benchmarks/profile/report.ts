/** The results of a profile. */
import type { StepKind } from "./step-groups.ts";

export interface KindReport extends StepKind {
  /** Parts of this kind in a token. */
  readonly count: number;
  readonly milliseconds: number;
  readonly share: number;
  readonly gigabytesPerSecond: number;
}

export interface ProfileReport {
  readonly file: string;
  readonly variant: string;
  readonly threads: number;
  readonly rows: number;
  /** Rows whose logits are made. */
  readonly headRows: number;
  readonly position: number;
  readonly kv: string;
  /** True if each step was timed right after a run of itself. */
  readonly isCached: boolean;
  /** GB/s that one thread reads. */
  readonly bandwidth: number;
  /** Of the whole program in one walk, and of its parts one by one. */
  readonly wholeMs: number;
  readonly totalMs: number;
  readonly kinds: readonly KindReport[];
}

/** A kind's bytes a second, as a share of what the threads could read. */
export function shareOfLimit({ gigabytesPerSecond }: KindReport, { bandwidth, threads }: ProfileReport): number {
  return gigabytesPerSecond / bandwidth / threads;
}

export function profileTable(report: ProfileReport): string[] {
  return [
    "| step | times | ms | share | GB/s | of the limit |",
    "|---|---|---|---|---|---|",
    ...report.kinds.map((kind) => {
      const { name, count, milliseconds, share, bytes, gigabytesPerSecond } = kind;
      const [rate, limit] =
        bytes === 0 ? ["", ""] : [gigabytesPerSecond.toFixed(1), `${(100 * shareOfLimit(kind, report)).toFixed(0)} %`];
      return `| ${name} | ${count} | ${milliseconds.toFixed(2)} | ${(100 * share).toFixed(1)} % | ${rate} | ${limit} |`;
    }),
  ];
}
