/**
 * Typed access to the members of a tokenizer.json, with the path in every message.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { type JsonObject, type JsonValue, isJsonObject } from "../files/json.ts";

/** An object of the file and its path. */
export class JsonReader {
  readonly object: JsonObject;
  readonly path: string;

  constructor(object: JsonObject, path: string) {
    this.object = object;
    this.path = path;
  }

  /** A member; JSON's null counts as absent. */
  get(key: string): JsonValue | undefined {
    return Object.hasOwn(this.object, key) ? (this.object[key] ?? undefined) : undefined;
  }

  string(key: string): string | undefined {
    const value = this.get(key);
    return value === undefined || typeof value === "string" ? value : this.wrong(key, "a string", value);
  }

  boolean(key: string): boolean | undefined {
    const value = this.get(key);
    return value === undefined || typeof value === "boolean" ? value : this.wrong(key, "a boolean", value);
  }

  child(key: string): JsonReader | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    return isJsonObject(value) ? new JsonReader(value, this.at(key)) : this.wrong(key, "an object", value);
  }

  list(key: string): readonly JsonValue[] | undefined {
    const value = this.get(key);
    return value === undefined || Array.isArray(value)
      ? (value as readonly JsonValue[])
      : this.wrong(key, "a list", value);
  }

  /** A list of objects; an absent one is empty. */
  children(key: string): JsonReader[] {
    return (this.list(key) ?? []).map((value, i) => {
      const path = `${this.at(key)}[${i}]`;
      return isJsonObject(value) ? new JsonReader(value, path) : badEntry(path, "an object", value);
    });
  }

  /** The path of a member. */
  at(key: string): string {
    return `${this.path}.${key}`;
  }

  wrong(key: string, wanted: string, value: JsonValue | undefined): never {
    return badEntry(this.at(key), wanted, value);
  }

  /** Refuses something well-formed that we do not know. */
  unsupported(what: string): never {
    return fail("tokenizer/unsupported", `${this.path}: ${what} is not supported`);
  }
}

/** @throws OnebitError `tokenizer/bad-vocabulary` */
export function badEntry(path: string, wanted: string, value: JsonValue | undefined): never {
  const found = value === undefined ? "nothing" : quoted(typeof value === "string" ? value : JSON.stringify(value));
  return fail("tokenizer/bad-vocabulary", `${path}: wanted ${wanted}, found ${found}`);
}
