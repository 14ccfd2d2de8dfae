/**
 * The log of a training run: one JSON line a measurement, readable while it runs.
 *
 * @module
 */
import { readBytes } from "../core/byte-source.ts";
import { OnebitError, fail } from "../core/errors.ts";
import { METRICS_BYTES_MAX } from "../core/limits.ts";
import { TEXT, check } from "../core/options.ts";
import { fileStoreOf } from "../core/platform.ts";
import type { Platform } from "../core/platform.ts";

/** A line of the log of a training. */
export interface MetricRecord {
  /** Optimiser steps done; each line's is above the one before. */
  readonly step: number;
  /** Tokens trained on so far, repeats included. */
  readonly tokens: number;
  /** Mean natural-log loss for each token since the last record. */
  readonly trainLoss?: number;
  /** Mean natural-log loss for each token of the validation part, or of those of its windows that were judged. */
  readonly validationLoss?: number;
  /** The validation loss in bits for each byte of text. */
  readonly bitsPerByte?: number;
  /** The rate of the step. */
  readonly learningRate?: number;
  /** Norm of the whole gradient, before clipping. */
  readonly gradNorm?: number;
  /** Mean speed since the last record. */
  readonly tokensPerSecond?: number;
  /** Time spent training, over all the runs that made this step. */
  readonly elapsedMs: number;
}

/** Members in the order of a line, and whether each is required. */
const MEMBERS: Readonly<Record<keyof MetricRecord, "needed" | "optional">> = {
  step: "needed",
  tokens: "needed",
  trainLoss: "optional",
  validationLoss: "optional",
  bitsPerByte: "optional",
  learningRate: "optional",
  gradNorm: "optional",
  tokensPerSecond: "optional",
  elapsedMs: "needed",
};
const NAMES = Object.keys(MEMBERS) as (keyof MetricRecord)[];

/**
 * A record as one line of JSON, without the newline: `{"step":10,"tokens":20480,…}`.
 * @throws OnebitError `train/not-finite`: JSON has no NaN
 */
export function formatMetric(record: MetricRecord): string {
  for (const name of NAMES) {
    const value = record[name];
    if (value !== undefined && !Number.isFinite(value))
      fail("train/not-finite", `metrics of step ${record.step}: ${name} is ${value}`);
  }
  return JSON.stringify(record, NAMES);
}

/**
 * The records of a log. A last line without its newline, which a killed process leaves, is not one.
 *
 * @param name of the log, for messages
 * @throws OnebitError `train/bad-data` naming the first line that is no record, or whose step is not above the one
 *   before; `option/invalid`
 * @example
 * ```ts
 * import { parseMetrics } from "onebit/train";
 *
 * console.log(parseMetrics('{"step":10,"tokens":20480,"trainLoss":2.5,"elapsedMs":900}\n')[0].trainLoss);
 * ```
 */
export function parseMetrics(text: string, name = "metrics"): MetricRecord[] {
  check("text", text, TEXT);
  check("name", name, TEXT);
  const { records, damage } = readRecords(text, name);
  if (damage) throw damage;
  return records;
}

/** The records before the first bad line, and that line's error. */
function readRecords(text: string, name: string): { readonly records: MetricRecord[]; readonly damage?: OnebitError } {
  const records: MetricRecord[] = [];
  for (const [i, line] of text.split("\n").slice(0, -1).entries()) {
    try {
      const record = parseLine(line, `${name}: line ${i + 1}`),
        before = records.at(-1);
      if (before && record.step <= before.step)
        fail("train/bad-data", `${name}: line ${i + 1}: wanted a step above ${before.step}, found ${record.step}`);
      records.push(record);
    } catch (damage) {
      if (damage instanceof OnebitError) return { records, damage };
      throw damage;
    }
  }
  return { records };
}

/** A log that could not be used as it was, and stands under another name now. */
export interface LogSetAside {
  /** Where it stands now. */
  readonly path: string;
  /** What was wrong with it. */
  readonly reason: string;
}

