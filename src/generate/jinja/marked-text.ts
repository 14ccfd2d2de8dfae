/**
 * Text that remembers which of its characters came from the caller's data and which from the template itself.
 *
 * A chat template mixes special tokens (`<|im_start|>`) with what people wrote. Marks survive trimming, slicing,
 * splitting, replacing and joining, so that after rendering only the template's own characters can become special
 * tokens.
 *
 * @module
 */

/** One stretch of text of one origin. */
export interface TextRun {
  readonly text: string;
  /** True when it came from the data the template was given. */
  readonly isInput: boolean;
}

const NO_FLIPS: readonly number[] = [];

export class MarkedText {
  readonly text: string;
  /** Ascending offsets where the origin flips, starting from the template's: `[]` no input, `[0]` all input. */
  readonly flips: readonly number[];
  /** Jinja's Markup, from the filters `safe` and `escape`: it escapes other text added to it. */
  readonly isMarkup: boolean;

  constructor(text: string, flips: readonly number[] = NO_FLIPS, isMarkup = false) {
    this.text = text;
    this.flips = text === "" ? NO_FLIPS : flips;
    this.isMarkup = isMarkup;
  }

  get length(): number {
    return this.text.length;
  }

  get hasInput(): boolean {
    return this.flips.length > 0;
  }

  /** Cost to read or copy it, for the budget: 32 characters cost about as much as evaluating one node. */
  get cost(): number {
    return 1 + (this.text.length >> 5) + this.flips.length;
  }

  /** Offsets as `String.prototype.slice`, but never negative. */
  slice(begin: number, end: number = this.text.length): MarkedText {
    if (begin === 0 && end >= this.text.length) return this;
    const text = this.text.slice(begin, end);
    if (this.flips.length === 0) return new MarkedText(text, NO_FLIPS, this.isMarkup);
    const first = countBelow(this.flips, begin + 1);
    const inside = this.flips.slice(first, countBelow(this.flips, end)).map((flip) => flip - begin);
    // An odd number of flips so far: the slice begins as input.
    return new MarkedText(text, first % 2 === 1 ? [0, ...inside] : inside, this.isMarkup);
  }

  asMarkup(isMarkup: boolean): MarkedText {
    return isMarkup === this.isMarkup ? this : new MarkedText(this.text, this.flips, isMarkup);
  }

  /** Stretches of one origin, in order, none empty. */
  runs(): TextRun[] {
    const runs: TextRun[] = [];
    let begin = 0;
    let isInput = false;
    for (const flip of [...this.flips, this.text.length]) {
      if (flip > begin) runs.push({ text: this.text.slice(begin, flip), isInput });
      isInput = !isInput;
      begin = flip;
    }
    return runs;
  }

  /** Keeps the marks if the length stays; otherwise all is input if any was. */
  map(change: (text: string) => string): MarkedText {
    const text = change(this.text);
    return new MarkedText(
      text,
      text.length === this.text.length ? this.flips : this.hasInput ? [0] : NO_FLIPS,
      this.isMarkup,
    );
  }
}

/** How many of the ascending `flips` are below `offset`. */
function countBelow(flips: readonly number[], offset: number): number {
  let low = 0;
  let high = flips.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (flips[middle] < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Text from the template. */
export function templateText(text: string): MarkedText {
  return new MarkedText(text);
}

/** Text from the caller. */
export function inputText(text: string): MarkedText {
  return new MarkedText(text, [0]);
}

/** The parts as one text, not markup. */
export function concat(parts: readonly MarkedText[]): MarkedText {
  if (parts.length === 1) return parts[0].asMarkup(false);
  const flips: number[] = [];
  let isInput = false;
  let offset = 0;
  for (const part of parts) {
    if (part.length === 0) continue;
    const startsAsInput = part.flips[0] === 0;
    if (startsAsInput !== isInput) flips.push(offset);
    for (const flip of part.flips) if (flip > 0) flips.push(offset + flip);
    isInput = part.flips.length % 2 === 1;
    offset += part.length;
  }
  return new MarkedText(parts.map((part) => part.text).join(""), flips);
}

/** `parts` with `separator` between them. */
export function join(parts: readonly MarkedText[], separator: MarkedText): MarkedText {
  if (separator.length === 0) return concat(parts);
  return concat(parts.flatMap((part, i) => (i === 0 ? [part] : [separator, part])));
}
