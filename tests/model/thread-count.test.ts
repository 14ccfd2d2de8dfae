/** How many threads take a token, on machines that are free, busy, and busy for a while. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createThreadCount } from "../../src/model/thread-count.ts";

/**
 * Runs `tokens` tokens on a machine where n threads take msOf(n, i) and sleep where it says so; gives how often each
 * number ran.
 */
function run(
  nThreads: number,
  tokens: number,
  machine: (threads: number, token: number) => { ms: number; slept: boolean },
): Map<number, number> {
  const count = createThreadCount(nThreads),
    ran = new Map<number, number>();
  for (let i = 0; i < tokens; i++) {
    const threads = count.current,
      { ms, slept } = machine(threads, i);
    ran.set(threads, (ran.get(threads) ?? 0) + 1);
    count.took(ms, slept);
  }
  return ran;
}

test("all, on a free machine, however long a token takes", () => {
  assert.deepEqual([...run(4, 1000, (_, i) => ({ ms: 10 + (i % 7), slept: i % 3 === 0 }))], [[4, 1000]]);
});

test("one of two, when another program takes a processor", () => {
  const ran = run(2, 1000, (threads) => (threads === 2 ? { ms: 38, slept: true } : { ms: 33, slept: false }));
  assert.ok(ran.get(2)! <= 70 && ran.get(1)! >= 930, `${ran.get(2)} tokens on two threads`);
});

test("all, when they sleep but are still faster; trials cost one token in 17", () => {
  const ran = run(2, 1000, (threads) => ({ ms: threads === 2 ? 25 : 33, slept: threads === 2 }));
  assert.ok(ran.get(1)! <= 60, `${ran.get(1)} tokens on one thread`);
});

test("all again, when the other program has ended", () => {
  const ran = run(2, 1000, (threads, i) =>
    threads === 2 && i < 200 ? { ms: 38, slept: true } : { ms: threads === 2 ? 20 : 33, slept: false },
  );
  assert.ok(ran.get(2)! >= 700, `${ran.get(2)} tokens on two threads`);
});

test("one thread stays one", () => {
  assert.deepEqual([...run(1, 500, () => ({ ms: 1, slept: true }))], [[1, 500]]);
});
