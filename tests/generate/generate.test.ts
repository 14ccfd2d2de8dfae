/** The decode loop over a scripted engine: pieces, stop reasons, KV reuse, abort, errors. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, test } from "node:test";
import { Model } from "../../src/model.ts";
import type { GenerateOptions } from "../../src/generate/options.ts";
import type { Generation, Piece } from "../../src/generate/generate.ts";
import { BOS, bytesOf, EOS, fakeEngine, fakeTokenizer, scriptedEngine } from "./fakes.ts";
import type { FakeEngineOptions } from "./fakes.ts";

const PROMPT = "Hi";
/** BOS and two bytes. */
const PROMPT_LENGTH = 3;

function modelSaying(reply: string | readonly number[], options: FakeEngineOptions = {}) {
  const ids = typeof reply === "string" ? [...bytesOf(reply), EOS] : reply;
  const engine = scriptedEngine(PROMPT_LENGTH, ids, options);
  return { engine, model: new Model({ engine, tokenizer: fakeTokenizer(), loadMs: 0 }) };
}

const GREEDY: GenerateOptions = { temperature: 0 };

async function collect(generation: Generation): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for await (const piece of generation) pieces.push(piece);
  return pieces;
}

describe("generate", () => {
  test("yields a piece for every id, whose texts join to the result's", async () => {
    const { model } = modelSaying("Hello");
    const generation = model.generate(PROMPT, GREEDY);
    const pieces = await collect(generation);
    assert.deepEqual(
      pieces,
      [..."Hello"].map((text) => ({ id: text.charCodeAt(0), text })).concat({ id: EOS, text: "" }),
    );
    const { promptIds, ids, text, stopReason, timings } = await generation.result();
    assert.deepEqual(promptIds, [BOS, ...bytesOf(PROMPT)]);
    assert.deepEqual(ids, [...bytesOf("Hello"), EOS]);
    assert.equal(text, "Hello");
    assert.equal(stopReason, "stop");
    assert.equal(timings.promptTokens, 3);
    assert.equal(timings.tokens, 6);
    assert.ok(timings.promptMs >= 0 && timings.generateMs >= 0);
  });

  test("text() and result() run it without iterating", async () => {
    const { model } = modelSaying("Hello");
    assert.equal(await model.generate(PROMPT, GREEDY).text(), "Hello");
    const generation = model.generate(PROMPT, GREEDY);
    assert.equal((await generation.result()).text, "Hello");
    assert.equal(await generation.text(), "Hello");
    await assert.rejects(collect(generation), { code: "option/invalid" });
  });

  test("logitsProcessor changes the logits before all else, from all ids so far", async () => {
    const { model } = modelSaying("Hello"),
      seen: number[][] = [];
    const generation = model.generate(PROMPT, {
      ...GREEDY,
      maxTokens: 3,
      logprobs: 1,
      logitBias: { 65: -Infinity },
      logitsProcessor: (logits, ids) => {
        seen.push([...ids]);
        logits.fill(0);
        logits[65] = 9;
        logits[66] = 8;
        (ids as number[]).length = 0;
      },
    });
    const pieces = await collect(generation);
    assert.equal((await generation.result()).text, "BBB");
    const prompt = [BOS, ...bytesOf(PROMPT)];
    assert.deepEqual(seen, [prompt, [...prompt, 66], [...prompt, 66, 66]]);
    // The report is of the model's own logits.
    assert.deepEqual(pieces[0].topLogprobs?.[0].id, 72);
  });

  test("logitsProcessor must do its work at once; its own errors arrive", async () => {
    const { model } = modelSaying("Hello");
    await assert.rejects(model.generate(PROMPT, { logitsProcessor: async () => {} }).text(), {
      code: "option/invalid",
      message: /logitsProcessor/,
    });
    const own = new Error("mine");
    const generation = model.generate(PROMPT, {
      logitsProcessor() {
        throw own;
      },
    });
    await assert.rejects(generation.text(), (error) => error === own);
    assert.equal(await model.generate(PROMPT, GREEDY).text(), "Hello");
  });

  test("never splits a character; an unfinished one ends as U+FFFD", async () => {
    const reply = "é😀你";
    const { model } = modelSaying(reply);
    const texts = (await collect(model.generate(PROMPT, GREEDY))).map(({ text }) => text);
    assert.deepEqual(texts, ["", "é", "", "", "", "😀", "", "", "你", ""]);
    const cut = await model.generate(PROMPT, { ...GREEDY, maxTokens: 4 }).result();
    assert.equal(cut.text, "é\ufffd");
    assert.equal(cut.stopReason, "length");
  });

  test("stops at a stop string across ids, and shows nothing of it", async () => {
    const { model } = modelSaying("one. two END three");
    const generation = model.generate(PROMPT, { ...GREEDY, stop: ["END", "zzz"] });
    const pieces = await collect(generation);
    const result = await generation.result();
    assert.equal(result.text, "one. two ");
    assert.equal(result.stopReason, "stop-string");
    assert.equal(pieces.map(({ text }) => text).join(""), result.text);
    assert.equal(result.ids.length, "one. two END".length);
  });

  test("delivers held text when the end comes instead", async () => {
    const { model } = modelSaying("one EN");
    const pieces = await collect(model.generate(PROMPT, { ...GREEDY, stop: "END" }));
    assert.equal(pieces.map(({ text }) => text).join(""), "one EN");
    assert.equal(pieces.at(-1)?.text, "EN");
    assert.equal(await model.generate(PROMPT, { ...GREEDY, stop: "END", maxTokens: 5 }).text(), "one E");
  });

  test("stops at the caller's ids, and ignores the model's with ignoreEnd", async () => {
    const { model } = modelSaying("abc");
    const own = await model.generate(PROMPT, { ...GREEDY, stopIds: ["b".charCodeAt(0)] }).result();
    assert.deepEqual([own.text, own.stopReason], ["a", "stop"]);
    const past = await model.generate(PROMPT, { ...GREEDY, ignoreEnd: true, maxTokens: 6 }).result();
    assert.deepEqual([past.ids, past.stopReason, past.text], [[...bytesOf("abc"), EOS, EOS, EOS], "length", "abc"]);
  });

  test("fills every position, then stops with context", async () => {
    const { model, engine } = modelSaying("x".repeat(100), { contextLength: 10 });
    const result = await model.generate(PROMPT, GREEDY).result();
    assert.equal(result.stopReason, "context");
    // Seven more positions, and one id sampled from the last of them.
    assert.equal(result.ids.length, 8);
    assert.equal(engine.calls.at(-1)?.position, 9);
  });

  test("refuses a prompt longer than the context, with both sizes", async () => {
    const { model } = modelSaying("x", { contextLength: 10 });
    await assert.rejects(model.generate("x".repeat(20), GREEDY).text(), {
      code: "model/context-full",
      message: /21 ids.*holds 10/,
    });
    assert.equal((await model.generate("x".repeat(9), GREEDY).result()).ids.length, 1);
  });

  test("maxTokens 0 reads the prompt and says nothing", async () => {
    const { model, engine } = modelSaying("x");
    const result = await model.generate(PROMPT, { maxTokens: 0 }).result();
    assert.deepEqual([result.ids, result.text, result.stopReason], [[], "", "length"]);
    assert.equal(engine.calls.length, 1);
  });

  test("takes ids, and refuses wrong ones", async () => {
    const { model } = modelSaying("ok");
    assert.equal(await model.generate([BOS, 1, 2], GREEDY).text(), "ok");
    for (const ids of [[-1], [262], [1.5], [NaN]])
      await assert.rejects(model.generate(ids, GREEDY).text(), { code: "model/bad-token" });
    await assert.rejects(model.generate([], GREEDY).text(), { code: "option/invalid", message: /empty/ });
  });

  test("wrong options reach whoever iterates or waits", async () => {
    const { model, engine } = modelSaying("x");
    const wrong: GenerateOptions[] = [
      { maxTokens: -1 },
      { topP: 2 },
      { logprobs: 65 },
      { stop: "" },
      { stopIds: [262] },
    ];
    for (const options of wrong) {
      await assert.rejects(model.generate(PROMPT, options).result(), { code: "option/invalid" });
      await assert.rejects(collect(model.generate(PROMPT, options)), { code: "option/invalid" });
    }
    assert.equal(engine.calls.length, 0);
    assert.equal(await model.generate(PROMPT, GREEDY).text(), "x");
  });

  test("special tokens in a prompt are text unless asked for", async () => {
    const { model } = modelSaying("");
    const plain = await model.generate("a</s>", { maxTokens: 0 }).result();
    assert.deepEqual(plain.promptIds, [BOS, ...bytesOf("a</s>")]);
    const parsed = await model.generate("a</s>", { maxTokens: 0, parseSpecial: true, addSpecial: false }).result();
    assert.deepEqual(parsed.promptIds, [...bytesOf("a"), EOS]);
  });

  test("reports log probabilities", async () => {
    const { model } = modelSaying("a");
    const [piece] = await collect(model.generate(PROMPT, { ...GREEDY, logprobs: 2 }));
    // One logit of 20 among 262, the others 0.
    assert.ok(Math.abs((piece.logprob ?? 1) + Math.log(1 + 261 * Math.exp(-20))) < 1e-6);
    assert.deepEqual(
      piece.topLogprobs?.map(({ id }) => id),
      ["a".charCodeAt(0), 0],
    );
    const [bare] = await collect(model.generate(PROMPT, { ...GREEDY, logprobs: 0 }));
    assert.equal(bare.topLogprobs, undefined);
    assert.ok(bare.logprob !== undefined);
  });

  test("reports progress of the prompt, which is read in portions", async () => {
    const engine = fakeEngine((_ids, logits) => void (logits[EOS] = 1), { contextLength: 2000 });
    const model = new Model({ engine, tokenizer: fakeTokenizer(), loadMs: 0 });
    const seen: number[] = [];
    await model
      .generate("x".repeat(999), { ...GREEDY, onProgress: ({ done, total }) => void seen.push(done, total) })
      .result();
    const portions = [...Array.from({ length: 16 }, (_, i) => i * 64), 1000];
    assert.deepEqual(
      seen,
      portions.flatMap((done) => [done, 1000]),
    );
    assert.deepEqual(
      engine.calls.map(({ position, ids }) => [position, ids.length]),
      [...Array.from({ length: 15 }, (_, i) => [64 * i, 64]), [960, 40]],
    );
  });
});

