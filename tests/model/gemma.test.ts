/**
 * Gemma 3 besides what `tests/conformance` compares with the exact pass and `ways-to-run.test.ts` with itself: folders,
 * windows over several pages of the cache, all that a file says matters, and what is refused.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { type LoadModelOptions, load } from "../../src/load.ts";
import type { Model } from "../../src/model.ts";
import { refused, refusedFolder, without } from "../hostile/refused-model.ts";
import { type GgufChoices, ggufBytes, value } from "./gguf-bytes.ts";
import { hfFolder } from "./hf-folder.ts";
import { VARIANTS, assertSameBits, logitsOf, relativeError } from "./logits.ts";
import { FOLDER, memoryPlatform } from "./memory-platform.ts";
import { assertEachMatters, tensorPerturbations } from "./perturbations.ts";
import type { TinyShape } from "./tiny-model.ts";

const SHAPE: TinyShape = {
  nEmbd: 64,
  nLayers: 3,
  nHeads: 4,
  nKvHeads: 1,
  headDim: 32,
  nFf: 96,
  nVocab: 70,
  tied: true,
  qkNorm: true,
  postNorms: true,
};
const SLIDES = [true, false, true];
const KEYS = {
  "attention.sliding_window": value("uint32", 8),
  "attention.sliding_window_pattern": value("bool[]", SLIDES),
  "rope.freq_base": value("float32", 1e6),
} as const;
const GEMMA3: GgufChoices = { architecture: "gemma3", keys: KEYS };
/** The same in a folder's config. */
const CONFIG = {
  sliding_window: 8,
  layer_types: SLIDES.map((slides) => (slides ? "sliding_attention" : "full_attention")),
  rope_theta: 1e6,
};

describe("folders give the bits of files", () => {
  const twins: Readonly<
    Record<string, readonly [config: Readonly<Record<string, unknown>>, keys: GgufChoices["keys"]]>
  > = {
    "types of layers": [CONFIG, KEYS],
    "a pattern": [
      { sliding_window: 8, sliding_window_pattern: 2, rope_local_base_freq: 777 },
      {
        ...KEYS,
        "attention.sliding_window_pattern": value("uint32", 2),
        "rope.freq_base_swa": value("float32", 777),
      },
    ],
    "a window of null": [{ ...CONFIG, sliding_window: null }, { "rope.freq_base": value("float32", 1e6) }],
    "transformers' own window, pattern and bases": [
      { rope_theta: undefined },
      { "attention.sliding_window": value("uint32", 4096), "rope.freq_base": value("float32", 1e6) },
    ],
    scaling: [
      { ...CONFIG, rope_scaling: { rope_type: "linear", factor: 8 } },
      {
        ...KEYS,
        "rope.scaling.type": value("string", "linear"),
        "rope.scaling.factor": value("float32", 8),
      },
    ],
    "rotary parameters of each type": [
      {
        ...CONFIG,
        rope_theta: undefined,
        rope_parameters: {
          full_attention: { rope_type: "linear", rope_theta: 5e5, factor: 4 },
          sliding_attention: { rope_type: "default", rope_theta: 2000 },
        },
      },
      {
        ...KEYS,
        "rope.freq_base": value("float32", 5e5),
        "rope.freq_base_swa": value("float32", 2000),
        "rope.scaling.factor": value("float32", 4),
      },
    ],
  };
  for (const [what, [config, keys]] of Object.entries(twins)) {
    test(what, async () => {
      const folder = await hfFolder(SHAPE, { modelType: "gemma3_text", config: { rope_theta: 1e6, ...config } }),
        wanted = await logitsOf(await ggufBytes(SHAPE, { ...GEMMA3, keys }));
      assertSameBits(await logitsOf(folder, { dense: "keep" }), wanted, what);
    });
  }

  test("another scale of attention", async () => {
    const of = async (scalar: number) =>
      await logitsOf(
        await hfFolder(SHAPE, { modelType: "gemma3_text", config: { ...CONFIG, query_pre_attn_scalar: scalar } }),
      );
    assert.ok(relativeError(await of(16), await of(32)) > 1e-3);
    const folder = await hfFolder(SHAPE, {
      modelType: "gemma3_text",
      config: { ...CONFIG, query_pre_attn_scalar: 168 },
    });
    await using model = await load(FOLDER, { threads: 1, platform: memoryPlatform(folder) });
    assert.equal(model.config.attentionScale, 1 / Math.sqrt(168));
    assert.equal(model.config.embeddingScale, 8);
  });
});

