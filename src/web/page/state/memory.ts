/**
 * What the page remembers across reloads, in the browser's storage: the conversation, what is typed and not sent, the
 * settings, the model. It saves everything for this tab, which no other tab overwrites, and for the next tab. If the
 * browser saves nothing, the page starts empty each time, and says so.
 *
 * @module
 */
import type { Turn } from "./conversation.ts";
import { type Settings, settingsFrom } from "./settings.ts";

/** The used part of the Web Storage standard. */
export type KeyedStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const KEYS = {
  turns: "onebit:turns",
  draft: "onebit:draft",
  edits: "onebit:edits",
  settings: "onebit:settings",
  model: "onebit:model",
  file: "onebit:file",
  context: "onebit:context",
} as const;

/** Two tabs have two conversations. The tab's own entry counts, even an empty one. */
const PER_TAB: ReadonlySet<string> = new Set([KEYS.turns, KEYS.draft, KEYS.edits, KEYS.context]);

/** Local storage holds some 5 million characters for all pages of an origin; the oldest turns go first. */
const TURNS_CHARS_MAX = 500_000;

/** How much of the conversation was saved: all; all while the tab lives; all but its beginning; or nothing. */
export type Kept = "all" | "in-tab" | "not-the-beginning" | "nothing";

export class Memory {
  readonly #storage: KeyedStorage | undefined;
  readonly #tab: KeyedStorage | undefined;
  #kept: Kept = "all";

  /** @param tab storage of this tab only, which survives reloads */
  constructor(storage: KeyedStorage | undefined, tab?: KeyedStorage) {
    this.#storage = storage;
    this.#tab = tab;
  }

  get turns(): Turn[] {
    const found = this.#read(KEYS.turns);
    return Array.isArray(found) ? found.filter(isTurn).map(({ role, text }) => ({ role, text })) : [];
  }

  set turns(turns: readonly Turn[]) {
    let kept = turns;
    while (kept.length > 1 && kept.reduce((sum, { text }) => sum + text.length, 0) > TURNS_CHARS_MAX)
      kept = kept.slice(1);
    const where = this.#write(KEYS.turns, kept.length === 0 ? undefined : kept);
    this.#kept =
      turns.length === 0 || where === "all" ? (kept.length < turns.length ? "not-the-beginning" : "all") : where;
  }

  /** Of the turns that were set last. */
  get kept(): Kept {
    return this.#kept;
  }

  /** What is typed and not sent. */
  get draft(): string {
    const found = this.#read(KEYS.draft);
    return typeof found === "string" ? found : "";
  }

  /** True when the browser keeps it, at least as long as the tab lives. */
  keepDraft(text: string): boolean {
    return this.#write(KEYS.draft, text === "" ? undefined : text) !== "nothing" || text === "";
  }

  /** Unsent changes of questions, by turn index. */
  get edits(): Map<number, string> {
    const found = this.#read(KEYS.edits),
      isEdit = (entry: unknown): entry is [number, string] =>
        Array.isArray(entry) && typeof entry[0] === "number" && typeof entry[1] === "string";
    return new Map(Array.isArray(found) ? found.filter(isEdit) : []);
  }

  /** True when the browser keeps them. */
  keepEdits(edits: ReadonlyMap<number, string>): boolean {
    return this.#write(KEYS.edits, edits.size === 0 ? undefined : [...edits]) !== "nothing" || edits.size === 0;
  }

  /** Names the context that belongs to the conversation, if one was kept. */
  get contextId(): string | undefined {
    const found = this.#read(KEYS.context);
    return typeof found === "string" ? found : undefined;
  }

  /** The name under which this tab keeps a context: no other tab has it. */
  ownContextId(): string {
    const own = readFrom(this.#tab, KEYS.context),
      id = typeof own === "string" ? own : crypto.randomUUID();
    this.#write(KEYS.context, id);
    return id;
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
    const inTab = PER_TAB.has(key) ? readFrom(this.#tab, key) : undefined;
    return inTab === undefined ? readFrom(this.#storage, key) : inTab;
  }

  #write(key: string, value: unknown): "all" | "in-tab" | "nothing" {
    const isInTab = PER_TAB.has(key) && this.#writeInTab(key, value ?? null);
    if (writeTo(this.#storage, key, value)) return "all";
    return isInTab ? "in-tab" : "nothing";
  }

  /** The tab's old entry would count as the newest. */
  #writeInTab(key: string, value: unknown): boolean {
    return writeTo(this.#tab, key, value) || (writeTo(this.#tab, key, undefined), false);
  }
}

/** Undefined for missing or unreadable entries. */
function readFrom(storage: KeyedStorage | undefined, key: string): unknown {
  try {
    const text = storage?.getItem(key);
    return typeof text === "string" ? (JSON.parse(text) as unknown) : undefined;
  } catch {
    return undefined;
  }
}

/** @returns false when the browser refuses: the storage is full, or switched off. */
function writeTo(storage: KeyedStorage | undefined, key: string, value: unknown): boolean {
  if (storage === undefined) return false;
  try {
    if (value === undefined) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/** The browser's storage; none if it refuses, as for pages without storage rights. */
export function localMemory(): Memory {
  return new Memory(
    allowed(() => globalThis.localStorage),
    allowed(() => globalThis.sessionStorage),
  );
}

function allowed(storage: () => Storage): Storage | undefined {
  try {
    return storage();
  } catch {
    return undefined;
  }
}

function isTurn(value: unknown): value is Turn {
  const { role, text } = (typeof value === "object" && value !== null ? value : {}) as Partial<Record<string, unknown>>;
  return (role === "user" || role === "assistant") && typeof text === "string";
}
