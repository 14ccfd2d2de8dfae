/**
 * Lets the event loop run. A loop that decodes or trains awaits only promises that are already kept, so without this no
 * signal, timer, click or network packet would be seen until its end.
 *
 * @module
 */
import type { Platform } from "./platform.ts";

/** Often enough for Ctrl-C and a page's frames (60 a second), rarely enough to cost nothing. */
const TURN_MS = 15;

export interface Breather {
  /** Yields to the event loop when it has not run for {@link TURN_MS}. */
  breathe(): Promise<void>;
}

/** Calls with the clock at a stop before a turn is due all the same. */
const FROZEN_CALLS_MAX = 8;

export function createBreather({ nextTurn = timerTurn }: Pick<Platform, "nextTurn">): Breather {
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

function timerTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
