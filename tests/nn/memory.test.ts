/** Memory of graphs: values that live at once never share a byte, and sharing changes no number. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "../synthetic/random.ts";
import { BitNetTransformer } from "../../src/nn/bit-net-transformer.ts";
import { BitLinear } from "../../src/nn/bit-linear.ts";
import { BlockAllocator } from "../../src/nn/block-allocator.ts";
import { type Lifetime, placeLifetimes } from "../../src/nn/place-lifetimes.ts";
import { Runtime } from "../../src/nn/runtime.ts";
import { Tape } from "../../src/nn/tape.ts";
import { assertSameBits, randomArray } from "./arrays.ts";

describe("placeLifetimes", () => {
  const overlaps = (a: Lifetime, b: Lifetime) => a.first <= b.last && b.first <= a.last;

  for (const seed of [1, 2, 3, 4, 5]) {
    test(`300 random lifetimes, seed ${seed}`, () => {
      const random = seededRandom(seed),
        below = (n: number) => random.u32() % n;
      const lifetimes = Array.from({ length: 300 }, () => {
        const first = below(200) - 1;
        return { bytes: 1 + below(seed === 1 ? 5 : 100_000), first, last: first + below(below(4) === 0 ? 200 : 8) };
      });
      const { places, totalBytes } = placeLifetimes(lifetimes);
      lifetimes.forEach((a, i) => {
        assert.equal(places[i] % 64, 0);
        assert.ok(places[i] >= 0 && places[i] + a.bytes <= totalBytes);
        for (let j = 0; j < i; j++) {
          const apart = places[i] + a.bytes <= places[j] || places[j] + lifetimes[j].bytes <= places[i];
          assert.ok(apart || !overlaps(a, lifetimes[j]), `${i} and ${j} share memory while both are alive`);
        }
      });
      const peak = Math.max(
        ...Array.from({ length: 410 }, (_, step) =>
          lifetimes.reduce((sum, { bytes, first, last }) => sum + (first <= step && step <= last ? bytes : 0), 0),
        ),
      );
      assert.ok(totalBytes >= peak);
      if (seed !== 1) assert.ok(totalBytes < 1.5 * peak, `${totalBytes} bytes for a peak of ${peak}`);
    });
  }

  test("values one after another share one place, values alive together take separate ones", () => {
    const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 640, first: 2 * i, last: 2 * i + 1 }));
    assert.equal(placeLifetimes(chain).totalBytes, 640);
    assert.equal(placeLifetimes(chain.map((lifetime) => ({ ...lifetime, first: 0 }))).totalBytes, 6400);
    // A step reads the last of one while it writes the first of the next.
    assert.equal(
      placeLifetimes([
        { bytes: 64, first: 0, last: 3 },
        { bytes: 64, first: 3, last: 4 },
      ]).totalBytes,
      128,
    );
  });
});

describe("BlockAllocator", () => {
  test("random blocks never overlap, and freed ones are used again", () => {
    const random = seededRandom(9),
      blocks = new BlockAllocator(1000, 1e7),
      taken: { at: number; bytes: number }[] = [];
    for (let i = 0; i < 2000; i++) {
      if (taken.length > 20 || (taken.length > 0 && random.u32() % 3 === 0)) {
        blocks.free(taken.splice(random.u32() % taken.length, 1)[0].at);
        continue;
      }
      const bytes = 1 + (random.u32() % 5000),
        at = blocks.allocate(bytes, "block");
      assert.ok(at >= 1000 && at % 64 === 0);
      for (const other of taken) assert.ok(at + bytes <= other.at || other.at + other.bytes <= at);
      taken.push({ at, bytes });
    }
    assert.ok(blocks.endBytes < 1000 + 25 * 5064);
    for (const { at } of taken) blocks.free(at);
    assert.equal(blocks.takenBytes, 0);
    assert.equal(blocks.allocate(1, "first"), 1024);
  });

  test("refuses blocks beyond the limit, and takes nothing", () => {
    const blocks = new BlockAllocator(0, 1000);
    blocks.allocate(500, "first");
    assert.throws(() => blocks.allocate(500, "second"), {
      code: "train/not-enough-memory",
      message: /second: wanted 0\.000 GB/,
    });
    assert.equal(blocks.takenBytes, 512);
  });
});

describe("graphs that share memory", () => {
  /** Every value that a step names is read at the end: nothing may take its place. */
  class SpaciousTape extends Tape {
    override compile(options: Parameters<Tape["compile"]>[0]): ReturnType<Tape["compile"]> {
      return super.compile({ ...options, keepAll: true });
    }
  }

  test("give the bits of graphs that do not", () => {
    const runtime = new Runtime(),
      model = new BitNetTransformer({ numTokens: 17, dim: 32, depth: 3, heads: 2, dropout: 0.2, runtime, seed: 2 });
    const x = [3, 1, 4, 1, 5, 9, 2, 6],
      { data: dy } = randomArray([8 * 17], 3);
    const results = [Tape, SpaciousTape].map((Kind) => {
      const tape = new Kind(runtime),
        input = tape.input([2, 4]),
        out = model.record(tape, input),
        graph = tape.compile({ outputs: [out], seeds: [out] });
      model.zeroGradients();
      graph.i32(input).set(x);
      graph.forward();
      const value = graph.f32(out).slice();
      graph.gradient(out).set(dy);
      graph.backward();
      const gradients = [...model.parameters().values()].map(({ gradient }) => gradient.slice());
      graph.free();
      return { value, gradients, bytes: graph.valueBytes };
    });
    assertSameBits(results[0].value, results[1].value, "logits");
    results[0].gradients.forEach((gradient, i) => assertSameBits(gradient, results[1].gradients[i], `gradient ${i}`));
    assert.ok(results[0].bytes < 0.7 * results[1].bytes, `${results[0].bytes} of ${results[1].bytes} bytes`);
  });

  test("replace the last shape's graph", () => {
    const runtime = new Runtime(),
      layer = new BitLinear(64, 32, { runtime });
    const run = (n: number) =>
      layer.backward({ data: new Float32Array(n * 32).fill(1), shape: layer.forward(randomArray([n, 64], n)).shape });
    run(8);
    const used = runtime.usedBytes,
      first = run(8).data;
    run(512);
    assert.ok(runtime.usedBytes > used);
    assertSameBits(run(8).data, first, "the first shape again");
    assert.equal(runtime.usedBytes, used);
    layer.eval().forward(randomArray([8, 64], 8));
    assert.ok(runtime.usedBytes < used, "going forward only takes less");
  });

  test("that do not fit are refused, and the layer still works", () => {
    const runtime = new Runtime({ memoryLimitBytes: 4e6 }),
      layer = new BitLinear(64, 32, { runtime });
    assert.throws(() => layer.forward(randomArray([20_000, 64], 1)), {
      code: "train/not-enough-memory",
      message: /values of the graph/,
    });
    assert.deepEqual(layer.forward(randomArray([2, 64], 1)).shape, [2, 32]);
    assert.throws(() => new BitNetTransformer({ numTokens: 1000, dim: 512, depth: 2, runtime }), {
      code: "train/not-enough-memory",
    });
  });
});
