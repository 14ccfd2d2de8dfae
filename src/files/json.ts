/**
 * JSON from files that nobody vouches for: bounded in size, depth and members, and with duplicate keys refused.
 *
 * `JSON.parse` keeps the last of two equal keys, silently; two programs could then read two different models from one
 * file. A scan of the text counts the members it holds, which must be the number that the parsed objects have.
 *
 * @module
 */
import { JSON_BYTES_MAX, JSON_DEPTH_MAX, JSON_MEMBERS_MAX } from "../core/limits.ts";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** Own properties only: read it through `Object.hasOwn` or `Object.entries` when a key comes from a file. */
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** What is wrong with the text; the caller throws it under its own error code. */
export type JsonProblem = { readonly kind: "limit" | "syntax" | "duplicate"; readonly message: string };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * Parses UTF-8 JSON whose top level is an object.
 * @returns the object, or the problem
 */
export function parseJsonObject(
  bytes: Uint8Array,
  membersMax = JSON_MEMBERS_MAX,
): { readonly value: JsonObject } | { readonly problem: JsonProblem } {
  if (bytes.length > JSON_BYTES_MAX) return problem("limit", `${bytes.length} bytes of JSON, the limit is ${JSON_BYTES_MAX}`);
  const { members, depth } = scan(bytes);
  if (depth > JSON_DEPTH_MAX) return problem("limit", `JSON nested ${depth} deep, the limit is ${JSON_DEPTH_MAX}`);
  if (members > membersMax) return problem("limit", `JSON with ${members} members, the limit is ${membersMax}`);
  let value: JsonValue;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)) as JsonValue;
  } catch (error) {
    return problem("syntax", `not valid JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!isJsonObject(value)) return problem("syntax", "wanted a JSON object at the top level");
  const kept = countMembers(value);
  if (kept !== members) return problem("duplicate", `${members - kept} keys of its JSON objects appear twice`);
  return { value };
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function problem(kind: JsonProblem["kind"], message: string): { readonly problem: JsonProblem } {
  return { problem: { kind, message } };
}

/** Colons outside strings are members, brackets outside strings are depth; enough for text that then proves valid. */
function scan(bytes: Uint8Array): { members: number; depth: number } {
  let members = 0;
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      for (i += 1; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i += 1;
    } else if (byte === COLON) {
      members += 1;
    } else if ((byte | 0x20) === 0x7b) {
      // "{" or "["
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if ((byte | 0x20) === 0x7d) {
      depth -= 1;
    }
  }
  return { members, depth: deepest };
}

/** Recursion is bounded by JSON_DEPTH_MAX. */
function countMembers(value: JsonValue | undefined): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) count += countMembers(item);
    return count;
  }
  for (const item of Object.values(value)) count += 1 + countMembers(item as JsonValue);
  return count;
}
