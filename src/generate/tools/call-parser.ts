/**
 * Takes calls of tools out of a reply while it is written, character by character: how tokens cut it changes nothing.
 *
 * What looks like a call and is none stays text. White space before a call is no part of the text. Once a call is begun
 * (its tool is known, and its arguments have begun), what has come of it is given out at once; where it breaks off, the
 * rest is text again.
 *
 * @module
 */
import { type CallFormat, type CallPart, type CalledTool, isPlainString } from "../../grammar/call-format.ts";
import type { ReplyDelta, ToolCallDelta } from "../reply.ts";
import { JsonScanner } from "./json-scanner.ts";
import { type Reading, readParameter } from "./parameter-parser.ts";

/** What a tool's arguments are, for families that do not write them as JSON. */
export interface ParsedTool {
  readonly name: string;
  /** Arguments whose value is the text as it is. */
  readonly strings: ReadonlySet<string>;
}

export function parsedTool({ name, schema }: Pick<CalledTool, "name" | "schema">): ParsedTool {
  const { properties } = schema as { properties?: Readonly<Record<string, unknown>> };
  const strings = Object.entries(properties ?? {}).flatMap(([key, value]) => (isPlainString(value) ? [key] : []));
  return { name, strings: new Set(strings) };
}

/** Ends the reading of a call: what was read is none. */
const NO_CALL = Symbol("no call");

const SPACES = " \t\n\r";
/** White space before a call that is no part of the text, at most. Models write one or two. */
const SPACES_MAX = 256;
/** Text that is looked at together: what breaks off is joined with the rest of it. */
const CHUNK_UNITS = 1024;
/** Ends a name: names of tools hold none of it. */
const NAME_END = /[\s<>[\]{}"\\]/;
/** White space may stand before these, and within no word. */
const PUNCTUATION = /[^\p{L}\p{N}_]/u;

export class CallParser {
  readonly #format: CallFormat;
  readonly #tools: ReadonlyMap<string, ParsedTool>;
  readonly #newId: () => string;
  /** Characters that may still be white space before a call, or the beginning of one. */
  #held = "";
  /** Of the call that is being read, what no delta has. */
  #raw = "";
  /** How many of these are white space before it. */
  #nSpaces = 0;
  #reading: Reading<void> | undefined;
  #isStart = true;
  /** A character that was looked at and not taken. */
  #again: string | undefined;
  #nCalls = 0;
  /** The call that is being read. */
  #open = { index: 0, id: "" };
  #text = "";
  #calls: ToolCallDelta[] = [];

  /** @param newId a fresh id for each call */
  constructor(format: CallFormat, tools: readonly ParsedTool[], newId: () => string) {
    this.#format = format;
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
    this.#newId = newId;
  }

  push(text: string): ReplyDelta {
    for (let from = 0; from < text.length; from += CHUNK_UNITS)
      for (let rest = text.slice(from, from + CHUNK_UNITS); rest !== ""; )
        rest = this.#reading === undefined ? this.#readText(rest) : this.#readCall(rest);
    return this.#taken();
  }

  /** What was held back. */
  end(): ReplyDelta {
    this.#text += this.#held + this.#raw;
    this.#held = this.#raw = "";
    this.#reading = undefined;
    return this.#taken();
  }

  #taken(): ReplyDelta {
    const calls = joined(this.#calls),
      text = this.#text;
    this.#text = "";
    this.#calls = [];
    return { text, reasoning: "", toolCalls: calls };
  }

  /** Returns what is left to read. */
  #readText(text: string): string {
    const { trigger } = this.#format;
    if (trigger === undefined) return this.#readBeginning(text);
    const all = this.#held + text,
      at = all.indexOf(trigger);
    if (at >= 0) {
      const from = at - spacesBefore(all, at);
      this.#text += all.slice(0, from);
      this.#held = "";
      this.#begin(all.slice(from, at));
      return all.slice(at);
    }
    const keep = heldLength(all, trigger);
    this.#text += all.slice(0, all.length - keep);
    this.#held = all.slice(all.length - keep);
    return "";
  }

  /** A reply that is one call from its beginning, or none. */
  #readBeginning(text: string): string {
    if (!this.#isStart) {
      this.#text += text;
      return "";
    }
    const all = this.#held + text,
      begun = all.replace(/^[ \t\n\r]+/, "");
    this.#held = begun === "" ? all : "";
    if (begun === "") return "";
    this.#isStart = false;
    this.#begin(all.slice(0, all.length - begun.length));
    return begun;
  }

  /** @param spaces before the call: dropped when it is one */
  #begin(spaces: string): void {
    this.#raw = spaces;
    this.#nSpaces = spaces.length;
    this.#again = undefined;
    this.#reading = this.#block();
    this.#reading.next();
  }

  #readCall(text: string): string {
    for (let i = 0; i < text.length; i++) {
      this.#raw += text[i];
      try {
        if (this.#reading!.next(text[i]).done !== true) continue;
      } catch (error) {
        if (error !== NO_CALL) throw error;
        return this.#broken() + text.slice(i + 1);
      }
      this.#reading = undefined;
      this.#raw = "";
      return text.slice(i + 1);
    }
    return "";
  }

  /** No call, or not to its end: text again, in which the next one may begin. */
  #broken(): string {
    const { trigger } = this.#format,
      raw = this.#raw;
    this.#reading = undefined;
    this.#raw = "";
    // The same beginning would break off again at the same place.
    const isBeginning = trigger !== undefined && raw.startsWith(trigger, this.#nSpaces);
    const skipped = trigger === undefined ? raw.length : isBeginning ? this.#nSpaces + trigger.length : 0;
    this.#text += raw.slice(0, skipped);
    return raw.slice(skipped);
  }

  *#block(): Reading<void> {
    const { begin, call, between, end } = this.#format,
      first = typeof call[0] === "string" ? call[0] : "",
      others = first === "" ? call : call.slice(1);
    yield* this.#literal(begin + first);
    do {
      yield* this.#call(others);
      this.#raw = "";
    } while (end !== "" && (yield* this.#isFirst(between + first, end)));
  }

  /** One call, behind the literal that begins it. */
  *#call(parts: readonly CallPart[]): Reading<void> {
    let name = "";
    for (const [i, part] of parts.entries()) {
      if (typeof part === "string") {
        if (i === 0 || !isParameters(parts[i - 1])) yield* this.#literal(part);
      } else if ("optional" in part) {
        const [literal] = part.optional;
        if (typeof literal === "string" && (yield* this.#peek()) === literal[0]) yield* this.#call(part.optional);
      } else if (part.slot === "arguments") yield* this.#arguments(name);
      else if (part.slot === "parameters") yield* this.#parameters(name, parts[i + 1]);
      else {
        const word = yield* this.#word();
        if (part.slot === "name") name = word;
      }
    }
  }

  *#next(): Reading<string> {
    const again = this.#again;
    this.#again = undefined;
    return again ?? (yield);
  }

  /** The next character that is no white space; it is still to be read. */
  *#peek(): Reading<string> {
    let unit = yield* this.#next();
    while (SPACES.includes(unit)) unit = yield* this.#next();
    this.#again = unit;
    return unit;
  }

  *#literal(text: string): Reading<void> {
    yield* this.#isFirst(text, undefined);
  }

  /** Reads one of two literals, and says whether it was the first. */
  *#isFirst(first: string, second: string | undefined): Reading<boolean> {
    let alive = [first, second].flatMap((text) => (text === undefined ? [] : [{ units: unitsOf(text), text }]));
    for (let at = 0; ; at++) {
      const whole = alive.find(({ units }) => units.length === at);
      if (whole !== undefined) return whole.text === first;
      let unit = yield* this.#next();
      while (SPACES.includes(unit) && alive.every(({ units }) => units[at].maySpace)) unit = yield* this.#next();
      alive = alive.filter(({ units }) => units[at].unit === unit);
      if (alive.length === 0) throw NO_CALL;
    }
  }

  /** A name or an id. */
  *#word(): Reading<string> {
    let word = "";
    for (;;) {
      const unit = yield* this.#next();
      if (NAME_END.test(unit)) {
        this.#again = unit;
        return word;
      }
      word += unit;
    }
  }

  *#arguments(name: string): Reading<void> {
    if (!this.#tools.has(name)) throw NO_CALL;
    yield* this.#peek();
    const scanner = new JsonScanner();
    for (let isFirst = true; ; isFirst = false) {
      const unit = yield* this.#next(),
        scanned = scanner.push(unit);
      if (scanned === "bad") throw NO_CALL;
      this.#emit(unit, isFirst ? name : undefined);
      if (scanned === "end") return;
    }
  }

  *#parameters(name: string, next: CallPart | undefined): Reading<void> {
    const tool = this.#tools.get(name),
      { parameters } = this.#format;
    if (tool === undefined || parameters === undefined) throw NO_CALL;
    this.#emit("{", name);
    const behind = typeof next === "string" ? next : "";
    for (let between = ""; yield* this.#isFirst(parameters.open, behind); between = ", ") {
      const key = yield* this.#word();
      yield* this.#literal(parameters.nameEnd);
      let before = `${between}${JSON.stringify(key)}: `;
      yield* readParameter(parameters, tool.strings.has(key), {
        next: () => this.#next(),
        emit: (json) => {
          this.#emit(before + json);
          before = "";
        },
      });
    }
    this.#emit("}");
  }

  #emit(json: string, name?: string): void {
    const isNew = name !== undefined;
    if (isNew) this.#open = { index: this.#nCalls++, id: this.#newId() };
    this.#calls.push({ ...this.#open, ...(isNew ? { name } : {}), arguments: json });
    this.#raw = "";
    this.#nSpaces = 0;
  }
}

