/** Masks, against the automaton stepped through every token's bytes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import { type Expression, UNLIMITED } from "../../src/grammar/node.ts";
import { gbnfExpression } from "../../src/grammar/gbnf.ts";
import { type State, type StateLimits, States } from "../../src/grammar/states.ts";
import { type MaskOptions, TokenMasks } from "../../src/grammar/token-masks.ts";
import { type TokenBytes, TokenTrie } from "../../src/grammar/token-trie.ts";
import { Random } from "./random.ts";
import { randomGrammar, randomRegular, randomVocabulary } from "./random-grammar.ts";

interface Way {
  readonly name: string;
  readonly masks: MaskOptions;
  readonly states?: StateLimits;
  /** Grammars; dropping states is slow. */
  readonly nGrammars?: number;
}

const WAYS: readonly Way[] = [
  { name: "as shipped", masks: {} },
  { name: "plain", masks: { slices: false, horizon: false } },
  { name: "slices alone", masks: { horizon: false } },
  { name: "horizon alone", masks: { slices: false } },
  { name: "one mask cached", masks: { cacheBytes: 1 } },
  { name: "states dropped often", masks: {}, states: { states: 5, nodes: 50 }, nGrammars: 40 },
];

/** All tokens by stepping, with nothing cached from before. */
function stepped(states: States, state: State, tokens: TokenBytes): number[] {
  const allowed: number[] = [];
  for (let id = 0; id < tokens.vocabSize; id++) {
    const bytes = tokens.bytesOf(id);
    if (bytes !== undefined && bytes.length > 0 && states.stepBytes(state, bytes) !== states.dead) allowed.push(id);
  }
  return allowed;
}

function idsOf(bits: Uint32Array): number[] {
  const ids: number[] = [];
  for (let id = 0; id < bits.length * 32; id++) if ((bits[id >>> 5] >>> (id & 31)) & 1) ids.push(id);
  return ids;
}

interface Walk {
  readonly states: States;
  readonly oracle: States;
  readonly tokens: TokenBytes;
  readonly trie: TokenTrie;
}

/** Random tokens of a grammar, with every mask on the way compared. */
function walk({ states, oracle, tokens, trie }: Walk, way: Way, random: Random): number {
  const masks = new TokenMasks(states, trie, way.masks);
  let compared = 0;
  for (let text = 0; text < 3; text++) {
    let state = states.start;
    let expected = oracle.start;
    for (let i = 0; i < 12 && state !== states.dead; i++) {
      const { bits, count } = masks.mask(state);
      const ids = idsOf(bits);
      assert.deepEqual(ids, stepped(oracle, expected, tokens), `${way.name}, token ${i}`);
      assert.equal(count, ids.length);
      assert.equal(states.isAccepting(state), oracle.isAccepting(expected));
      compared++;
      const refused = random.below(tokens.vocabSize);
      assert.equal(masks.allows(state, refused), ids.includes(refused));
      if (ids.length === 0) break;
      const id = random.of(ids);
      state = masks.advance(state, id);
      expected = oracle.stepBytes(expected, tokens.bytesOf(id)!);
    }
  }
  return compared;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof OnebitError && error.code === "grammar/too-large";
}

