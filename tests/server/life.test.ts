/** Whether requests live: sleep of the machine ends none, and those that are cut off are found. */
import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Life } from "../../src/server/life.ts";
import { Slots } from "../../src/server/slots.ts";

const NEVER = new AbortController().signal;

afterEach(() => mock.timers.reset());

test("a request that waits keeps its place when the machine has slept", async () => {
  mock.timers.enable({ apis: ["Date"], now: 0 });
  const slots = new Slots(1, 4),
    [holder, waiting] = [new Life(), new Life()];
  await slots.take(holder, NEVER);
  const taken = slots.take(waiting, NEVER);
  mock.timers.setTime(3_600_000);
  await pause(50);
  assert.deepEqual([holder.isOver, waiting.isOver], [false, false]);
  assert.deepEqual([slots.nHeld, slots.nWaiting], [1, 1]);
  holder.end();
  assert.equal(await taken, true);
  waiting.end();
});

test("a request that was cut off, and beats no more, is over some seconds later", () => {
  mock.timers.enable({ apis: ["Date", "setInterval"], now: 0 });
  const life = new Life();
  // Its timers are gone with it.
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"], now: 5001 });
  assert.equal(life.isOver, false);
  mock.timers.setTime(6002);
  assert.equal(life.isOver, true);
});
