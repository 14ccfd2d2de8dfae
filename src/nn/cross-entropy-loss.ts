/**
 * Cross-entropy loss of a language model.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import { checkOptions } from "../core/options.ts";
import { GraphSlot, LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { type IdArray, type NdArray, checkArray, checkIdArray, sizeOf } from "./nd-array.ts";
import { crossEntropy } from "./ops.ts";
import { Runtime } from "./runtime.ts";
import { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** A loss and its gradient. */
export interface LossResult {
  /** Mean over the targets, nats. */
  readonly loss: number;
  /** Gradient of the mean, of the shape of the logits. */
  readonly gradient: NdArray;
}

/**
 * Cross-entropy of logits (…, vocabulary) against ids (…); a target of -1 does not count.
 *
 * @example
 * ```ts
 * import { CrossEntropyLoss, array, ids } from "onebit/nn";
 *
 * const { loss, gradient } = new CrossEntropyLoss().compute(array([0, 0, 0, 0], [1, 4]), ids([2]));
 * console.log(loss, gradient.data); // ln 4; softmax minus one at the target
 * ```
 */
export class CrossEntropyLoss {
  /** Where it computes. */
  readonly runtime: Runtime;
  readonly #slot = new GraphSlot();

  /**
   * @param options `runtime`; default: one of its own
   * @throws OnebitError `option/invalid`
   */
  constructor(options: Pick<LayerOptions, "runtime"> = {}) {
    this.runtime =
      checkOptions("CrossEntropyLoss", options, { runtime: LAYER_OPTIONS.runtime }).runtime ?? new Runtime();
  }

  /**
   * The loss, and its gradient by the logits.
   * @throws OnebitError `model/bad-shape`, `model/bad-token`, `train/bad-data` when no target counts,
   *   `train/not-enough-memory`
   */
  compute(givenLogits: NdArray, givenTargets: IdArray): LossResult {
    const logits = checkArray(givenLogits, "logits"),
      targets = checkIdArray(givenTargets, "targets");
    const vocabulary = logits.shape.at(-1) ?? 1,
      n = sizeOf(logits.shape) / vocabulary;
    if (targets.data.length !== n)
      fail("model/bad-shape", `targets: wanted ${n}, one for each row of logits, got ${targets.data.length}`);
    const bad = targets.data.find((id) => id < -1 || id >= vocabulary);
    if (bad !== undefined)
      fail("model/bad-token", `targets: wanted ids in 0…${vocabulary - 1}, or -1 for none, got ${bad}`);
    const count = targets.data.reduce((sum, id) => sum + Number(id >= 0), 0);
    if (count === 0) fail("train/bad-data", "targets: wanted at least one that is not -1");
    // The graph holds the gradient's scale, 1 / count.
    const {
      graph,
      input,
      outputs: [ids, total],
    } = this.#slot.get(`${n} ${vocabulary} ${count}`, () => this.#record(n, vocabulary, count));
    graph.f32(input).set(logits.data);
    graph.i32(ids).set(targets.data);
    graph.forwardBackward();
    return {
      loss: this.runtime.f64(total.address, 2)[0] / count,
      gradient: {
        data: withMemoryNow("train/not-enough-memory", "the gradient of the logits", () =>
          graph.gradient(input).slice(),
        ),
        shape: logits.shape,
      },
    };
  }

  #record(
    n: number,
    vocabulary: number,
    count: number,
  ): { graph: ReturnType<Tape["compile"]>; input: Tensor; outputs: readonly Tensor[] } {
    const tape = new Tape(this.runtime),
      input = tape.input([n, vocabulary], { needsGradient: true }),
      ids = tape.input([n]);
    const { total } = crossEntropy(tape, input, ids, 1 / count);
    return { graph: tape.compile({ outputs: [total], fromLoss: true }), input, outputs: [ids, total] };
  }

  /** Gives its memory back to the runtime. */
  close(): void {
    this.#slot.free();
  }
}