describe("KV cache across calls", () => {
  test("only what differs is evaluated again", async () => {
    const engine = fakeEngine((_ids, logits) => void (logits.fill(0), (logits[65] = 9)));
    const model = new Model({ engine, tokenizer: fakeTokenizer(), loadMs: 0 });
    const first = await model.generate("abc", { ...GREEDY, maxTokens: 2 }).result();
    assert.equal(first.timings.cachedTokens, 0);
    assert.deepEqual(model.cachedIds, [BOS, ...bytesOf("abcA")]);
    engine.calls.length = 0;
    // The prompt, the reply and more: all but the last id of the reply stands in the cache.
    const second = await model.generate([BOS, ...bytesOf("abcAA?")], { ...GREEDY, maxTokens: 1 }).result();
    assert.equal(second.timings.cachedTokens, 5);
    assert.deepEqual(engine.calls, [{ position: 5, ids: bytesOf("A?") }]);
    engine.calls.length = 0;
    // The same prompt again: one id must be read for its logits.
    await model.generate([BOS, ...bytesOf("abcAA?")], { ...GREEDY, maxTokens: 1 }).result();
    assert.deepEqual(engine.calls, [{ position: 6, ids: bytesOf("?") }]);
    engine.calls.length = 0;
    await model.generate("abX", { ...GREEDY, maxTokens: 1 }).result();
    assert.deepEqual(engine.calls, [{ position: 3, ids: bytesOf("X") }]);
  });

  test("forgets what was being read when a read fails", async () => {
    let mustFail = false;
    const engine = fakeEngine((_ids, logits) => void (logits[65] = 9), {
      before: () => (mustFail ? Promise.reject(new Error("boom")) : undefined),
    });
    const model = new Model({ engine, tokenizer: fakeTokenizer(), loadMs: 0 });
    await model.generate("abc", { ...GREEDY, maxTokens: 1 }).result();
    mustFail = true;
    await assert.rejects(model.generate("abXYZ", GREEDY).text(), /boom/);
    assert.deepEqual(model.cachedIds, [BOS, ...bytesOf("ab")]);
    mustFail = false;
    await model.generate("abXYZ", { ...GREEDY, maxTokens: 1 }).result();
    assert.deepEqual(engine.calls.at(-1), { position: 3, ids: bytesOf("XYZ") });
  });

  test("embeddings that need its room take it, truncate shortens it", async () => {
    const engine = fakeEngine((_ids, logits) => void (logits[65] = 9));
    const model = new Model({ engine, tokenizer: fakeTokenizer(), loadMs: 0 });
    await model.generate("abc", { maxTokens: 0 }).result();
    await model.truncate(2);
    assert.deepEqual(model.cachedIds, [BOS, 97]);
    await model.embed(["x"]);
    assert.deepEqual(model.cachedIds, []);
    await assert.rejects(model.truncate(-1), { code: "option/invalid" });
  });
});

