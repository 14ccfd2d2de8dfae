/**
 * Lets the event loop run. A decode loop awaits only promises that are already kept, so without this no signal, timer,
 * click or network packet would be seen until the last token.
 *
 * @module
 */

/** Often enough for Ctrl-C and a page's frames (60 a second), rarely enough to cost nothing. */
const TURN_MS = 15;

export interface Breather {
  /** Yields to the event loop when it has not run for {@link TURN_MS}. */
  breathe(): Promise<void>;
}

export function createBreather(): Breather {
  let lastMs = performance.now();
  return {
    async breathe() {
      if (performance.now() - lastMs < TURN_MS) return;
      await nextTurn();
      lastMs = performance.now();
    },
  };
}

/** `setTimeout` would do, but waits at least 1 ms on Node and 4 ms in browsers. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
