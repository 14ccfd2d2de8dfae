/**
 * Whatever a template does, it ends soon: every filter, test, method, function and operator in loops on the longest
 * values. Processor time, not the clock's, so that other programs on the machine make no difference.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OnebitError } from "../../../src/core/errors.ts";
import { Template } from "../../../src/generate/jinja/template.ts";
import { INPUT, longTemplates } from "../../hostile/generators/template-grammar.ts";

/** A template is promised to end in 250 ms; processors that others use too, and collecting garbage, may double it. */
const CPU_MS_MAX = 500;
/** Of the templates every so many is tried; `ONEBIT_TEMPLATES=1` tries all. */
const EVERY = Number(process.env["ONEBIT_TEMPLATES"] ?? 16);

function cpuMs(task: () => void): number {
  const begin = process.cpuUsage();
  task();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000;
}

function render(source: string): string {
  try {
    new Template(source).render({ input: INPUT });
    return "ok";
  } catch (error) {
    if (error instanceof OnebitError) return error.code;
    throw new Error(source, { cause: error });
  }
}

test("everything in loops on long values ends in 0.25 s of processor time, in text or a typed error", (t) => {
  const outcomes: Record<string, number> = {};
  const slow: string[] = [];
  let mostMs = 0;
  for (const [i, source] of [...longTemplates()].entries()) {
    if (i % EVERY !== 0) continue;
    let outcome = "";
    const once = (): number => cpuMs(() => void (outcome = render(source)));
    const ms = once();
    mostMs = Math.max(mostMs, ms);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    // Once more before it counts: a collection of all the garbage of others may have fallen into it.
    if (ms > CPU_MS_MAX && once() > CPU_MS_MAX) slow.push(`${Math.round(ms)} ms: ${source}`);
  }
  t.diagnostic(`${JSON.stringify(outcomes)}, at most ${Math.round(mostMs)} ms`);
  assert.deepEqual(slow, []);
  assert.ok(outcomes["template/limit"] > 100 && outcomes["template/raised"] > 20, JSON.stringify(outcomes));
});
