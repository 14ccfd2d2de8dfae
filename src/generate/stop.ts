/**
 * Finds stop strings in text that arrives in pieces, holding back no more than could still become one.
 *
 * One Knuth–Morris–Pratt automaton a stop string, walked a UTF-16 unit at a time, so where the pieces are cut never
 * changes the outcome.
 *
 * @module
 */

export interface StopScanner {
  /** Takes more text; returns what can be shown now. After a match, `stopped` is true and nothing more comes out. */
  push(text: string): string;
  /** The text held back: no more is coming, so it is not the beginning of a stop string after all. */
  end(): string;
  readonly stopped: boolean;
}

/** The first stop string to be completed ends the text; of several completed at once, the longest. */
export function createStopScanner(stops: readonly string[]): StopScanner {
  const automata = stops.map((text) => ({ text, fallback: buildFallback(text), state: 0 }));
  let held = "";
  let stopped = false;
  const step = (char: string): number => {
    let matchedChars = 0;
    for (const automaton of automata) {
      const { text, fallback } = automaton;
      while (automaton.state > 0 && text[automaton.state] !== char) automaton.state = fallback[automaton.state - 1];
      if (text[automaton.state] === char) automaton.state++;
      if (automaton.state === text.length) {
        matchedChars = Math.max(matchedChars, text.length);
        automaton.state = fallback[automaton.state - 1];
      }
    }
    return matchedChars;
  };
  return {
    push(text) {
      if (stopped) return "";
      if (automata.length === 0) return text;
      const pending = held + text;
      for (let i = held.length; i < pending.length; i++) {
        const matchedChars = step(pending[i]);
        if (matchedChars === 0) continue;
        stopped = true;
        held = "";
        return pending.slice(0, i + 1 - matchedChars);
      }
      let heldChars = 0;
      for (const { state } of automata) heldChars = Math.max(heldChars, state);
      held = pending.slice(pending.length - heldChars);
      return pending.slice(0, pending.length - heldChars);
    },
    end() {
      const rest = held;
      held = "";
      return rest;
    },
    get stopped() {
      return stopped;
    },
  };
}

/** KMP's table: for each prefix, the length of its longest proper prefix that is also its suffix. */
function buildFallback(text: string): Uint16Array {
  const fallback = new Uint16Array(text.length);
  let length = 0;
  for (let i = 1; i < text.length; i++) {
    while (length > 0 && text[length] !== text[i]) length = fallback[length - 1];
    if (text[length] === text[i]) length++;
    fallback[i] = length;
  }
  return fallback;
}
