/**
 * The models dialog: lists the models on this device and their space, adds and removes models.
 *
 * @module
 */
import type { KeptModel } from "../../../hub.ts";
import { DEFAULT_MODEL_NAME, type ModelChoice, nameOf } from "../state/model-session.ts";
import type { StoreClient } from "../state/store-client.ts";
import { downloadView } from "./download.ts";
import { button, byId, element, readyDialog } from "./elements.ts";
import { formatBytes } from "./format.ts";
import { Notice } from "./notice.ts";

export interface ModelsActions {
  choose(choice: ModelChoice): void;
  /** What is open now. */
  current(): ModelChoice | undefined;
  /** A kept model is about to be removed. */
  removing(source: string): Promise<void>;
}

export class ModelsView {
  readonly #dialog = readyDialog("models");
  readonly #list = byId("model-list");
  readonly #notice = new Notice(byId("models-notice"));
  readonly #storage = byId("storage");
  readonly #persist = byId<HTMLButtonElement>("persist");
  readonly #store: StoreClient;
  readonly #actions: ModelsActions;
  /** Set while the page is a file, which may keep nothing. */
  readonly #keepsNothing = globalThis.location.protocol === "file:";

  constructor(store: StoreClient, actions: ModelsActions) {
    this.#store = store;
    this.#actions = actions;
    byId("open-models").addEventListener("click", () => void this.open());
    const file = byId<HTMLInputElement>("file");
    byId("choose-file").addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      const chosen = file.files?.[0];
      file.value = "";
      if (chosen !== undefined) this.#choose({ kind: "file", file: chosen });
    });
    byId("source-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = byId<HTMLInputElement>("source"),
        source = field.value.trim();
      field.value = "";
      if (source !== "") this.#download(source);
    });
    this.#persist.addEventListener("click", () => void this.#askToPersist());
  }

  async open(): Promise<void> {
    this.#notice.clear();
    this.#showList([]);
    this.#dialog.showModal();
    await this.#refresh();
  }

  #choose(choice: ModelChoice): void {
    this.#dialog.close();
    this.#actions.choose(choice);
  }

  #download(source: string): void {
    // Asks right after the person's own choice; only pages may ask, not workers.
    void navigator.storage?.persist?.().catch(() => false);
    const view = downloadView(this.#store, source, {
      done: () => (void this.#refresh(), this.#notice.say(`${source} is on this device now.`)),
      changed: () => void this.#refresh(),
    });
    byId("downloads").append(view);
  }

  async #refresh(): Promise<void> {
    if (!this.#keepsNothing) {
      try {
        this.#showList(await this.#store.call("list", []));
      } catch (error) {
        this.#notice.explain(error);
      }
    }
    await this.#showStorage();
  }

  #showList(kept: readonly KeptModel[]): void {
    const current = this.#actions.current(),
      rows: HTMLElement[] = [];
    rows.push(
      this.#row(
        { kind: "built-in" },
        DEFAULT_MODEL_NAME,
        "Continues a text as Shakespeare might. Comes with the page.",
        current,
      ),
    );
    for (const model of kept) {
      const choice: ModelChoice = { kind: "kept", source: model.source },
        isWhole = model.files.length > 0;
      const size = isWhole ? formatBytes(model.sizeBytes) : `incomplete, of ${formatBytes(model.unfinishedBytes)}`;
      const others = [
        ...(model.unfinishedBytes > 0 ? [button("Go on", () => this.#download(model.source))] : []),
        button("Remove", () => void this.#remove(model), "button quiet"),
      ];
      rows.push(this.#row(choice, nameOf(choice), `${model.source} · ${size}`, current, isWhole, others));
    }
    if (current?.kind === "file")
      rows.push(
        this.#row(current, current.file.name, `A file of this device · ${formatBytes(current.file.size)}`, current),
      );
    this.#list.replaceChildren(...rows);
  }

  #row(
    choice: ModelChoice,
    name: string,
    facts: string,
    current: ModelChoice | undefined,
    isWhole = true,
    others: readonly HTMLButtonElement[] = [],
  ): HTMLElement {
    const isCurrent = current !== undefined && isSame(choice, current);
    const about = element(
      "div",
      { class: "about" },
      element("span", { class: "name" }, name),
      element("span", { class: "hint" }, facts),
    );
    const use = isCurrent
      ? element("span", { class: "badge" }, "in use")
      : button("Use", () => this.#choose(choice), "button primary");
    const offers = isWhole ? [...others, use] : others;
    for (const offer of offers)
      if (offer instanceof HTMLButtonElement) offer.setAttribute("aria-label", `${offer.textContent}: ${name}`);
    return element(
      "li",
      isCurrent ? { "aria-current": "true" } : {},
      about,
      element("div", { class: "line" }, ...offers),
    );
  }

  async #remove({ source }: KeptModel): Promise<void> {
    try {
      await this.#actions.removing(source);
      const { freedBytes } = await this.#store.call("remove", [source]);
      this.#notice.say(`Removed ${source}; freed ${formatBytes(freedBytes)}.`);
    } catch (error) {
      this.#notice.explain(error);
    }
    await this.#refresh();
    byId("source").focus();
  }

  async #showStorage(): Promise<void> {
    const { storage } = navigator;
    if (this.#keepsNothing || storage?.estimate === undefined) {
      this.#storage.textContent = this.#keepsNothing
        ? "A page opened as a file keeps no models. Files of this device can be used."
        : "This browser keeps no models for this page.";
      return;
    }
    const { usage, quota } = await storage.estimate(),
      isPersisted = (await storage.persisted?.()) ?? false;
    const room =
      usage === undefined || quota === undefined
        ? ""
        : `${formatBytes(usage)} of the ${formatBytes(quota)} this page may keep are in use. `;
    this.#storage.textContent =
      room +
      (isPersisted ? "The browser will not clear it by itself." : "The browser may clear it when the device runs low.");
    this.#persist.hidden = isPersisted || storage.persist === undefined;
  }

  async #askToPersist(): Promise<void> {
    const granted = await navigator.storage.persist().catch(() => false);
    if (!granted)
      this.#notice.say(
        "The browser did not agree. It does so more readily for pages that are installed or used often.",
      );
    await this.#showStorage();
  }
}

function isSame(a: ModelChoice, b: ModelChoice): boolean {
  if (a.kind === "kept" && b.kind === "kept") return a.source === b.source;
  return a.kind === b.kind && (a.kind !== "file" || b.kind !== "file" || a.file === b.file);
}
