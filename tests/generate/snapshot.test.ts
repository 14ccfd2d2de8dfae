/** Saved contexts: the same bits after restoring, anywhere; and refused when the model or a bit differs. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import type { Context } from "../../src/generate/context.ts";
import { HEADER_BYTES, idBytes } from "../../src/generate/snapshot-format.ts";
import { type LoadModelOptions, load } from "../../src/load.ts";
import type { Model } from "../../src/model.ts";
import { type GgufChoices, ggufBytes, value } from "../model/gguf-bytes.ts";
import { VARIANTS, assertSameBits } from "../model/logits.ts";
import type { TinyShape } from "../model/tiny-model.ts";
import { seededRandom } from "../synthetic/random.ts";

const SHAPE: TinyShape = { nVocab: 64, nEmbd: 256, nHeads: 8, nKvHeads: 2, headDim: 32, nFf: 256, nLayers: 2 };
const CONTEXT_LENGTH = 200;
const CHOICES: GgufChoices = { architecture: "llama", body: "TQ2_0", keys: { context_length: value("uint32", 512) } };

let bytes: Uint8Array = new Uint8Array();
before(async () => void (bytes = await ggufBytes(SHAPE, CHOICES)));

const open = (options: LoadModelOptions = {}, file = bytes): Promise<Model> =>
  load(file, { threads: 1, contextLength: CONTEXT_LENGTH, ...options });
const idsOf = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => (from + i * 29 + 5) % 64);

async function saved(model: Model, ids: readonly number[]): Promise<Uint8Array> {
  using context = model.context();
  await context.logits(ids);
  return await context.save();
}

async function refused(action: Promise<unknown>, code: string, pattern: RegExp): Promise<void> {
  await assert.rejects(action, (error) => {
    assert.ok(error instanceof OnebitError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });
}

describe("a restored context", () => {
  for (const kvType of ["f32", "q8"] as const) {
    test(`goes on with the same bits, ${kvType}, any number of ids, variant and threads`, async () => {
      await using writer = await open({ kvType, kvPositions: 1000 });
      for (const [i, n] of [1, 2, 63, 64, 65, 127, 128, 129, 199].entries()) {
        const snapshot = await saved(writer, idsOf(n, i)),
          options = { variant: VARIANTS[i % VARIANTS.length], threads: 1 + (i % 3) };
        await using reader = await open({ kvType, ...options });
        using context = await reader.restore(snapshot);
        assert.deepEqual(context.ids, idsOf(n, i));
        assert.deepEqual(context.cachedIds, context.ids);
        const { timings, ids } = await context.generate([...context.ids, 7], { maxTokens: 8, seed: 1 }).result();
        assert.equal(timings.cachedTokens, n);
        await using alone = await open({ kvType });
        assert.deepEqual(ids, (await alone.generate([...idsOf(n, i), 7], { maxTokens: 8, seed: 1 }).result()).ids);
        using again = await reader.restore(snapshot);
        const wanted = (await alone.logits([...idsOf(n, i), 9])).slice(-alone.vocabSize);
        assertSameBits(await again.logits([...again.ids, 9]), wanted, `${n} ids`);
      }
    });

    test(`is the same bytes whatever stood in its pages before, ${kvType}`, async () => {
      await using model = await open({ kvType });
      await using fresh = await open({ kvType });
      for (const n of [1, 3, 64, 70, 100, 127]) {
        using context = model.context();
        await context.logits(idsOf(199, n + 1));
        await context.truncate(0);
        assert.deepEqual(await saved(model, idsOf(n)), await saved(fresh, idsOf(n)), `${n} ids`);
      }
    });
  }

  test("of no ids, and of a part that had to make room", async () => {
    await using model = await open();
    using empty = await model.restore(await model.context().save());
    assert.deepEqual(empty.ids, []);
    using context = model.context();
    await context.logits(idsOf(199));
    await model.context().logits(idsOf(100, 3));
    const nCached = context.cachedIds.length;
    assert.ok(nCached < 199 && nCached >= 64, `${nCached} cached`);
    const snapshot = await context.save();
    await using other = await open();
    using restored = await other.restore(snapshot);
    assert.deepEqual(restored.ids, idsOf(199));
    assert.equal(restored.cachedIds.length, nCached);
  });

  test("shares whole pages that are there, and leaves them as they are", async () => {
    await using model = await open({ kvPositions: 64 * 5 });
    using first = model.context();
    await first.logits(idsOf(150));
    using second = await model.restore(await first.save());
    // Of five pages the first has three, and the second its own last one.
    await model.context().logits(idsOf(64, 9));
    assert.equal(first.cachedIds.length, 150);
    assert.equal(second.cachedIds.length, 150);
    const wanted = await first.logits([...idsOf(150), 1]);
    assertSameBits(await second.logits([...idsOf(150), 1]), wanted, "logits");
  });

  test("keeps to its cache group and its length", async () => {
    await using model = await open({ kvPositions: 1000 });
    const snapshot = await saved(model, idsOf(130));
    await model.truncate(0);
    using own = await model.restore(snapshot, { cacheGroup: "ann", contextLength: 131 });
    assert.equal(own.cachedIds.length, 130);
    assert.equal(own.contextLength, 131);
    using ann = model.context({ cacheGroup: "ann" });
    const { timings } = await ann.generate([...idsOf(130), 1], { maxTokens: 1 }).result();
    assert.equal(timings.cachedTokens, 130);
    await refused(model.restore(snapshot, { contextLength: 129 }), "model/context-full", /130 ids.*129/);
  });

  test("comes between what computes when that has all pages, and changes none of it", async () => {
    await using model = await open({ kvPositions: 256, threads: 2 });
    await using source = await open();
    const snapshots = [await saved(source, idsOf(199)), await saved(source, idsOf(120, 5))];
    const options = { maxTokens: 40, temperature: 0, ignoreEnd: true } as const,
      prompts = [3, 4, 5, 6].map((from) => idsOf(150, from));
    const replies = prompts.map((prompt) => model.context().generate(prompt, options).result());
    for (const snapshot of [...snapshots, ...snapshots, ...snapshots]) {
      using context = await model.restore(snapshot);
      assert.ok(context.ids.length > 0);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    for (const [i, reply] of replies.entries())
      assert.deepEqual((await reply).ids, (await source.generate(prompts[i]!, options).result()).ids);
    using later = await model.restore(snapshots[0]!);
    assert.equal(later.cachedIds.length, 199);
  });

  test("stops with its signal, the context and the model", async () => {
    const model = await open();
    const snapshot = await saved(model, idsOf(10));
    const signal = AbortSignal.abort();
    await refused(model.restore(snapshot, { signal }), "aborted", /signal/);
    const context: Context = model.context();
    await refused(context.save({ signal }), "aborted", /signal/);
    context.close();
    await refused(context.save(), "model/closed", /context was closed/);
    await refused(model.restore(snapshot, JSON.parse('{"contextLenght":3}')), "option/unknown", /contextLength/);
    await refused(model.restore(JSON.parse("[]")), "option/invalid", /Uint8Array/);
    await model.close();
    await refused(model.restore(snapshot), "model/closed", /closed/);
  });
});

describe("a saved context is refused", () => {
  test("with any bit flipped: 10,000 of them, and each of its head", async () => {
    await using model = await open();
    const snapshot = await saved(model, idsOf(70)),
      random = seededRandom(7),
      headBits = (HEADER_BYTES + idBytes(70)) * 8;
    for (let i = 0; i < 10_000; i++) {
      const bit = i < headBits ? i : random.u32() % (snapshot.length * 8);
      snapshot[bit >> 3]! ^= 1 << (bit & 7);
      await assert.rejects(model.restore(snapshot), ({ code }: OnebitError) => code.startsWith("snapshot/"), `${bit}`);
      snapshot[bit >> 3]! ^= 1 << (bit & 7);
    }
    assert.ok(headBits < 10_000);
    using _ = await model.restore(snapshot);
    assert.equal(model.cachedIds.length, 0);
  });

  test("when it is cut, longer, or something else", async () => {
    await using model = await open();
    const snapshot = await saved(model, idsOf(70));
    for (const n of [0, 7, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 4, snapshot.length - 8, snapshot.length - 1])
      await refused(model.restore(snapshot.subarray(0, n)), "snapshot/corrupt", /wanted/);
    const longer = new Uint8Array(snapshot.length + 8);
    longer.set(snapshot);
    await refused(model.restore(longer), "snapshot/corrupt", /found/);
    await refused(model.restore(bytes), "snapshot/corrupt", /context\.save/);
  });

  test("by a model with other numbers", async () => {
    await using model = await open();
    const snapshot = await saved(model, idsOf(70));
    const changed = (choices: Partial<GgufChoices>) => ggufBytes(SHAPE, { ...CHOICES, ...choices });
    const flip = (tensor: string) => ({
      damage: (name: string, data: Uint8Array) => void (name === tensor && (data[10]! ^= 1)),
    });
    const others: Readonly<Record<string, Promise<Uint8Array>>> = {
      "one code": changed(flip("blk.1.ffn_down.weight")),
      "an embedding": changed(flip("token_embd.weight")),
      "a norm": changed(flip("output_norm.weight")),
      "the head": changed(flip("output.weight")),
      "rope's base": changed({ keys: { ...CHOICES.keys, "rope.freq_base": value("float32", 10_001) } }),
      "rope's scaling": changed({
        keys: {
          ...CHOICES.keys,
          "rope.scaling.type": value("string", "linear"),
          "rope.scaling.factor": value("float32", 2),
        },
      }),
      "the norm's epsilon": changed({
        keys: { ...CHOICES.keys, "attention.layer_norm_rms_epsilon": value("float32", 1e-6) },
      }),
      "a scale of another type": changed({ body: "TQ1_0" }),
    };
    for (const [what, file] of Object.entries(others)) {
      await using other = await open({}, await file);
      await refused(other.restore(snapshot), "snapshot/mismatch", /another model/);
      assert.ok(what);
    }
    for (const options of [{ dense: "q8" }, { activationMode: "token" }] as const) {
      await using other = await open(options);
      await refused(other.restore(snapshot), "snapshot/mismatch", /dense/);
    }
    await using q8 = await open({ kvType: "q8" });
    await refused(q8.restore(snapshot), "snapshot/mismatch", /type f32.*q8/);
  });

  test("but not by one that only computes or is named otherwise", async () => {
    await using model = await open();
    const snapshot = await saved(model, idsOf(70));
    const named = await ggufBytes(SHAPE, {
      ...CHOICES,
      keys: { ...CHOICES.keys, "general.name": value("string", "another name"), context_length: value("uint32", 400) },
    });
    const others = [open({}, named), ...(["tables", "dot"] as const).map((ternaryKernel) => open({ ternaryKernel }))];
    for (const each of [...others, open({ kvPositions: 999, contextLength: 77 })]) {
      await using other = await each;
      using context = await other.restore(snapshot);
      assert.equal(context.cachedIds.length, 70);
    }
  });
});
