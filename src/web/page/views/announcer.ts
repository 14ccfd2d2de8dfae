/**
 * Reads an answer to screen readers while it is written: sentence by sentence, as single words would be spoken over
 * each other.
 *
 * @module
 */
import { element } from "./elements.ts";

/** Long enough to be worth a breath, where a text has no sentences. */
const CHARS_MAX = 240;

export class Announcer {
  readonly #place: HTMLElement;
  #pending = "";

  /** @param place a live region that says what is added to it */
  constructor(place: HTMLElement) {
    this.#place = place;
  }

  begin(): void {
    this.#pending = "";
    this.#place.replaceChildren();
  }

  add(text: string): void {
    this.#pending += text;
    const { whole, rest } = splitSentences(this.#pending);
    this.#pending = rest;
    if (whole.trim() !== "") this.say(whole.trim());
  }

  /** What is left, and how it ended. */
  end(conclusion: string): void {
    const rest = this.#pending.trim();
    this.#pending = "";
    if (rest !== "") this.say(rest);
    this.say(conclusion);
  }

  say(text: string): void {
    this.#place.append(element("p", {}, text));
  }
}

/** The whole sentences at the beginning of a text, and what follows. */
export function splitSentences(text: string): { whole: string; rest: string } {
  const end = Math.max(...[...text.matchAll(/[.!?…]["'”’)]*\s|\n/g)].map((match) => match.index + match[0].length), 0);
  const at = end > 0 ? end : text.length > CHARS_MAX ? text.lastIndexOf(" ") + 1 || text.length : 0;
  return { whole: text.slice(0, at), rest: text.slice(at) };
}
