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
import { TAPE, TENSOR, Tensor } from "./tape.ts";

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

export const embed = checked("embed", ops.embed, tape, tensor("ids"), tensor("table"));
export const linear = checked("linear", ops.linear, tape, tensor("x"), tensor("w"), perhaps("b"));
export const product = checked("product", ops.product, tape, operand("x"), operand("w"));
export const quantizeActivations = checked("quantizeActivations", ops.quantizeActivations, tape, tensor("x"), [
  "bits",
  oneOf(...ACTIVATION_BITS),
]);
export const quantizeWeights = checked("quantizeWeights", ops.quantizeWeights, tape, tensor("w"), [
  "bits",
  oneOf(...WEIGHT_BITS),
]);
export const addBias = checked("addBias", ops.addBias, tape, tensor("y"), tensor("b"));
export const rmsNorm = checked("rmsNorm", ops.rmsNorm, tape, tensor("x"), tensor("w"), eps);
export const layerNorm = checked("layerNorm", ops.layerNorm, tape, tensor("x"), tensor("w"), tensor("b"), eps);
export const activate = checked("activate", ops.activate, tape, activation, tensor("x"));
export const gate = checked("gate", ops.gate, tape, activation, tensor("x"), tensor("up"));
export const add = checked("add", ops.add, tape, tensor("a"), tensor("b"));
export const dropout = checked(
  "dropout",
  ops.dropout,
  tape,
  tensor("x"),
  ["rate", RATE],
  ["state", options(DROPOUT_STATE)],
  ["salt", whole(0)],
);
export const rotate = checked(
  "rotate",
  ops.rotate,
  tape,
  tensor("x"),
  ["table", options(ROTARY_TABLE)],
  ["length", whole(1)],
  ["headDim", whole(1)],
);
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
export const crossEntropy = checked("crossEntropy", ops.crossEntropy, tape, tensor("logits"), tensor("targets"), [
  "gradientScale",
  number({}),
]);
