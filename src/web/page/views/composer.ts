/**
 * The message field: Enter sends, Shift and Enter starts a line, the field grows with its text.
 *
 * @module
 */
import { byId } from "./elements.ts";

export interface ComposerActions {
  /** False if it was not accepted: the text stays. */
  send(text: string): boolean;
  stop(): void;
  /** The text has changed. */
  changed(text: string): void;
}

export type ComposerState = "loading" | "ready" | "writing";

export class ComposerView {
  readonly #form = byId<HTMLFormElement>("composer");
  readonly #prompt = byId<HTMLTextAreaElement>("prompt");
  readonly #send = byId<HTMLButtonElement>("send");
  readonly #stop = byId<HTMLButtonElement>("stop");
  #state: ComposerState = "loading";

  /** @param draft text typed earlier and not sent */
  constructor({ send, stop, changed }: ComposerActions, draft: string) {
    this.#prompt.value = draft;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#prompt.value;
      if (this.#state !== "ready" || text.trim() === "" || !send(text)) return;
      this.#prompt.value = "";
      changed("");
      this.#fit();
    });
    this.#prompt.addEventListener("input", () => (this.#fit(), changed(this.#prompt.value)));
    this.#prompt.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing)
        event.preventDefault(), this.#form.requestSubmit();
      if (event.key === "Escape" && this.#state === "writing") stop();
    });
    this.#stop.addEventListener("click", stop);
  }

  set state(state: ComposerState) {
    this.#state = state;
    this.#stop.hidden = state !== "writing";
    this.#send.hidden = state === "writing";
    this.#fit();
  }

  /** The field's placeholder. */
  set placeholder(text: string) {
    this.#prompt.placeholder = text;
  }

  get stopHasFocus(): boolean {
    return document.activeElement === this.#stop;
  }

  focusStop(): void {
    this.#stop.focus();
  }

  focus(): void {
    this.#prompt.focus();
  }

  #fit(): void {
    // A field reports a smaller height only after a reset.
    this.#prompt.style.height = "auto";
    this.#prompt.style.height = `${this.#prompt.scrollHeight}px`;
    this.#send.disabled = this.#state !== "ready" || this.#prompt.value.trim() === "";
  }
}
