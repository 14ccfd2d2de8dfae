/** The automaton, against expressions matched by their definition. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { Expressions } from "../../src/grammar/expression.ts";
import type { Expression } from "../../src/grammar/node.ts";
import { type State, States } from "../../src/grammar/states.ts";
import { accepts, statesOf, writtenBy } from "./automaton.ts";
import { NaiveMatcher } from "./naive-matcher.ts";
import { Random } from "./random.ts";
import { randomGrammar, randomRegular } from "./random-grammar.ts";

const CHARACTERS = ["a", "b", '"', "é", "日", "😀", "1", "x", "\\", ","];

function randomText(random: Random): string {
  return Array.from({ length: random.below(7) }, () => random.of(CHARACTERS)).join("");
}

function compare(make: (made: Expressions, random: Random) => Expression, first: number, count: number): number {
  let written = 0;
  for (let seed = first; seed < first + count; seed++) {
    const random = new Random(seed);
    const made = new Expressions();
    const expression = make(made, random);
    const states = new States(made, expression);
    for (let i = 0; i < 8; i++) {
      const text = randomText(random);
      assert.equal(
        accepts(states, text),
        new NaiveMatcher(text).matches(expression),
        `${seed}: ${JSON.stringify(text)}`,
      );
      const own = writtenBy(states, random, 24);
      if (own === undefined) continue;
      written++;
      assert.ok(new NaiveMatcher(own).matches(expression), `${seed} wrote ${JSON.stringify(own)}`);
      // A change of one character makes most texts wrong, some not.
      const at = random.below(own.length + 1);
      const changed = (own.slice(0, at) + random.of(CHARACTERS) + own.slice(at + random.below(2))).replace(
        /[\ud800-\udfff]/gu,
        "x",
      );
      assert.equal(accepts(states, changed), new NaiveMatcher(changed).matches(expression), `${seed}: ${changed}`);
    }
  }
  return written;
}

describe("the automaton", () => {
  test("matches what 1,500 regular expressions match, with intersections and complements", () => {
    assert.ok(compare((made, random) => randomRegular(made, random, 4), 1, 1500) > 3000);
  });

  test("matches what 600 recursive grammars match", () => {
    assert.ok(compare(randomGrammar, 10_000, 600) > 500);
  });

  test("keeps states valid when what is cached is dropped", () => {
    const make = (made: Expressions): Expression =>
      made.sequence(made.repeat(made.choice([made.text("ab"), made.text("a")]), 0, 500), made.text("c"));
    const held: State[] = [];
    const small = statesOf(make, { states: 3, nodes: 20 });
    let state = small.start;
    for (let i = 0; i < 200; i++) {
      state = small.step(state, 0x61);
      held.push(state);
    }
    assert.ok(small.generation > 10, `dropped ${small.generation} times`);
    for (const each of held) {
      assert.ok(small.isAccepting(small.step(each, 0x63)));
      assert.equal(small.step(each, 0x64), small.dead);
      assert.notEqual(small.stepBytes(each, new TextEncoder().encode("babab")), small.dead);
    }
  });

  test("counters are exact", () => {
    const states = statesOf((made) => made.repeat(made.text("é"), 3, 10_000));
    for (const [count, expected] of [
      [2, false],
      [3, true],
      [10_000, true],
      [10_001, false],
    ] as const) {
      assert.equal(accepts(states, "é".repeat(count)), expected, `${count} times`);
    }
    assert.ok(states.isDone(states.stepBytes(states.start, new TextEncoder().encode("é".repeat(10_000)))));
  });

  test("depth has no limit", () => {
    const states = statesOf((made) => {
      const list = made.rule("list");
      list.define(made.sequence(made.text("["), made.repeat(list, 0), made.text("]")));
      return list;
    });
    assert.ok(accepts(states, "[".repeat(20_000) + "]".repeat(20_000)));
    assert.ok(!accepts(states, "[".repeat(20_000) + "]".repeat(19_999)));
  });

  test("a repetition of what may be empty has an end", () => {
    const states = statesOf((made) => {
      const some = made.rule("some");
      const more = made.rule("more");
      some.define(made.choice([made.empty, made.sequence(made.text("a"), some)]));
      more.define(made.repeat(made.sequence(some, made.repeat(some, 0)), 3, 10_000));
      return made.sequence(more, made.repeat(more, 2), made.text("b"));
    });
    for (const text of ["b", "ab", "aaaaaaaab"]) assert.ok(accepts(states, text), text);
    for (const text of ["", "ba", "aaa"]) assert.ok(!accepts(states, text), text);
  });

  test("what can never be completed is dead at once", () => {
    const states = statesOf((made) => {
      const endless = made.rule("endless");
      endless.define(made.sequence(made.text("x"), endless));
      const never = made.both([made.repeat(made.text("ab"), 1), made.repeat(made.text("aba"), 1, 1)]);
      return made.choice([
        made.sequence(made.text("a"), endless),
        made.sequence(made.text("b"), never),
        made.text("c"),
      ]);
    });
    assert.equal(states.step(states.start, 0x61), states.dead);
    assert.equal(states.step(states.start, 0x62), states.dead);
    assert.ok(accepts(states, "c"));
  });

  test("a grammar of nothing is dead from the start", () => {
    const states = statesOf((made) => made.both([made.text("a"), made.text("b")]));
    assert.equal(states.start, states.dead);
    assert.ok(!states.isAccepting(states.start) && !states.isDone(states.start));
  });

  test("is done when nothing can follow", () => {
    const states = statesOf((made) => made.sequence(made.text("a"), made.repeat(made.text("b"), 0, 1)));
    const done = [...(states.start.heads.length > 0 ? ["", "a", "ab"] : [])].map((text) =>
      states.isDone(states.stepBytes(states.start, new TextEncoder().encode(text))),
    );
    assert.deepEqual(done, [false, false, true]);
  });
});

describe("rules", () => {
  const refuses = (code: string, make: (made: Expressions) => Expression): void => {
    assert.throws(
      () => statesOf(make),
      (error) => error instanceof OnebitError && error.code === code && /left|first|list/.test(error.message),
    );
  };

  test("that begin with themselves are refused by name", () => {
    refuses("grammar/unsupported", (made) => {
      const left = made.rule("left");
      left.define(made.choice([made.sequence(left, made.text("a")), made.text("b")]));
      return left;
    });
    refuses("grammar/unsupported", (made) => {
      const [first, second] = [made.rule("first"), made.rule("second")];
      first.define(made.sequence(made.repeat(made.text("a"), 0), second));
      second.define(made.choice([made.text("b"), made.repeat(first, 1)]));
      return second;
    });
  });

  test("without a definition are refused by name", () => {
    refuses("grammar/syntax", (made) => made.sequence(made.text("a"), made.rule("list")));
  });

  test("in an intersection are refused", () => {
    const made = new Expressions();
    const rule = made.rule("list");
    for (const make of [() => made.both([rule, made.text("a")]), () => made.not(rule)]) {
      assert.throws(make, (error) => error instanceof OnebitError && error.code === "grammar/unsupported");
    }
  });
});
