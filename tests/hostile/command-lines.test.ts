/** Odd command lines by number; the campaign tries more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../synthetic/random.ts";
import { generator } from "./generators/cli.ts";

const LINES = Number(process.env.ONEBIT_CLI_LINES ?? 2000);

test(`${LINES} odd command lines end with a documented exit code`, async (t) => {
  const outcomes = new Map<string, number>();
  for (let i = 0; i < LINES; i++) {
    const { outcome } = await generator.tryOne(seededRandom(i));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  t.diagnostic([...outcomes].map(([outcome, n]) => `${outcome} ${n}`).join(", "));
  for (const outcome of ["usage", "file/not-found"])
    assert.ok((outcomes.get(outcome) ?? 0) > LINES / 100, `${outcome} hardly ever`);
});
