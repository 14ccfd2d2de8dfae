/**
 * The log of a training run: one line of JSON for each measurement, for people and programs to read while it runs.
 *
 * @module
 */
import { readBytes } from "../core/byte-source.ts";
import { OnebitError, fail } from "../core/errors.ts";
import { fileStoreOf } from "../core/platform.ts";
import type { Platform } from "../core/platform.ts";

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
  readonly learningRate?: number;
  /** Norm of the whole gradient, before clipping. */
  readonly gradNorm?: number;
  readonly tokensPerSecond?: number;
  /** Time spent training, over all the runs that made this step. */
  readonly elapsedMs: number;
}

/** Members in the order they are written, and whether a line must have them. */
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
    if (value !== undefined && !Number.isFinite(value)) fail("train/not-finite", `metrics of step ${record.step}: ${name} is ${value}`);
  }
  return JSON.stringify(record, NAMES);
}

/**
 * The records of a log. A last line without its newline, which a killed process leaves, is not one.
 * @param name of the log, for messages
 * @throws OnebitError `train/bad-data` naming the first line that is no record, or whose step is not above the one before
 */
export function parseMetrics(text: string, name = "metrics"): MetricRecord[] {
  const records: MetricRecord[] = [];
  const lines = text.split("\n").slice(0, -1);
  lines.forEach((line, i) => {
    const record = parseLine(line, `${name}: line ${i + 1}`);
    const before = records.at(-1);
    if (before && record.step <= before.step) fail("train/bad-data", `${name}: line ${i + 1}: wanted a step above ${before.step}, found ${record.step}`);
    records.push(record);
  });
  return records;
}

/**
 * Makes a log end where a checkpoint does: lines of later steps, which will be trained again, go; so does a cut last line.
 * @param step of the checkpoint
 * @returns the records kept; none when there is no such file
 * @throws OnebitError `train/bad-data` for a file that is no log (it is left as it is), `file/read`, `file/write`
 */
export async function rewindMetrics(platform: Platform, path: string, step: number): Promise<MetricRecord[]> {
  const text = await readText(platform, path);
  if (text === undefined) return [];
  const kept = parseMetrics(text, path).filter((record) => record.step <= step);
  // Steps rise, so what is kept is the beginning; as it was written, members unknown here included.
  const rewritten = text.split("\n").slice(0, kept.length).map((line) => `${line}\n`).join("");
  if (rewritten !== text) await fileStoreOf(platform).writeFileAtomically(path, [new TextEncoder().encode(rewritten)]);
  return kept;
}

function parseLine(line: string, where: string): MetricRecord {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    fail("train/bad-data", `${where}: wanted a JSON object, found something else; move the file away or mend it`, cause);
  }
  if (typeof value !== "object" || value === null) fail("train/bad-data", `${where}: wanted a JSON object, found ${value === null ? "null" : typeof value}`);
  const members = value as Readonly<Record<string, unknown>>;
  const found = NAMES.flatMap((name): [string, number][] => {
    const member = Object.hasOwn(members, name) ? members[name] : undefined;
    if (member === undefined && MEMBERS[name] === "optional") return [];
    if (typeof member !== "number" || !Number.isFinite(member)) fail("train/bad-data", `${where}: wanted a number as ${name}, found ${String(member)}`);
    return [[name, member]];
  });
  return Object.fromEntries(found) as unknown as MetricRecord;
}

async function readText(platform: Platform, path: string): Promise<string | undefined> {
  const source = await platform.openFile(path).catch((error: unknown) => {
    if (error instanceof OnebitError && error.code === "file/not-found") return undefined;
    throw error;
  });
  if (!source) return undefined;
  try {
    return new TextDecoder().decode(await readBytes(source, 0, source.sizeBytes));
  } finally {
    await source.close();
  }
}
