/**
 * Learning rate and weight decay by step.
 *
 * `two-stage` is the recipe of "The Era of 1-bit LLMs: Training Tips, Code and FAQ" (Ma et al., 2024) for b1.58: a high
 * rate, which low-bit weights need, falls linearly; half-way it drops to the line of a lower peak, and weight decay
 * (0.1) ends: it would keep the latent weights near zero, where signs still flip.
 *
 * @module
 */
import { fail } from "../core/errors.ts";

/**
 * How the learning rate goes from its peak to its floor. `two-stage` drops half-way to the line of a lower peak and
 * ends weight decay ("The Era of 1-bit LLMs: Training Tips, Code and FAQ", Ma et al., 2024).
 */
export type ScheduleKind = "constant" | "linear" | "cosine" | "two-stage";

export interface ScheduleOptions {
  readonly kind: ScheduleKind;
  /** Optimiser steps of the whole training. */
  readonly totalSteps: number;
  /** The highest learning rate, reached at the end of the warm-up. */
  readonly peak: number;
  /** Steps of linear rise from 0, below totalSteps. Default 0. */
  readonly warmupSteps?: number;
  /** The learning rate at `totalSteps` and after; no meaning for `constant`. Default 0. */
  readonly floor?: number;
  /** For `two-stage`: the peak whose line the second half follows, at most `peak`. Default 2/3 of it. */
  readonly secondPeak?: number;
  /** Default 0.1; `two-stage` ends it half-way. */
  readonly weightDecay?: number;
}

export interface StepRates {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** @param step optimiser steps done before this one: 0 for the first */
export type Schedule = (step: number) => StepRates;

/** Fraction of the way from floor to peak at `progress` in [0, 1) after the warm-up. */
const SHAPES: Readonly<Record<ScheduleKind, (progress: number) => number>> = {
  constant: () => 1,
  linear: (progress) => 1 - progress,
  // (1 + cos πp) / 2 = cos² (πp / 2)
  cosine: (progress) => squared(cosine((Math.PI / 2) * progress)),
  "two-stage": (progress) => 1 - progress,
};

export const SCHEDULE_KINDS = Object.keys(SHAPES) as ScheduleKind[];

const WEIGHT_DECAY_DEFAULT = 0.1;
const SECOND_PEAK_DEFAULT = 2 / 3;

/** @throws OnebitError `train/bad-option` */
export function createSchedule(options: ScheduleOptions): Schedule {
  const { kind, totalSteps, peak, warmupSteps = 0, floor = 0, weightDecay = WEIGHT_DECAY_DEFAULT } = options;
  const secondPeak = options.secondPeak ?? Math.max(floor, peak * SECOND_PEAK_DEFAULT);
  if (!Object.hasOwn(SHAPES, kind))
    fail("train/bad-option", `schedule: wanted one of ${Object.keys(SHAPES).join(", ")}, found ${String(kind)}`);
  check("totalSteps", totalSteps, 1, Number.MAX_SAFE_INTEGER, true);
  check("warmupSteps", warmupSteps, 0, totalSteps - 1, true);
  check("peak learning rate", peak, 0, Number.MAX_VALUE);
  check("floor learning rate", floor, 0, peak);
  check("secondPeak learning rate", secondPeak, floor, peak);
  check("weightDecay", weightDecay, 0, Number.MAX_VALUE);
  const shape = SHAPES[kind],
    hasTwoStages = kind === "two-stage";
  return (step) => {
    check("step", step, 0, Number.MAX_SAFE_INTEGER, true);
    const isSecond = hasTwoStages && 2 * step >= totalSteps;
    const decay = isSecond ? 0 : weightDecay;
    // The first step must not have rate 0.
    if (step < warmupSteps) return { learningRate: (peak * (step + 1)) / warmupSteps, weightDecay: decay };
    if (step >= totalSteps) return { learningRate: kind === "constant" ? peak : floor, weightDecay: decay };
    const progress = (step - warmupSteps) / (totalSteps - warmupSteps);
    return { learningRate: floor + ((isSecond ? secondPeak : peak) - floor) * shape(progress), weightDecay: decay };
  };
}

/**
 * cos x for x in [0, π/2], within 1e-14. `Math.cos` may differ between engines in the last bits; sums, products and
 * quotients do not. Taylor's series to x^20: the next term is below 2e-17.
 */
export function cosine(x: number): number {
  const square = x * x;
  let sum = 1;
  for (let k = 20; k > 0; k -= 2) sum = 1 - (square / (k * (k - 1))) * sum;
  return sum;
}

function squared(x: number): number {
  return x * x;
}

function check(name: string, value: number, min: number, max: number, isInteger = false): void {
  if (!(value >= min && value <= max) || (isInteger && !Number.isSafeInteger(value))) {
    fail(
      "train/bad-option",
      `${name}: wanted a ${isInteger ? "whole " : ""}number from ${min} to ${max}, found ${value}`,
    );
  }
}
