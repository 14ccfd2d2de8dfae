/**
 * Lets the event loop run. Decoding and training loops await only resolved promises, so without this no signal, timer,
 * click or network packet gets through until they end.
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

/** With the clock stopped, this many calls make a turn due anyway. */
const FROZEN_CALLS_MAX = 8;

export function createBreather({ nextTurn = timerTurn }: Pick<Platform, "nextTurn">): Breather {
  let lastMs = performance.now(),
    frozenCalls = 0;
  return {
    async breathe() {
      const passedMs = performance.now() - lastMs;
      // workerd's clock stands still while a program computes: it moves only between turns.
      frozenCalls = passedMs === 0 ? frozenCalls + 1 : 0;
      if (passedMs < TURN_MS && frozenCalls < FROZEN_CALLS_MAX) return;
      await nextTurn();
      lastMs = performance.now();
      frozenCalls = 0;
    },
  };
}

export function timerTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
