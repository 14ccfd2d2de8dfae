/**
 * Shows the conversation and its actions: change a question, ask for another answer, continue one.
 *
 * @module
 */
import type { Style, Turn } from "../state/conversation.ts";
import { button, element, icon } from "./elements.ts";

export interface TranscriptActions {
  /** False if it was not accepted: the change stays. */
  edit(index: number, text: string): boolean;
  /** Unsent changes of questions, by turn index. */
  editing(edits: ReadonlyMap<number, string>): void;
  regenerate(): void;
  goOn(): void;
}

const ICONS = {
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  again: "M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6",
  on: "M5 12h14m-6-6 6 6-6 6",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
} as const;

/** Closer than this to the end, the view follows the answer. */
const FOLLOW_PX = 80;

export class TranscriptView {
  readonly #list: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #actions: TranscriptActions;
  /** Shown with the turns until sent or cancelled. */
  readonly #edits: Map<number, string>;
  #writing: { readonly node: Text; readonly item: HTMLElement; pending: string; isScheduled: boolean } | undefined;

  /** @param edits changes in progress when the page was left */
  constructor(
    list: HTMLElement,
    scroller: HTMLElement,
    actions: TranscriptActions,
    edits: ReadonlyMap<number, string>,
  ) {
    this.#edits = new Map(edits);
    this.#list = list;
    this.#scroller = scroller;
    this.#actions = actions;
  }

  /** Shows all turns again; nothing can be changed while `isBusy`. */
  show(turns: readonly Turn[], style: Style, isBusy: boolean): void {
    this.#list.replaceChildren(...turns.map((turn, i) => this.#item(turn, i, isBusy, i === turns.length - 1, style)));
    this.#writing = undefined;
    if (isBusy) this.#beginWriting();
    else for (const index of [...this.#edits.keys()]) this.#showEdit(turns, index);
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Appends to the last answer, once a frame. */
  append(text: string): void {
    const writing = this.#writing;
    if (writing === undefined) return;
    writing.pending += text;
    if (writing.isScheduled) return;
    writing.isScheduled = true;
    requestAnimationFrame(() => this.#flush());
  }

  /** Focuses the last answer's actions. */
  focusLast(): void {
    this.#list.querySelector<HTMLElement>("li:last-child .actions button")?.focus();
  }

  #flush(): void {
    const writing = this.#writing;
    if (writing === undefined) return;
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller,
      follows = scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
    writing.node.appendData(writing.node.length === 0 ? shown(writing.pending) : writing.pending);
    writing.pending = "";
    writing.isScheduled = false;
    if (follows) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #beginWriting(): void {
    const item = this.#list.lastElementChild as HTMLElement | null,
      text = item?.querySelector(".text");
    if (item === null || text === null || text === undefined) return;
    const node = text.firstChild instanceof Text ? text.firstChild : text.appendChild(document.createTextNode(""));
    item.classList.add("writing");
    item.setAttribute("aria-busy", "true");
    this.#writing = { node, item, pending: "", isScheduled: false };
  }

  #item({ role, text }: Turn, index: number, isBusy: boolean, isLast: boolean, style: Style): HTMLElement {
    const who = role === "user" ? "You" : "Model",
      body = element("div", { class: "text", dir: "auto" }, role === "assistant" ? shown(text) : text);
    const item = element(
      "li",
      { class: `turn ${role} ${style}` },
      element("span", { class: "visually-hidden" }, `${who}: `),
      body,
    );
    if (!isBusy) item.append(this.#actionsOf(item, { role, text }, index, isLast, style));
    return item;
  }

  #actionsOf(item: HTMLElement, { role, text }: Turn, index: number, isLast: boolean, style: Style): HTMLElement {
    const offers: HTMLButtonElement[] = [];
    if (role === "user")
      offers.push(
        iconButton(
          "Edit",
          ICONS.edit,
          () => (this.#setEdit(index, text), this.#edit(item, index, text), focusEnd(item)),
        ),
      );
    else offers.push(copyButton(text));
    if (isLast && role === "assistant")
      offers.push(iconButton("Another answer", ICONS.again, this.#actions.regenerate));
    if (isLast && role === "user") offers.push(iconButton("Answer", ICONS.again, this.#actions.regenerate));
    if (isLast && role === "assistant" && style === "continue")
      offers.push(iconButton("Go on", ICONS.on, this.#actions.goOn));
    return element("div", { class: "actions" }, ...offers);
  }

  #showEdit(turns: readonly Turn[], index: number): void {
    const item = this.#list.children[index];
    if (turns[index]?.role === "user" && item instanceof HTMLElement)
      this.#edit(item, index, this.#edits.get(index) ?? "");
    else this.#setEdit(index, undefined);
  }

  #setEdit(index: number, text: string | undefined): void {
    if (text === undefined) this.#edits.delete(index);
    else this.#edits.set(index, text);
    this.#actions.editing(this.#edits);
  }

  #edit(item: HTMLElement, index: number, text: string): void {
    const area = element("textarea", { rows: "3", "aria-label": "Change your message" }),
      before = [...item.childNodes];
    area.value = text;
    area.addEventListener("input", () => this.#setEdit(index, area.value));
    const leave = (): void => {
      this.#setEdit(index, undefined);
      item.replaceChildren(...before);
      item.querySelector<HTMLElement>(".actions button")?.focus();
    };
    const form = element(
      "form",
      { class: "edit" },
      area,
      element(
        "div",
        { class: "line" },
        element("button", { type: "submit", class: "button primary" }, "Send again"),
        button("Cancel", leave),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = area.value;
      // Later turns are dropped with the old answer, and so are their changes.
      if (text.trim() !== "" && this.#actions.edit(index, text))
        for (const later of [...this.#edits.keys()]) if (later >= index) this.#setEdit(later, undefined);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") leave();
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) event.preventDefault(), form.requestSubmit();
    });
    item.replaceChildren(form);
  }
}

function focusEnd(item: HTMLElement): void {
  const area = item.querySelector("textarea");
  area?.focus();
  area?.setSelectionRange(area.value.length, area.value.length);
}

/** The lines that a continued text leaves empty before it begins are the page's business here. */
function shown(text: string): string {
  return text.replace(/^\s+/, "");
}

function iconButton(label: string, path: string, onClick: () => void): HTMLButtonElement {
  const made = button("", onClick, "action");
  made.append(icon(path), element("span", {}, label));
  return made;
}

function copyButton(text: string): HTMLButtonElement {
  const made = iconButton("Copy", ICONS.copy, () => void copy());
  const label = made.lastElementChild as HTMLElement;
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Not allowed here";
    }
  };
  return made;
}
