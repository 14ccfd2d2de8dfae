/**
 * Tokens that a format leaves no choice about: `{"name": "` after nothing, `", "age": ` after a name.
 *
 * They are those that the tokenizer makes of the text, which the model was trained on, and only as far as nothing that
 * may follow changes them.
 *
 * @module
 */
import type { Constraint } from "../grammar/constraint.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Ids before the forced text that are tokenized with it: merges and words reach back over few. */
const TAIL_IDS = 4;
/** What may follow, of every kind that tokenizers tell apart. */
const CONTINUATIONS = ["", "a", "A", "1", " ", " a", '"', "\n", "é", "("];

/**
 * @param constraint after `ids`
 * @param ids of the reply so far
 */
export function forcedIds(constraint: Constraint, tokenizer: Tokenizer, ids: readonly number[]): readonly number[] {
  const forced = wholeText(constraint.forcedBytes);
  if (forced === "") return [];
  const tail = ids.slice(-TAIL_IDS),
    text = tokenizer.decode(tail, { continued: true }) + forced;
  const found = CONTINUATIONS.map((more) => tokenizer.encode(text + more, { addSpecial: false })),
    stable = common(found);
  if (!tail.every((id, i) => stable[i] === id)) return [];
  const next = stable.slice(tail.length);
  return constraint.allowsAll(next) ? next : [];
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
