/**
 * Grammars against llama.cpp: which texts it accepts, for grammars as its users write them and for random ones. Half of
 * the texts are written by our automaton, half are those with a few characters changed.
 *
 * ONEBIT_TEXTS=20000: texts a grammar; without it 1000.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Expressions } from "../../src/grammar/expression.ts";
import { gbnfExpression } from "../../src/grammar/gbnf.ts";
import { States } from "../../src/grammar/states.ts";
import { accepts, writtenBy } from "../grammar/automaton.ts";
import { GBNF_CASES } from "../grammar/gbnf-cases.ts";
import { Random } from "../grammar/random.ts";
import { peerGrammars, peerInstalled } from "./peer.ts";

const skip = peerInstalled || process.env.ONEBIT_PEER !== undefined ? false : "llama.cpp is not installed";
const TEXTS = Number(process.env.ONEBIT_TEXTS ?? 1000);
const RANDOM_GRAMMARS = 100;
/** Texts of random grammars: llama.cpp takes a time that is exponential in the length of some. */
const RANDOM_BYTES = 16;
/** A repetition of what may be empty is left recursion to llama.cpp. */
const REFUSED_BY_PEER: ReadonlySet<string> = new Set(["repetitions of repetitions"]);

function compiled(grammar: string): States {
  const made = new Expressions();
  return new States(made, gbnfExpression(made, grammar));
}

/** Texts that the grammar accepts, and changed ones. No NUL: llama.cpp ends texts there. */
function textsFor(states: States, random: Random, count: number, most = 80): string[] {
  const texts = new Set<string>([""]);
  for (let i = 0; i < count * 4 && texts.size < count; i++) {
    const own = writtenBy(states, random, most);
    if (own === undefined || own.includes("\0")) continue;
    texts.add(own);
    const characters = [...own];
    const at = random.below(characters.length + 1);
    characters.splice(at, random.below(3), ...(random.oneIn(2) ? [random.of([...own, "a", '"', " ", "é", "\n"])] : []));
    texts.add(characters.join(""));
  }
  return [...texts];
}

function randomItem(random: Random, depth: number): string {
  const kind = random.below(depth > 0 ? 8 : 5);
  if (kind < 2) return JSON.stringify(random.of(["a", "b", "ab", "c", "é", "日本", "😀"]));
  if (kind === 2) return random.of(["[a-c]", "[^a]", "[é日b]", "[^\\n\\x61-\\x7a]", ".", "[a\\-c]", "[ab-]"]);
  if (kind < 5) return random.of(["x", "y", "z"]);
  return `(${randomChoice(random, depth - 1)})`;
}

function randomChoice(random: Random, depth: number): string {
  const sequences = Array.from({ length: 1 + random.below(2) }, () =>
    Array.from({ length: 1 + random.below(3) }, () => {
      const count = random.oneIn(3) ? random.of(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}"]) : "";
      return randomItem(random, depth) + count;
    }).join(" "),
  );
  return sequences.join(" | ");
}

/** Rules that begin with a text, so that few begin with themselves. */
function randomGrammar(random: Random): string {
  const rules = ["x", "y", "z"].map(
    (name) => `${name} ::= ${random.of(['"a"', '"1"', "[b-d]"])} (${randomChoice(random, 1)})? | "c"`,
  );
  return [`root ::= ${randomChoice(random, 2)}`, ...rules].join("\n");
}

describe("grammars like llama.cpp", { skip }, () => {
  test("those of its users: every text", () => {
    const random = new Random(11);
    const all = Object.entries(GBNF_CASES).map(([name, { grammar, accepted, refused }]) => {
      const states = compiled(grammar);
      return { name, grammar, states, texts: [...accepted, ...refused, ...textsFor(states, random, TEXTS)] };
    });
    const results = peerGrammars(all.map(({ grammar, texts }) => ({ grammar, texts })));
    all.forEach(({ name, states, texts }, i) => {
      const peer = results[i];
      assert.equal(peer === null, REFUSED_BY_PEER.has(name), `${name}: refused by llama.cpp`);
      if (peer === null) return;
      texts.forEach((text, at) => assert.equal(accepts(states, text), peer[at], `${name}: ${JSON.stringify(text)}`));
    });
  });

  test(`${RANDOM_GRAMMARS} random ones: every text`, () => {
    const random = new Random(12);
    const all = Array.from({ length: RANDOM_GRAMMARS }, () => {
      const grammar = randomGrammar(random);
      const states = compiled(grammar);
      return { grammar, states, texts: textsFor(states, random, 60, RANDOM_BYTES) };
    });
    const results = peerGrammars(all.map(({ grammar, texts }) => ({ grammar, texts })));
    let compared = 0;
    all.forEach(({ grammar, states, texts }, i) => {
      results[i]?.forEach((accepted, at) => {
        compared++;
        assert.equal(accepts(states, texts[at]), accepted, `${grammar}\n${JSON.stringify(texts[at])}`);
      });
    });
    assert.ok(compared > RANDOM_GRAMMARS * 10, `${compared} texts compared`);
  });
});
