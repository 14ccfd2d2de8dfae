/** The event loop gets its turns, whatever the clock does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createBreather } from "../../src/core/event-loop.ts";

test("a clock that stands still stops no turn", async (t) => {
  t.mock.method(performance, "now", () => 1000);
  const { breathe } = createBreather();
  let turned = false,
    calls = 0;
  setImmediate(() => (turned = true));
  for (; !turned && calls < 100; calls++) await breathe();
  assert.ok(turned && calls <= 10, `${calls} calls`);
});

test("a turn is due after a frame, and not before", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { breathe } = createBreather();
  let turned = false;
  setImmediate(() => (turned = true));
  now = 1;
  await breathe();
  assert.equal(turned, false);
  now = 20;
  await breathe();
  assert.equal(turned, true);
});

test("in workerd a turn is a timer's: its channels deliver before the network is looked at", async (t) => {
  const timer = t.mock.method(globalThis, "setTimeout"),
    others = t.mock.method(globalThis, "setImmediate");
  const navigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { userAgent: "Cloudflare-Workers" }, configurable: true });
  try {
    t.mock.method(performance, "now", () => 1000);
    const { breathe } = createBreather();
    for (let calls = 0; calls < 16; calls++) await breathe();
  } finally {
    if (navigator) Object.defineProperty(globalThis, "navigator", navigator);
    else Reflect.deleteProperty(globalThis, "navigator");
  }
  assert.deepEqual([timer.mock.callCount(), others.mock.callCount()], [2, 0]);
});