export interface RewoundMetrics {
  /** What the log has now. */
  readonly records: MetricRecord[];
  readonly setAside?: LogSetAside;
}

/**
 * Cuts the log where the checkpoint ends: drops lines of later steps, which will be trained again, and a cut last line.
 * A bad log must not stop a training: a damaged one keeps the lines before the damage, an unreadable one starts anew;
 * the original stays beside it under another name.
 * @param folder of the log, `name` in it
 * @param step the checkpoint's step
 * @param damaged what to do with a damaged log: a new training refuses it, since it may be someone else's file
 * @returns the records kept; none when there is no such file
 * @throws OnebitError `file/write`, `file/read` when the folder cannot be read; `train/bad-data` before anything is
 * changed
 */
export async function rewindMetrics(
  platform: Platform,
  folder: string,
  name: string,
  step: number,
  damaged: "set-aside" | "refuse" = "set-aside",
): Promise<RewoundMetrics> {
  const files = fileStoreOf(platform),
    path = platform.inFolder(folder, name);
  const read = await readText(platform, path);
  if (read === undefined) return { records: [] };
  if (read instanceof OnebitError) {
    if (damaged === "refuse") throw read;
    const aside = await nameAside(platform, folder, name);
    await files.renameFile(path, aside);
    return { records: [], setAside: { path: platform.inFolder(folder, aside), reason: read.message } };
  }
  const { records, damage } = readRecords(read, path),
    kept = records.filter((record) => record.step <= step);
  if (damage && damaged === "refuse")
    fail(damage.code, `${damage.message}; move the file, or use another folder`, damage);
  const setAside = damage && {
    path: platform.inFolder(folder, await nameAside(platform, folder, name)),
    reason: damage.message,
  };
  // Copy first: a crash between the two writes loses nothing.
  if (setAside) await files.writeFileAtomically(setAside.path, [new TextEncoder().encode(read)]);
  // Steps rise, so the kept lines are the beginning: keep its bytes, unknown members included.
  const rewritten = read
    .split("\n")
    .slice(0, kept.length)
    .map((line) => `${line}\n`)
    .join("");
  if (rewritten !== read) await files.writeFileAtomically(path, [new TextEncoder().encode(rewritten)]);
  return { records: kept, setAside };
}

/** `metrics.jsonl.damaged-1`, or the next free number. */
async function nameAside(platform: Platform, folder: string, name: string): Promise<string> {
  const taken = new Set(await fileStoreOf(platform).listFolder(folder));
  for (let i = 1; ; i++) if (!taken.has(`${name}.damaged-${i}`)) return `${name}.damaged-${i}`;
}

function parseLine(line: string, where: string): MetricRecord {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    fail("train/bad-data", `${where}: wanted a JSON object, found something else`, cause);
  }
  if (typeof value !== "object" || value === null)
    fail("train/bad-data", `${where}: wanted a JSON object, found ${value === null ? "null" : typeof value}`);
  const members = value as Readonly<Record<string, unknown>>;
  const found = NAMES.flatMap((name): [string, number][] => {
    const member = Object.hasOwn(members, name) ? members[name] : undefined;
    if (member === undefined && MEMBERS[name] === "optional") return [];
    if (typeof member !== "number" || !Number.isFinite(member))
      fail("train/bad-data", `${where}: wanted a number as ${name}, found ${String(member)}`);
    return [[name, member]];
  });
  return Object.fromEntries(found) as unknown as MetricRecord;
}

/** Undefined if there is no such file; an error if it is unreadable. */
async function readText(platform: Platform, path: string): Promise<string | OnebitError | undefined> {
  try {
    const source = await platform.openFile(path);
    try {
      if (source.sizeBytes > METRICS_BYTES_MAX)
        fail("train/bad-data", `${path}: wanted at most ${METRICS_BYTES_MAX} bytes, it has ${source.sizeBytes}`);
      return new TextDecoder().decode(await readBytes(source, 0, source.sizeBytes));
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!(error instanceof OnebitError)) throw error;
    return error.code === "file/not-found" ? undefined : error;
  }
}
