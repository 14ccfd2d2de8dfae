/**
 * Finds the end of a JSON object that comes character by character, and the first character that is wrong in it. What
 * is open lies in a list: depth costs no stack.
 *
 * Source: RFC 8259.
 *
 * @module
 */

/** The text goes on, ends with this character, or is no JSON. */
export type Scanned = "more" | "end" | "bad";

/** What may come next. */
type Wanted = "value" | "first-item" | "first-name" | "name" | "colon" | "comma";

const SPACE = /[ \t\n\r]/;
/** Beginnings of numbers and literals, and all of them. */
const WORD_UNIT = /[-+.\w]/;
const WORD = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)$/;

export class JsonScanner {
  /** Brackets that are open, and whether each is of an object. */
  readonly #open: boolean[] = [];
  #wanted: Wanted = "value";
  /** A number or a literal that is not over. */
  #word = "";
  #inString = false;
  /** 1 after a backslash; then, one less for each, digits that are still to come and 1. */
  #escape = 0;
  #isName = false;

  /** @param unit one UTF-16 unit */
  push(unit: string): Scanned {
    if (this.#inString) return this.#pushString(unit);
    if (WORD_UNIT.test(unit)) {
      if (this.#word === "" && !this.#wantsValue) return "bad";
      this.#word += unit;
      return "more";
    }
    if (this.#word !== "") {
      if (!WORD.test(this.#word)) return "bad";
      this.#word = "";
      this.#wanted = "comma";
    }
    return SPACE.test(unit) ? "more" : this.#pushMark(unit);
  }

  get #wantsValue(): boolean {
    return this.#open.length > 0 && (this.#wanted === "value" || this.#wanted === "first-item");
  }

  #pushString(unit: string): Scanned {
    if (this.#escape > 1) {
      this.#escape = this.#escape === 2 ? 0 : this.#escape - 1;
      return /[\da-fA-F]/.test(unit) ? "more" : "bad";
    }
    if (this.#escape === 1) {
      this.#escape = unit === "u" ? 5 : 0;
      return /["\\/bfnrtu]/.test(unit) ? "more" : "bad";
    }
    if (unit < " ") return "bad";
    if (unit === "\\") this.#escape = 1;
    if (unit === '"') {
      this.#inString = false;
      this.#wanted = this.#isName ? "colon" : "comma";
    }
    return "more";
  }

  #pushMark(unit: string): Scanned {
    const wanted = this.#wanted;
    if (unit === "{" || unit === "[") {
      if (this.#open.length === 0 ? unit !== "{" || wanted !== "value" : !this.#wantsValue) return "bad";
      this.#open.push(unit === "{");
      this.#wanted = unit === "{" ? "first-name" : "first-item";
      return "more";
    }
    if (unit === '"') {
      this.#isName = wanted === "first-name" || wanted === "name";
      if (!this.#isName && !this.#wantsValue) return "bad";
      this.#inString = true;
      return "more";
    }
    if (unit === ":" && wanted === "colon") return ((this.#wanted = "value"), "more");
    const isObject = this.#open.at(-1);
    if (unit === "," && wanted === "comma") return ((this.#wanted = isObject ? "name" : "value"), "more");
    const isEnd = isObject
      ? unit === "}" && (wanted === "comma" || wanted === "first-name")
      : unit === "]" && (wanted === "comma" || wanted === "first-item");
    if (!isEnd || isObject === undefined) return "bad";
    this.#open.pop();
    this.#wanted = "comma";
    return this.#open.length === 0 ? "end" : "more";
  }
}
