/** The event loop gets its turns, whatever the clock does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createBreather } from "../../src/core/event-loop.ts";
import { nextTurn as browserTurn } from "../../src/platform/browser/next-turn.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { workerdPlatform } from "../../src/platform/workerd/platform.ts";

const TURNS = { node: nodePlatform(), browser: { nextTurn: browserTurn }, workerd: workerdPlatform() };

for (const [name, platform] of Object.entries(TURNS)) {
  test(`${name}: a clock that stands still stops no turn`, async (t) => {
    t.mock.method(performance, "now", () => 1000);
    const { breathe } = createBreather(platform);
    let turned = false,
      calls = 0;
    setTimeout(() => (turned = true));
    for (; !turned && calls < 100_000; calls++) await breathe();
    assert.ok(turned, `${calls} calls`);
  });
}

test("a turn is due after a frame, and not before", async (t) => {
  let now = 0,
    turns = 0;
  t.mock.method(performance, "now", () => now);
  const { breathe } = createBreather({ nextTurn: async () => void turns++ });
  now = 1;
  await breathe();
  assert.equal(turns, 0);
  now = 20;
  await breathe();
  assert.equal(turns, 1);
});

test("a stopped clock brings a turn every eighth call", async (t) => {
  let turns = 0;
  t.mock.method(performance, "now", () => 1000);
  const { breathe } = createBreather({ nextTurn: async () => void turns++ });
  for (let calls = 0; calls < 16; calls++) await breathe();
  assert.equal(turns, 2);
});

test("workerd takes turns by timer: its channels deliver before it polls the network", async (t) => {
  const timer = t.mock.method(globalThis, "setTimeout"),
    others = t.mock.method(globalThis, "setImmediate");
  t.mock.method(performance, "now", () => 1000);
  const { breathe } = createBreather(workerdPlatform());
  for (let calls = 0; calls < 16; calls++) await breathe();
  assert.deepEqual([timer.mock.callCount(), others.mock.callCount()], [2, 0]);
});
