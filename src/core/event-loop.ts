/**
 * Lets the event loop run. A loop that decodes or trains awaits only promises that are already kept, so without this no
 * signal, timer, click or network packet would be seen until its end.
 *
 * @module
 */

/** Often enough for Ctrl-C and a page's frames (60 a second), rarely enough to cost nothing. */
const TURN_MS = 15;

export interface Breather {
  /** Yields to the event loop when it has not run for {@link TURN_MS}. */
  breathe(): Promise<void>;
}

/** Calls with the clock at a stop before a turn is due all the same. */
const FROZEN_CALLS_MAX = 8;

export function createBreather(): Breather {
  let lastMs = performance.now(),
    frozenCalls = 0;
  return {
    async breathe() {
      const passedMs = performance.now() - lastMs;
      // workerd's clock stands still while a program computes: it moves at a turn only.
      frozenCalls = passedMs === 0 ? frozenCalls + 1 : 0;
      if (passedMs < TURN_MS && frozenCalls < FROZEN_CALLS_MAX) return;
      await nextTurn();
      lastMs = performance.now();
      frozenCalls = 0;
    },
  };
}

/**
 * Lets timers, clicks and the network have their turn, now. `setTimeout` alone would do, but waits at least 1 ms on
 * Node and 4 ms in browsers, and a whole second in a tab that is hidden.
 */
async function nextTurn(): Promise<void> {
  // workerd delivers the messages of a channel before it looks at the network: nothing would stream, nor stop.
  if (typeof MessageChannel !== "function" || globalThis.navigator?.userAgent === "Cloudflare-Workers") {
    await new Promise((resolve) => setTimeout(resolve, 0));
    return;
  }
  if (typeof setImmediate === "function") {
    await new Promise<void>((resolve) => setImmediate(resolve));
    return;
  }
  // Twice: Chromium puts a timer that is due behind the messages sent before it looked. The second stands behind the
  // timer.
  await message();
  await message();
}

function message(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
