/**
 * Parses JSON from untrusted files: bounds its size, depth, members and the memory of its values, and refuses duplicate
 * keys.
 *
 * `JSON.parse` silently keeps the last of two equal keys, so two programs could read two different models from one
 * file. It also needs the whole text, two bytes a character, and makes 13 million objects of 39 MB of `[{},{},…]`. This
 * parser reads bytes, and counts the memory of values before it makes them.
 *
 * @module
 */
import {
  JSON_BYTES_MAX,
  JSON_DEPTH_MAX,
  JSON_HELD_BYTES_BESIDE,
  JSON_HELD_BYTES_PER_BYTE,
  JSON_MEMBERS_MAX,
  JSON_STRING_BYTES_MAX,
} from "../core/limits.ts";
import { Utf8Decoder } from "./utf8.ts";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** Own properties only: read it through `Object.hasOwn` or `Object.entries` when a key comes from a file. */
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** The problem in the text; the caller throws it under its own error code. */
export type JsonProblem = { readonly kind: "limit" | "syntax" | "duplicate"; readonly message: string };

/**
 * Parses UTF-8 JSON whose top level is an object.
 * @returns the object, or the problem
 */
export function parseJsonObject(
  bytes: Uint8Array,
  membersMax = JSON_MEMBERS_MAX,
): { readonly value: JsonObject } | { readonly problem: JsonProblem } {
  try {
    if (bytes.length > JSON_BYTES_MAX) refuse("limit", `${bytes.length} bytes of JSON, the limit is ${JSON_BYTES_MAX}`);
    const value = new JsonParser(bytes, membersMax).parse();
    return isJsonObject(value) ? { value } : refuse("syntax", "wanted a JSON object at the top level");
  } catch (error) {
    if (error instanceof JsonRefusal) return { problem: error.problem };
    throw error;
  }
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Carries a problem out of the parser; never leaves this file. */
class JsonRefusal extends Error {
  readonly problem: JsonProblem;

  constructor(problem: JsonProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

function refuse(kind: JsonProblem["kind"], message: string): never {
  throw new JsonRefusal({ kind, message });
}

/**
 * What V8 keeps for each, about, in bytes: a string without its text, a member's slot, an object, its own shape, a
 * list.
 */
const STRING_BYTES = 28,
  MEMBER_BYTES = 56,
  OBJECT_BYTES = 64,
  SHAPE_BYTES = 240,
  LIST_BYTES = 48,
  ITEM_BYTES = 20,
  NUMBER_BYTES = 8;

/** With more members V8 makes the object a hash table. */
const SHAPED_MEMBERS_MAX = 16;

const QUOTE = 0x22,
  BACKSLASH = 0x5c,
  COMMA = 0x2c,
  COLON = 0x3a,
  MINUS = 0x2d;
const LIST_BEGIN = 0x5b,
  LIST_END = 0x5d,
  OBJECT_BEGIN = 0x7b,
  OBJECT_END = 0x7d;
const LITERALS: readonly (readonly [text: string, value: boolean | null])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
/** More digits than this change no double. */
const NUMBER_CHARS_MAX = 1024;

class JsonParser {
  readonly #bytes: Uint8Array;
  readonly #membersMax: number;
  readonly #heldBytesMax: number;
  readonly #decoder = new Utf8Decoder();
  readonly #repeated: RepeatedStrings;
  /** Items of all lists still open, outermost first. */
  readonly #items: JsonValue[] = [];
  #at = 0;
  #depth = 0;
  #members = 0;
  #heldBytes = 0;
  /** Strings made so far. */
  #strings = 0;

  constructor(bytes: Uint8Array, membersMax: number) {
    this.#bytes = bytes;
    this.#repeated = new RepeatedStrings(bytes);
    this.#membersMax = membersMax;
    this.#heldBytesMax = JSON_HELD_BYTES_BESIDE + JSON_HELD_BYTES_PER_BYTE * bytes.length;
  }

  parse(): JsonValue {
    requireUtf8(this.#bytes);
    const value = this.#value();
    if (this.#next() !== -1) this.#invalid();
    return value;
  }

  /** The next byte that is no blank; −1 at the end. */
  #next(): number {
    const bytes = this.#bytes;
    for (; this.#at < bytes.length; this.#at++) {
      const byte = bytes[this.#at]!;
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return byte;
    }
    return -1;
  }

  #value(): JsonValue {
    const byte = this.#next();
    if (byte === QUOTE) return this.#string();
    if (byte === OBJECT_BEGIN) return this.#nested(() => this.#object());
    if (byte === LIST_BEGIN) return this.#nested(() => this.#list());
    return byte === MINUS || (byte >= 0x30 && byte <= 0x39) ? this.#number() : this.#literal();
  }

  /** Goes a level down. Recursion is bounded by JSON_DEPTH_MAX. */
  #nested<Value>(read: () => Value): Value {
    this.#depth += 1;
    if (this.#depth > JSON_DEPTH_MAX)
      refuse("limit", `JSON nested ${deepest(this.#bytes)} deep, the limit is ${JSON_DEPTH_MAX}`);
    this.#at += 1;
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #object(): JsonObject {
    const object: Record<string, JsonValue> = {};
    let size = 0;
    this.#hold(OBJECT_BYTES);
    if (this.#ends(OBJECT_END)) return object;
    do {
      if (this.#next() !== QUOTE) this.#invalid();
      const nStrings = this.#strings,
        key = this.#string();
      // A new key makes a new shape; the tokens of a vocabulary soon share a table.
      if (this.#strings > nStrings && size++ < SHAPED_MEMBERS_MAX) this.#hold(SHAPE_BYTES);
      if (Object.hasOwn(object, key))
        refuse("duplicate", `the key ${JSON.stringify(key.slice(0, 80))} appears twice in an object of JSON`);
      this.#members += 1;
      if (this.#members > this.#membersMax) refuse("limit", `JSON with more than ${this.#membersMax} members`);
      if (this.#next() !== COLON) this.#invalid();
      this.#at += 1;
      this.#hold(MEMBER_BYTES);
      const value =
        key === "merges" && this.#next() === LIST_BEGIN ? this.#nested(() => this.#list(true)) : this.#value();
      // Assigning this key would set the object's prototype.
      if (key === "__proto__")
        Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      else object[key] = value;
    } while (!this.#endsAfterItem(OBJECT_END));
    return object;
  }

  #list(ofMerges = false): JsonValue[] {
    this.#hold(LIST_BYTES);
    if (this.#ends(LIST_END)) return [];
    // Arrays that grow by pushing start with room for 17 items.
    const begin = this.#items.length;
    do {
      this.#hold(ITEM_BYTES);
      this.#items.push((ofMerges ? this.#merge() : undefined) ?? this.#value());
    } while (!this.#endsAfterItem(LIST_END));
    return this.#items.splice(begin);
  }

  /**
   * Reads `["a", "b"]` as the "a b" of older files: the same where neither has a blank, in a third of the memory. For
   * anything else, reads nothing and returns undefined.
   */
  #merge(): string | undefined {
    const bytes = this.#bytes,
      text = this.#mergeText;
    if (this.#next() !== LIST_BEGIN) return undefined;
    const begin = this.#at;
    let used = 0;
    for (const end of [COMMA, LIST_END]) {
      this.#at += 1;
      if (this.#next() !== QUOTE) break;
      const first = used;
      for (
        this.#at += 1;
        this.#at < bytes.length &&
        bytes[this.#at]! > 0x20 &&
        bytes[this.#at] !== QUOTE &&
        bytes[this.#at] !== BACKSLASH &&
        used < text.length - 1;
        this.#at++
      )
        text[used++] = bytes[this.#at]!;
      if (used === first || bytes[this.#at] !== QUOTE) break;
      this.#at += 1;
      if (this.#next() !== end) break;
      if (end === COMMA) text[used++] = 0x20;
      else {
        this.#at += 1;
        this.#hold(STRING_BYTES + used);
        return this.#decoder.decode(text, 0, used);
      }
    }
    this.#at = begin;
    return undefined;
  }

  readonly #mergeText = new Uint8Array(256);

  #ends(end: number): boolean {
    if (this.#next() !== end) return false;
    this.#at += 1;
    return true;
  }

  #endsAfterItem(end: number): boolean {
    const byte = this.#next();
    if (byte !== end && byte !== COMMA) this.#invalid();
    this.#at += 1;
    return byte === end;
  }

  #string(): string {
    const bytes = this.#bytes,
      begin = this.#at + 1;
    let at = begin,
      hasEscapes = false;
    for (; at < bytes.length && bytes[at] !== QUOTE; at++) {
      if (bytes[at] === BACKSLASH) {
        hasEscapes = true;
        at += 1;
      } else if (bytes[at]! < 0x20) {
        this.#at = at;
        this.#invalid();
      }
    }
    if (at >= bytes.length) this.#endsEarly();
    if (at - begin > JSON_STRING_BYTES_MAX)
      refuse("limit", `JSON with a string of ${at - begin} bytes, the limit is ${JSON_STRING_BYTES_MAX}`);
    this.#at = at + 1;
    if (!hasEscapes && at - begin <= RepeatedStrings.BYTES_MAX) return this.#repeated.at(begin, at, this.#decodeHeld);
    this.#hold(STRING_BYTES + at - begin);
    return hasEscapes ? this.#unescaped(begin - 1, at + 1) : this.#decoder.decode(bytes, begin, at);
  }

  readonly #decodeHeld = (begin: number, end: number): string => {
    this.#strings += 1;
    this.#hold(STRING_BYTES + end - begin);
    return this.#decoder.decode(this.#bytes, begin, end);
  };

  #unescaped(begin: number, end: number): string {
    try {
      return JSON.parse(this.#decoder.decode(this.#bytes, begin, end)) as string;
    } catch {
      this.#at = begin;
      return this.#invalid();
    }
  }

  #number(): number {
    const bytes = this.#bytes,
      begin = this.#at;
    const isPart = (byte: number) =>
      (byte >= 0x30 && byte <= 0x39) || byte === MINUS || byte === 0x2b || byte === 0x2e || (byte | 0x20) === 0x65;
    let end = begin;
    while (end < bytes.length && isPart(bytes[end]!)) end += 1;
    if (end - begin > NUMBER_CHARS_MAX)
      refuse("limit", `JSON with a number of ${end - begin} digits, the limit is ${NUMBER_CHARS_MAX}`);
    const text = this.#decoder.decode(bytes, begin, end);
    if (!NUMBER.test(text)) this.#invalid();
    this.#at = end;
    this.#hold(NUMBER_BYTES);
    return Number(text);
  }

  #literal(): boolean | null {
    for (const [text, value] of LITERALS) {
      if (this.#decoder.decode(this.#bytes, this.#at, Math.min(this.#at + text.length, this.#bytes.length)) !== text)
        continue;
      this.#at += text.length;
      return value;
    }
    return this.#invalid();
  }

  #hold(heldBytes: number): void {
    this.#heldBytes += heldBytes;
    if (this.#heldBytes > this.#heldBytesMax) {
      refuse(
        "limit",
        `JSON of ${this.#bytes.length} bytes whose values would take more than ${Math.floor(this.#heldBytesMax)}`,
      );
    }
  }

  #invalid(): never {
    if (this.#at >= this.#bytes.length) this.#endsEarly();
    const byte = this.#bytes[this.#at]!,
      found = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `0x${byte.toString(16)}`;
    return refuse("syntax", `not valid JSON (${found} at byte ${this.#at})`);
  }

  #endsEarly(): never {
    return refuse("syntax", "not valid JSON (it ends in the middle)");
  }
}

/** Shares repeated strings: each half of a merge is a token, and "dtype" stands in a header once a tensor. */
class RepeatedStrings {
  static readonly BYTES_MAX = 24;
  static readonly #SLOTS = 1 << 16;
  readonly #bytes: Uint8Array;
  readonly #strings: (string | undefined)[] = [];
  readonly #begins = new Uint32Array(RepeatedStrings.#SLOTS);

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The string of the bytes `[begin, end)`: the one in its slot if equal, else made by `decode`. */
  at(begin: number, end: number, decode: (begin: number, end: number) => string): string {
    const bytes = this.#bytes;
    let hash = 0x811c9dc5;
    for (let i = begin; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    const slot = (hash ^ (hash >>> 16)) & (RepeatedStrings.#SLOTS - 1),
      known = this.#strings[slot];
    if (known !== undefined && this.#isSame(this.#begins[slot]!, begin, end)) return known;
    this.#begins[slot] = begin;
    return (this.#strings[slot] = decode(begin, end));
  }

  /** Compares the closing quote too, so an equal string has the same length. */
  #isSame(other: number, begin: number, end: number): boolean {
    for (let i = begin; i <= end; i++) if (this.#bytes[i] !== this.#bytes[other + i - begin]) return false;
    return true;
  }
}

/** In pieces, to hold no second copy of the text. */
function requireUtf8(bytes: Uint8Array): void {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for (let at = 0; at < bytes.length; at += UTF8_PIECE_BYTES)
      decoder.decode(bytes.subarray(at, at + UTF8_PIECE_BYTES), { stream: true });
    decoder.decode();
  } catch {
    refuse("syntax", "not valid JSON (its text is not UTF-8)");
  }
}

const UTF8_PIECE_BYTES = 65_536;

/** How deep brackets outside strings go. */
function deepest(bytes: Uint8Array): number {
  let depth = 0,
    most = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      for (i += 1; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i += 1;
    } else if (byte === LIST_BEGIN || byte === OBJECT_BEGIN) most = Math.max(most, ++depth);
    else if (byte === LIST_END || byte === OBJECT_END) depth -= 1;
  }
  return most;
}
