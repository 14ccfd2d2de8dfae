/**
 * Packed layers and learned ones, one thread and several: the same bits on both sides of every threshold of the kernels
 * (tests/kernels/thresholds.ts).
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BitFeedForward } from "../../src/nn/bit-feed-forward.ts";
import { BitLinear } from "../../src/nn/bit-linear.ts";
import { BitMGQA } from "../../src/nn/bit-mgqa.ts";
import { BitNetTransformer } from "../../src/nn/bit-net-transformer.ts";
import { ids } from "../../src/nn/nd-array.ts";
import { ACTIVATION_BITS, type ActivationBits, WEIGHT_BITS, type WeightBits } from "../../src/nn/projection.ts";
import { Runtime } from "../../src/nn/runtime.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { sizesAround } from "../kernels/thresholds.ts";
import { assertSameBits, randomArray } from "./arrays.ts";

interface Bits {
  readonly weightBits: WeightBits;
  readonly activationBits: ActivationBits;
}

const THREADS = [1, 2, 3, 4] as const;
const ROWS_MAX = 130;
const EVERY_ROW_COUNT = Array.from({ length: ROWS_MAX }, (_, i) => i + 1);
const ROWS = sizesAround("rows", ROWS_MAX);
const ALL_BITS: readonly Bits[] = WEIGHT_BITS.flatMap((weightBits) =>
  ACTIVATION_BITS.map((activationBits) => ({ weightBits, activationBits })),
);
const PACKABLE = ALL_BITS.filter(({ weightBits, activationBits }) => weightBits !== 32 && activationBits !== 32);

/** One for each number of threads. */
let runtimes: readonly Runtime[] = [];
before(async () => {
  runtimes = await Promise.all(THREADS.map((threads) => Runtime.open({ threads, platform: nodePlatform() })));
});
after(() => Promise.all(runtimes.map((runtime) => runtime.close())));

const nameOf = ({ weightBits, activationBits }: Bits): string => `${weightBits} × ${activationBits} bits`;

/** A layer on each runtime, with the same parameters: those of the seed. */
function onEach<L>(make: (runtime: Runtime) => L): readonly (readonly [threads: number, layer: L])[] {
  return runtimes.map((runtime) => [runtime.threads, make(runtime)] as const);
}

/** Each packed layer, and each learned one where `learned` says so, gives what the first learned one gives. */
function compareLinear(
  inFeatures: number,
  outFeatures: number,
  bits: Bits,
  rowCounts: readonly number[],
  learned: (rows: number) => boolean,
): void {
  const layers = onEach((runtime) => new BitLinear(inFeatures, outFeatures, { ...bits, runtime, seed: 3 }).eval());
  const packed = PACKABLE.includes(bits) ? layers.map(([threads, layer]) => [threads, layer.pack()] as const) : [];
  for (const rows of rowCounts) {
    const x = randomArray([rows, inFeatures], rows),
      wanted = layers[0][1].forward(x).data;
    for (const [threads, layer] of packed)
      assertSameBits(layer.forward(x).data, wanted, `packed, ${rows} rows, ${threads} threads`);
    for (const [threads, layer] of learned(rows) ? layers.slice(1) : [])
      assertSameBits(layer.forward(x).data, wanted, `learned, ${rows} rows, ${threads} threads`);
  }
  for (const [, layer] of [...layers, ...packed]) layer.close();
}