describe("a window over several pages of the cache", () => {
  const CONTEXT = 260,
    WIDE: GgufChoices = {
      ...GEMMA3,
      keys: { ...KEYS, context_length: value("uint32", 512), "attention.sliding_window": value("uint32", 70) },
    };
  const ids = Array.from({ length: 230 }, (_, i) => (i * 29 + ((i * i) % 7)) % SHAPE.nVocab);
  let bytes: Uint8Array = new Uint8Array();
  before(async () => void (bytes = await ggufBytes(SHAPE, WIDE)));
  const open = (options: LoadModelOptions = {}): Promise<Model> =>
    load(bytes, { threads: 1, contextLength: CONTEXT, ...options });
  const lastOf = async (model: Model, some: readonly number[]): Promise<Float32Array> =>
    (await model.logits(some)).slice(-model.vocabSize);

  for (const kvType of ["f32", "q8"] as const) {
    test(`${kvType}: what is before the window changes no bit, what is at its beginning does`, async () => {
      // One layer, which slides: deeper ones see further through others.
      const one = await ggufBytes(
        { ...SHAPE, nLayers: 1 },
        { ...WIDE, keys: { ...WIDE.keys, "attention.sliding_window_pattern": value("bool[]", [true]) } },
      );
      await using model = await load(one, { threads: 1, contextLength: CONTEXT, kvType });
      for (const n of [71, 128, 130, 200, 230]) {
        const some = ids.slice(0, n),
          wanted = await lastOf(model, some);
        const changed = (at: number) => some.map((id, i) => (i === at ? (id + 1) % SHAPE.nVocab : id));
        assertSameBits(await lastOf(model, changed(n - 71)), wanted, `${n} ids, before the window`);
        assert.notDeepEqual(await lastOf(model, changed(n - 70)), wanted, `${n} ids, at its beginning`);
      }
    });

    test(`${kvType}: whole, one by one, in pieces, by threads and builds: the same bits`, async () => {
      await using first = await open({ kvType });
      const wanted = await lastOf(first, ids);
      for (const variant of VARIANTS) {
        for (const threads of [1, 2]) {
          await using model = await open({ kvType, variant, threads });
          assertSameBits(await lastOf(model, ids), wanted, `${variant}, ${threads} threads`);
          for (const piece of [1, 37, 64]) {
            using context = model.context({ cacheGroup: `${piece}` });
            let found: Float32Array = new Float32Array();
            for (let n = piece; n - piece < ids.length; n += piece) found = await context.logits(ids.slice(0, n));
            assertSameBits(found, wanted, `${variant}, ${threads} threads, pieces of ${piece}`);
          }
        }
      }
    });

    test(`${kvType}: contexts that share, fork, forget and are restored`, async () => {
      await using fresh = await open({ kvType });
      await using model = await open({ kvType, kvPositions: 1000 });
      const other = ids.map((id, i) => (i < 150 ? id : (id + 3) % SHAPE.nVocab)),
        wanted = await lastOf(fresh, ids),
        wantedOther = await lastOf(fresh, other);
      using first = model.context();
      assertSameBits(await first.logits(ids), wanted, "first");
      using shared = model.context();
      // Both at once, one of them behind a beginning that the other has read.
      const [again, apart] = await Promise.all([first.logits(ids), shared.logits(other)]);
      assertSameBits(again, wanted, "again");
      assertSameBits(apart, wantedOther, "behind a shared beginning");
      using fork = first.fork();
      await fork.truncate(150);
      assertSameBits(await fork.logits(other), wantedOther, "a fork, cut");
      await first.truncate(77);
      assertSameBits(await first.logits(ids), wanted, "cut and read again");
      using restored = await fresh.restore(await shared.save());
      assert.deepEqual(restored.cachedIds, other);
      const longer = [...other, 5];
      assertSameBits(await restored.logits(longer), await lastOf(model, longer), "restored");
    });
  }
});

test("all that a file says matters", async () => {
  await assertEachMatters(SHAPE, GEMMA3, {
    ...tensorPerturbations(SHAPE),
    "a wider window": { keys: { "attention.sliding_window": value("uint32", 9) } },
    "no window": { keys: { "attention.sliding_window": undefined } },
    "another pattern": { keys: { "attention.sliding_window_pattern": value("bool[]", [true, true, false]) } },
    "a number as the pattern": { keys: { "attention.sliding_window_pattern": value("uint32", 3) } },
    "the base of layers that see all": { keys: { "rope.freq_base": value("float32", 1e5) } },
    "the base of those that slide": { keys: { "rope.freq_base_swa": value("float32", 1e5) } },
    "rotary scaling": { keys: { "rope.scaling.factor": value("float32", 8) } },
    "rope.dimension_count": { keys: { "rope.dimension_count": value("uint32", 16) } },
    "attention.layer_norm_rms_epsilon": { keys: { "attention.layer_norm_rms_epsilon": value("float32", 0.1) } },
    hidden_activation: { keys: { hidden_activation: value("string", "silu") } },
  });
});

