/**
 * The progress line of a training: step, loss, speed and time left.
 *
 * @module
 */
import { type OptionTable, check, checkOptions, kind, required } from "../core/options.ts";

/** What {@link formatTrainingProgress} shows. */
export interface TrainingProgress {
  /** Steps done. */
  readonly step: number;
  /** All steps. */
  readonly totalSteps: number;
  /** The latest training loss; absent before the first. */
  readonly loss?: number;
  /** The latest validation loss. */
  readonly validationLoss?: number;
  /** Speed. */
  readonly tokensPerSecond?: number;
  /** Time yet to go. */
  readonly etaMs?: number;
}

/** In a failing training a loss may be any number. */
const NUMBER = kind<number>("a number", (value) => typeof value === "number");
const TRAINING_PROGRESS: OptionTable<TrainingProgress> = {
  step: required(NUMBER),
  totalSteps: required(NUMBER),
  loss: NUMBER,
  validationLoss: NUMBER,
  tokensPerSecond: NUMBER,
  etaMs: NUMBER,
};

/**
 * One line of a terminal: `step 120/1000 (12 %) · loss 2.345 · validation 2.401 · 12.3k tokens/s · 1 h 02 min left`.
 *
 * @throws OnebitError `option/…`
 * @example
 * ```ts
 * import { formatTrainingProgress } from "onebit/train";
 *
 * console.log(formatTrainingProgress({ step: 120, totalSteps: 1000, loss: 2.345, etaMs: 3_720_000 }));
 * ```
 */
export function formatTrainingProgress(progress: TrainingProgress): string {
  const { step, totalSteps, loss, validationLoss, tokensPerSecond, etaMs } = checkOptions(
    "progress",
    progress,
    TRAINING_PROGRESS,
  );
  const percent = totalSteps > 0 ? Math.floor((100 * step) / totalSteps) : 100;
  return [
    `step ${step}/${totalSteps} (${percent} %)`,
    ...(loss === undefined ? [] : [`loss ${loss.toFixed(3)}`]),
    ...(validationLoss === undefined ? [] : [`validation ${validationLoss.toFixed(3)}`]),
    ...(tokensPerSecond === undefined ? [] : [`${formatCount(tokensPerSecond)} tokens/s`]),
    ...(etaMs === undefined ? [] : [`${formatDuration(etaMs)} left`]),
  ].join(" · ");
}

/**
 * Time yet to go at the mean speed of this run.
 *
 * @param doneSteps steps of this run, not those before a checkpoint it resumed from
 * @param leftSteps steps yet to do
 * @param elapsedMs time this run has taken
 * @returns undefined before there is a speed
 * @throws OnebitError `option/invalid`
 * @example
 * ```ts
 * import { estimateLeftMs } from "onebit/train";
 *
 * console.log(estimateLeftMs(10, 90, 1000)); // 9000
 * ```
 */
export function estimateLeftMs(doneSteps: number, leftSteps: number, elapsedMs: number): number | undefined {
  for (const [name, value] of Object.entries({ doneSteps, leftSteps, elapsedMs })) check(name, value, NUMBER);
  return doneSteps > 0 && elapsedMs > 0 ? (elapsedMs / doneSteps) * Math.max(0, leftSteps) : undefined;
}

/** 4_000 → "4 s", 200_000 → "3 min 20 s", 3_720_000 → "1 h 02 min", 100_000_000 → "1 d 03 h": the two largest units. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(Math.max(0, ms) / 1000);
  if (!Number.isFinite(seconds)) return "unknown time";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

/** 950 → "950", 12_345 → "12.3k", 4_560_000 → "4.6M". */
export function formatCount(count: number): string {
  if (count < 999.5) return String(Math.round(count));
  return count < 999_950 ? `${(count / 1000).toFixed(1)}k` : `${(count / 1_000_000).toFixed(1)}M`;
}

function pad(n: number): string {
  return String(n).padStart(2, "0");
}
