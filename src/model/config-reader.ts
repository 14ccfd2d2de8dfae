/**
 * Typed access to a `config.json`, with the path in every message; remembers which members were read.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { type JsonObject, type JsonValue, isJsonObject } from "../files/json.ts";

export class ConfigReader {
  readonly #json: JsonObject;
  readonly #path: string;
  readonly #read = new Set<string>();
  readonly #children = new Map<string, ConfigReader>();

  /** @param path of `json` in the file, with a dot at its end; empty for the whole file */
  constructor(json: JsonObject, path = "") {
    this.#json = json;
    this.#path = path;
  }

  /** A member; JSON's null counts as absent. */
  get(key: string): JsonValue | undefined {
    this.#read.add(key);
    return Object.hasOwn(this.#json, key) ? (this.#json[key] ?? undefined) : undefined;
  }

  /** True if the member is there, even as null. */
  has(key: string): boolean {
    return Object.hasOwn(this.#json, key);
  }

  get isEmpty(): boolean {
    return Object.keys(this.#json).length === 0;
  }

  text(key: string): string | undefined {
    const value = this.get(key);
    return value === undefined || typeof value === "string" ? value : this.wrong(key, "a string");
  }

  boolean(key: string): boolean | undefined {
    const value = this.get(key);
    return value === undefined || typeof value === "boolean" ? value : this.wrong(key, "true or false");
  }

  number(key: string): number | undefined {
    const value = this.get(key);
    return value === undefined || (typeof value === "number" && Number.isFinite(value))
      ? value
      : this.wrong(key, "a number");
  }

  /** A number that must be there. */
  requiredNumber(key: string): number {
    return this.number(key) ?? this.wrong(key, "a number");
  }

  count(key: string): number {
    const value = this.number(key);
    return value !== undefined && Number.isInteger(value) && value > 0 ? value : this.wrong(key, "a positive integer");
  }

  numbers(key: string): readonly number[] {
    const value = this.get(key);
    return isListOf(value, isNumber) ? value : this.wrong(key, "a list of numbers");
  }

  /** An absent list is empty. */
  texts(key: string): readonly string[] {
    const value = this.get(key) ?? [];
    return isListOf(value, isText) ? value : this.wrong(key, "a list of strings");
  }

  child(key: string): ConfigReader | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) return this.wrong(key, "an object");
    const child = this.#children.get(key) ?? new ConfigReader(value, `${this.#path}${key}.`);
    this.#children.set(key, child);
    return child;
  }

  /** Members nobody read, with their values; nested objects list theirs by their own paths. */
  *unread(): Iterable<readonly [path: string, value: JsonValue]> {
    for (const [key, value] of Object.entries(this.#json)) {
      const child = this.#children.get(key);
      if (child !== undefined) yield* child.unread();
      else if (!this.#read.has(key)) yield [`${this.#path}${key}`, value ?? null];
    }
  }

  /** @throws OnebitError `model/bad-config` */
  wrong(key: string, wanted: string): never {
    const value = this.#json[key],
      found = value === undefined || value === null ? "nothing" : shown(value);
    return fail("model/bad-config", `config.json: ${this.#path}${key}: wanted ${wanted}, found ${found}`);
  }
}

/** A value of the file, short enough for a message. */
export function shown(value: JsonValue): string {
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return isJsonObject(value) ? "an object" : String(value);
}

function isListOf<Item extends JsonValue>(
  value: JsonValue | undefined,
  isItem: (item: JsonValue) => item is Item,
): value is readonly Item[] {
  return Array.isArray(value) && value.every(isItem);
}

function isNumber(value: JsonValue): value is number {
  return typeof value === "number";
}

function isText(value: JsonValue): value is string {
  return typeof value === "string";
}
