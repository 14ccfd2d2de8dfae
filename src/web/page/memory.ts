/**
 * What the page remembers across reloads, in the browser's local storage: the conversation, the settings, the model.
 * A browser that keeps nothing is no failure: the page then begins anew each time.
 *
 * @module
 */
import type { Turn } from "./conversation.ts";
import { type Settings, settingsFrom } from "./settings.ts";

/** The part of the Web Storage standard that is used. */
export type KeyedStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const KEYS = { turns: "onebit:turns", settings: "onebit:settings", model: "onebit:model", file: "onebit:file" } as const;

/** Local storage holds some 5 million characters for all pages of an origin; older turns are let go first. */
const TURNS_CHARS_MAX = 500_000;

export class Memory {
  readonly #storage: KeyedStorage | undefined;

  constructor(storage: KeyedStorage | undefined) {
    this.#storage = storage;
  }

  get turns(): Turn[] {
    const found = this.#read(KEYS.turns);
    return Array.isArray(found) ? found.filter(isTurn).map(({ role, text }) => ({ role, text })) : [];
  }

  set turns(turns: readonly Turn[]) {
    let kept = turns;
    while (kept.length > 1 && kept.reduce((sum, { text }) => sum + text.length, 0) > TURNS_CHARS_MAX) kept = kept.slice(1);
    this.#write(KEYS.turns, kept.length === 0 ? undefined : kept);
  }

  get settings(): Settings {
    return settingsFrom(this.#read(KEYS.settings));
  }

  set settings(settings: Settings) {
    this.#write(KEYS.settings, settings);
  }

  /** The source of the kept model that ran last; undefined for the one built in. */
  get model(): string | undefined {
    const found = this.#read(KEYS.model);
    return typeof found === "string" ? found : undefined;
  }

  set model(source: string | undefined) {
    this.#write(KEYS.model, source);
  }

  /** The name of the file of the device that ran last; a page cannot open it again by itself. */
  get fileName(): string | undefined {
    const found = this.#read(KEYS.file);
    return typeof found === "string" ? found : undefined;
  }

  set fileName(name: string | undefined) {
    this.#write(KEYS.file, name);
  }

  #read(key: string): unknown {
    try {
      return JSON.parse(this.#storage?.getItem(key) ?? "null");
    } catch {
      return undefined;
    }
  }

  #write(key: string, value: unknown): void {
    try {
      if (value === undefined) this.#storage?.removeItem(key);
      else this.#storage?.setItem(key, JSON.stringify(value));
    } catch {
      // Full, or switched off since: what is on the page stays there.
    }
  }
}

/** The browser's own; undefined where it refuses, as for pages that may keep nothing. */
export function localMemory(): Memory {
  try {
    return new Memory(globalThis.localStorage);
  } catch {
    return new Memory(undefined);
  }
}

function isTurn(value: unknown): value is Turn {
  const { role, text } = (typeof value === "object" && value !== null ? value : {}) as Partial<Record<string, unknown>>;
  return (role === "user" || role === "assistant") && typeof text === "string";
}
