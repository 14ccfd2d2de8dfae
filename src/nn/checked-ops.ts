/**
 * The operations (ops.ts) for users: every argument is checked first.
 *
 * @module
 */
import {
  BOOLEAN,
  type Kind,
  type OptionTable,
  check,
  kind,
  number,
  oneOf,
  optional,
  options,
  required,
  whole,
} from "../core/options.ts";
import { RATE } from "./option-checks.ts";
import * as ops from "./ops.ts";
import { ACTIVATION_BITS, WEIGHT_BITS } from "./projection.ts";
import { TAPE } from "./tape.ts";
import { TENSOR, Tensor } from "./tensor.ts";

export type { ActivationKind, AttentionShape, Codes, DropoutState, Loss, Operand, RotaryTable } from "./ops.ts";

type Operation = (...args: never[]) => unknown;
/** A name and a kind for each argument. */
type Arguments = readonly (readonly [name: string, kind: Kind<unknown>])[];

const tape = ["tape", TAPE] as const;
const tensor = (name: string) => [name, TENSOR] as const;
const perhaps = (name: string) => [name, optional(TENSOR)] as const;
const eps = ["eps", number({ above: 0 })] as const;
const activation = ["kind", oneOf("silu", "relu2", "gelu")] as const;
const operand = (name: string) =>
  [
    name,
    kind<ops.Operand>(
      "an operand: the result of quantizeActivations or quantizeWeights, or { rows, columns, source }",
      isOperand,
    ),
  ] as const;

const ATTENTION_SHAPE: OptionTable<ops.AttentionShape> = {
  length: required(whole(1)),
  nHeads: required(whole(1)),
  nKvHeads: required(whole(1)),
  headDim: required(whole(1)),
  causal: required(BOOLEAN),
};
const DROPOUT_STATE: OptionTable<ops.DropoutState> = { address: required(whole(0)) };
const PLACE = kind<never>("an address or a Tensor", (value) => Number.isSafeInteger(value) || value instanceof Tensor);
const ROTARY_TABLE: OptionTable<ops.RotaryTable> = { cos: required(PLACE), sin: required(PLACE) };

function isOperand(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { rows, columns, source, codes } = value as Partial<ops.Operand>;
  return (
    Number.isSafeInteger(rows) &&
    Number.isSafeInteger(columns) &&
    source instanceof Tensor &&
    (codes === undefined || (codes.values instanceof Tensor && codes.scale instanceof Tensor))
  );
}

function checked<Op extends Operation>(name: string, op: Op, ...kinds: Arguments): Op {
  const call: Operation = (...args) =>
    op(...(kinds.map(([argument, kindOf], i) => check(`${name}: ${argument}`, args[i], kindOf)) as never[]));
  return call as Op;
}

/**
 * Rows of `table` (vocabulary, dim) for `ids`, i32 (n): (n, dim).
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const ids = tape.input([2]),
 *   table = tape.input([3, 2]),
 *   rows = ops.embed(tape, ids, table);
 * const graph = tape.compile({ outputs: [rows] });
 * graph.i32(ids).set([2, 0]);
 * graph.f32(table).set([1, 2, 3, 4, 5, 6]);
 * graph.forward();
 * console.log(graph.f32(rows)); // 5, 6, 1, 2
 * ```
 */
export const embed = checked("embed", ops.embed, tape, tensor("ids"), tensor("table"));
/**
 * x · Wᵀ + b in floats: x (n, in), w (out, in), b (out), which may be left out: (n, out).
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const x = tape.input([1, 2]),
 *   w = tape.input([3, 2]),
 *   y = ops.linear(tape, x, w);
 * const graph = tape.compile({ outputs: [y] });
 * graph.f32(x).set([1, 2]);
 * graph.f32(w).set([1, 0, 0, 1, 1, 1]);
 * graph.forward();
 * console.log(graph.f32(y)); // 1, 2, 3
 * ```
 */
export const linear = checked("linear", ops.linear, tape, tensor("x"), tensor("w"), perhaps("b"));
/**
 * x · Wᵀ of operands. With codes on both sides the sums are exact integers, scaled once: y = sum · (scale of the row ·
 * scale of
 * W). Gradients take quantisers as identity (straight through: Bengio et al., 2013, arXiv 1308.3432, §4): dx += dy · W,
 * dW += dyᵀ · x with the dequantised values.
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const x = tape.input([1, 4]),
 *   w = tape.input([2, 4]);
 * const y = ops.product(tape, ops.quantizeActivations(tape, x, 8), ops.quantizeWeights(tape, w, 1.58));
 * const graph = tape.compile({ outputs: [y] });
 * graph.f32(x).set([1, 2, 3, 4]);
 * graph.f32(w).set([1, 1, 1, 1, -1, -1, 1, 1]);
 * graph.forward();
 * console.log(graph.f32(y)); // about 10, 4
 * ```
 */
