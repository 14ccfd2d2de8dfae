/** Every operation of a graph: its value and its gradients against double precision and central differences. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRotaryTable } from "../../src/nn/rotary-table.ts";
import * as ops from "../../src/nn/ops.ts";
import { Parameter } from "../../src/nn/parameter.ts";
import { Runtime } from "../../src/nn/runtime.ts";
import { Tape } from "../../src/nn/tape.ts";
import type { Tensor } from "../../src/nn/tensor.ts";
import { randomArray, relativeError } from "./arrays.ts";
import * as exact from "./exact-ops.ts";

const VALUE_ERROR_MAX = 1e-5,
  GRADIENT_ERROR_MAX = 1e-4;

interface Case {
  /** Shapes of what flows in, and of what is learned. */
  readonly inputs: readonly (readonly number[])[];
  readonly parameters?: readonly (readonly number[])[];
  readonly record: (tape: Tape, inputs: readonly Tensor[], parameters: readonly Tensor[]) => Tensor;
  readonly exact: (inputs: readonly exact.Values[], parameters: readonly exact.Values[]) => exact.Values;
}

/** Runs forward and backward twice: the gradients of parameters add up, those of inputs do not. */
function check(runtime: Runtime, { inputs, parameters = [], record, exact: reference }: Case): void {
  const xs = inputs.map((shape, i) => randomArray(shape, i + 1)),
    ws = parameters.map((shape, i) => randomArray(shape, i + 50));
  const learned = ws.map(({ data, shape }, i) => {
    const parameter = new Parameter(runtime, `w${i}`, shape);
    parameter.set(data);
    return parameter;
  });
  const tape = new Tape(runtime),
    tensors = inputs.map((shape) => tape.input(shape, { needsGradient: true }));
  const out = record(
    tape,
    tensors,
    learned.map((parameter) => tape.parameter(parameter)),
  );
  const graph = tape.compile({ outputs: [out], seeds: [out] }),
    { data: dy } = randomArray([out.size], 99);
  const x64 = xs.map(({ data }) => Float64Array.from(data)),
    w64 = ws.map(({ data }) => Float64Array.from(data));
  for (let pass = 1; pass <= 2; pass++) {
    tensors.forEach((tensor, i) => graph.f32(tensor).set(xs[i].data));
    graph.forward();
    const value = relativeError(graph.f32(out), reference(x64, w64));
    assert.ok(value < VALUE_ERROR_MAX, `value: error ${value}`);
    graph.gradient(out).set(dy);
    graph.backward();
    const close = (found: Float32Array, wanted: exact.Values, what: string) => {
      // What is zero by its nature (queries of one position) differences find to about 1e-10.
      const isZero = wanted.every((g) => Math.abs(g) < 1e-8),
        error = isZero ? Math.max(...found.map(Math.abs)) : relativeError(found, wanted);
      assert.ok(error < GRADIENT_ERROR_MAX, `gradient of ${what}, pass ${pass}: error ${error}`);
    };
    tensors.forEach((tensor, i) =>
      close(
        graph.gradient(tensor),
        exact.differences(x64[i], (v) => exact.dot(reference(x64.with(i, v), w64), dy)),
        `input ${i}`,
      ),
    );
    learned.forEach((parameter, i) => {
      const wanted = exact.differences(w64[i], (v) => exact.dot(reference(x64, w64.with(i, v)), dy));
      close(
        parameter.gradient,
        wanted.map((g) => g * pass),
        `parameter ${i}`,
      );
    });
  }
  graph.free();
  learned.forEach((parameter) => parameter.free());
}

