/**
 * Parts of a prompt to ids. Added tokens are cut out of each part by itself; the text between two of them is one
 * fragment, even across parts.
 *
 * @module
 */
import { isWhiteSpace, wellFormed } from "./char-classes.ts";
import type { MarkerLayer } from "./marker-layer.ts";
import type { CutToken } from "./special-tokens.ts";
import type { TokenModel } from "./token-model.ts";

interface Span {
  text: string;
  readonly special: boolean;
}

/** Divides spans prepared together: well-formed text has no lone surrogate. */
const BORDER = "\udfff";
/** Not the second half of a pair. */
const LONE_BORDER = /\udfff/u;

export class FragmentEncoder {
  readonly #model: TokenModel;
  readonly #given: MarkerLayer;
  readonly #prepared: MarkerLayer;
  readonly #ids: number[];
  /** The fragment so far. */
  #spans: Span[] = [];
  #isFirst = true;
  #trimsNext = false;

  /** @param into gets the ids */
  constructor(model: TokenModel, given: MarkerLayer, prepared: MarkerLayer, into: number[]) {
    this.#model = model;
    this.#given = given;
    this.#prepared = prepared;
    this.#ids = into;
  }

  /** @param special whether names of added tokens in it count as those tokens */
  add(text: string, special: boolean): void {
    let from = 0;
    for (const { token, from: begin, to } of this.#given.cuts(text, special)) {
      this.#addText(text.slice(from, begin), special);
      if (token.trimsLeft) this.#trimLeft();
      this.end();
      this.#addToken(token);
      from = to;
    }
    this.#addText(text.slice(from), special);
  }

  /** Encodes the fragment. */
  end(): void {
    const spans = this.#spans;
    this.#spans = [];
    if (spans.length === 0) return;
    if (this.#prepared.isEmpty) {
      this.#encode(this.#model.prepare(wellFormed(spans.map(({ text }) => text).join(""))));
      return;
    }
    const prepared = this.#model.prepare(spans.map(({ text }) => wellFormed(text)).join(BORDER)).split(LONE_BORDER);
    let text = "";
    prepared.forEach((piece, i) => {
      let from = 0;
      for (const { token, from: begin, to } of this.#prepared.cuts(piece, spans[i].special)) {
        text += this.#trimmed(piece.slice(from, begin));
        this.#encode(token.trimsLeft ? trimmedEnd(text) : text);
        this.#addToken(token);
        text = "";
        from = to;
      }
      text += this.#trimmed(piece.slice(from));
    });
    this.#encode(text);
  }

  #addText(text: string, special: boolean): void {
    const kept = this.#trimmed(text);
    if (kept === "") return;
    const last = this.#spans.at(-1);
    if (last?.special === special) last.text += kept;
    else this.#spans.push({ text: kept, special });
  }

  #addToken(token: CutToken): void {
    this.#ids.push(token.id);
    this.#isFirst = false;
    this.#trimsNext = token.trimsRight === true;
  }

  #encode(prepared: string): void {
    if (prepared === "") return;
    this.#model.encode(prepared, this.#isFirst, this.#ids);
    this.#isFirst = false;
  }

  /** The text without white space that the token before it absorbs. */
  #trimmed(text: string): string {
    if (!this.#trimsNext || text === "") return text;
    let from = 0;
    while (from < text.length && isWhiteSpace(text.charCodeAt(from))) from++;
    this.#trimsNext = from === text.length;
    return text.slice(from);
  }

  #trimLeft(): void {
    for (let last = this.#spans.at(-1); last !== undefined; last = this.#spans.at(-1)) {
      last.text = trimmedEnd(last.text);
      if (last.text !== "") return;
      this.#spans.pop();
    }
  }
}

function trimmedEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isWhiteSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(0, end);
}
