/**
 * A schema as plain data: what a caller passed is copied once, so that nothing that changes, loops or answers questions
 * with code of its own gets further. Objects become maps, which have no `__proto__`.
 *
 * @module
 */
import { fail, OnebitError, shown } from "../../core/errors.ts";
import { SCHEMA_DEPTH_MAX, SCHEMA_UNITS_MAX, SCHEMA_VALUES_MAX } from "./limits.ts";

export type Json = null | boolean | number | string | readonly Json[] | JsonMap;
export type JsonMap = ReadonlyMap<string, Json>;

export function isMap(value: Json | undefined): value is JsonMap {
  return value instanceof Map;
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/**
 * Copies a value that `JSON.parse` could have made.
 * @throws OnebitError `grammar/syntax` for anything else, `grammar/too-large` beyond the limits
 */
export function copiedJson(value: unknown): Json {
  try {
    return copyOf(value);
  } catch (error) {
    // Getters and proxies answer with code of their own.
    if (error instanceof OnebitError) throw error;
    return fail("grammar/syntax", "the schema cannot be read", error);
  }
}

function copyOf(value: unknown): Json {
  let left = SCHEMA_VALUES_MAX;
  let unitsLeft = SCHEMA_UNITS_MAX;
  const counted = (text: string): string => {
    unitsLeft -= text.length;
    if (unitsLeft < 0) fail("grammar/too-large", `the schema has more than ${SCHEMA_UNITS_MAX} characters`);
    return text;
  };
  const copied = (part: unknown, depth: number, pointer: () => string): Json => {
    if (--left < 0) fail("grammar/too-large", `the schema has more than ${SCHEMA_VALUES_MAX} values`);
    if (depth > SCHEMA_DEPTH_MAX)
      fail("grammar/too-large", `the schema nests more than ${SCHEMA_DEPTH_MAX} levels deep`);
    if (typeof part === "string") return counted(part);
    if (part === null || typeof part === "boolean") return part;
    if (typeof part === "number" && Number.isFinite(part)) return part;
    if (Array.isArray(part)) {
      // Not map(): it skips holes.
      return Array.from(part, (item, i) => copied(item, depth + 1, () => `${pointer()}/${i}`));
    }
    if (typeof part === "object" && isPlain(part)) {
      const entries = Object.entries(part).filter(([, member]) => member !== undefined);
      return new Map(
        entries.map(([key, member]) => [
          counted(key),
          copied(member, depth + 1, () => `${pointer()}/${escapedToken(key)}`),
        ]),
      );
    }
    return fail("grammar/syntax", `${atPointer(pointer())}: wanted a JSON value, found ${shown(part)}`);
  };
  return copied(value, 0, () => "");
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Objects of another realm have another Object.prototype, which has none above it.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A key as one step of a JSON pointer. */
export function escapedToken(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** Where in the schema, for a message. */
export function atPointer(pointer: string): string {
  return `schema at ${JSON.stringify(pointer === "" ? "/" : pointer)}`;
}

/** The text `JSON.stringify` gives for the value. */
export function jsonText(value: Json): string {
  if (isList(value)) return `[${value.map(jsonText).join(",")}]`;
  if (!isMap(value)) return JSON.stringify(value);
  return `{${[...value].map(([key, member]) => `${JSON.stringify(key)}:${jsonText(member)}`).join(",")}}`;
}