describe("operations", () => {
  const runtime = new Runtime();

  for (const [n, k, outputs] of [
    [5, 12, 7],
    [1, 3, 1],
    [9, 8, 16],
  ] as const) {
    test(`linear with a bias, (${n}, ${k}) → ${outputs}`, () => {
      check(runtime, {
        inputs: [[n, k]],
        parameters: [[outputs, k], [outputs]],
        record: (tape, [x], [w, b]) => ops.linear(tape, x, w, b),
        exact: ([x], [w, b]) => exact.linear(x, w, k, b),
      });
    });
  }

  test("linear, longer than a block of k and wider than one of columns", () => {
    check(runtime, {
      inputs: [[2, 400]],
      parameters: [[3, 400]],
      record: (tape, [x], [w]) => ops.linear(tape, x, w),
      exact: ([x], [w]) => exact.linear(x, w, 400),
    });
    check(runtime, {
      inputs: [[2, 5]],
      parameters: [[270, 5]],
      record: (tape, [x], [w]) => ops.linear(tape, x, w),
      exact: ([x], [w]) => exact.linear(x, w, 5),
    });
  });

  test("embed, an id several times", () => {
    const ids = [3, 0, 3, 6, 3];
    const table = new Parameter(runtime, "table", [7, 6]),
      values = randomArray([7, 6], 1).data,
      dy = randomArray([5, 6], 2).data;
    table.set(values);
    const tape = new Tape(runtime),
      input = tape.input([5]),
      out = ops.embed(tape, input, tape.parameter(table));
    const graph = tape.compile({ outputs: [out], seeds: [out] });
    graph.i32(input).set(ids);
    graph.forward();
    assert.equal(relativeError(graph.f32(out), exact.embed(ids, Float64Array.from(values), 6)), 0);
    graph.gradient(out).set(dy);
    graph.backward();
    const wanted = exact.differences(Float64Array.from(values), (v) => exact.dot(exact.embed(ids, v, 6), dy));
    assert.ok(relativeError(table.gradient, wanted) < GRADIENT_ERROR_MAX);
  });

  for (const dim of [8, 13, 3]) {
    test(`RMSNorm and LayerNorm over ${dim}`, () => {
      check(runtime, {
        inputs: [[4, dim]],
        parameters: [[dim]],
        record: (tape, [x], [w]) => ops.rmsNorm(tape, x, w, 1e-5),
        exact: ([x], [w]) => exact.rmsNorm(x, w, 1e-5),
      });
      check(runtime, {
        inputs: [[4, dim]],
        parameters: [[dim], [dim]],
        record: (tape, [x], [w, b]) => ops.layerNorm(tape, x, w, b, 1e-5),
        exact: ([x], [w, b]) => exact.layerNorm(x, w, b, 1e-5),
      });
    });
  }

  test("a norm whose gain flows in", () => {
    check(runtime, {
      inputs: [[4, 8], [8]],
      record: (tape, [x, w]) => ops.rmsNorm(tape, x, w, 1e-5),
      exact: ([x, w]) => exact.rmsNorm(x, w, 1e-5),
    });
  });

  for (const kind of ["silu", "relu2", "gelu"] as const) {
    test(`${kind}, alone and as a gate`, () => {
      check(runtime, {
        inputs: [[5, 7]],
        record: (tape, [x]) => ops.activate(tape, kind, x),
        exact: ([x]) => x.map(exact.ACTIVATIONS[kind]),
      });
      check(runtime, {
        inputs: [
          [3, 9],
          [3, 9],
        ],
        record: (tape, [x, up]) => ops.gate(tape, kind, x, up),
        exact: ([x, up]) => x.map((v, i) => exact.ACTIVATIONS[kind](v) * up[i]),
      });
      // One value as gate and as what is gated: its gradients meet.
      check(runtime, {
        inputs: [[3, 9]],
        record: (tape, [x]) => ops.gate(tape, kind, x, x),
        exact: ([x]) => x.map((v) => exact.ACTIVATIONS[kind](v) * v),
      });
    });
  }

  test("add, of two and of the same", () => {
    check(runtime, {
      inputs: [
        [3, 5],
        [3, 5],
      ],
      record: (tape, [a, b]) => ops.add(tape, a, b),
      exact: ([a, b]) => a.map((v, i) => v + b[i]),
    });
    check(runtime, {
      inputs: [[3, 5]],
      record: (tape, [a]) => ops.add(tape, a, a),
      exact: ([a]) => a.map((v) => 2 * v),
    });
  });

  test("dropout: the mask of the backward pass is that of the forward pass", () => {
    const state = runtime.allocate(8, "state");
    runtime.i32(state, 2).set([77, 1]);
    check(runtime, {
      inputs: [[6, 11]],
      record: (tape, [x]) => ops.dropout(tape, x, 0.4, { address: state }, 5),
      exact: ([x]) => exact.dropout(x, 0.4, 77, 5),
    });
    runtime.i32(state, 2).set([77, 0]);
    check(runtime, {
      inputs: [[6, 11]],
      record: (tape, [x]) => ops.dropout(tape, x, 0.4, { address: state }, 5),
      exact: ([x]) => x,
    });
    assert.throws(() => ops.dropout(new Tape(runtime), new Tape(runtime).input([1]), 1, { address: state }, 0), {
      code: "train/bad-option",
    });
  });

  test("rotate, behind a product: it works in place", () => {
    const table = createRotaryTable(runtime, 5, 16, 10_000);
    check(runtime, {
      inputs: [[10, 4]],
      parameters: [[32, 4]],
      record: (tape, [x], [w]) => ops.rotate(tape, ops.linear(tape, x, w), table, 5, 16),
      exact: ([x], [w]) => exact.rotate(exact.linear(x, w, 4), 32, 5, 16, 10_000),
    });
  });

  for (const [length, nHeads, nKvHeads, causal] of [
    [6, 4, 2, true],
    [5, 2, 2, false],
    [9, 3, 1, true],
    [1, 1, 1, true],
  ] as const) {
    test(`attention of ${nHeads} heads over ${nKvHeads}, ${length} positions, ${causal ? "causal" : "all"}`, () => {
      const sizes = { length, nHeads, nKvHeads, headDim: 8, causal },
        n = 2 * length;
      check(runtime, {
        inputs: [
          [n, nHeads * 8],
          [n, nKvHeads * 8],
          [n, nKvHeads * 8],
        ],
        record: (tape, [q, k, v]) => ops.attention(tape, q, k, v, sizes),
        exact: ([q, k, v]) => exact.attention(q, k, v, sizes).out,
      });
    });
  }

  test("attention of a value to itself: three gradients meet", () => {
    const sizes = { length: 4, nHeads: 2, nKvHeads: 2, headDim: 8, causal: true };
    check(runtime, {
      inputs: [[8, 16]],
      record: (tape, [x]) => ops.attention(tape, x, x, x, sizes),
      exact: ([x]) => exact.attention(x, x, x, sizes).out,
    });
  });

  test("cross-entropy, targets that do not count among them", () => {
    const vocabulary = 11,
      targets = [3, -1, 0, 10, 5],
      scale = 0.25;
    const logits = randomArray([5, vocabulary], 1, 3),
      tape = new Tape(runtime),
      input = tape.input([5, vocabulary], { needsGradient: true }),
      ids = tape.input([5]);
    const { total } = ops.crossEntropy(tape, input, ids, scale),
      graph = tape.compile({ outputs: [total], fromLoss: true });
    graph.f32(input).set(logits.data);
    graph.i32(ids).set(targets);
    graph.forwardBackward();
    const wanted = (v: exact.Values) => exact.crossEntropy(v, targets, vocabulary),
      x64 = Float64Array.from(logits.data);
    const [sum, count] = runtime.f64(total.address, 2);
    assert.equal(count, 4);
    assert.ok(Math.abs(sum - wanted(x64)) < 1e-5 * sum);
    assert.ok(
      relativeError(
        graph.gradient(input),
        exact.differences(x64, (v) => wanted(v) * scale),
      ) < GRADIENT_ERROR_MAX,
    );
  });

  test("a value with two readers gets the gradients of both", () => {
    check(runtime, {
      inputs: [[4, 6]],
      parameters: [
        [6, 6],
        [6, 6],
      ],
      record: (tape, [x], [a, b]) => {
        const h = ops.linear(tape, x, a);
        return ops.add(tape, ops.add(tape, ops.activate(tape, "silu", h), ops.linear(tape, h, b)), h);
      },
      exact: ([x], [a, b]) => {
        const h = exact.linear(x, a, 6),
          y = exact.linear(h, b, 6);
        return h.map((v, i) => exact.ACTIVATIONS.silu(v) + y[i] + v);
      },
    });
  });
});
