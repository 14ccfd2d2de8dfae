/**
 * Announces an answer to screen readers as it is written, sentence by sentence: single words would interrupt each
 * other.
 *
 * @module
 */
import { element } from "./elements.ts";

/** Announces this much of a text without sentences. */
const CHARS_MAX = 240;

export class Announcer {
  readonly #place: HTMLElement;
  #pending = "";

  /** @param place a live region */
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

  /** Announces the rest, and how the answer ended. */
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

/** Splits a text into its complete sentences and the rest. */
export function splitSentences(text: string): { whole: string; rest: string } {
  const end = Math.max(...[...text.matchAll(/[.!?…]["'”’)]*\s|\n/g)].map((match) => match.index + match[0].length), 0);
  const at = end > 0 ? end : text.length > CHARS_MAX ? text.lastIndexOf(" ") + 1 || text.length : 0;
  return { whole: text.slice(0, at), rest: text.slice(at) };
}