describe("refused by name", () => {
  const shape: Partial<TinyShape> = { ...SHAPE, subNorms: false };
  const keys = (more: GgufChoices["keys"]): GgufChoices => ({ ...GEMMA3, keys: { ...KEYS, ...more } });

  test("norms that are missing", async () => {
    for (const name of ["blk.2.post_attention_norm.weight", "blk.0.post_ffw_norm.weight", "blk.1.attn_q_norm.weight"])
      await refused(
        { ...GEMMA3, tensors: without(name) },
        "model/missing-tensor",
        new RegExp(name.replaceAll(".", "\\.")),
        name,
        shape,
      );
    // What other families call the norm before the feed-forward stands, here, behind attention.
    await refusedFolder(
      {
        modelType: "gemma3_text",
        tensors: (tensors) =>
          tensors
            .filter(({ name }) => !/sub_norm/.test(name))
            .map((tensor) => ({
              ...tensor,
              name: tensor.name.replace("ffn_norm", "post_attention_norm"),
            })),
      },
      "model/missing-tensor",
      /q_norm|pre_feedforward_layernorm/,
    );
  });

  test("post-norms in a file of another family", () =>
    refused({ architecture: "qwen3" }, "model/unused-tensor", /post_attention_norm/, "", shape));

  test("patterns and windows that are none", async () => {
    const pattern = "attention.sliding_window_pattern";
    for (const [what, entry, message] of [
      ["two flags", value("bool[]", [true, false]), /each of 3 layers, found a list of 2/],
      ["numbers", value("uint32[]", [1, 0, 1]), /each of 3 layers/],
      ["no flags", value("bool[]", []), /found a list of 0/],
    ] as const)
      await refused(keys({ [pattern]: entry }), "model/bad-config", message, what, shape);
    for (const [key, entry] of [
      [pattern, value("uint32", 0)],
      [pattern, value("string", "6")],
      [pattern, value("float32", 2.5)],
      ["attention.sliding_window", value("int32", -1)],
      ["attention.sliding_window", value("float32", 8.5)],
    ] as const)
      await refused(keys({ [key]: entry }), "gguf/bad-value", /sliding_window/, key, shape);
    for (const base of [0, -1, Infinity])
      await refused(
        keys({ "rope.freq_base_swa": value("float32", base) }),
        "model/bad-config",
        /positive rotary base of its layers/,
        `${base}`,
        shape,
      );
  });

  test("softcapping, another scale, other attention", async () => {
    for (const [key, entry] of [
      ["final_logit_softcapping", value("float32", 30)],
      ["attn_logit_softcapping", value("float32", 50)],
      ["attention.scale", value("float32", 0.0625)],
      ["attention.causal", value("bool", false)],
      ["rope.scaling.alpha", value("float32", 2)],
    ] as const)
      await refused(keys({ [key]: entry }), "model/bad-config", new RegExp(key.replace(".", "\\.")), key, shape);
  });

  test("members of a folder's config", async () => {
    for (const [config, message] of [
      [{ layer_types: ["sliding_attention"] }, /layer_types/],
      [{ layer_types: ["chunked_attention", "full_attention"] }, /layer_types/],
      [{ sliding_window: 0 }, /window/],
      [{ sliding_window: -8 }, /window/],
      [{ sliding_window_pattern: 0 }, /sliding_window_pattern: wanted a positive integer/],
      [{ final_logit_softcapping: 30 }, /final_logit_softcapping/],
      [{ attn_logit_softcapping: 50 }, /attn_logit_softcapping/],
      [{ use_bidirectional_attention: true }, /use_bidirectional_attention/],
      [{ query_pre_attn_scalar: 0 }, /scale of attention/],
      [{ query_pre_attn_scalar: -4 }, /scale of attention/],
      [{ hidden_activation: "gelu" }, /hidden_activation: wanted one of/],
      [{ rope_local_base_freq: 0 }, /rotary base of its layers/],
      [
        { rope_parameters: { full_attention: {}, sliding_attention: { rope_type: "yarn", factor: 2 } } },
        /rope_parameters\.sliding_attention\.rope_type: wanted "default"/,
      ],
    ] as const)
      await refusedFolder(
        { modelType: "gemma3_text", config: { sliding_window: 8, sliding_window_pattern: 2, ...config } },
        "model/bad-config",
        message,
      );
  });

  test("the folder of a model with eyes", () =>
    refusedFolder({ modelType: "gemma3" }, "model/unsupported-architecture", /gemma3_text/));
});
