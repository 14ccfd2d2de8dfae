/**
 * Hostile input of every kind, made by number: no crash, no hang, no untyped error, bounded time and memory.
 *
 *   ONEBIT_HOSTILE=1000000 node scripts/test.mjs tests/hostile/campaign --timeout-ms=36000000
 *   ONEBIT_HOSTILE_FIRST=12345 ONEBIT_HOSTILE=1 …   one input again, by the number that a failure names
 *
 * The children bundle the library from its sources and read build/kernels.*.wasm.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runCampaign } from "./campaign/campaign.ts";
import type { CampaignReport } from "./campaign/campaign.ts";
import { GENERATORS } from "./generators/all.ts";

/** In `npm test`; all suites try 20,000. */
const INPUTS_DEFAULT = 2000;
/** Fewer inputs than this need not meet every generator. */
const INPUTS_FOR_ALL_GENERATORS = 2000;
/** Some generators make one input in a hundred that is refused. */
const TRIED_TO_TELL = 1000;

describe("hostile input", () => {
  const count = Number(process.env.ONEBIT_HOSTILE ?? INPUTS_DEFAULT),
    first = Number(process.env.ONEBIT_HOSTILE_FIRST ?? 0);

  test(`${count} inputs from number ${first} on`, { timeout: Infinity }, async (t) => {
    const report = await runCampaign({ entry: "tests/hostile/campaign/all.ts", first, count });
    for (const line of table(report)) t.diagnostic(line);
    assert.deepEqual(report.findings, []);
    if (count < INPUTS_FOR_ALL_GENERATORS) return;
    for (const { name } of GENERATORS) {
      const outcomes = report.outcomes.get(name) ?? assert.fail(`${name} was never tried`);
      const tried = [...outcomes.values()].reduce((sum, n) => sum + n, 0);
      assert.ok(tried < TRIED_TO_TELL || outcomes.size > 1, `${name} always ends the same way: it tests nothing`);
    }
  });
});

// Of these nine inputs three are fine, and each fault comes once.
test("a campaign finds what it is for", async () => {
  const { findings, outcomes } = await runCampaign({
    entry: "tests/hostile/campaign/faulty.ts",
    first: 2728,
    count: 9,
    silenceMs: 15_000,
  });
  const found = new Map(findings.map(({ generator, what }) => [generator, what]));
  assert.match(found.get("untyped") ?? "", /^untyped: TypeError: not as it should be/);
  assert.match(found.get("dies") ?? "", /^the process died: exit code 7/);
  assert.match(found.get("hangs") ?? "", /^the process died: it said nothing for 15000 ms/);
  assert.match(found.get("slow") ?? "", /ms of processor time, at most 2000/);
  assert.match(found.get("greedy") ?? "", /^held \d+ bytes for 100 of input/);
  assert.deepEqual([...found.keys()].sort(), ["dies", "greedy", "hangs", "slow", "untyped"]);
  assert.ok(
    (outcomes.get("typed")?.get("gguf/bad-value") ?? 0) > 0 && (outcomes.get("fine")?.get("accepted") ?? 0) > 0,
  );
});

/** One line a generator: how many inputs, how long they took, and how many ended in which way. */
function table({ outcomes, processorMs }: CampaignReport): string[] {
  return [...outcomes].sort().map(([generator, counts]) => {
    const tried = [...counts.values()].reduce((sum, n) => sum + n, 0);
    const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, 12);
    const meanMs = (processorMs.get(generator) ?? 0) / tried;
    return (
      `${generator}: ${tried} tried, ${meanMs.toFixed(2)} ms ` +
      `each; ${most.map(([outcome, n]) => `${outcome} ${n}`).join(", ")}`
    );
  });
}
