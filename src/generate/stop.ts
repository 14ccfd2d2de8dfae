/**
 * Finds stop strings in text that arrives in pieces; holds back only what could still become one.
 *
 * Each stop string has a Knuth–Morris–Pratt automaton, fed one UTF-16 unit at a time, so cuts between pieces never
 * change the outcome. Control tokens are not in the text, but a stop string may name one: their names are fed hidden.
 *
 * @module
 */

export interface StopScanner {
  /** Takes more text; returns what can be shown now. After a match `stopped` is true and no more text comes out. */
  push(text: string): string;
  /** Takes the name of a control token: never shown, but stop strings may match it. */
  pushHidden(name: string): string;
  /** Returns the text held back: at the end of the text it begins no stop string. */
  end(): string;
  readonly stopped: boolean;
}

interface Automaton {
  readonly text: string;
  readonly fallback: Uint16Array;
  /** Is fed hidden names too. */
  readonly seesHidden: boolean;
  /** How many of its characters have matched. */
  state: number;
}

/** Characters taken but not given out yet. */
interface Held {
  readonly text: string;
  readonly isHidden: boolean;
}

/**
 * The first completed stop string ends the text; of several completed at once, the longest.
 * @param namesHidden the stop strings that name a control token
 */
export function createStopScanner(stops: readonly string[], namesHidden: ReadonlySet<string> = new Set()): StopScanner {
  return new Scanner(
    stops.map((text) => ({ text, fallback: buildFallback(text), seesHidden: namesHidden.has(text), state: 0 })),
  );
}

class Scanner implements StopScanner {
  readonly #automata: readonly Automaton[];
  #held: Held[] = [];
  #stopped = false;

  constructor(automata: readonly Automaton[]) {
    this.#automata = automata;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  push(text: string): string {
    if (this.#automata.length === 0) return text;
    return this.#push({ text, isHidden: false });
  }

  pushHidden(name: string): string {
    return this.#automata.some(({ seesHidden }) => seesHidden) ? this.#push({ text: name, isHidden: true }) : "";
  }

  end(): string {
    return this.#release(0);
  }

  #push(piece: Held): string {
    if (this.#stopped || piece.text === "") return "";
    this.#held.push(piece);
    for (let i = 0; i < piece.text.length; i++) {
      const found = this.#step(piece.text[i], piece.isHidden);
      if (found === undefined) continue;
      this.#stopped = true;
      this.#held[this.#held.length - 1] = { ...piece, text: piece.text.slice(0, i + 1) };
      const shown = this.#release(found.text.length, found.seesHidden);
      this.#held = [];
      return shown;
    }
    // An automaton that sees hidden names may need fewer shown characters; holding too many only delays them.
    return this.#release(this.#automata.reduce((most, { state }) => Math.max(most, state), 0));
  }

  /** Feeds one character; returns the longest stop string it completes. */
  #step(char: string, isHidden: boolean): Automaton | undefined {
    let found: Automaton | undefined;
    for (const automaton of this.#automata) {
      const { text, fallback } = automaton;
      if (isHidden && !automaton.seesHidden) continue;
      while (automaton.state > 0 && text[automaton.state] !== char) automaton.state = fallback[automaton.state - 1];
      if (text[automaton.state] === char) automaton.state++;
      if (automaton.state < text.length) continue;
      automaton.state = fallback[automaton.state - 1];
      if (found === undefined || text.length > found.text.length) found = automaton;
    }
    return found;
  }

  /** Gives out the held text except its last `nKept` characters; hidden ones count with `countsHidden`. */
  #release(nKept: number, countsHidden = false): string {
    let begin = this.#held.length;
    let kept = "";
    let left = nKept;
    while (begin > 0 && left > 0) {
      const { text, isHidden } = this.#held[--begin];
      if (isHidden && !countsHidden) continue;
      const cut = Math.max(0, text.length - left);
      left -= text.length - cut;
      if (cut > 0) kept = isHidden ? "" : text.slice(0, cut);
      if (cut > 0) this.#held[begin] = { text: text.slice(cut), isHidden };
    }
    const shown =
      this.#held.slice(0, begin).reduce((all, { text, isHidden }) => (isHidden ? all : all + text), "") + kept;
    this.#held = this.#held.slice(begin);
    return shown;
  }
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
