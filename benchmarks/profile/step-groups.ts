/** Cuts a program at its barriers and names each part by its work. */
import * as abi from "../../assembly/abi.ts";
import { fieldOffset } from "../../src/kernels/steps.ts";
import type { ProfiledModel } from "./model.ts";

export interface StepKind {
  readonly name: string;
  /** Bytes of weights that the part reads. */
  readonly bytes: number;
  /** How many weights those are. */
  readonly weights: number;
}

export interface StepGroup {
  readonly at: number;
  readonly nSteps: number;
  readonly kind: StepKind;
}

const OPS: Readonly<Record<number, string>> = {
  [abi.OP_EMBED]: "embedding",
  [abi.OP_RMS_NORM]: "norm",
  [abi.OP_LAYER_NORM]: "norm",
  [abi.OP_RMS_NORM_HEADS]: "norm of heads",
  [abi.OP_QUANTIZE_TOKEN]: "quantise",
  [abi.OP_QUANTIZE_BLOCKS]: "quantise",
  [abi.OP_QUANTIZE_Q6_K]: "quantise",
  [abi.OP_TOKEN_BLOCKS]: "quantise",
  [abi.OP_TERNARY_TABLES]: "tables",
  [abi.OP_BINARY_TABLES]: "tables",
  [abi.OP_SHORT_TABLES]: "tables",
  [abi.OP_ADD_BIAS]: "bias",
  [abi.OP_SCALE]: "scale",
  [abi.OP_ADD_SCALED]: "residual",
  [abi.OP_ROPE_TABLE]: "rope",
  [abi.OP_ROPE]: "rope",
  [abi.OP_STORE_KV]: "store keys and values",
  [abi.OP_STORE_KV_Q8]: "store keys and values",
  [abi.OP_ATTEND]: "attention",
  [abi.OP_ATTEND_Q8]: "attention",
  [abi.OP_GATE_SILU]: "gate",
  [abi.OP_GATE_RELU2]: "gate",
  [abi.OP_GATE_GELU]: "gate",
  [abi.OP_GATE_SIGMOID]: "gate of attention",
  [abi.OP_CONVOLVE]: "convolution",
  [abi.OP_DELTA_NET]: "delta net",
  [abi.OP_HADAMARD]: "rotation",
};

/** The parts of `program` that end in a barrier, for `rows` rows, of which `headRows` need logits. */
export function stepGroups(
  { plan, program, memory }: Pick<ProfiledModel, "plan" | "program" | "memory">,
  rows: number,
  headRows: number,
): StepGroup[] {
  const view = new DataView(memory.buffer),
    matrices = new Map([...plan.matrices.values()].map((placed) => [placed.weightAt, placed]));
  const groups: StepGroup[] = [];
  let begin = 0,
    names: string[] = [],
    bytes = 0,
    weights = 0;
  for (let i = 0; i < program.nSteps; i++) {
    const at = plan.program + i * abi.STEP_BYTES,
      op = view.getInt32(at, true),
      flags = view.getInt32(at + 4, true);
    const matrix =
      op === abi.OP_MATMUL ? matrices.get(view.getUint32(at + fieldOffset("matmul", "weights"), true)) : undefined;
    if (matrix) {
      const {
        size,
        matrix: { tensor, rows: nOutputs, k },
      } = matrix;
      bytes += size.weightBytes + size.scaleBytes;
      weights += nOutputs * k;
      const name = tensor.name.replace(/^blk\.\d+\./, "").replace(/\.weight$/, "");
      names.push(`matmul ${(flags & abi.FLAG_HEAD_ROWS) !== 0 ? "head" : name}`);
    } else names.push(OPS[op] ?? `step ${op}`);
    // Without a barrier at the cut, the next part would start while a thread is still in this one.
    const isOneRow = ((flags & abi.FLAG_HEAD_ROWS) !== 0 ? headRows : rows) === 1;
    const waits = (flags & (isOneRow ? abi.FLAG_BARRIER : abi.FLAG_BARRIER | abi.FLAG_BARRIER_BATCH)) !== 0;
    if (!waits && i + 1 < program.nSteps) continue;
    groups.push({
      at: plan.program + begin * abi.STEP_BYTES,
      nSteps: i + 1 - begin,
      kind: { name: [...new Set(names)].join(", ").replaceAll(", matmul ", ", "), bytes, weights },
    });
    (begin = i + 1), (names = []), (bytes = 0), (weights = 0);
  }
  return groups;
}
