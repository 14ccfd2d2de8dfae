/**
 * The settings dialog. Changes apply at once.
 *
 * @module
 */
import type { OpenModel } from "../state/model-session.ts";
import {
  DEFAULT_SETTINGS,
  NUMBER_SETTINGS,
  type NumberRow,
  type Settings,
  THEMES,
  type Theme,
  settingsFrom,
} from "../state/settings.ts";
import { byId, element, readyDialog } from "./elements.ts";
import { formatBytes } from "./format.ts";

const THEME_NAMES: Readonly<Record<Theme, string>> = { system: "System", light: "Light", dark: "Dark" };

export class SettingsView {
  readonly #dialog = readyDialog("settings");
  readonly #onChange: (settings: Settings) => void;
  readonly #seed = byId<HTMLInputElement>("seed");
  readonly #system = byId<HTMLTextAreaElement>("system");
  #settings: Settings;

  /** @param current read when the dialog opens */
  constructor(settings: Settings, onChange: (settings: Settings) => void, current: () => OpenModel | undefined) {
    this.#settings = settings;
    this.#onChange = onChange;
    byId("open-settings").addEventListener("click", () => (showFacts(current()), this.#dialog.showModal()));
    byId("reset-settings").addEventListener("click", () =>
      this.#change({ ...DEFAULT_SETTINGS, theme: this.#settings.theme }, true),
    );
    byId("settings-form").addEventListener("submit", (event) => event.preventDefault());
    this.#seed.addEventListener("input", () =>
      this.#change({ seed: /^\d+$/.test(this.#seed.value.trim()) ? Number(this.#seed.value) : undefined }),
    );
    this.#system.addEventListener("input", () => this.#change({ system: this.#system.value }));
    this.#show();
    applyTheme(settings.theme);
  }

  #change(changed: Partial<Settings>, showsAgain = false): void {
    this.#settings = settingsFrom({ ...this.#settings, ...changed });
    if (showsAgain) this.#show();
    applyTheme(this.#settings.theme);
    this.#onChange(this.#settings);
  }

  #show(): void {
    byId("number-settings").replaceChildren(...NUMBER_SETTINGS.map((row) => this.#numberField(row)));
    byId("theme-choices").replaceChildren(...THEMES.map((theme) => this.#themeChoice(theme)));
    this.#seed.value = this.#settings.seed === undefined ? "" : String(this.#settings.seed);
    this.#system.value = this.#settings.system;
  }

  #numberField({ name, label, hint, min, max, step }: NumberRow): HTMLElement {
    const input = element("input", {
      id: name,
      type: "range",
      min: `${min}`,
      max: `${max}`,
      step: `${step}`,
      "aria-describedby": `${name}-hint`,
    });
    const output = element("output", { for: name });
    input.value = String(this.#settings[name]);
    output.textContent = input.value;
    input.addEventListener("input", () => {
      output.textContent = input.value;
      this.#change({ [name]: input.valueAsNumber });
    });
    return element(
      "div",
      { class: "field" },
      element("label", { for: name }, label, output),
      input,
      element("p", { class: "hint", id: `${name}-hint` }, hint),
    );
  }

  #themeChoice(theme: Theme): HTMLElement {
    const input = element("input", { type: "radio", name: "theme", value: theme });
    input.checked = this.#settings.theme === theme;
    input.addEventListener("change", () => this.#change({ theme }));
    return element("label", {}, input, element("span", {}, THEME_NAMES[theme]));
  }
}

function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** How the model runs here, and why not faster. */
function showFacts(open: OpenModel | undefined): void {
  const facts: [string, string][] = [];
  if (open !== undefined) {
    const {
      engine: { variant, threads, reason },
      memory,
      contextLength,
      loadMs,
    } = open.model;
    facts.push(
      ["Kernels", variant === "relaxed" ? "relaxed SIMD" : "SIMD"],
      ["Threads", reason === undefined ? `${threads}` : `${threads}: ${reason}`],
    );
    facts.push(
      ["Memory", formatBytes(memory.wasmBytes)],
      ["Reads at once", `${contextLength} tokens`],
      ["Loaded in", `${Math.round(loadMs)} ms`],
    );
  }
  facts.push([
    "Works offline",
    navigator.serviceWorker?.controller
      ? "yes"
      : location.protocol === "file:"
        ? "yes, it is a file"
        : "after the page has been loaded once more",
  ]);
  byId("engine-facts").replaceChildren(
    ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
}
