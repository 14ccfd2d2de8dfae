/** A model in a worker, without a browser: both sides of the protocol over real message ports. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { defaultModelBytes } from "../../src/default-model.ts";
import { type AnyContext, type AnyModel, type GenerateOptions, load } from "../../src/index.ts";
import { TOKENIZER_FACTS } from "../../src/web/protocol.ts";
import { ggufBytes } from "../model/gguf-bytes.ts";
import { fakeWorker, loadInFakeWorker } from "./fake-worker.ts";

const SHAPE = {
  nEmbd: 256,
  nLayers: 1,
  nHeads: 4,
  nKvHeads: 4,
  headDim: 64,
  nFf: 256,
  nVocab: 300,
  subNorms: true,
} as const;
const LONG = { maxTokens: 100, temperature: 0 } as const;

describe("a model in a worker", () => {
  let bytes: Uint8Array;
  before(async () => {
    bytes = await ggufBytes(SHAPE, { architecture: "bitnet", body: "TQ2_0" });
  });

  test("gives the pieces, facts and logits of one that runs here", async () => {
    const here = await load(bytes, { threads: 1 }),
      there = await loadInFakeWorker(bytes);
    assert.deepEqual(
      [there.config, there.memory, there.engine, there.vocabSize],
      [here.config, here.memory, here.engine, here.vocabSize],
    );
    const generation = there.generate([1, 2, 3], LONG),
      ids: number[] = [];
    for await (const piece of generation) ids.push(piece.id);
    const expected = await here.generate([1, 2, 3], LONG).result();
    assert.deepEqual(ids, expected.ids);
    assert.deepEqual((await generation.result()).ids, expected.ids);
    assert.equal(expected.timings.speculation, undefined);
    const speculative = await there.generate([1, 2, 3], { ...LONG, speculate: "lookup" }).result();
    assert.deepEqual(speculative.ids, expected.ids);
    assert.deepEqual(Object.keys(speculative.timings.speculation ?? {}), ["walks", "draftedTokens", "acceptedTokens"]);
    assert.deepEqual(await there.logits([4, 5]), await here.logits([4, 5]));
    await Promise.all([here.close(), there.close()]);
  });

  test("samples with every option that can cross; a function cannot", async () => {
    const there: AnyModel = await loadInFakeWorker(bytes, { contextLength: 64 }),
      here = await load(bytes, { threads: 1 });
    const options: GenerateOptions = {
      ...LONG,
      maxTokens: 20,
      temperature: 1,
      seed: 5,
      dryMultiplier: 1,
      dryBreakers: ["a"],
      xtcProbability: 0.5,
      samplers: ["dry", "xtc", "temperature"],
    };
    const { ids } = await here.generate([1, 2, 3], options).result();
    assert.deepEqual((await there.generate([1, 2, 3], options).result()).ids, ids);
    await assert.rejects(there.generate([1], { logitsProcessor: () => {} }).result(), {
      code: "option/invalid",
      message: /logitsProcessor.*worker/,
    });
    await Promise.all([here.close(), there.close()]);
  });

  test("its contexts: each its own ids, forked, cut and closed", async () => {
    const there = await loadInFakeWorker(bytes, { contextLength: 110, kvPositions: 500 }),
      here = await load(bytes, { threads: 1 }),
      context: AnyContext = await there.context({ contextLength: 20 });
    assert.equal(context.contextLength, 20);
    const { ids } = await context.generate([1, 2, 3], { ...LONG, maxTokens: 4 }).result();
    assert.deepEqual(ids, (await here.generate([1, 2, 3], { ...LONG, maxTokens: 4 }).result()).ids);
    const other = await context.fork();
    await context.truncate(2);
    assert.deepEqual(
      [await context.ids, await other.ids],
      [
        [1, 2],
        [1, 2, 3, ...ids.slice(0, 3)],
      ],
    );
    assert.deepEqual(await other.cachedIds, await other.ids);
    assert.deepEqual(await other.logits([1, 2, 9]), (await here.logits([1, 2, 9])).slice(-here.vocabSize));
    const saved = await other.save(),
      restored = await there.restore(saved, { contextLength: 30 });
    assert.deepEqual([await restored.cachedIds, restored.contextLength], [await other.ids, 30]);
    assert.deepEqual(await restored.logits([1, 2, 9]), (await here.logits([1, 2, 9])).slice(-here.vocabSize));
    await assert.rejects(there.restore(saved.subarray(8)), { code: "snapshot/corrupt" });
    await assert.rejects(there.restore(saved, { signal: AbortSignal.abort() }), { code: "aborted" });
    await restored.close();
    // The worker computes at most 32 pieces ahead.
    const long = await there.context(),
      left = long.generate([1, 2, 3], LONG);
    for await (const _ of left) await long.close();
    assert.equal((await left.result()).stopReason, "aborted");
    await other.close();
    const closed = { code: "model/closed", message: /the context was closed/ };
    await assert.rejects(async () => await other.ids, closed);
    await assert.rejects(other.generate([1]).result(), closed);
    await other.close();
    await assert.rejects(async () => await there.context({ contextLength: 111 }), { code: "option/invalid" });
    await assert.rejects(async () => await there.context({ contextLenght: 1 } as never), { code: "option/unknown" });
    await Promise.all([here.close(), there.close()]);
    await assert.rejects(async () => await there.context(), { code: "model/closed" });
  });

  test("calls tools and thinks: options cross, and calls and reasoning come back", async () => {
    const source = await defaultModelBytes(),
      there: AnyModel = await loadInFakeWorker(source),
      chatTemplate = "{{ tools|length }}{{ messages[0].content }}<think>",
      tools = [{ name: "look", parameters: { properties: { far: { type: "boolean" } }, required: ["far"] } }];
    const generation = there.chat([{ role: "user", content: "Hi" }], {
      ...{ chatTemplate, tools, toolFormat: "hermes", toolChoice: { name: "look" }, parallelToolCalls: false },
      ...{ thinking: { budget: 4 }, maxTokens: 120, seed: 1 },
    });
    let [reasoning, args] = ["", ""];
    for await (const piece of generation) {
      reasoning += piece.reasoning ?? "";
      for (const delta of piece.toolCalls ?? []) args += delta.arguments;
    }
    const result = await generation.result();
    assert.ok(result.reasoning !== "");
    assert.deepEqual([reasoning, args], [result.reasoning, result.toolCalls[0].arguments]);
    assert.deepEqual([result.toolCalls[0].name, typeof JSON.parse(args).far], ["look", "boolean"]);
    await assert.rejects(there.chat([{ role: "user", content: "Hi" }], { tools, toolChoice: "x" as "auto" }).result(), {
      code: "option/invalid",
    });
    await there.close();
  });

  test("can do what one that runs here can: tokenizer, chat prompt, perplexity, cache", async () => {
    const source = await defaultModelBytes(),
      here = await load(source, { threads: 1 }),
      there: AnyModel = await loadInFakeWorker(source),
      hello = [{ role: "user", content: "Héllo" }] as const,
      ids = here.tokenizer.encode("To be, or not");
    assert.deepEqual(await there.tokenizer.encode("To be, or not"), ids);
    assert.equal(await there.tokenizer.decode(new Set(ids)), here.tokenizer.decode(new Set(ids)));
    assert.deepEqual(await there.tokenizer.tokenBytes(ids[0]), here.tokenizer.tokenBytes(ids[0]));
    assert.equal(await there.tokenizer.tokenId("no such token"), undefined);
    await assert.rejects(async () => await there.tokenizer.decode(null as never), { code: "option/invalid" });
    for (const name of TOKENIZER_FACTS) assert.deepEqual(there.tokenizer[name], here.tokenizer[name], name);
    assert.deepEqual(there.chatTemplateNames, here.chatTemplateNames);
    const chatTemplate = "{{ messages[0].content }}:";
    assert.deepEqual(await there.chatPrompt(hello, { chatTemplate }), here.chatPrompt(hello, { chatTemplate }));
    const done: number[] = [],
      onProgress = (progress: { done: number }): void => void done.push(progress.done);
    assert.deepEqual(
      await there.perplexity("To be, or not to be", { context: 8, onProgress }),
      await here.perplexity("To be, or not to be", { context: 8 }),
    );
    assert.ok(done.length > 1);
    await there.generate(ids, { maxTokens: 1 }).result();
    await there.truncate(3);
    assert.deepEqual(await there.cachedIds, ids.slice(0, 3));
    await Promise.all([here.close(), there.close()]);
  });

  test("reports progress, and errors with their codes", async () => {
    const seen: unknown[] = [];
    const model = await loadInFakeWorker(bytes, { onProgress: (progress) => void seen.push(progress) });
    assert.ok(seen.length > 0);
    await assert.rejects(model.generate([9999]).result(), { name: "OnebitError", code: "model/bad-token" });
    assert.throws(() => model.tokenizer, { name: "OnebitError", code: "tokenizer/missing" });
    await assert.rejects(model.generate("text").result(), { code: "tokenizer/missing" });
    const generation = model.generate([1], LONG);
    await generation.result();
    assert.throws(() => generation[Symbol.asyncIterator](), { code: "option/invalid" });
    await model.close();
    await assert.rejects(loadInFakeWorker(bytes.slice(0, 100)), { name: "OnebitError", code: /^gguf\// });
  });

  test("stops by a signal, by leaving the loop, and by closing", async () => {
    const model = await loadInFakeWorker(bytes),
      stop = new AbortController();
    const bySignal = model.generate([1], { ...LONG, signal: stop.signal });
    for await (const _ of bySignal) stop.abort();
    assert.equal((await bySignal.result()).stopReason, "aborted");
    const left = model.generate([1], LONG);
    for await (const _ of left) break;
    assert.equal((await left.result()).stopReason, "aborted");
    const unread = model.generate([1], LONG),
      pieces = unread[Symbol.asyncIterator]();
    await pieces.next();
    await model.close();
    assert.equal((await unread.result()).stopReason, "aborted");
    await assert.rejects(model.logits([1]), { code: "model/closed" });
  });

  test("sends its pieces only to who reads them", async () => {
    const answers: object[] = [],
      model = await loadInFakeWorker(bytes, { worker: fakeWorker(true, answers) });
    const nPieces = (): number => answers.filter((answer) => "piece" in answer).length;
    const { ids } = await model.generate([1, 2, 3], LONG).result();
    assert.ok(ids.length > 0);
    assert.equal(nPieces(), 0);
    for await (const _ of model.generate([1, 2, 3], LONG)) void _;
    assert.equal(nPieces(), ids.length);
    await model.close();
  });

  test("refuses arguments that cannot be sent", async () => {
    const model = await loadInFakeWorker(bytes);
    await assert.rejects(model.chat([{ role: "user", content: "Hi", call: () => {} }]).result(), {
      code: "option/invalid",
      message: /can be sent/,
    });
    await model.close();
    await assert.rejects(loadInFakeWorker({} as Uint8Array), { code: "option/invalid" });
  });

  test("gives up on a worker that does not answer when told to", async () => {
    await assert.rejects(loadInFakeWorker(bytes, { worker: fakeWorker(false), signal: AbortSignal.timeout(20) }), {
      code: "aborted",
    });
    await assert.rejects(loadInFakeWorker(bytes, { signal: AbortSignal.abort() }), { code: "aborted" });
  });
});
