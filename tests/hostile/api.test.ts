/** Odd calls of the public interface, all of them by turns: what the campaign draws at random. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../synthetic/random.ts";
import { API_ENTRIES, tryCall, tryEntry } from "./generators/api.ts";
import { throwingValues } from "./generators/odd-values.ts";

/** Of each entry and each of the three changes. */
const CALLS = Number(process.env.ONEBIT_API_CALLS ?? 25);

for (const entry of API_ENTRIES) {
  test(`${entry.name} refuses what is odd by an OnebitError`, async () => {
    const found = new Map<string, number>(),
      faults = new Set<string>();
    for (const change of ["argument", "value", "name"] as const) {
      for (let i = 0; i < CALLS; i++) {
        const outcome = await tryEntry(entry, change, seededRandom(i)).catch(
          (error: Error) => `! ${error.message}${placeOf(error.cause)}`,
        );
        if (outcome.startsWith("!")) faults.add(outcome);
        found.set(outcome, (found.get(outcome) ?? 0) + 1);
      }
    }
    assert.deepEqual([...faults], []);
    assert.ok(
      [...found.keys()].some((outcome) => outcome !== "accepted"),
      "nothing was refused",
    );
  });
}

test("every argument of every entry may be a value that throws when it is looked at", async () => {
  const faults: string[] = [];
  let nCalls = 0;
  for (const entry of API_ENTRIES) {
    const { length } = await entry.args();
    for (let at = 0; at < length; at++) {
      for (const value of throwingValues()) {
        const args = [...(await entry.args())];
        args[at] = value;
        nCalls++;
        await tryCall(entry, `argument ${at}`, args).catch((error: Error) => faults.push(error.message));
      }
    }
  }
  assert.ok(nCalls > 1000, `${nCalls} calls`);
  assert.deepEqual(faults, []);
});

/** The line of the library at which an error arose. */
function placeOf(cause: unknown): string {
  const line = cause instanceof Error ? cause.stack?.split("\n").find((text) => text.includes("/src/")) : undefined;
  return line === undefined ? "" : ` ${line.trim()}`;
}
