/** Replies that must fit a format: whatever the logits are, they do. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { OnebitError } from "../../src/core/errors.ts";
import type { Format } from "../../src/generate/format.ts";
import { Model } from "../../src/model.ts";
import { seededRandom } from "../synthetic/random.ts";
import { END_OF_TURN, fakeEngine, fakeTokenizer } from "./fakes.ts";

const PERSON: Format = {
  jsonSchema: {
    type: "object",
    properties: {
      name: { type: "string", maxLength: 8 },
      age: { type: "integer", minimum: 0, maximum: 150 },
      tags: { type: "array", items: { enum: ["a", "bc", "é"] }, maxItems: 3 },
    },
    required: ["name", "age", "tags"],
    additionalProperties: false,
  },
  whitespace: "none",
};

/** Logits that depend on the ids so far, and on nothing else. */
function randomModel(contextLength = 2000): Model {
  const engine = fakeEngine(
    (ids, logits) => {
      const random = seededRandom(ids.reduce((sum, id) => (sum * 31 + id) | 0, ids.length));
      for (let id = 0; id < logits.length; id++) logits[id] = random.normal() * 3;
    },
    { contextLength, nPages: 200 },
  );
  return new Model({ engine, tokenizer: fakeTokenizer(), loadMs: 0 });
}

function isPerson(text: string): boolean {
  const { name, age, tags, ...others } = JSON.parse(text) as Record<string, unknown>;
  return (
    typeof name === "string" &&
    [...name].length <= 8 &&
    Number.isInteger(age) &&
    (age as number) >= 0 &&
    (age as number) <= 150 &&
    Array.isArray(tags) &&
    tags.length <= 3 &&
    tags.every((tag) => ["a", "bc", "é"].includes(tag as string)) &&
    Object.keys(others).length === 0
  );
}

