/**
 * Makes and finds elements. Text stays text: nothing in the page parses HTML.
 *
 * @module
 */
type Child = Node | string;

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`true` is present without a value, `undefined` absent) and children. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | true | undefined>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined) made.setAttribute(name, value === true ? "" : value);
  made.append(...children);
  return made;
}

/** A drawing of one path on a field of 24 × 24. */
export function icon(path: string): SVGElement {
  const svg = document.createElementNS(SVG, "svg"),
    line = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export function button(label: string, onClick: () => void, className = "button"): HTMLButtonElement {
  const made = element("button", { type: "button", class: className }, label);
  made.addEventListener("click", onClick);
  return made;
}

/** The element of the page's own HTML with this id. */
export function byId<Found extends HTMLElement = HTMLElement>(id: string): Found {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as Found;
}

/** Opens a dialog of the page; its buttons marked `data-close`, Escape and a click beside it close it. */
export function readyDialog(id: string): HTMLDialogElement {
  const dialog = byId<HTMLDialogElement>(id);
  dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
  return dialog;
}
