/** Rates by step, and the cosine that has the same bits everywhere. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { cosine, createSchedule } from "../../src/train/schedule.ts";
import type { ScheduleKind, ScheduleOptions } from "../../src/train/schedule.ts";

const close = (found: number, wanted: number, message?: string): void =>
  assert.ok(Math.abs(found - wanted) <= 1e-15, `${message ?? ""} ${found}, wanted ${wanted}`);
const rates = (options: Partial<ScheduleOptions>, steps: readonly number[]): number[] => {
  const schedule = createSchedule({ kind: "constant", totalSteps: 100, peak: 1e-3, ...options });
  return steps.map((step) => schedule(step).learningRate);
};

describe("the learning rate", () => {
  test("warms up from the first step, in every kind", () => {
    for (const kind of ["constant", "linear", "cosine", "two-stage"] satisfies ScheduleKind[]) {
      assert.deepEqual(rates({ kind, peak: 1, warmupSteps: 4 }, [0, 1, 2, 3, 4]), [0.25, 0.5, 0.75, 1, 1], kind);
    }
  });

  test("constant stays", () => assert.deepEqual(rates({ peak: 1e-3 }, [0, 50, 99, 100, 1000]), Array(5).fill(1e-3)));

  test("linear falls to the floor and stays there", () => {
    rates({ kind: "linear", peak: 1, floor: 0.2, warmupSteps: 20 }, [20, 40, 60, 99, 100, 500]).forEach((rate, i) =>
      close(rate, [1, 0.8, 0.6, 0.21, 0.2, 0.2][i]),
    );
  });

  test("cosine falls to the floor along Math.cos and stays there", () => {
    const steps = Array.from({ length: 90 }, (_, i) => 10 + i);
    rates({ kind: "cosine", peak: 1, floor: 0.1, warmupSteps: 10 }, steps).forEach((rate, i) =>
      close(rate, 0.1 + (0.9 * (1 + Math.cos((Math.PI * i) / 90))) / 2, `${i}`),
    );
    assert.deepEqual(rates({ kind: "cosine", peak: 1, floor: 0.1 }, [0, 100, 101]), [1, 0.1, 0.1]);
  });

  test("two-stage drops half-way to the line of the second peak; both lines end at the floor", () => {
    const [start, before, after, last, end] = rates(
      { kind: "two-stage", peak: 1.2, secondPeak: 0.8 },
      [0, 49, 50, 99, 100],
    );
    [start, before, after, last, end].forEach((rate, i) => close(rate, [1.2, 1.2 * 0.51, 0.4, 0.008, 0][i]));
    close(rates({ kind: "two-stage", peak: 1.2 }, [50])[0], 0.4);
  });
});

test("weight decay is kept, but ends half-way in two-stage", () => {
  const decays = (options: Partial<ScheduleOptions>, steps: readonly number[]): number[] => {
    const schedule = createSchedule({ kind: "two-stage", totalSteps: 101, peak: 1, ...options });
    return steps.map((step) => schedule(step).weightDecay);
  };
  assert.deepEqual(decays({}, [0, 50, 51, 100, 200]), [0.1, 0.1, 0, 0, 0]);
  assert.deepEqual(decays({ kind: "cosine", weightDecay: 0.05 }, [0, 50, 51, 200]), [0.05, 0.05, 0.05, 0.05]);
});

describe("the cosine", () => {
  test("is within 1e-14 of Math.cos on its interval", () => {
    for (let i = 0; i <= 10_000; i++) {
      const x = (Math.PI / 2) * (i / 10_000);
      assert.ok(Math.abs(cosine(x) - Math.cos(x)) < 1e-14, `${x}`);
    }
  });

  test("has the bits that plain arithmetic gives", () => {
    const hex = (x: number): string => Buffer.from(new Float64Array([x]).buffer).toString("hex");
    assert.deepEqual(
      [0, 0.5, 1, 1.5].map((x) => hex(cosine(x))),
      BITS,
    );
  });
});

/** Of cos 0, 0.5, 1 and 1.5, little-endian. */
const BITS = ["000000000000f03f", "507d5b062815ec3f", "8c06b50f284ae13f", "b0f9c54fd51bb23f"];

test("invalid options are refused", () => {
  const bad: Partial<ScheduleOptions>[] = [
    { kind: "step" as ScheduleKind },
    { kind: "constructor" as ScheduleKind },
    { totalSteps: 0 },
    { totalSteps: 1.5 },
    { peak: -1 },
    { peak: NaN },
    { peak: Infinity },
    { warmupSteps: 100 },
    { warmupSteps: -1 },
    { warmupSteps: 0.5 },
    { floor: 2 },
    { floor: -1 },
    { secondPeak: 2 },
    { floor: 0.5, secondPeak: 0.1 },
    { weightDecay: -0.1 },
    { weightDecay: NaN },
  ];
  for (const options of bad) {
    assert.throws(
      () => createSchedule({ kind: "two-stage", totalSteps: 100, peak: 1, ...options }),
      (error) => error instanceof OnebitError && error.code === "train/bad-option",
      JSON.stringify(options),
    );
  }
  const schedule = createSchedule({ kind: "linear", totalSteps: 10, peak: 1 });
  for (const step of [-1, 0.5, NaN]) assert.throws(() => schedule(step), OnebitError);
});