for (const bits of ALL_BITS) {
  describe(nameOf(bits), () => {
    test(`BitLinear of 1 to ${ROWS_MAX} rows`, () =>
      compareLinear(72, 40, bits, EVERY_ROW_COUNT, (rows) => ROWS.includes(rows)));

    test("BitLinear of rows and columns around every threshold", () => {
      const few = PACKABLE.includes(bits) ? [1, 3] : [3];
      for (const outFeatures of sizesAround("outputs", 1100)) compareLinear(34, outFeatures, bits, few, () => true);
      for (const inFeatures of sizesAround("columns", 4200)) compareLinear(inFeatures, 5, bits, few, () => true);
      compareLinear(512, 400, bits, [31, 32, 33, 64], () => true);
      compareLinear(2600, 300, bits, [15, 16, 17, 32, 64], () => true);
    });

    test("whole blocks and transformers of rows around every threshold", () => {
      const layers = onEach((runtime) => ({
        feedForward: new BitFeedForward(48, {
          ...bits,
          runtime,
          glu: true,
          activation: "relu2",
          postActNorm: "rms",
          seed: 4,
        }).eval(),
        attention: new BitMGQA(64, 4, 2, { ...bits, runtime, causal: true, seed: 5 }).eval(),
        transformer: new BitNetTransformer({
          numTokens: 40,
          dim: 32,
          depth: 2,
          heads: 4,
          kvHeads: 2,
          ffMult: 2,
          ...bits,
          runtime,
          seed: 6,
        }).eval(),
      }));
      const [, first] = layers[0];
      const others = PACKABLE.includes(bits)
        ? layers.map(
            ([threads, { feedForward, attention, transformer }]) =>
              [
                `packed, ${threads} threads`,
                { feedForward: feedForward.pack(), attention: attention.pack(), transformer: transformer.pack() },
              ] as const,
          )
        : layers.slice(1).map(([threads, each]) => [`learned, ${threads} threads`, each] as const);
      for (const rows of ROWS) {
        const x = randomArray([rows, 48], rows),
          sequence = randomArray([1, rows, 64], rows),
          tokens = ids(
            Array.from({ length: rows }, (_, i) => (i * 7 + 3) % 40),
            [1, rows],
          );
        const wanted = [
          first.feedForward.forward(x),
          first.attention.forward(sequence),
          first.transformer.forward(tokens),
        ];
        for (const [name, { feedForward, attention, transformer }] of others) {
          const found = [feedForward.forward(x), attention.forward(sequence), transformer.forward(tokens)];
          found.forEach(({ data }, i) =>
            assertSameBits(
              data,
              wanted[i].data,
              `${["feed-forward", "attention", "transformer"][i]}, ${name}, ${rows} rows`,
            ),
          );
        }
      }
    });
  });
}

describe("a cache and gradients, on both sides of every threshold of positions", () => {
  const POSITIONS = sizesAround("positions", ROWS_MAX);

  test("steps through a cache: packed and learned, each number of threads", () => {
    const bits = { weightBits: 1.58, activationBits: 8 } as const,
      length = Math.max(...POSITIONS);
    const models = onEach((runtime) =>
      new BitNetTransformer({
        numTokens: 40,
        dim: 32,
        depth: 1,
        heads: 4,
        kvHeads: 2,
        ffMult: 2,
        ...bits,
        runtime,
        seed: 6,
      }).eval(),
    );
    const all = [...models, ...models.map(([threads, model]) => [threads, model.pack()] as const)];
    const tokens = Array.from({ length: length + 2 }, (_, i) => (i * 11 + 5) % 40);
    // The prompt ends next to each threshold; two positions more follow, one by one.
    for (const size of POSITIONS) {
      let wanted: Float32Array | undefined;
      for (const [threads, model] of all) {
        const cache = model.createCache(1, length + 2),
          parts = [tokens.slice(0, size), [tokens[size]], [tokens[size + 1]]];
        const found = Float32Array.from(
          parts.flatMap((part) => [...model.step(ids(part, [1, part.length]), cache).data]),
        );
        cache.close();
        assertSameBits(found, (wanted ??= found), `${size} positions, ${threads} threads`);
      }
    }
  });

  test("gradients of sequences", () => {
    for (const length of POSITIONS) {
      const x = randomArray([2, length, 64], length),
        dy = randomArray([2, length, 64], length + 1);
      let wanted: Float32Array | undefined;
      for (const [threads, layer] of onEach((runtime) => new BitMGQA(64, 4, 2, { runtime, causal: true, seed: 5 }))) {
        layer.forward(x);
        const found = layer.backward(dy).data;
        layer.close();
        assertSameBits(found, (wanted ??= found), `${length} positions, ${threads} threads`);
      }
    }
    assert.ok(POSITIONS.length > 10);
  });
});
