/** Random expressions, with rules that refer to each other, and small vocabularies. */
import type { Expressions } from "../../src/grammar/expression.ts";
import type { Expression } from "../../src/grammar/node.ts";
import type { TokenBytes } from "../../src/grammar/token-trie.ts";
import type { Random } from "./random.ts";

const TEXTS = ["a", "b", '"', "ab", "é", "日", "😀", "\n", "1"];
const RANGES: readonly (readonly [number, number])[] = [
  [0x61, 0x62],
  [0x31, 0x39],
  [0xe0, 0xff],
  [0x65e0, 0x65f0],
];

export function randomRegular(made: Expressions, random: Random, depth: number): Expression {
  const inner = (): Expression => randomRegular(made, random, depth - 1);
  const kind = depth === 0 ? random.below(3) : random.below(12);
  if (kind === 0) return made.text(random.of(TEXTS));
  if (kind === 1) return made.characters([random.of(RANGES)]);
  if (kind === 2) {
    return made.characters([
      [0x20, 0x21],
      [0x23, 0x5b],
      [0x5d, 0x10ffff],
    ]);
  }
  if (kind < 6) return made.sequence(inner(), inner());
  if (kind < 8) return made.choice([inner(), inner(), inner()]);
  if (kind < 10) {
    const min = random.below(3);
    return made.repeat(inner(), min, random.oneIn(2) ? undefined : min + random.of([0, 1, 2, 6, 7, 8, 14, 15, 16, 40]));
  }
  if (kind === 10) return made.both([inner(), inner()]);
  return made.both([inner(), made.not(inner())]);
}

/** A string in quotes, as JSON's. */
function randomString(made: Expressions, random: Random): Expression {
  const character = made.choice([
    made.characters([
      [0x20, 0x21],
      [0x23, 0x5b],
      [0x5d, 0x10ffff],
    ]),
    made.sequence(made.text("\\"), made.choice([made.text('"'), made.text("n")])),
  ]);
  const max = random.oneIn(2) ? undefined : random.of([3, 7, 8, 9, 15, 16, 17, 30, 31, 32, 33, 40, 60, 200]);
  const string = made.sequence(made.text('"'), made.repeat(character, 0, max), made.text('"'));
  const min = random.oneIn(3) ? random.of([1, 8, 9, 15, 16, 17, 33]) : 0;
  const long = made.sequence(made.text('"'), made.repeat(character, min), made.text('"'));
  const names = [made.text('"ab"'), made.text('"a"'), made.text('"日b"')];
  const beginnings = made.sequence(made.text('"'), made.choice([made.text("aa"), made.text("é")]), made.anyText);
  switch (random.below(6)) {
    case 0:
      return made.both([string, made.not(made.choice(names))]);
    case 1:
      return made.both([string, made.not(beginnings)]);
    case 2:
      return made.sequence(
        made.text('"'),
        made.repeat(character, 0, max),
        made.repeat(made.text("b"), 0, 2),
        made.text('"'),
      );
    case 3:
      return long;
    default:
      return string;
  }
}

/** With three rules, each of which begins with a text, so that none begins with itself. */
export function randomGrammar(made: Expressions, random: Random): Expression {
  const rules = [made.rule("x"), made.rule("y"), made.rule("z")];
  const any = (depth: number): Expression => {
    const kind = random.below(9);
    if (kind < 2 || depth === 0) return random.oneIn(2) ? randomString(made, random) : randomRegular(made, random, 1);
    if (kind < 4) return made.sequence(randomRegular(made, random, 1), random.of(rules), any(depth - 1));
    if (kind < 6) return made.sequence(any(depth - 1), any(depth - 1));
    if (kind < 8) return made.choice([any(depth - 1), any(depth - 1)]);
    return made.repeat(any(depth - 1), random.below(3), random.oneIn(2) ? undefined : 3 + random.below(20));
  };
  for (const rule of rules) {
    rule.define(made.choice([randomString(made, random), made.sequence(made.text(random.of(TEXTS)), any(2))]));
  }
  return any(2);
}

const encoder = new TextEncoder();

/** Tokens of whole and partial characters; some equal, some empty, some that no grammar may have. */
export function randomVocabulary(random: Random, size: number): TokenBytes {
  const tokens = Array.from({ length: size }, (_, id) => {
    if (random.oneIn(20)) return undefined;
    if (random.oneIn(20)) return new Uint8Array(0);
    const length = random.oneIn(8) ? 1 + random.below(60) : 1 + random.below(5);
    const runs = [1, 2, 6, 7, 8, 9, 10, 15, 16, 17, 18, 31, 32, 33, 34, 60];
    const text = random.oneIn(3)
      ? random.of(["a", "b", "ab", "日"]).repeat(random.of(runs)).slice(0, random.of(runs)) + random.of(["", "", '"'])
      : Array.from({ length }, () => random.of([...TEXTS, "a", "b", "a", "c", " ", "\\", '",', "x"])).join("");
    const bytes = encoder.encode(id < TEXTS.length ? TEXTS[id] : text);
    if (!random.oneIn(5)) return bytes;
    const from = random.below(Math.min(4, bytes.length));
    return bytes.subarray(from, Math.max(from + 1, bytes.length - random.below(3)));
  });
  return { vocabSize: size, bytesOf: (id) => tokens[id] };
}