describe("masks", () => {
  for (const way of WAYS) {
    test(`are what stepping says, ${way.name}`, () => {
      const random = new Random(5);
      let compared = 0;
      for (let i = 0; i < (way.nGrammars ?? 150); i++) {
        const tokens = randomVocabulary(random, 120);
        const trie = new TokenTrie(tokens);
        const seed = random.below(1e9);
        const make = (limits?: StateLimits): States => {
          const made = new Expressions();
          const source = new Random(seed);
          return new States(made, i % 3 === 0 ? randomRegular(made, source, 4) : randomGrammar(made, source), limits);
        };
        try {
          compared += walk({ states: make(way.states), oracle: make(), tokens, trie }, way, random);
        } catch (error) {
          if (!isTooLarge(error)) throw new Error(`grammar ${i}`, { cause: error });
        }
      }
      assert.ok(compared > 6 * (way.nGrammars ?? 150), `${compared} masks compared`);
    });
  }

  test("are exact where counters are as long as tokens", () => {
    const texts = Array.from({ length: 70 }, (_, n) => ["a".repeat(n + 1), `${"a".repeat(n)}"`, `${"a".repeat(n)}",`]);
    const all = texts.flat();
    const tokens: TokenBytes = { vocabSize: all.length, bytesOf: (id) => new TextEncoder().encode(all[id]) };
    const trie = new TokenTrie(tokens);
    const ends = [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 69, 70, 71, 200];
    for (const min of ends) {
      for (const max of [...ends, UNLIMITED]) {
        if (max < min || max === 0) continue;
        const made = new Expressions();
        const letters = made.repeat(
          made.characters([
            [0x20, 0x21],
            [0x23, 0x10ffff],
          ]),
          min,
          max,
        );
        const states = new States(made, made.sequence(letters, made.text('",')));
        const ids = idsOf(new TokenMasks(states, trie).mask(states.start).bits);
        assert.deepEqual(ids, stepped(states, states.start, tokens), `${min} to ${max}`);
      }
    }
  });

  test("are exact where what must still come fills a counter of an intersection", () => {
    const texts = Array.from({ length: 40 }, (_, n) => [
      "a".repeat(n + 1),
      `${"a".repeat(n)} `,
      `${"ab ".repeat(n)}z"`,
    ]);
    const all = texts.flat();
    const tokens: TokenBytes = { vocabSize: all.length, bytesOf: (id) => new TextEncoder().encode(all[id]) };
    const trie = new TokenTrie(tokens);
    const [letter, any] = [
      [0x61, 0x7a],
      [0x20, 0x7a],
    ].map(
      ([first, last]) =>
        (made: Expressions) =>
          made.characters([[first, last]]),
    );
    const words = (made: Expressions, max: number): Expression =>
      made.sequence(
        made.repeat(made.sequence(made.repeat(letter(made), 1), made.text(" ")), 0, max),
        made.repeat(letter(made), 1),
      );
    const endings: readonly ((made: Expressions) => Expression)[] = [
      (made) => words(made, 30),
      (made) => words(made, 3),
      (made) => made.sequence(made.repeat(letter(made), 0), made.text(" and twenty bytes more")),
      (made) => made.sequence(made.repeat(letter(made), 0, 50), made.repeat(made.text("z"), 0, 30)),
      (made) => made.complement(made.repeat(letter(made), 0, 25)),
    ];
    let compared = 0;
    for (const ending of endings) {
      for (const min of [0, 20]) {
        for (const max of [21, 22, 23, 29, 30, 31, 37, 38, 39, 45, 46, 60, 61, 62, 63, 100, 150, 151, 200]) {
          const made = new Expressions(),
            both = made.both([ending(made), made.repeat(any(made), min, max)]),
            states = new States(made, made.sequence(both, made.text('"')));
          const masks = new TokenMasks(states, trie);
          for (let state = states.start, n = 0; n < 4 && state !== states.dead; n++) {
            const ids = idsOf(masks.mask(state).bits);
            assert.deepEqual(ids, stepped(states, state, tokens), `${min} to ${max}, ${n} steps`);
            compared += ids.length;
            state = states.stepBytes(state, new TextEncoder().encode("abcde"));
          }
        }
      }
    }
    assert.ok(compared > 5000, `${compared} tokens allowed`);
  });

  test("forced bytes are all that can come", () => {
    const made = new Expressions();
    const states = new States(made, gbnfExpression(made, 'root ::= "{\\"name\\": " ("true" | "type") "}"'));
    const masks = new TokenMasks(states, new TokenTrie({ vocabSize: 1, bytesOf: () => undefined }));
    const text = (state: State): string => new TextDecoder().decode(masks.forced(state));
    assert.equal(text(states.start), '{"name": t');
    const behind = states.stepBytes(states.start, masks.forced(states.start));
    assert.equal(text(behind), "");
    assert.equal(text(states.step(behind, 0x79)), "pe}");
    assert.equal(text(states.stepBytes(behind, new TextEncoder().encode("rue}"))), "");
  });

  test("forced bytes end where the text may end", () => {
    const made = new Expressions();
    const states = new States(made, gbnfExpression(made, 'root ::= "ab" "c"*'));
    const masks = new TokenMasks(states, new TokenTrie({ vocabSize: 1, bytesOf: () => undefined }));
    assert.deepEqual([...masks.forced(states.start)], [0x61, 0x62]);
  });

  test("forced bytes have an end", () => {
    const made = new Expressions();
    const states = new States(made, made.repeat(made.text("a"), 100_000));
    const masks = new TokenMasks(states, new TokenTrie({ vocabSize: 1, bytesOf: () => undefined }));
    assert.equal(masks.forced(states.start).length, 256);
  });
});