function isParameters(part: CallPart): boolean {
  return typeof part === "object" && "slot" in part && part.slot === "parameters";
}

/** The units of a literal but white space, and whether white space may stand before each. */
function unitsOf(text: string): { unit: string; maySpace: boolean }[] {
  const units: { unit: string; maySpace: boolean }[] = [];
  let isAfterSpace = false;
  for (const unit of text.split("")) {
    if (SPACES.includes(unit)) isAfterSpace = true;
    else {
      units.push({ unit, maySpace: isAfterSpace || PUNCTUATION.test(unit) });
      isAfterSpace = false;
    }
  }
  return units;
}

/** How much of a text's end may be white space before a trigger and a beginning of it. */
function heldLength(text: string, trigger: string): number {
  let length = Math.min(trigger.length - 1, text.length);
  while (!text.endsWith(trigger.slice(0, length))) length--;
  return length + spacesBefore(text, text.length - length);
}

function spacesBefore(text: string, at: number): number {
  let from = at;
  while (from > 0 && at - from < SPACES_MAX && SPACES.includes(text[from - 1])) from--;
  return at - from;
}

/** Neighbouring deltas of one call as one. */
function joined(deltas: readonly ToolCallDelta[]): ToolCallDelta[] {
  const all: ToolCallDelta[] = [];
  for (const delta of deltas) {
    const last = all.at(-1);
    if (last === undefined || last.index !== delta.index) all.push(delta);
    else all[all.length - 1] = { ...last, arguments: last.arguments + delta.arguments };
  }
  return all;
}