describe("stopping and taking turns", () => {
  test("an abort signal ends it with the text so far", async () => {
    const { model } = modelSaying("abcdefgh");
    const abort = new AbortController();
    const generation = model.generate(PROMPT, { ...GREEDY, signal: abort.signal });
    let text = "";
    for await (const piece of generation) {
      text += piece.text;
      if (text === "abc") abort.abort();
    }
    const result = await generation.result();
    assert.deepEqual([text, result.text, result.stopReason], ["abc", "abc", "aborted"]);
    assert.equal(await model.generate(PROMPT, GREEDY).text(), "abcdefgh");
  });

  test("an abort while the prompt is read, or before, gives an empty result", async () => {
    const abort = new AbortController();
    const { model } = modelSaying("abc", { before: () => abort.abort() });
    const result = await model.generate(PROMPT, { ...GREEDY, signal: abort.signal }).result();
    assert.deepEqual([result.ids, result.stopReason], [[], "aborted"]);
    const before = await model.generate(PROMPT, { ...GREEDY, signal: AbortSignal.abort() }).result();
    assert.deepEqual([before.ids, before.stopReason], [[], "aborted"]);
  });

  test("leaves no listener on the caller's signal", async () => {
    const { model } = modelSaying("abc");
    const { signal } = new AbortController();
    await model.generate(PROMPT, { ...GREEDY, signal }).result();
    for await (const _ of model.generate(PROMPT, { ...GREEDY, signal })) break;
    await model.embed(["x"], { signal });
    await assert.rejects(model.generate(PROMPT, { topP: 9, signal }).result());
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  test("leaving the loop ends it and lets the next call in", async () => {
    const { model } = modelSaying("abcdefgh");
    const generation = model.generate(PROMPT, GREEDY);
    for await (const piece of generation) if (piece.text === "b") break;
    const result = await generation.result();
    assert.deepEqual([result.text, result.stopReason], ["ab", "aborted"]);
    assert.equal(await model.generate(PROMPT, GREEDY).text(), "abcdefgh");
  });

  test("calls of a context run one after the other, in order; others meanwhile", async () => {
    const { model, engine } = modelSaying("abc");
    const order: string[] = [];
    const one = async (name: string, options: GenerateOptions): Promise<void> => {
      const { stopReason } = await model.generate(PROMPT, { ...GREEDY, ...options }).result();
      order.push(`${name} ${stopReason}`);
    };
    const abort = new AbortController();
    const all = [
      one("a", {}),
      one("b", { signal: abort.signal }),
      one("c", { maxTokens: 1 }),
      model.embed(["x"]).then(() => void order.push("d")),
    ];
    // b is waiting: it leaves the queue, and c still gets its turn.
    setImmediate(() => abort.abort());
    await Promise.all(all);
    assert.deepEqual(order, ["d", "b aborted", "a stop", "c length"]);
    const positions = engine.calls.map(({ position }) => position);
    assert.deepEqual(
      positions,
      [0, 3, 4, 5, 2],
      "a reads the prompt and writes; c reads the last id of the prompt again",
    );
  });

  test("close ends running calls and frees the engine once; later calls fail", async () => {
    const { model, engine } = modelSaying("abcdefgh");
    const generation = model.generate(PROMPT, GREEDY);
    let closing: Promise<void> | undefined;
    for await (const _ of generation) closing ??= model.close();
    await closing;
    assert.equal((await generation.result()).stopReason, "aborted");
    assert.equal(engine.closed, true);
    await model.close();
    await assert.rejects(model.generate(PROMPT, GREEDY).text(), { code: "model/closed" });
    await assert.rejects(model.embed(["x"]), { code: "model/closed" });
    await assert.rejects(model.logits([1]), { code: "model/closed" });
  });

  test("a failing engine rejects the result and the loop, without an unhandled rejection", async () => {
    const { model } = modelSaying("abc", {
      before: (position) => (position === 4 ? Promise.reject(new Error("boom")) : undefined),
    });
    const generation = model.generate(PROMPT, GREEDY);
    await assert.rejects(collect(generation), /boom/);
    await assert.rejects(generation.result(), /boom/);
    await assert.rejects(collect(model.generate(PROMPT, GREEDY)), /boom/);
    await new Promise((resolve) => setImmediate(resolve));
  });
});

describe("a model without a vocabulary", () => {
  const model = new Model({ engine: scriptedEngine(2, [5, 6, 7]), loadMs: 0 });

  test("generates ids, not text", async () => {
    const result = await model.generate([1, 2], { ...GREEDY, maxTokens: 3 }).result();
    assert.deepEqual([result.ids, result.text], [[5, 6, 7], ""]);
  });

  test("refuses what needs a vocabulary", async () => {
    assert.equal(model.hasTokenizer, false);
    assert.throws(() => model.tokenizer, { code: "tokenizer/missing" });
    await assert.rejects(model.generate("x").text(), { code: "tokenizer/missing" });
    await assert.rejects(model.generate([1], { stop: "x" }).text(), { code: "tokenizer/missing" });
    await assert.rejects(model.chat([{ role: "user", content: "x" }]).text(), { code: "tokenizer/missing" });
  });

  test("ids beyond a smaller vocabulary have no text", async () => {
    const padded = new Model({
      engine: scriptedEngine(1, [300, 65], { vocabSize: 400 }),
      tokenizer: fakeTokenizer(),
      loadMs: 0,
    });
    assert.equal(await padded.generate([BOS], { ...GREEDY, maxTokens: 2 }).text(), "A");
  });
});