export const product = checked("product", ops.product, tape, operand("x"), operand("w"));
/**
 * Rows of x to integers with one scale each: 8 bits by the absmax (Ma et al., 2024, arXiv 2402.17764, §2), 1 bit by the
 * sign (Rastegari et al., 2016, arXiv 1603.05279, §3.2); 32 leaves them as they are.
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const x = tape.input([1, 2]),
 *   { codes } = ops.quantizeActivations(tape, x, 8);
 * const graph = tape.compile({ outputs: [codes!.values, codes!.scale] });
 * graph.f32(x).set([1, -2]);
 * graph.forward();
 * console.log(graph.f32(codes!.scale)); // 2 / 127
 * ```
 */
export const quantizeActivations = checked("quantizeActivations", ops.quantizeActivations, tape, tensor("x"), [
  "bits",
  oneOf(...ACTIVATION_BITS),
]);
/**
 * W to ternary codes by the absmean (1.58: Ma et al., 2024, arXiv 2402.17764, §2) or binary ones (1: Wang et al., 2023,
 * arXiv
 * 2310.11453, §2.1) with one scale; 32 leaves it as it is.
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const w = tape.input([1, 2]),
 *   { codes } = ops.quantizeWeights(tape, w, 1.58);
 * const graph = tape.compile({ outputs: [codes!.values, codes!.scale] });
 * graph.f32(w).set([1, -2]);
 * graph.forward();
 * console.log(graph.f32(codes!.scale)); // 1.5
 * ```
 */
export const quantizeWeights = checked("quantizeWeights", ops.quantizeWeights, tape, tensor("w"), [
  "bits",
  oneOf(...WEIGHT_BITS),
]);
/**
 * y + b in place, b (columns).
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const y = tape.input([2, 2]),
 *   b = tape.input([2]),
 *   sum = ops.addBias(tape, y, b);
 * const graph = tape.compile({ outputs: [sum] });
 * graph.f32(b).set([1, 2]);
 * graph.forward();
 * console.log(graph.f32(sum)); // 1, 2, 1, 2
 * ```
 */
export const addBias = checked("addBias", ops.addBias, tape, tensor("y"), tensor("b"));
/**
 * x / √(mean(x²) + eps) · w, row by row, w (columns) (Zhang and Sennrich, 2019, arXiv 1910.07467, §4).
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const x = tape.input([1, 2]),
 *   w = tape.input([2]),
 *   y = ops.rmsNorm(tape, x, w, 1e-5);
 * const graph = tape.compile({ outputs: [y] });
 * graph.f32(x).set([3, 4]);
 * graph.f32(w).fill(1);
 * graph.forward();
 * console.log(graph.f32(y)); // about 0.849, 1.131
 * ```
 */
export const rmsNorm = checked("rmsNorm", ops.rmsNorm, tape, tensor("x"), tensor("w"), eps);
/**
 * (x - mean) / √(variance + eps) · w + b, row by row, w and b (columns) (Ba et al., 2016, arXiv 1607.06450, §3).
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const x = tape.input([1, 2]),
 *   w = tape.input([2]),
 *   b = tape.input([2]),
 *   y = ops.layerNorm(tape, x, w, b, 1e-5);
 * const graph = tape.compile({ outputs: [y] });
 * graph.f32(x).set([3, 4]);
 * graph.f32(w).fill(1);
 * graph.forward();
 * console.log(graph.f32(y)); // about -1, 1
 * ```
 */
export const layerNorm = checked("layerNorm", ops.layerNorm, tape, tensor("x"), tensor("w"), tensor("b"), eps);
/**
 * act(x), value by value.
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const x = tape.input([2]),
 *   y = ops.activate(tape, "relu2", x);
 * const graph = tape.compile({ outputs: [y] });
 * graph.f32(x).set([3, -1]);
 * graph.forward();
 * console.log(graph.f32(y)); // 9, 0
 * ```
 */
export const activate = checked("activate", ops.activate, tape, activation, tensor("x"));
/**
 * act(x) · up, value by value: the middle of a gated feed-forward (Shazeer, 2020, arXiv 2002.05202, §2).
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const x = tape.input([2]),
 *   up = tape.input([2]),
 *   y = ops.gate(tape, "relu2", x, up);
 * const graph = tape.compile({ outputs: [y] });
 * graph.f32(x).set([3, -1]);
 * graph.f32(up).fill(2);
 * graph.forward();
 * console.log(graph.f32(y)); // 18, 0
 * ```
 */
