/**
 * Tokens that a format leaves no choice about: `{"name": "` after nothing, `", "age": ` after a name.
 *
 * They are those that the tokenizer makes of the text, which the model was trained on, and only as far as nothing that
 * may follow changes them.
 *
 * @module
 */
import type { Constraint } from "../grammar/constraint.ts";
import { specialIdOf, textBytes } from "../grammar/special-bytes.ts";
import type { TextPart, Tokenizer } from "../tokenizer/tokenizer.ts";

/** Ids before the forced text that are tokenized with it: merges and words reach back over few. */
const TAIL_IDS = 4;
/** What may follow, of every kind that tokenizers tell apart. */
const CONTINUATIONS = ["", "a", "A", "1", " ", " a", '"', "\n", "é", "("];

/**
 * @param constraint after `ids`
 * @param ids of the reply so far
 */
export function forcedIds(constraint: Constraint, tokenizer: Tokenizer, ids: readonly number[]): readonly number[] {
  const { forcedBytes, markers } = constraint,
    special = specialIdOf(forcedBytes);
  if (special !== undefined) return [special];
  const forced = wholeText(textBytes(forcedBytes));
  if (forced === "") return [];
  const last = ids.slice(-TAIL_IDS),
    tail = last.slice(last.findLastIndex((id) => tokenizer.isSpecial(id)) + 1),
    text = tokenizer.decode(tail, { continued: true }) + forced;
  const found = CONTINUATIONS.map((more) =>
      tokenizer.encodeParts(partsOf(text + more, markers), { addSpecial: false }),
    ),
    stable = common(found);
  if (!tail.every((id, i) => stable[i] === id)) return [];
  const next = stable.slice(tail.length);
  return constraint.allowsAll(next) ? next : [];
}

/** A text in which markers are tokens of their own where the vocabulary has such. */
function partsOf(text: string, markers: readonly string[]): TextPart[] {
  const parts: TextPart[] = [];
  let rest = text;
  while (rest !== "") {
    let at = rest.length,
      marker = "";
    for (const known of markers) {
      const found = known === "" ? -1 : rest.indexOf(known);
      if (found >= 0 && found < at) (at = found), (marker = known);
    }
    if (at > 0) parts.push({ text: rest.slice(0, at), special: false });
    if (marker !== "") parts.push({ text: marker, special: true });
    rest = rest.slice(at + marker.length);
  }
  return parts;
}

/** Without a character that is cut at the end. */
function wholeText(bytes: Uint8Array): string {
  return new TextDecoder("utf-8").decode(bytes, { stream: true });
}

function common(lists: readonly (readonly number[])[]): readonly number[] {
  const [first = [], ...others] = lists;
  const n = first.findIndex((id, i) => others.some((list) => list[i] !== id));
  return n < 0 ? first : first.slice(0, n);
}