describe("a reply with a format", () => {
  test("fits it, with any sampler", async () => {
    await using model = randomModel();
    const samplers = [
      { temperature: 0 },
      { temperature: 3, topK: 0, topP: 1 },
      { topK: 1 },
      { topP: 0.1 },
      { typicalP: 0.5, minP: 0.1 },
      { dryMultiplier: 5, dryAllowedLength: 1, xtcProbability: 0.5, topNSigma: 1 },
      { mirostat: "v2", mirostatTau: 3 },
      { samplers: ["temperature", "top-k", "penalties"], temperature: 2, topK: 5, presencePenalty: 5 },
      { logitsProcessor: (logits: Float32Array) => void logits.fill(50, 0, 200) },
      { repetitionPenalty: 2, frequencyPenalty: 1, presencePenalty: 1, penaltyLastN: -1 },
      { logitBias: { [END_OF_TURN]: 100, 34: -20 } },
      { speculate: "lookup" },
      { logprobs: 2 },
      { ignoreEnd: true },
    ] as const;
    for (const [i, sampler] of samplers.entries()) {
      for (let seed = 0; seed < 20; seed++) {
        const prompt = `${i} ${seed}`,
          result = await model.generate(prompt, { ...sampler, seed, maxTokens: 400, format: PERSON }).result();
        assert.ok(isPerson(result.text), `${JSON.stringify(sampler)}, seed ${seed}: ${result.text}`);
        assert.equal(result.stopReason, "stop");
      }
    }
  });

  test("may be any JSON, a regular expression, a grammar", async () => {
    await using model = randomModel();
    const formats: readonly [Format, (text: string) => boolean][] = [
      [{ regex: "[a-c]{2,5}(-\\d{3})?" }, (text) => /^[a-c]{2,5}(-\d{3})?$/u.test(text)],
      [{ grammar: 'root ::= "yes" | "no" ("!" | "?")+' }, (text) => /^(yes|no[!?]+)$/.test(text)],
      [{ jsonSchema: true }, (text) => JSON.parse(text) !== undefined],
      ["json", (text) => JSON.parse(text) !== undefined],
    ];
    for (const [format, fits] of formats) {
      let nWhole = 0;
      for (let seed = 0; seed < 30; seed++) {
        const { text, stopReason } = await model.generate(`${seed}`, { seed, maxTokens: 300, format }).result();
        if (stopReason !== "stop") continue;
        nWhole++;
        assert.ok(fits(text), `${JSON.stringify(format)}: ${text}`);
      }
      assert.ok(nWhole > 5, `${JSON.stringify(format)}: ${nWhole} whole replies`);
    }
  });

  test("ends with the model's own end where it may, at once where nothing can follow", async () => {
    await using model = randomModel();
    const { ids, stopReason, text } = await model.generate("1", { format: { regex: "ab" }, seed: 1 }).result();
    assert.deepEqual([text, stopReason], ["ab", "stop"]);
    assert.ok(!ids.includes(END_OF_TURN));
    const open = await model.generate("1", { format: { regex: "a+" }, logitBias: { [END_OF_TURN]: 1e6 } }).result();
    assert.deepEqual([open.text, open.ids.at(-1), open.stopReason], ["a", END_OF_TURN, "stop"]);
  });

  test("takes what is forced without a walk of its own, and counts it", async () => {
    await using model = randomModel();
    const format: Format = { regex: '\\{"name": "[a-z]{3}", "kind": "person"\\}' },
      { text, timings } = await model.generate("1", { format, seed: 1 }).result();
    assert.match(text, /^\{"name": "[a-z]{3}", "kind": "person"\}$/);
    assert.equal(timings.forcedTokens, text.length - 3);
    const shown = await model.generate("1", { format, seed: 1, logprobs: 0 }).result();
    assert.equal(shown.timings.forcedTokens, 0);
    assert.equal((await model.generate("1", { maxTokens: 1 }).result()).timings.forcedTokens, undefined);
  });

  test("keeps to maxTokens, the context and stop strings, also within what is forced", async () => {
    await using model = randomModel(20);
    const format: Format = { regex: "abcdefghijklmnopqrstuvwxyz" };
    const cut = await model.generate("1", { format, maxTokens: 5 }).result();
    assert.deepEqual([cut.text, cut.stopReason], ["abcde", "length"]);
    const stopped = await model.generate("1", { format, stop: "def" }).result();
    assert.deepEqual([stopped.text, stopped.stopReason], ["abc", "stop-string"]);
    const full = await model.generate("1", { format }).result();
    // A prompt of two ids; the last id needs no place.
    assert.deepEqual([full.text, full.stopReason], ["abcdefghijklmnopqrstuvwxyz".slice(0, 19), "context"]);
  });

  test("is what it was when the call began", async () => {
    await using model = randomModel();
    const schema = { const: "before" },
      running = model.generate("1", { format: { jsonSchema: schema } }).result();
    schema.const = "after";
    assert.equal((await running).text, '"before"');
  });

  test("takes no banned token, forced or not", async () => {
    await using model = randomModel();
    const logitBias = { 98: -Infinity },
      running = model.generate("1", { format: { regex: "abc" }, logitBias, maxTokens: 9 });
    let text = "";
    const read = async (): Promise<void> => {
      for await (const piece of running) text += piece.text;
    };
    await assert.rejects(read, { code: "option/invalid" });
    assert.equal(text, "a");
  });

  test("may be the empty text alone, which ends before the first token", async () => {
    await using model = randomModel();
    for (const ignoreEnd of [false, true]) {
      const { ids, stopReason } = await model.generate("1", { format: { regex: "" }, ignoreEnd }).result();
      assert.deepEqual([ids, stopReason], [[], "stop"]);
    }
  });

  test("holds newlines where a newline ends a turn, which it does when the text is complete", async () => {
    const newline = 10,
      engine = fakeEngine((_, logits) => void logits.fill(0).fill(9, newline, newline + 1)),
      tokenizer = fakeTokenizer({ keys: { "tokenizer.ggml.eos_token_id": newline } });
    await using model = new Model({ engine, tokenizer, loadMs: 0 });
    const options = { temperature: 0, maxTokens: 9 },
      within = await model.generate("1", { ...options, format: { regex: "[ab\\n]{3}c" } }).result();
    assert.deepEqual([within.text, within.stopReason], ["\n\n\nc", "stop"]);
    const forced = await model.generate("1", { ...options, format: { regex: "a\\nb" } }).result();
    assert.deepEqual([forced.text, forced.stopReason], ["a\nb", "stop"]);
    const complete = await model.generate("1", { ...options, format: { regex: "a+" } }).result();
    assert.deepEqual([complete.text, complete.ids.at(-1), complete.stopReason], ["a", newline, "stop"]);
  });

  test("lets the event loop run while tokens are forced", async (t) => {
    await using model = randomModel();
    // With a clock that stands, it runs every few tokens.
    t.mock.method(performance, "now", () => 0);
    let [nPieces, nTurns] = [0, 0];
    for await (const _ of model.generate("1", { format: { regex: "a{100}" } }))
      if (nPieces++ === 0) setImmediate(() => void nTurns++);
    assert.deepEqual([nPieces, nTurns], [100, 1]);
  });

  test("is refused when it is none, or cannot be kept", async () => {
    await using model = randomModel();
    const fails = async (format: unknown, code: string, message: RegExp): Promise<void> => {
      const running = model.generate("1", { format: format as Format, maxTokens: 3 }).result();
      await assert.rejects(running, (error: OnebitError) => error.code === code && message.test(error.message));
    };
    await fails("xml", "option/invalid", /wanted "json", \{ jsonSchema \}/);
    await fails({}, "option/invalid", /wanted "json"/);
    await fails({ regex: "a", grammar: "b" }, "option/invalid", /wanted "json"/);
    await fails({ regex: "a", flags: "i" }, "option/unknown", /flags/);
    await fails({ jsonSchema: "object" }, "option/invalid", /jsonSchema/);
    await fails({ jsonSchema: { type: "strin" } }, "grammar/unsupported", /strin/);
    await fails({ regex: "(a" }, "grammar/syntax", /./);
    await fails({ grammar: "root ::= nothing" }, "grammar/syntax", /nothing/);
    const cycle: Record<string, unknown> = {};
    cycle.properties = { a: cycle };
    await fails({ jsonSchema: cycle }, "grammar/too-large", /nests/);
    let deep: unknown = {};
    for (let i = 0; i < 60_000; i++) deep = { not: deep };
    await fails({ jsonSchema: deep }, "grammar/too-large", /nests/);
    // JSON.stringify would make `{}` of these, which any JSON fits.
    await fails({ jsonSchema: new Map([["const", 1]]) }, "grammar/syntax", /wanted a JSON value/);
    await fails({ jsonSchema: { const: () => 1 } }, "grammar/syntax", /"\/const".*a function/);
    await fails({ jsonSchema: { maximum: Infinity } }, "grammar/syntax", /"\/maximum".*Infinity/);
    await using ids = new Model({ engine: fakeEngine(() => {}), loadMs: 0 });
    await assert.rejects(ids.generate([1], { format: "json" }).result(), { code: "tokenizer/missing" });
  });
});
