/**
 * A sentence about something that went wrong or changed, until it is put away. Screen readers say it at once.
 *
 * @module
 */
import { button, element } from "./elements.ts";
import { circumstances, explain } from "./explain.ts";

export class Notice {
  readonly #place: HTMLElement;

  /** @param place an element with the role `alert` */
  constructor(place: HTMLElement) {
    this.#place = place;
  }

  say(sentence: string): void {
    this.#show("news", sentence);
  }

  /** Says what an error means; the library's own words are behind "Details". */
  explain(error: unknown): void {
    const { sentence, detail } = explain(error, circumstances());
    this.#show("trouble", sentence, detail);
  }

  clear(): void {
    this.#place.replaceChildren();
  }

  #show(kind: "news" | "trouble", sentence: string, detail?: string): void {
    const parts: Node[] = [element("p", {}, sentence)];
    if (detail !== undefined)
      parts.push(element("details", {}, element("summary", {}, "Details"), element("p", {}, detail)));
    this.#place.replaceChildren(
      element(
        "div",
        { class: `notice ${kind}` },
        element("div", {}, ...parts),
        button("OK", () => this.clear(), "button quiet"),
      ),
    );
  }
}