export const gate = checked("gate", ops.gate, tape, activation, tensor("x"), tensor("up"));
/**
 * a + b, of one shape.
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const a = tape.input([2]),
 *   b = tape.input([2]),
 *   sum = ops.add(tape, a, b);
 * const graph = tape.compile({ outputs: [sum] });
 * graph.f32(a).set([1, 2]);
 * graph.f32(b).set([3, 4]);
 * graph.forward();
 * console.log(graph.f32(sum)); // 4, 6
 * ```
 */
export const add = checked("add", ops.add, tape, tensor("a"), tensor("b"));
/**
 * x with each value zeroed with probability `rate`, the others divided by 1 - rate (Srivastava et al., 2014, JMLR 15,
 * §4);
 * `salt` tells one use from another.
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const runtime = new Runtime(),
 *   tape = new Tape(runtime),
 *   address = runtime.allocate(8, "seed and switch");
 * const x = tape.input([4]),
 *   y = ops.dropout(tape, x, 0.5, { address }, 0);
 * const graph = tape.compile({ outputs: [y] });
 * runtime.i32(address, 2).set([7, 1]);
 * graph.f32(x).fill(1);
 * graph.forward();
 * console.log(graph.f32(y)); // 0 or 2 each
 * ```
 */
export const dropout = checked(
  "dropout",
  ops.dropout,
  tape,
  tensor("x"),
  ["rate", RATE],
  ["state", options(DROPOUT_STATE)],
  ["salt", whole(0)],
);
/**
 * Rotates the pairs (i, i + headDim / 2) of every head in place (RoFormer: Su et al., 2021, arXiv 2104.09864, §3.2);
 * rows are sequences of `length`, tables (length, headDim / 2).
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const x = tape.input([1, 8]),
 *   cos = tape.input([1, 4]),
 *   sin = tape.input([1, 4]),
 *   y = ops.rotate(tape, x, { cos, sin }, 1, 8);
 * const graph = tape.compile({ outputs: [y] });
 * graph.f32(x).set([1, 2, 3, 4]);
 * graph.f32(sin).fill(1); // by 90°
 * graph.forward();
 * console.log(graph.f32(y)); // 0, 0, 0, 0, 1, 2, 3, 4
 * ```
 */
export const rotate = checked(
  "rotate",
  ops.rotate,
  tape,
  tensor("x"),
  ["table", options(ROTARY_TABLE)],
  ["length", whole(1)],
  ["headDim", whole(1)],
);
/**
 * softmax(q kᵀ / √headDim) v over each sequence (Vaswani et al., 2017, arXiv 1706.03762, §3.2). q (sequences · length,
 * nHeads · headDim), k and v likewise with nKvHeads. `weights` (sequences, nHeads, length, length) receives the
 * probabilities.
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const [q, k, v] = [1, 2, 3].map(() => tape.input([2, 8]));
 * const shape = { length: 2, nHeads: 1, nKvHeads: 1, headDim: 8, causal: true };
 * const y = ops.attention(tape, q, k, v, shape);
 * const graph = tape.compile({ outputs: [y] });
 * graph.f32(v).fill(2, 8);
 * graph.forward();
 * console.log(graph.f32(y)); // eight times 0, then 1: both positions weigh the same
 * ```
 */
export const attention = checked(
  "attention",
  ops.attention,
  tape,
  tensor("q"),
  tensor("k"),
  tensor("v"),
  ["shape", options(ATTENTION_SHAPE)],
  perhaps("weights"),
);
/**
 * Cross-entropy of logits (n, vocabulary) against targets, i32 (n), -1 for none. The gradient is that of the sum over
 * the rows times `gradientScale`.
 *
 * @throws OnebitError `option/invalid`, `model/bad-shape`
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const logits = tape.input([1, 4], { needsGradient: true }),
 *   targets = tape.input([1]),
 *   { total } = ops.crossEntropy(tape, logits, targets, 1);
 * const graph = tape.compile({ outputs: [total], fromLoss: true });
 * graph.i32(targets).set([2]);
 * graph.forwardBackward();
 * console.log(tape.runtime.f64(total.address, 2), graph.gradient(logits)); // ln 4 and 1 row
 * ```
 */
export const crossEntropy = checked("crossEntropy", ops.crossEntropy, tape, tensor("logits"), tensor("targets"), [
  "gradientScale",
  number({}),
]);
