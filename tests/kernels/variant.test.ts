/**
 * The choice of a build: one that an engine does not accept, or computes wrongly, is passed over for the next and
 * refused by name when it was asked for.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import relaxedBinary from "#kernels/relaxed";
import relaxedThreads from "#kernels/relaxed-threads";
import simd from "#kernels/simd";
import simdThreads from "#kernels/simd-threads";
import wabt from "wabt";
import { createMemory } from "../../src/kernels/machine.ts";
import { chooseKernels } from "../../src/kernels/variant.ts";

/** A module with the two functions of the self-test. */
async function moduleWith(heapBase: number, selfTest: string): Promise<Uint8Array<ArrayBuffer>> {
  const { parseWat } = await wabt();
  const text = `(module (import "env" "memory" (memory 1))
    (func (export "heapBase") (result i32) i32.const ${heapBase})
    (func (export "dotKind") (param i32) (result i32) i32.const 0)
    (func (export "selfTest") (param i32) (result i32) ${selfTest}))`;
  return new Uint8Array(parseWat("test.wat", text).toBinary({}).buffer);
}

const REFUSED = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 255);
let right: Uint8Array<ArrayBuffer>, wrong: Uint8Array<ArrayBuffer>, tooLarge: Uint8Array<ArrayBuffer>;
before(async () => {
  right = await moduleWith(1024, "i32.const 0");
  wrong = await moduleWith(1024, "i32.const 5");
  tooLarge = await moduleWith(65_537, "i32.const 0");
});

const all = (relaxed: Uint8Array<ArrayBuffer>, baseline: Uint8Array<ArrayBuffer>) => ({
  relaxed,
  simd: baseline,
  "relaxed-threads": relaxed,
  "simd-threads": baseline,
});

describe("choosing a build of the kernels", () => {
  test("the relaxed one where it is right, the baseline otherwise", async () => {
    assert.equal((await chooseKernels(all(right, right), false)).variant, "relaxed");
    assert.equal((await chooseKernels(all(wrong, right), false)).variant, "simd");
    assert.equal((await chooseKernels(all(REFUSED, right), false)).variant, "simd");
    assert.equal((await chooseKernels(all(tooLarge, right), false)).variant, "simd");
  });

  test("none is right: engine/unsupported; the one asked for is wrong: engine/self-test-failed", async () => {
    await assert.rejects(chooseKernels(all(REFUSED, REFUSED), false), {
      name: "OnebitError",
      code: "engine/unsupported",
    });
    await assert.rejects(chooseKernels(all(wrong, wrong), false), { code: "engine/unsupported" });
    await assert.rejects(chooseKernels(all(wrong, right), false, "relaxed"), {
      code: "engine/self-test-failed",
      message: /"relaxed".*another variant/,
    });
    await assert.rejects(chooseKernels(all(right, REFUSED), false, "simd"), {
      code: "engine/unsupported",
      message: /"simd"/,
    });
    assert.equal((await chooseKernels(all(wrong, right), false, "simd")).variant, "simd");
  });

  test("ours pass their own test on this engine, where it accepts them", async () => {
    const ours = { simd, relaxed: relaxedBinary, "simd-threads": simdThreads, "relaxed-threads": relaxedThreads };
    for (const threads of [false, true]) {
      assert.equal((await chooseKernels(ours, threads, "simd")).threads, threads);
      assert.equal(
        (await chooseKernels(ours, threads)).variant,
        WebAssembly.validate(relaxedBinary) ? "relaxed" : "simd",
      );
    }
  });

  test("a compiled module does as well as bytes: runtimes that cannot compile have only those", async () => {
    const module = await WebAssembly.compile(simd);
    const chosen = await chooseKernels({ ...all(REFUSED, simd), simd: module }, false);
    assert.equal(chosen.module, module);
  });
});

test("memory is whole pages and cannot grow", () => {
  const memory = createMemory(65_537, false);
  assert.equal(memory.buffer.byteLength, 131_072);
  assert.throws(() => memory.grow(1));
  assert.ok(createMemory(1, true).buffer instanceof SharedArrayBuffer);
  assert.throws(() => createMemory(2 ** 33, false), { name: "OnebitError", code: "model/not-enough-memory" });
});
