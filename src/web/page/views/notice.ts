/**
 * A sentence about a failure or a change, shown until dismissed. Screen readers say it at once.
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

  /** Explains an error; "Details" has the library's own words. */
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
