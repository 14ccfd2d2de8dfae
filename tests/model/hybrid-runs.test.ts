/** How a model with states is run changes no bit, and contexts never see each other's. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { load } from "../../src/load.ts";
import type { Model } from "../../src/model.ts";
import type { Engine } from "../../src/model/engine-interface.ts";
import type { EngineOptions } from "../../src/model/engine.ts";
import type { ChatMessage } from "../../src/generate/chat-options.ts";
import { syntheticModel } from "../synthetic/model.ts";
import { shapes } from "../synthetic/shapes.ts";
import { writeModelFile } from "../synthetic/write-file.ts";
import { openSource } from "../runtime/open-engine.ts";
import { type GgufChoices, ggufBytes, value } from "./gguf-bytes.ts";
import { HYBRID, type HybridShape, hadamardKeys, hybridChoices } from "./hybrid-model.ts";
import { VARIANTS, assertSameBits, logitsOf } from "./logits.ts";

const LONG = { context_length: value("uint32", 512) };
const WIDE: HybridShape = { ...HYBRID, nEmbd: 256, nFf: 512, nHeads: 4, nKvHeads: 2, headDim: 64, stateSize: 64 };
const ALL = Array.from({ length: 150 }, (_, i) => (i * 29 + 5 * Math.floor(i / 64)) % 64);

const MODELS: Readonly<Record<string, readonly [HybridShape, Partial<GgufChoices>]>> = {
  floats: [HYBRID, { keys: LONG }],
  "ternary, rotated": [
    { ...WIDE, nKeyHeads: 2, nValueHeads: 4 },
    { body: "PQ2_0", tables: "Q6_K", keys: { ...LONG, ...hadamardKeys({ ...WIDE, nValueHeads: 4 }, { block: 128 }) } },
  ],
};

for (const [name, [shape, choices]] of Object.entries(MODELS)) {
  describe(`the same bits: ${name}`, () => {
    let bytes: Uint8Array = new Uint8Array(),
      wanted: Float32Array = new Float32Array();
    const open = (options: EngineOptions) =>
      openSource(bytesSource(bytes), { contextLength: 256, kvPositions: 512, ...options });
    before(async () => {
      bytes = await ggufBytes(shape, hybridChoices(shape, choices));
      wanted = await using(open({ variant: "simd", threads: 1 }), (engine) => allLogits(engine, [ALL.length]));
    });

    for (const variant of VARIANTS) {
      for (const threads of [1, 2, 3]) {
        test(`${variant}, ${threads} threads: whole, one by one, in uneven pieces`, () =>
          using(open({ variant, threads }), async (engine) => {
            for (const pieces of [[ALL.length], [1], [65, 1, 3], [2, 5, 7]])
              assertSameBits(await allLogits(engine, pieces), wanted, `pieces of ${pieces.join(", ")}`);
          }));
      }
    }

    test("rows of several contexts in one walk, some with logits", () =>
      using(open({ threads: 2 }), async (engine) => {
        const [a, b] = [engine.pages.open([]), engine.pages.open([])],
          other = ALL.map((id) => (id + 7) % 64);
        const row = (t: number) => wanted.subarray(t * engine.vocabSize, (t + 1) * engine.vocabSize);
        for (let at = 0; at < 60; at += 6) {
          const [rows] = await engine.compute([
            { sequence: a, ids: ALL.slice(at, at + 6), nLogits: at % 4 },
            { sequence: b, ids: other.slice(at, at + 5), nLogits: 1 + (at % 3) },
          ]);
          rows!.forEach((found, i) => assertSameBits(found.slice(), row(at + 6 - rows!.length + i), `row ${at}, ${i}`));
        }
        for (const sequence of [a, b]) sequence.close();
      }));

    test("a sequence cut back goes on from where a state stands, or from the beginning", () =>
      using(open({ threads: 1 }), async (engine) => {
        const sequence = engine.pages.open([]);
        await engine.evaluate(ALL.slice(0, 64), sequence, { want: "none" });
        sequence.reserve(6, true);
        await engine.evaluate([...ALL.slice(64, 70), 1, 2, 3], sequence, { want: "none" });
        for (const [length, kept] of [
          [70, 64],
          [63, 0],
        ] as const) {
          sequence.truncate(length);
          assert.equal(sequence.length, kept);
          const found = await engine.evaluate(ALL.slice(kept), sequence);
          assertSameBits(found.slice(), wanted.slice(-engine.vocabSize), `after ${kept}`);
        }
      }));

    test("a stopped walk leaves no state that is half written", () =>
      using(open({ threads: 1 }), async (engine) => {
        const sequence = engine.pages.open([]);
        await engine.evaluate(ALL.slice(0, 40), sequence, { want: "none" });
        let looks = 0;
        const signal = {
          get aborted(): boolean {
            return ++looks > 3;
          },
          reason: undefined,
        };
        await assert.rejects(engine.evaluate(ALL.slice(40, 100), sequence, { signal }), { code: "aborted" });
        const found = await engine.evaluate(ALL.slice(sequence.length), sequence);
        assertSameBits(found.slice(), wanted.slice(-engine.vocabSize), "after a stop");
      }));
  });
}

describe("contexts of a model with states", () => {
  let bytes: Uint8Array = new Uint8Array();
  let model: Model;
  const fresh = async (ids: readonly number[]): Promise<Float32Array> =>
    (await logitsOf(bytes, { contextLength: 256 }, [...ids])).slice(-HYBRID.nVocab);
  before(async () => {
    bytes = await ggufBytes(HYBRID, hybridChoices(HYBRID, { keys: LONG }));
    model = await load(bytes, { threads: 1, contextLength: 256, kvPositions: 512 });
  });
  after(() => model.close());

  test("memory is planned: two states a context, and one", () => {
    const { nKeyHeads, nValueHeads, stateSize, nTaps } = HYBRID,
      rows = (nTaps - 1) * (2 * nKeyHeads + nValueHeads) * stateSize * 4,
      matrices = nValueHeads * stateSize ** 2 * 4;
    assert.equal(model.memory.stateBytes, 3 * 5 * Math.ceil((rows + matrices) / 64) * 64);
  });

  test("a prompt goes on where the state stands, and at the copy kept at its last page", async () => {
    using context = model.context();
    await context.logits(ALL.slice(0, 100));
    assert.equal(context.cachedIds.length, 100);
    assertSameBits(await context.logits(ALL.slice(0, 120)), await fresh(ALL.slice(0, 120)), "longer");
    const other = [...ALL.slice(0, 90), 9, 9, 9];
    const reply = await context.generate(other, { maxTokens: 2, temperature: 0 }).result();
    assert.equal(reply.timings.cachedTokens, 64);
    assertSameBits(await context.logits(other), await fresh(other), "another end");
    await context.truncate(80);
    assert.equal(context.cachedIds.length, 64);
    assertSameBits(await context.logits(other), await fresh(other), "truncated");
  });

  test("forks go apart", async () => {
    using context = model.context({ cacheGroup: "forks" });
    await context.logits(ALL.slice(0, 50));
    using other = context.fork();
    assert.equal(other.cachedIds.length, 50);
    const ends = [[1, 2, 3], [4, 5], [6], [7, 8, 9]];
    for (const [i, end] of ends.entries()) {
      const ids = [...ALL.slice(0, 50), ...end];
      assertSameBits(await [context, other][i % 2]!.logits(ids), await fresh(ids), `end ${end.join(" ")}`);
    }
  });

  test("contexts that compute at once, more than there are states", async () => {
    const small = await load(bytes, { threads: 2, contextLength: 256 });
    try {
      const prompts = Array.from({ length: 7 }, (_, i) => ALL.map((id) => (id + i) % 64).slice(0, 60 + 9 * i));
      const contexts = prompts.map(() => small.context());
      const replies = await Promise.all(
        prompts.map((ids, i) => contexts[i]!.generate(ids, { maxTokens: 9, temperature: 0, ignoreEnd: true }).result()),
      );
      for (const [i, { ids }] of replies.entries()) {
        const alone = await model.generate(prompts[i]!, { maxTokens: 9, temperature: 0, ignoreEnd: true }).result();
        assert.deepEqual(ids, alone.ids, `context ${i}`);
      }
    } finally {
      await small.close();
    }
  });

  test("saved and restored, also in another model of the same file, with no reading", async () => {
    using context = model.context({ cacheGroup: "saved" });
    await context.logits(ALL.slice(0, 77));
    const saved = await context.save(),
      other = await load(bytes, { threads: 2, contextLength: 128 });
    try {
      using restored = await other.restore(saved);
      assert.equal(restored.cachedIds.length, 77);
      const ids = [...ALL.slice(0, 77), 3, 1];
      assertSameBits(await restored.logits(ids), await fresh(ids), "restored");
      // Over what is there already, and where nothing was cached.
      using again = await other.restore(saved);
      assertSameBits(await again.logits(ids), await fresh(ids), "restored twice");
      using empty = await other.restore(await other.context().save());
      assertSameBits(await empty.logits(ids), await fresh(ids), "empty");
      for (const at of [saved.length - 40, 38]) {
        const damaged = saved.slice();
        damaged[at] = damaged[at]! ^ 1;
        await assert.rejects(other.restore(damaged), { code: "snapshot/corrupt" });
      }
    } finally {
      await other.close();
    }
  });

  test("guesses that may be wrong are not read", async () => {
    const prompt = Array.from({ length: 60 }, (_, i) => i % 5),
      options = { maxTokens: 20, temperature: 0, ignoreEnd: true } as const;
    const guessed = await model.generate(prompt, { ...options, speculate: "lookup" }).result();
    assert.equal(guessed.timings.speculation, undefined);
    assert.deepEqual(guessed.ids, (await model.generate(prompt, options).result()).ids);
  });
});

test("a chat that drops its oldest turns, while other contexts write", async () => {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(join("build", "hybrid-"));
  try {
    const path = join(folder, "model.gguf");
    await writeModelFile(path, syntheticModel({ ...shapes["qwen35-512"]!, nLayers: 4 }, 5));
    await using(load(path, { threads: 2, contextLength: 96, kvPositions: 192 }), async (model) => {
      const messages: ChatMessage[] = [];
      const options = { maxTokens: 12, temperature: 0, onFull: "drop-oldest", ignoreEnd: true } as const;
      let nDropped = 0;
      for (let turn = 0; turn < 8; turn++) {
        messages.push({ role: "user", content: `${turn} is one${" two".repeat(turn % 3)}` });
        using other = model.context();
        const [reply] = await Promise.all([
          model.chat(messages, options).result(),
          other.generate([turn + 1, 2, 3], { maxTokens: 9, temperature: 0, ignoreEnd: true }).result(),
        ]);
        nDropped += reply.droppedMessages;
        const ids = [...reply.promptIds, ...reply.ids].slice(0, 90);
        assertSameBits(
          await model.context({ cacheGroup: "warm" }).logits(ids),
          (await logitsOf(new Uint8Array(readFileSync(path)), { contextLength: 96 }, ids)).slice(-model.vocabSize),
          `turn ${turn}`,
        );
        const alone = await using(load(path, { threads: 1, contextLength: 96 }), (fresh) =>
          fresh.chat(messages, options).result(),
        );
        assert.deepEqual([reply.promptIds, reply.ids], [alone.promptIds, alone.ids], `turn ${turn}`);
        messages.push({ role: "assistant", content: reply.text });
      }
      assert.ok(nDropped > 0, "nothing was dropped");
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function allLogits(engine: Engine, pieces: readonly number[]): Promise<Float32Array> {
  const rows = new Float32Array(ALL.length * engine.vocabSize),
    sequence = engine.pages.open([], { isPrivate: true });
  for (let position = 0, i = 0; position < ALL.length; i++) {
    const ids = ALL.slice(position, position + pieces[i % pieces.length]!),
      begin = position;
    await engine.evaluate(ids, sequence, {
      want: "all",
      onLogits: (row, logits) => rows.set(logits, (begin + row) * engine.vocabSize),
    });
    position += ids.length;
  }
  sequence.close();
  return rows;
}

async function using<T extends { close(): Promise<void> }, R>(
  opening: Promise<T>,
  use: (opened: T) => Promise<R>,
): Promise<R> {
  const opened = await opening;
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}
