import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Merger } from "../../src/tokenizer/merge.ts";
import { PairTable } from "../../src/tokenizer/pair-table.ts";
import { mergeNaively } from "./naive-bpe.ts";
import { type Random, makeRandom } from "./random-text.ts";

/** Rules over strings, and the same rules over numbers. */
class Rules {
  readonly ranks = new Map<string, number>();
  readonly pairs: PairTable;
  readonly texts: string[] = [];
  readonly #ids = new Map<string, number>();

  constructor(
    rules: readonly (readonly [left: string, right: string, rank: number])[],
    pairs = new PairTable(rules.length),
  ) {
    this.pairs = pairs;
    for (const [left, right, rank] of rules) {
      this.ranks.set(`${left} ${right}`, rank);
      this.pairs.add(this.id(left), this.id(right), rank, this.id(left + right));
    }
  }

  id(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.texts.push(text) - 1;
      this.#ids.set(text, id);
    }
    return id;
  }

  merge(characters: readonly string[]): string[] {
    const ids = Int32Array.from(characters, (character) => this.id(character));
    const merger = new Merger(this.pairs, {
      read: (from, to, into) => into.set(ids.subarray(from, to)),
      lengthOf: (symbol) => Array.from(this.texts[symbol]).length,
    });
    const merged: string[] = [];
    merger.merge(ids.length, (symbol) => merged.push(this.texts[symbol]));
    return merged;
  }
}

/** Rules between letters and the products of earlier rules; `ties` gives many the same rank, as equal scores do. */
function randomRules(random: Random, letters: string, count: number, ties: boolean): Rules {
  const symbols = Array.from(letters);
  const rules = new Map<string, readonly [string, string, number]>();
  while (rules.size < count) {
    const left = symbols[Math.floor(random() * symbols.length)];
    const right = symbols[Math.floor(random() * symbols.length)];
    if (left.length + right.length > 12 || rules.has(`${left} ${right}`)) continue;
    const rank = ties ? Math.floor(random() * 4) : random() < 0.8 ? rules.size : Math.floor(random() * count) + count;
    rules.set(`${left} ${right}`, [left, right, rank]);
    symbols.push(left + right);
  }
  return new Rules([...rules.values()]);
}

function randomLetters(random: Random, letters: string, count: number): string[] {
  return Array.from({ length: count }, () => letters[Math.floor(random() * letters.length)]);
}

describe("merging equals the naive search of the best pair", () => {
  for (const ties of [false, true]) {
    test(`pieces of 0 to 100 symbols${ties ? ", equal ranks" : ""}`, () => {
      const random = makeRandom(5);
      for (let i = 0; i < 200; i++) {
        const rules = randomRules(random, "abc", 12, ties);
        for (let count = 0; count <= 100; count += 3) {
          const letters = randomLetters(random, "abcd", count);
          assert.deepEqual(rules.merge(letters), mergeNaively(letters, rules.ranks), letters.join(""));
        }
      }
    });
    test(`pieces longer than a chunk${ties ? ", equal ranks" : ""}`, () => {
      const random = makeRandom(6);
      for (let i = 0; i < 6; i++) {
        const rules = randomRules(random, "ab", 10, ties);
        const letters = randomLetters(random, i % 3 === 0 ? "a" : "ab", 2049 + Math.floor(random() * 700));
        assert.deepEqual(rules.merge(letters), mergeNaively(letters, rules.ranks));
      }
    });
  }

  test("a piece whose end decides its beginning", () => {
    // Each pair is better than the one on its left, so which symbols pair up depends on the last one.
    const count = 5001;
    const letters = Array.from({ length: count }, (_, i) => String.fromCodePoint(0x4e00 + i));
    const pairs = letters.slice(1).map((letter, i) => [letters[i], letter, count - i] as const);
    const rules = new Rules(pairs);
    const expected = letters.map((_, i) => (i === 0 ? letters[0] : i % 2 === 1 ? letters[i] + letters[i + 1] : ""));
    assert.deepEqual(
      rules.merge(letters),
      expected.filter((text) => text !== ""),
    );
  });

  test("tokens longer than a chunk", () => {
    // a, aa, aaaa, … up to 4096: the largest powers of two that fit, from the left.
    const rules = new Rules(Array.from({ length: 12 }, (_, i) => ["a".repeat(2 ** i), "a".repeat(2 ** i), i] as const));
    const lengths = rules.merge(Array.from("a".repeat(10_007))).map((text) => text.length);
    assert.deepEqual(lengths, [4096, 4096, 1024, 512, 256, 16, 4, 2, 1]);
  });
});

test("of two rules for one pair the earlier stays", () => {
  const pairs = new PairTable(2);
  pairs.add(1, 2, 5, 10);
  pairs.add(1, 2, 3, 11);
  pairs.add(1, 2, 4, 12);
  const slot = pairs.find(1, 2);
  assert.equal(pairs.rankAt(slot), 3);
  assert.equal(pairs.mergedAt(slot), 11);
  assert.equal(pairs.find(2, 1), -1);
});

test("a table finds what was added and nothing else", () => {
  const random = makeRandom(3);
  const pairs = new PairTable(20_000);
  const known = new Map<string, number>();
  for (let i = 0; i < 20_000; i++) {
    const left = Math.floor(random() * 300);
    const right = Math.floor(random() * 300_000);
    if (!known.has(`${left} ${right}`)) known.set(`${left} ${right}`, i);
    pairs.add(left, right, i, i);
  }
  for (const [key, rank] of known) {
    const [left, right] = key.split(" ").map(Number);
    assert.equal(pairs.rankAt(pairs.find(left, right)), rank);
    assert.equal(pairs.find(left, right + 300_000), -1);
  }
});

/** Counts look-ups: the work of merging, which the heap adds a logarithm of a chunk to. */
class CountingTable extends PairTable {
  lookups = 0;

  override find(left: number, right: number): number {
    this.lookups += 1;
    return super.find(left, right);
  }
}

test("merging is linear from 1,000 to 1,000,000 symbols", () => {
  const runs = Array.from({ length: 7 }, (_, i) => ["a".repeat(2 ** i), "a".repeat(2 ** i), i] as const);
  const table = new CountingTable(10);
  const rules = new Rules([...runs, ["b", "a", 8], ["a", "ba", 9], ["b", "c", 7]], table);
  const random = makeRandom(9);
  const inputs: Record<string, (count: number) => string[]> = {
    "equal letters": (count) => Array.from("a".repeat(count)),
    "random letters": (count) => randomLetters(random, "abc", count),
  };
  for (const [name, make] of Object.entries(inputs)) {
    const work = [1000, 1_000_000].map((count) => {
      table.lookups = 0;
      rules.merge(make(count));
      return table.lookups;
    });
    const exponent = Math.log(work[1] / work[0]) / Math.log(1000);
    assert.ok(exponent <= 1.05, `${name}: look-ups grow with exponent ${exponent}`);
  }
});
